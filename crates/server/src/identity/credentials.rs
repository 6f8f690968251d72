//! Access keys: `/v3.0/OS-CREDENTIAL/credentials`. The secret is shown once, when a key is made.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Extension, Json, Router};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::{Value, json};

use super::{Answer, IdentityError, absent, change, description, users};
use crate::app::App;
use crate::codes::Code;
use crate::http::body::Fields;
use crate::http::error::ApiError;
use crate::http::{Parameters, blocking};
use crate::identity::session::Session;
use crate::ids::UserId;
use crate::times::Time;

/// Keys a user may have: enough to change them without a gap.
const MOST: i64 = 10;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/v3.0/OS-CREDENTIAL/credentials", get(list).post(create))
        .route("/v3.0/OS-CREDENTIAL/credentials/{access}", get(show).put(update).delete(remove))
}

struct Key {
    access: String,
    user: UserId,
    description: String,
    active: bool,
    created: Time,
}

impl Key {
    const COLUMNS: &str = "access, user_id, description, active, created";

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            access: row.get(0)?,
            user: row.get(1)?,
            description: row.get(2)?,
            active: row.get(3)?,
            created: row.get(4)?,
        })
    }

    fn describe(&self) -> Value {
        json!({
            "access": self.access, "user_id": self.user.as_str(), "description": self.description,
            "status": if self.active { "active" } else { "inactive" }, "create_time": self.created.precise(),
        })
    }
}

/// A key that the caller may manage. Others' look as if they were not there.
fn find(db: &Connection, caller: &Session, access: &str) -> Result<Key, ApiError> {
    let text = format!("SELECT {} FROM access_keys WHERE access = ?1", Key::COLUMNS);
    let key = db.prepare_cached(&text)?.query_row([access], Key::read).optional()?;
    let key = key.filter(|key| caller.manages(&key.user)).ok_or_else(|| absent("access"))?;
    users::find(db, &caller.domain, &key.user).map_err(|_| absent("access"))?;
    Ok(key)
}

/// The user whose keys are meant: by default the caller.
fn owner(caller: &Session, named: Option<&String>) -> Result<UserId, ApiError> {
    let user = named.map_or_else(|| caller.user.clone(), |named| UserId(named.clone()));
    if caller.manages(&user) { Ok(user) } else { Err(ApiError::new(Code::IdentityForbidden)) }
}

async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    wanted: Parameters,
) -> Answer {
    let user = owner(&caller, wanted.get("user_id"))?;
    let found = blocking(move || {
        app.db().read(|db| {
            users::find(db, &caller.domain, &user)?;
            let text =
                format!("SELECT {} FROM access_keys WHERE user_id = ?1 ORDER BY created", Key::COLUMNS);
            let keys =
                db.prepare_cached(&text)?.query_map([&user], Key::read)?.collect::<Result<Vec<_>, _>>()?;
            Ok::<_, ApiError>(keys)
        })
    });
    let keys: Vec<Value> = found.await?.iter().map(Key::describe).collect();
    Ok(Json(json!({"credentials": keys})))
}

async fn show(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    Path(access): Path<String>,
) -> Answer {
    let found = blocking(move || app.db().read(|db| find(db, &caller, &access)));
    Ok(Json(json!({"credential": found.await?.describe()})))
}

async fn create(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    body: Result<Fields, ApiError>,
) -> Result<(StatusCode, Json<Value>), IdentityError> {
    let fields = body?.object("credential")?.unwrap_or_default();
    let key = Key {
        access: hex::encode_upper(app.ambient().bytes::<10>()),
        user: owner(&caller, fields.optional_text("user_id")?.as_ref())?,
        description: description(&fields)?.unwrap_or_default(),
        active: true,
        created: app.now(),
    };
    let secret = hex::encode(app.ambient().bytes::<20>());
    let sealed = app.instance_key().seal(&key.access, &secret, app.ambient().bytes());
    let sealed = sealed.ok_or_else(|| ApiError::internal("a key cannot be sealed"))?;
    let made = change(&app, move |_, db| {
        users::find(db, &caller.domain, &key.user)?;
        let count = "SELECT count(*) FROM access_keys WHERE user_id = ?1";
        let count: i64 = db.query_row(count, [&key.user], |row| row.get(0))?;
        if count >= MOST {
            let why = format!("The user has {MOST} access keys. Delete one first.");
            return Err(ApiError::about(Code::IdentityConflict, why));
        }
        db.execute(
            "INSERT INTO access_keys (access, user_id, sealed, created, active, description)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![key.access, key.user, sealed, key.created, key.active, key.description],
        )?;
        Ok(key)
    });
    let mut credential = made.await?.describe();
    credential["secret"] = secret.into();
    Ok((StatusCode::CREATED, Json(json!({"credential": credential}))))
}

async fn update(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    Path(access): Path<String>,
    body: Result<Fields, ApiError>,
) -> Answer {
    let fields = body?.required_object("credential")?;
    let active = match fields.optional_text("status")?.as_deref() {
        None => None,
        Some("active") => Some(true),
        Some("inactive") => Some(false),
        Some(_) => {
            let rule = "[status] must be active or inactive.";
            return Err(ApiError::about(Code::IdentityBadRequest, rule).into());
        }
    };
    let description = description(&fields)?;
    let changed = change(&app, move |_, db| {
        find(db, &caller, &access)?;
        db.execute(
            "UPDATE access_keys SET active = coalesce(?2, active), description = coalesce(?3, description)
             WHERE access = ?1",
            params![access, active, description],
        )?;
        find(db, &caller, &access)
    });
    Ok(Json(json!({"credential": changed.await?.describe()})))
}

async fn remove(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    Path(access): Path<String>,
) -> Result<StatusCode, IdentityError> {
    change(&app, move |_, db| {
        find(db, &caller, &access)?;
        db.execute("DELETE FROM access_keys WHERE access = ?1", [&access])?;
        Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}
