//! Users: `/v3/users`.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde_json::{Value, json};

use super::{Answer, IdentityError, absent, change, description, links, name, required_name, taken};
use crate::app::App;
use crate::audit::Actor;
use crate::codes::Code;
use crate::http::address::Address;
use crate::http::body::Fields;
use crate::http::error::ApiError;
use crate::http::{Parameters, blocking};
use crate::identity::login::{Claim, check_password};
use crate::identity::role::ADMINISTRATOR;
use crate::identity::session::Session;
use crate::identity::{password, token};
use crate::ids::{DomainId, UserId};

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/v3/users", get(list).post(create))
        .route("/v3/users/{user}", get(show).patch(update).delete(remove))
        .route("/v3/users/{user}/password", post(change_password))
}

pub(crate) struct User {
    pub(crate) id: UserId,
    name: String,
    domain: DomainId,
    description: String,
    enabled: bool,
}

impl User {
    const COLUMNS: &str = "u.id, u.name, u.domain_id, u.description, u.enabled";

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            name: row.get(1)?,
            domain: row.get(2)?,
            description: row.get(3)?,
            enabled: row.get(4)?,
        })
    }

    fn describe(&self) -> Value {
        json!({
            "id": self.id.as_str(), "name": self.name, "domain_id": self.domain.as_str(),
            "description": self.description, "enabled": self.enabled, "password_expires_at": null,
            "links": links(&format!("/v3/users/{}", self.id)),
        })
    }
}

/// A list of users, as both users and groups show it.
pub(crate) fn describe_all(users: &[User], wanted: &Parameters, path: &str) -> Json<Value> {
    let fits = |user: &&User| {
        let is = |key: &str, value: &str| wanted.get(key).is_none_or(|wanted| wanted == value);
        is("name", &user.name)
            && is("domain_id", user.domain.as_str())
            && is("enabled", if user.enabled { "true" } else { "false" })
    };
    let users: Vec<Value> = users.iter().filter(fits).map(User::describe).collect();
    Json(json!({"users": users, "links": links(path)}))
}

pub(crate) fn in_group(db: &Connection, group: &str) -> rusqlite::Result<Vec<User>> {
    let text = format!(
        "SELECT {} FROM users u JOIN group_members m ON m.user_id = u.id WHERE m.group_id = ?1 ORDER BY u.name",
        User::COLUMNS
    );
    db.prepare_cached(&text)?.query_map([group], User::read)?.collect()
}

pub(crate) fn find(db: &Connection, domain: &DomainId, id: &UserId) -> Result<User, ApiError> {
    let text = format!("SELECT {} FROM users u WHERE u.id = ?1 AND u.domain_id = ?2", User::COLUMNS);
    let found = db.prepare_cached(&text)?.query_row(params![id, domain], User::read).optional()?;
    found.ok_or_else(|| absent("user"))
}

/// Refuses a change after which nobody could manage users any more.
pub(crate) fn keep_an_administrator(db: &Transaction<'_>, domain: &DomainId) -> Result<(), ApiError> {
    let left: i64 = db.query_row(
        "SELECT count(*) FROM holdings h JOIN users u ON u.id = h.user_id
         WHERE h.target = ?1 AND h.role_id = ?2 AND u.enabled",
        params![domain, ADMINISTRATOR],
        |row| row.get(0),
    )?;
    match left {
        0 => Err(ApiError::about(Code::IdentityConflict, "This is the last administrator.")),
        _ => Ok(()),
    }
}

async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    wanted: Parameters,
) -> Answer {
    let found = blocking(move || {
        let text = format!("SELECT {} FROM users u WHERE u.domain_id = ?1 ORDER BY u.name", User::COLUMNS);
        Ok(app.db().read(|db| -> rusqlite::Result<Vec<User>> {
            db.prepare_cached(&text)?.query_map([&caller.domain], User::read)?.collect()
        })?)
    });
    Ok(describe_all(&found.await?, &wanted, "/v3/users"))
}

async fn show(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    Path(id): Path<UserId>,
) -> Answer {
    let found = blocking(move || app.db().read(|db| find(db, &caller.domain, &id)));
    Ok(Json(json!({"user": found.await?.describe()})))
}

/// The hash of a password that fits the rules.
async fn hash(app: &App, text: String, user: String) -> Result<String, ApiError> {
    password::check_rules(&text, &user)
        .map_err(|error| ApiError::about(Code::IdentityBadRequest, format!("[password] {error}")))?;
    let _permit = app.password_checks().acquire_owned().await.map_err(ApiError::internal)?;
    let salt = app.ambient().bytes();
    blocking(move || password::hash(&text, &salt).ok_or_else(|| ApiError::internal("argon2 fails"))).await
}

