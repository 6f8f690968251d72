//! The HTTP surface: what stands before and around every call.

pub(crate) mod address;
pub(crate) mod auth;
pub(crate) mod body;
pub(crate) mod error;
pub(crate) mod limits;

use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{MatchedPath, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use tokio::time::Instant;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutBody;
use tracing::Instrument;

use self::auth::Caller;
use self::error::{ApiError, REQUEST_ID};
use crate::app::App;
use crate::codes::Code;
use crate::ids::ProjectId;
use crate::{audit, backups, data_plane, graphs, identity, jobs, metadata, metrics, obs, openapi, threads};

/// The largest body, but for objects.
pub(crate) const MAX_BODY: usize = 12 * 1024 * 1024;
/// Bodies up to this are read before anything else.
const SMALL_BODY: u64 = 64 * 1024;
/// The longest path and query.
const MAX_URI: usize = 32 * 1024;
/// The most that all header fields together may hold.
const MAX_HEADERS: usize = 32 * 1024;
/// Seconds after which it is worth trying again what cannot be done now.
const RETRY_AFTER: u64 = 1;
/// Long enough for the largest batch; an endless request does not hold its resources for ever.
const TIME_LIMIT: Duration = Duration::from_secs(300);

/// The whole surface.
pub(crate) fn router(app: App) -> Router {
    routes()
        .route_layer(from_fn(note_project))
        .route_layer(from_fn_with_state(app.clone(), auth::guard))
        .route_layer(from_fn_with_state(app.clone(), audit::note))
        .fallback(no_such_api)
        .method_not_allowed_fallback(no_such_api)
        .with_state(app.clone())
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(take_small_body))
        .layer(from_fn(within_time))
        .layer(from_fn_with_state(app.clone(), limits::admit))
        .layer(from_fn_with_state(app, around))
}

/// All calls, each of which stands in the table of `identity/access.rs`.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .merge(graphs::routes())
        .merge(backups::routes())
        .merge(jobs::routes())
        .merge(metadata::routes())
        .merge(data_plane::routes())
        .merge(obs::routes())
        .merge(identity::routes())
        .merge(audit::routes())
        .merge(metrics::routes())
        .merge(openapi::routes())
        .merge(backups::links::routes())
        .route("/healthz", get(|| async { axum::Json(serde_json::json!({"status": "ok"})) }))
        .route("/readyz", get(ready))
}

async fn ready(State(app): State<App>) -> Response {
    let body = |ready| axum::Json(serde_json::json!({"ready": ready}));
    match app.is_ready() {
        true => body(true).into_response(),
        false => (StatusCode::SERVICE_UNAVAILABLE, body(false)).into_response(),
    }
}

async fn no_such_api() -> ApiError {
    ApiError::new(Code::NoSuchApi)
}

fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    tracing::error!(panic = text, "a request panicked");
    ApiError::new(Code::GatewayInternal).into_response()
}

/// Gives each request an id, refuses what is too long, and counts and logs what became of it.
async fn around(State(app): State<App>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let _inside = app.metrics().in_flight.enter();
    let id = request_id();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let span = tracing::info_span!("request", id);
    let answer = async {
        match too_long(&request) {
            Some(code) => ApiError::new(code).into_response(),
            None => next.run(patiently(request, app.config().client_timeout)).await,
        }
    };
    let mut response = REQUEST_ID.scope(id.clone(), answer).instrument(span).await;
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert("x-request-id", value.clone());
        headers.insert("x-iam-trace-id", value);
    }
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().entry(header::RETRY_AFTER).or_insert(RETRY_AFTER.into());
    }
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    let (status, took) = (response.status().as_u16(), started.elapsed());
    app.metrics().answered(&method, route, status, took);
    log(&id, &method, route, &response, took);
    response
}

