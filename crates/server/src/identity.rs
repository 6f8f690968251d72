//! Identity, as OpenStack's Keystone v3 speaks it: passwords in, tokens out.

pub(crate) mod bootstrap;
pub(crate) mod password;
pub(crate) mod signing;
pub(crate) mod token;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::app::App;
use crate::codes::Code;
use crate::http::auth::check_token;
use crate::http::body::Fields;
use crate::http::error::ApiError;
use crate::http::{Parameters, blocking};
use crate::identity::token::{Scope, TokenRow};

const SUBJECT: HeaderName = HeaderName::from_static("x-subject-token");

pub(crate) fn routes(_app: &App) -> Router<App> {
    Router::new()
        .route("/v3", get(version))
        .route("/v3/", get(version))
        .route("/v3/auth/tokens", post(log_in).get(examine).head(examine).delete(revoke))
        .route("/v3/projects", get(projects))
        .route("/v3/auth/projects", get(projects))
        .route("/v3/auth/domains", get(domains))
}

async fn version() -> Json<Value> {
    Json(json!({"version": {"id": "v3.14", "status": "stable", "links": [{"rel": "self", "href": "/v3/"}]}}))
}

/// What somebody wants to log in as.
struct LogIn {
    name: Option<String>,
    user_id: Option<String>,
    domain: Option<String>,
    password: String,
    scope: Scope,
}

async fn log_in(State(app): State<App>, parameters: Parameters, body: Result<Fields, ApiError>) -> Response {
    let wanted = body.and_then(|body| LogIn::parse(&body));
    let Ok(wanted) = wanted else { return ApiError::new(Code::IdentityBadRequest).identity() };
    let catalog = !parameters.contains_key("nocatalog");
    let issued = blocking(move || {
        let user = app.db().read(|db| token::find_user(db, &wanted.name, &wanted.user_id, &wanted.domain))?;
        let hash = user.as_ref().map(|user| user.password_hash.as_str());
        // Checked even if there is no such user: both take the same time and look the same.
        let right = password::verify(&wanted.password, hash);
        let user = user.filter(|_| right).ok_or_else(|| ApiError::new(Code::IdentityUnauthorized))?;
        let text = app.ambient().token();
        let (now, lifetime) = (app.now(), app.token_seconds());
        let row = app.db().write(|db| token::issue(db, &text, &user, &wanted.scope, now, lifetime))?;
        Ok((app.clone(), text, row))
    });
    match issued.await {
        Ok((app, text, row)) => {
            (StatusCode::CREATED, [(SUBJECT, text)], Json(describe(&app, &row, catalog))).into_response()
        }
        Err(error) => error.identity(),
    }
}

impl LogIn {
    /// The parts of Keystone's body that matter; `None` anywhere is a bad request.
    fn parse(body: &Fields) -> Result<Self, ApiError> {
        let auth = body.required_object("auth")?;
        let identity = auth.required_object("identity")?;
        let methods = identity.list("methods")?.unwrap_or_default();
        if !methods.iter().any(|method| method == "password") {
            return Err(ApiError::about(Code::BadParameter, "[auth.identity.methods]"));
        }
        let user = identity.required_object("password")?.required_object("user")?;
        let domain = match user.object("domain")? {
            Some(domain) => domain.optional_text("name")?.or(domain.optional_text("id")?),
            None => None,
        };
        let (name, user_id) = (user.optional_text("name")?, user.optional_text("id")?);
        let password = user.optional_text("password")?;
        let password = password.ok_or_else(|| ApiError::new(Code::ParameterMissing))?;
        if name.is_none() && user_id.is_none() {
            return Err(ApiError::about(Code::ParameterMissing, "[auth.identity.password.user.name]"));
        }
        Ok(Self { name, user_id, domain, password, scope: Scope::parse(auth.object("scope")?)? })
    }
}

/// Checks the caller's own token and finds the one that is asked about.
async fn subject(app: &App, headers: &HeaderMap) -> Result<(String, Option<TokenRow>), ApiError> {
    let caller = check_token(app.clone(), headers).await?;
    let subject = headers.get(SUBJECT).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let (app, now) = (app.clone(), app.now());
    blocking(move || {
        let row = app.db().read(|db| token::find(db, &subject))?.filter(|row| row.expires > now);
        // Others' tokens are none of one's business; with one account, all are one's own.
        Ok((subject, row.filter(|row| row.domain_id == caller.domain_id)))
    })
    .await
}