async fn create(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    body: Result<Fields, ApiError>,
) -> Result<(StatusCode, Json<Value>), IdentityError> {
    let fields = body?.required_object("user")?;
    let user = User {
        id: UserId(app.ambient().hex_id()),
        name: required_name(&fields)?,
        domain: caller.domain.clone(),
        description: description(&fields)?.unwrap_or_default(),
        enabled: fields.flag("enabled")?.unwrap_or(true),
    };
    let text = fields.optional_text("password")?;
    let text = text.ok_or_else(|| ApiError::about(Code::IdentityBadRequest, "[password] is missing."))?;
    let hash = hash(&app, text, user.name.clone()).await?;
    let made = change(&app, move |_, db| {
        db.execute(
            "INSERT INTO users (id, domain_id, name, password_hash, description, enabled)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![user.id, user.domain, user.name, hash, user.description, user.enabled],
        )
        .map_err(|error| taken(error, "user"))?;
        Ok(user)
    });
    Ok((StatusCode::CREATED, Json(json!({"user": made.await?.describe()}))))
}

/// A new password, or being switched off, ends the user's tokens.
async fn update(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    Path(id): Path<UserId>,
    body: Result<Fields, ApiError>,
) -> Answer {
    let fields = body?.required_object("user")?;
    let (name, description, enabled) = (name(&fields)?, description(&fields)?, fields.flag("enabled")?);
    let hash = match fields.optional_text("password")? {
        None => None,
        Some(text) => {
            let (looking, domain, user) = (app.clone(), caller.domain.clone(), id.clone());
            let known = blocking(move || looking.db().read(|db| find(db, &domain, &user))).await?;
            Some(hash(&app, text, name.clone().unwrap_or(known.name)).await?)
        }
    };
    let changed = change(&app, move |_, db| {
        find(db, &caller.domain, &id)?;
        db.execute(
            "UPDATE users SET name = coalesce(?2, name), description = coalesce(?3, description),
                 enabled = coalesce(?4, enabled), password_hash = coalesce(?5, password_hash) WHERE id = ?1",
            params![id, name, description, enabled, hash],
        )
        .map_err(|error| taken(error, "user"))?;
        if hash.is_some() || enabled == Some(false) {
            token::revoke_all(db, &id)?;
        }
        keep_an_administrator(db, &caller.domain)?;
        find(db, &caller.domain, &id)
    });
    Ok(Json(json!({"user": changed.await?.describe()})))
}

async fn remove(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    Path(id): Path<UserId>,
) -> Result<StatusCode, IdentityError> {
    change(&app, move |_, db| {
        find(db, &caller.domain, &id)?;
        token::revoke_all(db, &id)?;
        db.execute("DELETE FROM access_keys WHERE user_id = ?1", [&id])?;
        db.execute("DELETE FROM group_members WHERE user_id = ?1", [&id])?;
        db.execute("DELETE FROM assignments WHERE actor = ?1", [&id])?;
        db.execute("DELETE FROM users WHERE id = ?1", [&id])?;
        keep_an_administrator(db, &caller.domain)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes the old password in place of a token, and ends all tokens of the user.
async fn change_password(
    State(app): State<App>,
    address: Address,
    Path(id): Path<UserId>,
    body: Result<Fields, ApiError>,
) -> Result<impl IntoResponse, IdentityError> {
    let fields = body?.required_object("user")?;
    let missing =
        |name: &str| ApiError::about(Code::IdentityBadRequest, format!("[user.{name}] is missing."));
    let old = fields.optional_text("original_password")?.ok_or_else(|| missing("original_password"))?;
    let new = fields.optional_text("password")?.ok_or_else(|| missing("password"))?;
    let claim = Claim { name: None, user_id: Some(id.0), domain: None, password: old.clone() };
    let user = check_password(&app, &address, claim).await?;
    if old == new {
        let rule = "[password] must differ from the one before.";
        return Err(ApiError::about(Code::IdentityBadRequest, rule).into());
    }
    let hash = hash(&app, new, user.name.clone()).await?;
    let actor = Actor { id: user.id.0.clone(), name: user.name };
    change(&app, move |_, db| {
        db.execute("UPDATE users SET password_hash = ?2 WHERE id = ?1", params![user.id, hash])?;
        Ok(token::revoke_all(db, &user.id)?)
    })
    .await?;
    Ok((StatusCode::NO_CONTENT, Extension(actor)))
}
