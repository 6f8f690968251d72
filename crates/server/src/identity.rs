//! Identity, as OpenStack's Keystone v3 speaks it: who there is, what they may do, and how they
//! prove who they are.

pub(crate) mod access;
pub(crate) mod bootstrap;
pub(crate) mod credentials;
pub(crate) mod groups;
pub(crate) mod keystone;
pub(crate) mod lockout;
pub(crate) mod login;
pub(crate) mod password;
pub(crate) mod policy;
pub(crate) mod projects;
pub(crate) mod role;
pub(crate) mod roles;
pub(crate) mod session;
pub(crate) mod signing;
pub(crate) mod token;
pub(crate) mod users;

use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use rusqlite::Transaction;
use serde_json::{Value, json};

use crate::app::App;
use crate::audit::Actor;
use crate::codes::Code;
use crate::http::blocking;
use crate::http::body::Fields;
use crate::http::error::ApiError;

/// A refusal in the shape of identity.
pub(crate) struct IdentityError {
    error: ApiError,
    /// Whose password it was about, for the audit.
    about: Option<Actor>,
}

/// What a call of identity answers.
pub(crate) type Answer = Result<Json<Value>, IdentityError>;

impl From<ApiError> for IdentityError {
    fn from(error: ApiError) -> Self {
        Self { error, about: None }
    }
}

impl IntoResponse for IdentityError {
    fn into_response(self) -> Response {
        let mut response = self.error.identity();
        if let Some(actor) = self.about {
            response.extensions_mut().insert(actor);
        }
        response
    }
}

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/v3", get(version))
        .route("/v3/", get(version))
        .route(
            "/v3/auth/tokens",
            get(login::examine).head(login::examine).post(login::log_in).delete(login::revoke),
        )
        .route("/v3/auth/catalog", get(login::catalog))
        .route("/gestalt/v1/calls", get(calls))
        .merge(projects::routes())
        .merge(users::routes())
        .merge(groups::routes())
        .merge(roles::routes())
        .merge(credentials::routes())
}

async fn version() -> Json<Value> {
    Json(json!({"version": {"id": "v3.14", "status": "stable", "links": [{"rel": "self", "href": "/v3/"}]}}))
}

/// The table of calls and what each needs, for whoever writes policies.
async fn calls() -> Json<Value> {
    let needs = |need| match need {
        access::Need::Nothing => "nothing",
        access::Need::Credentials => "credentials",
        access::Need::Self_ => "self or administrator",
        access::Need::Administrator => "administrator",
        access::Need::Action(action) => action.name(),
    };
    let call = |((method, path), need): &((&str, &str), access::Need)| json!({"method": method, "path": path, "needs": needs(*need)});
    let action = |action: &access::Action| {
        json!({
            "action": action.name(), "full": true,
            "development": action.in_development(), "read_only": action.in_read_only(),
        })
    };
    Json(json!({
        "calls": access::CALLS.iter().map(call).collect::<Vec<_>>(),
        "actions": access::Action::ALL.iter().map(action).collect::<Vec<_>>(),
    }))
}

/// Changes identity in one transaction. Afterwards nobody acts on what was true before.
pub(crate) async fn change<T: Send + 'static>(
    app: &App,
    work: impl FnOnce(&App, &Transaction<'_>) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let app = app.clone();
    blocking(move || {
        let changed = app.db().write(|db| work(&app, db));
        app.sessions().forget();
        changed
    })
    .await
}

/// Where a list or an item is found.
fn links(path: &str) -> Value {
    json!({"self": path, "next": null, "previous": null})
}

const LONGEST_DESCRIPTION: usize = 255;

/// What a user, group, role or project is called: up to 64 characters, none of them invisible.
fn name(fields: &Fields) -> Result<Option<String>, ApiError> {
    let Some(name) = fields.optional_text("name")? else { return Ok(None) };
    let legal = (1..=password::LONGEST_NAME).contains(&name.chars().count())
        && !name.chars().any(char::is_control)
        && name.trim() == name;
    if !legal {
        let rule = "[name] must have 1 to 64 characters, without spaces at its ends.";
        return Err(ApiError::about(Code::IdentityBadRequest, rule));
    }
    Ok(Some(name))
}

fn required_name(fields: &Fields) -> Result<String, ApiError> {
    name(fields)?.ok_or_else(|| ApiError::about(Code::IdentityBadRequest, "[name] is missing."))
}

fn description(fields: &Fields) -> Result<Option<String>, ApiError> {
    let text = fields.optional_text("description")?;
    if text.as_ref().is_some_and(|text| text.chars().count() > LONGEST_DESCRIPTION) {
        let rule = "[description] must have at most 255 characters.";
        return Err(ApiError::about(Code::IdentityBadRequest, rule));
    }
    Ok(text)
}

fn absent(what: &str) -> ApiError {
    ApiError::about(Code::IdentityAbsent, format!("[{what}]"))
}

/// A name that is taken is the only thing that can be in the way of what is written here.
fn taken(error: rusqlite::Error, what: &str) -> ApiError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::ConstraintViolation) => {
            ApiError::about(Code::IdentityConflict, format!("The name of the {what} is in use."))
        }
        _ => error.into(),
    }
}
