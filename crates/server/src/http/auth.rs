//! Who is calling, and for which project.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::blocking;
use super::body::read;
use super::error::ApiError;
use crate::app::App;
use crate::codes::Code;
use crate::identity::signing::{Signed, SignedRequest};
use crate::identity::token::{self, TokenRow};
use crate::ids::ProjectId;

/// The user behind a request.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) user_name: String,
    /// The project of the token, or the one that a signed request speaks for.
    pub(crate) project: ProjectId,
}

/// Lets a request through if its credentials are good for the project in its path.
pub(crate) async fn in_project(State(app): State<App>, request: Request, next: Next) -> Response {
    match admit(app, request).await {
        Ok(request) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

async fn admit(app: App, request: Request) -> Result<Request, ApiError> {
    if !app.is_recovered() {
        return Err(ApiError::about(Code::Unavailable, "The server is starting."));
    }
    let wanted = project_in(request.uri());
    let (mut request, caller) = if is_signed(request.headers()) {
        verify_signature(app, request, wanted.clone()).await?
    } else {
        let row = check_token(app.clone(), request.headers()).await?;
        let user_name = row.user_name.clone();
        let project = row.project.ok_or_else(|| ApiError::new(Code::ProjectNotUsable))?;
        (request, Caller { user_name, project })
    };
    if wanted.is_some_and(|wanted| wanted != caller.project) {
        return Err(ApiError::new(Code::ForeignProject));
    }
    request.extensions_mut().insert(caller);
    Ok(request)
}

/// `/v2/{project}/…`, `/v1.0/{project}/…`, `/ges/v1.0/{project}/…`; buckets belong to the project
/// of the credentials.
fn project_in(uri: &Uri) -> Option<ProjectId> {
    let mut segments = uri.path().split('/').skip(1);
    let first = segments.next()?;
    let project = match first {
        "v2" | "v1.0" => segments.next(),
        "ges" => segments.nth(1),
        _ => None,
    };
    project.map(|project| ProjectId(project.into()))
}

/// A token's row, from `X-Auth-Token`.
pub(crate) async fn check_token(app: App, headers: &HeaderMap) -> Result<TokenRow, ApiError> {
    let refuse = |why: &str| ApiError::about(Code::Unauthenticated, format!(": {why}"));
    let token = headers.get("x-auth-token").ok_or_else(|| refuse("header x-auth-token not found"))?;
    let token = token.to_str().map_err(|_| refuse("token decryption failed"))?.to_owned();
    let now = app.now();
    let row = app.db().read(|db| token::find(db, &token))?;
    let row = row.ok_or_else(|| refuse("token decryption failed"))?;
    if row.expires <= now {
        return Err(refuse(&format!("token expired, expires_at: {}", row.expires.precise())));
    }
    Ok(row)
}

fn is_signed(headers: &HeaderMap) -> bool {
    headers.get("authorization").is_some_and(|value| value.as_bytes().starts_with(b"SDK-HMAC-SHA256"))
}

async fn verify_signature(
    app: App,
    request: Request,
    wanted: Option<ProjectId>,
) -> Result<(Request, Caller), ApiError> {
    let refuse = |why: &str| ApiError::about(Code::Unauthenticated, format!(": {why}"));
    let (parts, body) = request.into_parts();
    let header = parts.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let signed = Signed::parse(header).ok_or_else(|| refuse("AK/SK authorization header is malformed"))?;
    let access = signed.access.clone();
    let lookup = app.clone();
    let project = wanted.or_else(|| {
        let named = parts.headers.get("x-project-id")?;
        Some(ProjectId(named.to_str().ok()?.into()))
    });
    let key = blocking(move || token::find_key(&lookup, &access, project.as_ref())).await?;
    // Before the body: nobody without a key makes the server hold twelve megabytes.
    let key = key.ok_or_else(|| refuse("AK/SK signature verification failed"))?;
    let now = app.now();
    signed.check_date(&parts.headers, now).map_err(|error| refuse(&error.to_string()))?;
    let bytes = read(body).await?;
    let request =
        SignedRequest { method: &parts.method, uri: &parts.uri, headers: &parts.headers, body: &bytes };
    signed.verify(&request, key.secret.as_bytes(), now).map_err(|error| refuse(&error.to_string()))?;
    let project = key.project.ok_or_else(|| ApiError::new(Code::ForeignProject))?;
    let caller = Caller { user_name: key.user_name, project };
    Ok((Request::from_parts(parts, Body::from(bytes)), caller))
}
