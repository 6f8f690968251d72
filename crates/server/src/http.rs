//! The HTTP surface: what stands before and around every call.

pub(crate) mod auth;
pub(crate) mod body;
pub(crate) mod error;

use std::time::Duration;

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use self::error::{ApiError, REQUEST_ID};
use crate::app::App;
use crate::codes::Code;
use crate::{backups, data_plane, graphs, identity, jobs, metadata, obs};

/// The largest body, but for objects.
pub(crate) const MAX_BODY: usize = 12 * 1024 * 1024;
/// Bodies up to this are read before anything else.
const SMALL_BODY: usize = 64 * 1024;
/// The longest path and query.
const MAX_URI: usize = 32 * 1024;
/// Long enough for the largest batch; an endless request does not hold its resources for ever.
const TIME_LIMIT: Duration = Duration::from_secs(300);

/// All routes.
pub(crate) fn router(app: App) -> Router {
    let guarded = Router::new()
        .merge(graphs::routes())
        .merge(backups::routes())
        .merge(jobs::routes())
        .merge(metadata::routes())
        .merge(data_plane::routes())
        .merge(obs::routes())
        .route_layer(from_fn_with_state(app.clone(), auth::in_project));
    Router::new()
        .merge(guarded)
        .merge(identity::routes(&app))
        .route("/healthz", get(|| async { axum::Json(serde_json::json!({"status": "ok"})) }))
        .route("/readyz", get(ready))
        .fallback(no_such_api)
        .method_not_allowed_fallback(no_such_api)
        .with_state(app)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(take_small_body))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, TIME_LIMIT))
        .layer(from_fn(around))
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

/// Gives each request an id, refuses what is too long, and logs what became of it.
async fn around(request: Request, next: Next) -> Response {
    let id = request_id();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let too_long = request.uri().path_and_query().is_some_and(|uri| uri.as_str().len() > MAX_URI);
    let announced = request.headers().get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<u64>().ok()).unwrap_or(0);
    let too_large = announced > MAX_BODY as u64 && !path.starts_with("/obs/");
    let answer = async {
        match (too_long, too_large) {
            (true, _) => ApiError::new(Code::UriTooLong).into_response(),
            (_, true) => ApiError::new(Code::BodyTooLarge).into_response(),
            _ => next.run(request).await,
        }
    };
    let mut response = REQUEST_ID.scope(id.clone(), answer).await;
    let status = response.status().as_u16();
    tracing::debug!(request = id, %method, path, status, "answered");
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", value.clone());
        response.headers_mut().insert("x-iam-trace-id", value);
    }
    response
}

/// Reads a small body at once, so that a refusal that does not look at it leaves the connection
/// in order for the next request.
async fn take_small_body(request: Request, next: Next) -> Response {
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if length.is_none_or(|length| length > SMALL_BODY) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    match body::read(body).await {
        Ok(bytes) => next.run(Request::from_parts(parts, bytes.into())).await,
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

/// Runs blocking work on a thread made for it.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(ApiError::internal(error)),
    }
}
