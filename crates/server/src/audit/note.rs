//! From a request and its answer to a record.

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use serde::Serialize;
use serde_json::{Map, Value};

use super::writer::Entry;
use crate::app::App;
use crate::codes::Code;
use crate::http::address::Address;
use crate::http::auth::changes;
use crate::http::error::{ApiError, REQUEST_ID};
use crate::identity::session::Session;

/// Answers up to this are looked through for the ids of what was made.
const SMALL: u64 = 64 * 1024;
/// Parts of paths that name things. Vertices and labels are data, which no record repeats.
const NAMES: [&str; 13] = [
    "project", "graph", "backup", "metadata", "job", "bucket", "key", "user", "group", "role", "domain",
    "access", "policy",
];
/// Fields of answers that name what was made.
const MADE: [&str; 6] = ["id", "graph_id", "backup_id", "job_id", "access", "name"];

/// Whoever has the links of a backup has the graph, and needs nobody's leave to fetch it.
const LINKS: &str = "/v2/{project}/graphs/{graph}/backup-files";

/// Whoever did it. Put into the answer's extensions by whatever knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Actor {
    pub(crate) id: String,
    pub(crate) name: String,
}

impl Actor {
    pub(crate) fn of(session: &Session) -> Self {
        Self { id: session.user.0.clone(), name: session.user_name.clone() }
    }
}

/// How a request is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Only if it is refused to somebody who is known.
    Look,
    /// Changes elements of a graph.
    Elements,
    /// Changes something else, or gives the data of a graph away.
    Change,
    /// Proves who somebody is, and so is recorded even if nobody is known.
    Password,
}

struct Call {
    kind: Kind,
    entry: Entry,
}

/// Records what changes something, and what is refused to somebody who is known.
pub(crate) async fn note(State(app): State<App>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let Call { kind, mut entry } = Call::of(&mut parts, &app).await;
    if kind != Kind::Look && app.audit().is_broken() {
        return unrecorded();
    }
    let mut response = next.run(Request::from_parts(parts, body)).await;
    entry.user = response.extensions_mut().remove::<Actor>();
    let status = response.status();
    let known = entry.user.is_some() || kind == Kind::Password;
    if !known || (kind == Kind::Look && status != StatusCode::FORBIDDEN) {
        return response;
    }
    entry.time = app.now().precise();
    entry.status = Some(status.as_u16());
    entry.outcome = match status.as_u16() {
        ..400 => "done",
        400..500 => "refused",
        _ => "failed",
    };
    let recorded = match kind {
        Kind::Change | Kind::Password if status.is_success() => {
            if kind == Kind::Change {
                response = look_for_ids(response, &mut entry.made).await;
            }
            app.audit().record(entry).await
        }
        _ => app.audit().record_later(entry).await,
    };
    match recorded {
        Ok(()) => response,
        Err(_) if kind == Kind::Look => response,
        Err(_) => unrecorded(),
    }
}

fn unrecorded() -> Response {
    ApiError::about(Code::Unavailable, "The audit record cannot be written.").into_response()
}

impl Call {
    async fn of(parts: &mut Parts, app: &App) -> Self {
        let route = parts.extensions.get::<MatchedPath>().map(|path| path.as_str().to_owned());
        let route = route.unwrap_or_default();
        let kind = Kind::of(parts, &route);
        let mut entry = Entry { call: format!("{} {route}", parts.method), ..Entry::default() };
        if let Ok(parameters) = RawPathParams::from_request_parts(parts, app).await {
            let named = parameters
                .iter()
                .map(|(name, value)| (if name == "project_id" { "project" } else { name }, value));
            let named = named.filter(|(name, _)| NAMES.contains(name));
            entry.of.extend(named.map(|(name, value)| (name.to_owned(), value.into())));
        }
        if route == LINKS {
            let mut asked = parts.uri.query().into_iter().flat_map(|query| query.split('&'));
            let backup = asked.find_map(|pair| pair.strip_prefix("backup_id="));
            entry.of.extend(backup.map(|backup| ("backup".into(), backup.into())));
        }
        let Ok(address) = Address::from_request_parts(parts, app).await;
        entry.address = address.to_string();
        entry.request = REQUEST_ID.try_with(String::clone).unwrap_or_default();
        Self { kind, entry }
    }
}

impl Kind {
    fn of(parts: &Parts, route: &str) -> Self {
        let query = parts.uri.query().unwrap_or_default();
        match route {
            "/v3/auth/tokens" | "/v3/users/{user}/password" if parts.method == "POST" => Self::Password,
            LINKS => Self::Change,
            _ if !changes(&parts.method) => Self::Look,
            _ if route.starts_with("/ges/")
                && query.split('&').any(|pair| pair == "action_id=batch-query") =>
            {
                Self::Look
            }
            _ if route.starts_with("/ges/") => Self::Elements,
            _ => Self::Change,
        }
    }
}

/// Notes the ids that a small answer tells, at its top or one step below.
async fn look_for_ids(response: Response, made: &mut Map<String, Value>) -> Response {
    let json = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    let size = response.body().size_hint().exact();
    if !json || size.is_none_or(|size| size > SMALL) {
        return response;
    }
    let (parts, body) = response.into_parts();
    let bytes = match body.collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) => return ApiError::internal(error).into_response(),
    };
    if let Ok(Value::Object(fields)) = serde_json::from_slice(&bytes) {
        let below = fields.values().filter_map(Value::as_object).flatten();
        for (name, value) in fields.iter().chain(below) {
            if MADE.contains(&name.as_str()) && value.is_string() {
                made.insert(name.clone(), value.clone());
            }
        }
    }
    Response::from_parts(parts, Body::from(bytes))
}