async fn examine(State(app): State<App>, headers: HeaderMap, parameters: Parameters) -> Response {
    match subject(&app, &headers).await {
        Err(error) => error.identity(),
        Ok((_, None)) => ApiError::new(Code::IdentityNotFound).identity(),
        Ok((text, Some(row))) => {
            let body = describe(&app, &row, !parameters.contains_key("nocatalog"));
            ([(SUBJECT, text)], Json(body)).into_response()
        }
    }
}

async fn revoke(State(app): State<App>, headers: HeaderMap) -> Response {
    let revoked = match subject(&app, &headers).await {
        Err(error) => Err(error),
        Ok((_, None)) => Err(ApiError::new(Code::IdentityNotFound)),
        Ok((text, Some(_))) => {
            blocking(move || app.db().write(|db| token::revoke(db, &text)).map_err(ApiError::from)).await
        }
    };
    match revoked {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => error.identity(),
    }
}

/// The body of a token, as Keystone shows it.
fn describe(app: &App, row: &TokenRow, catalog: bool) -> Value {
    let domain = json!({"id": row.domain_id.as_str(), "name": row.domain_name});
    let mut token = json!({
        "methods": ["password"],
        "issued_at": row.issued.precise(),
        "expires_at": row.expires.precise(),
        "user": {
            "id": row.user.as_str(), "name": row.user_name, "password_expires_at": "", "domain": domain,
        },
        "roles": [{"id": "0", "name": "te_admin"}],
        "catalog": if catalog { app.catalog(row.project.as_ref()) } else { json!([]) },
    });
    if let (Some(project), Some(name)) = (&row.project, &row.project_name) {
        token["project"] = json!({"id": project.as_str(), "name": name, "domain": domain});
    } else if row.domain_scope {
        token["domain"] = domain;
    }
    json!({"token": token})
}

async fn projects(State(app): State<App>, headers: HeaderMap, parameters: Parameters) -> Response {
    let found = async {
        let caller = check_token_or_key(&app, &headers).await?;
        blocking(move || app.db().read(|db| projects_of(db, &caller, &parameters)).map_err(ApiError::from))
            .await
    };
    match found.await {
        Ok(projects) => {
            let links = json!({"self": "/v3/projects", "next": null, "previous": null});
            Json(json!({"projects": projects, "links": links})).into_response()
        }
        Err(error) => error.identity(),
    }
}

async fn check_token_or_key(app: &App, headers: &HeaderMap) -> Result<TokenRow, ApiError> {
    check_token(app.clone(), headers).await
}

fn projects_of(db: &Connection, caller: &TokenRow, wanted: &Parameters) -> rusqlite::Result<Vec<Value>> {
    let mut rows = db.prepare_cached(
        "SELECT p.id, p.name, p.domain_id, p.description FROM projects p
         JOIN members m ON m.project_id = p.id WHERE m.user_id = ?1 ORDER BY p.name",
    )?;
    let project = |row: &rusqlite::Row<'_>| {
        let (id, domain): (String, String) = (row.get(0)?, row.get(2)?);
        Ok(json!({
            "links": {"self": format!("/v3/projects/{id}"), "next": null, "previous": null},
            "id": id, "name": row.get::<_, String>(1)?, "domain_id": domain, "parent_id": domain,
            "is_domain": false, "enabled": true, "description": row.get::<_, String>(3)?,
        }))
    };
    let all = rows.query_map([&caller.user], project)?.collect::<Result<Vec<_>, _>>()?;
    let fits = |project: &Value| {
        ["name", "domain_id", "parent_id"]
            .iter()
            .all(|key| wanted.get(*key).is_none_or(|value| project[key] == value.as_str()))
            && wanted.get("enabled").is_none_or(|value| value == "true")
            && wanted.get("is_domain").is_none_or(|value| value == "false")
    };
    Ok(all.into_iter().filter(fits).collect())
}

async fn domains(State(app): State<App>, headers: HeaderMap, _wanted: Query<Value>) -> Response {
    match check_token(app.clone(), &headers).await {
        Ok(caller) => Json(json!({
            "domains": [{
                "id": caller.domain_id.as_str(), "name": caller.domain_name, "enabled": true,
                "description": "", "links": {"self": format!("/v3/domains/{}", caller.domain_id)},
            }],
            "links": {"self": "/v3/auth/domains", "next": null, "previous": null},
        }))
        .into_response(),
        Err(error) => error.identity(),
    }
}