/// One line a request: reads at `debug`, what changes something or fails on our side at `info`.
/// Only the pattern of the path: what a client puts into a path or a query may be a secret.
fn log(id: &str, method: &Method, route: &str, response: &Response, took: Duration) {
    let (status, ms) = (response.status().as_u16(), took.as_secs_f64() * 1000.0);
    let project = response.extensions().get::<ProjectOf>().map_or("-", |project| project.0.as_str());
    if method.is_safe() && status < 500 {
        tracing::debug!(request = id, %method, route, project, status, ms, "answered");
    } else {
        tracing::info!(request = id, %method, route, project, status, ms, "answered");
    }
}

/// The project that a request was admitted to.
#[derive(Clone)]
struct ProjectOf(ProjectId);

async fn note_project(caller: Option<Extension<Caller>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if let Some(Extension(caller)) = caller {
        response.extensions_mut().insert(ProjectOf(caller.project));
    }
    response
}

/// Refuses by what a request's head says.
fn too_long(request: &Request) -> Option<Code> {
    if request.uri().path_and_query().is_some_and(|uri| uri.as_str().len() > MAX_URI) {
        return Some(Code::UriTooLong);
    }
    let headers = request.headers();
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > MAX_HEADERS {
        return Some(Code::HeaderTooLarge);
    }
    let announced = announced_length(headers).unwrap_or(0);
    (announced > MAX_BODY as u64 && !is_object(request)).then_some(Code::BodyTooLarge)
}

fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn is_object(request: &Request) -> bool {
    request.uri().path().starts_with("/obs/")
}

/// Waits so long for each part of the body.
fn patiently(request: Request, patience: Duration) -> Request {
    request.map(|body| match body.is_end_stream() {
        true => body,
        false => Body::new(TimeoutBody::new(patience, body)),
    })
}

/// Gives up what takes too long. Objects may take as long as their bytes keep coming.
async fn within_time(request: Request, next: Next) -> Response {
    if is_object(&request) {
        return next.run(request).await;
    }
    match tokio::time::timeout(TIME_LIMIT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::new(Code::TookTooLong).into_response(),
    }
}

/// Reads a small body at once, so that a refusal that does not look at it leaves the connection
/// in order for the next request. One that does not say its length is read until it is not small.
async fn take_small_body(request: Request, next: Next) -> Response {
    let is_large = announced_length(request.headers()).is_some_and(|length| length > SMALL_BODY);
    if is_large || request.body().is_end_stream() {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    match body::read_ahead(body, SMALL_BODY as usize).await {
        Ok(body) => next.run(Request::from_parts(parts, body)).await,
        Err(error) => error.into_response(),
    }
}

fn request_id() -> String {
    crate::system::Ambient::real().hex_id()
}

/// `offset` and `limit` of a list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page {
    pub(crate) offset: i64,
    pub(crate) limit: i64,
}

/// The most rows that one page gives.
const MAX_LIMIT: i64 = 1000;

pub(crate) type Parameters = Query<std::collections::HashMap<String, String, rustc_hash::FxBuildHasher>>;

impl Page {
    pub(crate) fn of(parameters: &Parameters) -> Result<Self, ApiError> {
        let number = |name: &str, default: i64, least: i64| match parameters.get(name).map(String::as_str) {
            None | Some("") => Ok(default),
            Some(text) => text.parse::<i64>().ok().filter(|number| *number >= least).ok_or_else(|| {
                ApiError::about(Code::BadParameter, format!("[{name}] must be a whole number from {least}."))
            }),
        };
        Ok(Self { offset: number("offset", 0, 0)?, limit: number("limit", 10, 1)?.min(MAX_LIMIT) })
    }
}

/// Runs the blocking work of a request, which takes moments, on a thread made for it.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    // What is logged there belongs to the request, too.
    let span = tracing::Span::current();
    match threads::REQUESTS.spawn(move || span.in_scope(work)).await {
        Ok(result) => result,
        Err(error) => Err(ApiError::internal(error)),
    }
}
