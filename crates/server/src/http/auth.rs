//! Who is calling, for which project, and whether he may. Every request passes here, and what it
//! needs stands in one table (`identity/access.rs`).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use rusqlite::OptionalExtension;

use super::address::Address;
use super::blocking;
use super::body::read;
use super::error::ApiError;
use crate::app::App;
use crate::audit::Actor;
use crate::codes::Code;
use crate::identity::access::{Action, Need, need};
use crate::identity::lockout::Subject;
use crate::identity::session::{self, KeySession, Session};
use crate::identity::signing::{SignatureError, Signed, SignedRequest};
use crate::ids::ProjectId;

/// The user behind a request.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) user_name: String,
    /// The project of the token, or the one that a signed request speaks for.
    pub(crate) project: ProjectId,
}

/// The interface that a path belongs to, by which errors have their shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plane {
    Management,
    Data,
    Identity,
    /// Buckets, and what is ours.
    Other,
}

impl Plane {
    fn of(uri: &Uri) -> Self {
        match uri.path().split('/').nth(1).unwrap_or_default() {
            "v2" | "v1.0" => Self::Management,
            "ges" => Self::Data,
            "v3" | "v3.0" => Self::Identity,
            _ => Self::Other,
        }
    }

    fn refusal(self, error: ApiError) -> Response {
        match self {
            Self::Identity => error.identity(),
            Self::Data if error.code == Code::NoAccess => error.v1(),
            _ => error.into_response(),
        }
    }

    fn not_permitted(self, need: &str) -> ApiError {
        let code = match self {
            Self::Management => Code::NotPermitted,
            Self::Data => Code::NoAccess,
            Self::Identity => Code::IdentityForbidden,
            Self::Other => Code::AccessDenied,
        };
        ApiError::about(code, format!("[{need}]"))
    }
}

/// Lets a request through if the table says that its credentials are good for it.
pub(crate) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let plane = Plane::of(request.uri());
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = route.unwrap_or_default();
    let Some(need) = need(request.method(), &route) else {
        tracing::error!(method = %request.method(), route, "a call without an entry in the table of calls");
        return plane.refusal(plane.not_permitted("no entry"));
    };
    if need == Need::Nothing {
        return next.run(request).await;
    }
    match admit(&app, request, need, plane).await {
        Ok((request, actor)) => {
            let mut response = next.run(request).await;
            response.extensions_mut().insert(actor);
            response
        }
        Err(Refused { error, actor }) => {
            let mut response = plane.refusal(error);
            if let Some(actor) = actor {
                response.extensions_mut().insert(actor);
            }
            response
        }
    }
}

/// A refusal, and whom it met if that is known.
struct Refused {
    error: ApiError,
    actor: Option<Actor>,
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self { error, actor: None }
    }
}

async fn admit(app: &App, request: Request, need: Need, plane: Plane) -> Result<(Request, Actor), Refused> {
    if !app.is_recovered() {
        return Err(ApiError::about(Code::Unavailable, "The server is starting.").into());
    }
    let (request, session) = authenticate(app, request).await?;
    let actor = Actor::of(&session);
    let (mut parts, body) = request.into_parts();
    permit(app, &mut parts, &session, need, plane)
        .await
        .map_err(|error| Refused { error, actor: Some(actor.clone()) })?;
    if let Some(project) = session.project() {
        let caller = Caller { user_name: session.user_name.clone(), project: project.clone() };
        parts.extensions.insert(caller);
    }
    parts.extensions.insert(session);
    Ok((Request::from_parts(parts, body), actor))
}

/// Whether the session fulfils the need.
async fn permit(
    app: &App,
    parts: &mut Parts,
    session: &Arc<Session>,
    need: Need,
    plane: Plane,
) -> Result<(), ApiError> {
    let elsewhere =
        session.is_foreign() && plane == Plane::Identity && !parts.uri.path().starts_with("/v3/auth/");
    if elsewhere {
        let why =
            "Users, roles and projects are managed at the Keystone that this server is configured with.";
        return Err(ApiError::about(Code::IdentityForbidden, why));
    }
    match need {
        Need::Nothing | Need::Credentials => Ok(()),
        Need::Administrator if session.administrator => Ok(()),
        Need::Administrator => Err(plane.not_permitted("administrator")),
        Need::Self_ => {
            let named = path_parameter(parts, app, "user").await;
            match named.is_some_and(|user| session.administrator || user == session.user.as_str()) {
                true => Ok(()),
                false => Err(plane.not_permitted("administrator")),
            }
        }
        Need::Action(action) => permit_action(app, parts, session, action, plane).await,
    }
}

async fn permit_action(
    app: &App,
    parts: &mut Parts,
    session: &Arc<Session>,
    action: Action,
    plane: Plane,
) -> Result<(), ApiError> {
    let wanted = project_in(&parts.uri);
    let Some(project) = session.project().cloned() else {
        let code = if session.is_key() { Code::ForeignProject } else { Code::ProjectNotUsable };
        return Err(ApiError::new(code));
    };
    if wanted.is_some_and(|wanted| wanted != project) {
        return Err(ApiError::new(Code::ForeignProject));
    }
    let graph = match session.names_graphs() {
        true => graph_name(app, parts, project, plane).await?,
        false => None,
    };
    match session.may(action, graph.as_deref()) {
        true => Ok(()),
        false => Err(plane.not_permitted(action.name())),
    }
}

async fn path_parameter(parts: &mut Parts, app: &App, name: &str) -> Option<String> {
    let found = RawPathParams::from_request_parts(parts, app).await.ok()?;
    found.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}

/// The name of the graph in the path: the data plane names it, the management plane has its id.
async fn graph_name(
    app: &App,
    parts: &mut Parts,
    project: ProjectId,
    plane: Plane,
) -> Result<Option<String>, ApiError> {
    let named = path_parameter(parts, app, "graph").await;
    let Some(id) = named.filter(|_| plane != Plane::Data) else {
        return Ok(path_parameter(parts, app, "graph").await);
    };
    let app = app.clone();
    blocking(move || {
        app.db().read(|db| {
            let name = db
                .prepare_cached("SELECT name FROM graphs WHERE id = ?1 AND project_id = ?2")?
                .query_row([&id, &project.0], |row| row.get(0))
                .optional()?;
            Ok(name)
        })
    })
    .await
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

fn unauthenticated(why: &str) -> ApiError {
    ApiError::about(Code::Unauthenticated, format!(": {why}"))
}

/// The session of a request's credentials, whichever kind they are.
async fn authenticate(app: &App, request: Request) -> Result<(Request, Arc<Session>), ApiError> {
    if is_signed(request.headers()) {
        return verify_signature(app, request).await;
    }
    let token = request.headers().get("x-auth-token");
    let token = token.ok_or_else(|| unauthenticated("header x-auth-token not found"))?;
    let token = token.to_str().map_err(|_| unauthenticated("token decryption failed"))?.to_owned();
    let session = check_token(app, &token).await?;
    Ok((request, session))
}

/// The session of a token that is good.
pub(crate) async fn check_token(app: &App, token: &str) -> Result<Arc<Session>, ApiError> {
    let unknown = || unauthenticated("token decryption failed");
    let session = match app.keystone() {
        Some(keystone) => keystone.session(app, token).await?.ok_or_else(unknown)?,
        None => match app.sessions().known(token) {
            Some(session) => session,
            None => {
                let (app, token) = (app.clone(), token.to_owned());
                let found = blocking(move || session::of_token(&app, &token)).await?;
                found.ok_or_else(unknown)?
            }
        },
    };
    if session.expires <= app.now() {
        let why = format!("token expired, expires_at: {}", session.expires.precise());
        return Err(unauthenticated(&why));
    }
    Ok(session)
}

fn is_signed(headers: &HeaderMap) -> bool {
    headers.get("authorization").is_some_and(|value| value.as_bytes().starts_with(b"SDK-HMAC-SHA256"))
}

async fn find_key(
    app: &App,
    access: &str,
    project: Option<ProjectId>,
) -> Result<Option<Arc<KeySession>>, ApiError> {
    if let Some(known) = app.sessions().known_key(access, project.as_ref()) {
        return Ok(Some(known));
    }
    let (app, access) = (app.clone(), access.to_owned());
    blocking(move || session::of_key(&app, &access, project.as_ref())).await
}

async fn verify_signature(app: &App, request: Request) -> Result<(Request, Arc<Session>), ApiError> {
    let (mut parts, body) = request.into_parts();
    let header = parts.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let signed =
        Signed::parse(header).ok_or_else(|| unauthenticated("AK/SK authorization header is malformed"))?;
    let Ok(address) = Address::from_request_parts(&mut parts, app).await;
    let subject = [Subject::Key(signed.access.clone(), address.to_string())];
    if let Some(seconds) = app.lockouts().locked(&subject, app.now()) {
        let why = format!("too many signatures with this key were wrong; try again in {seconds} seconds");
        return Err(unauthenticated(&why));
    }
    let named = || Some(ProjectId(parts.headers.get("x-project-id")?.to_str().ok()?.into()));
    let project = project_in(&parts.uri).or_else(named);
    // Before the body: nobody without a key makes the server hold twelve megabytes.
    let key = find_key(app, &signed.access, project).await?;
    let key = key.ok_or_else(|| unauthenticated("AK/SK signature verification failed"))?;
    let now = app.now();
    signed.check_date(&parts.headers, now).map_err(|error| unauthenticated(&error.to_string()))?;
    let bytes = read(body).await?;
    let request =
        SignedRequest { method: &parts.method, uri: &parts.uri, headers: &parts.headers, body: &bytes };
    if let Err(error) = signed.verify(&request, key.secret.as_bytes(), now) {
        if error == SignatureError::Wrong {
            app.lockouts().failed(&subject, now);
        }
        return Err(unauthenticated(&error.to_string()));
    }
    app.lockouts().succeeded(&subject[0]);
    Ok((Request::from_parts(parts, Body::from(bytes)), Arc::clone(&key.session)))
}

/// Whether a method changes something.
pub(crate) fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}
