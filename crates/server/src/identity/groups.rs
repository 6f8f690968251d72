//! Groups of users: `/v3/groups`. What a group may do, all its members may.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Extension, Json, Router};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::{Value, json};

use super::{Answer, IdentityError, absent, change, description, links, name, required_name, taken, users};
use crate::app::App;
use crate::http::body::Fields;
use crate::http::error::ApiError;
use crate::http::{Parameters, blocking};
use crate::identity::session::Session;
use crate::ids::{DomainId, UserId};

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/v3/groups", get(list).post(create))
        .route("/v3/groups/{group}", get(show).patch(update).delete(remove))
        .route("/v3/groups/{group}/users", get(members))
        .route("/v3/groups/{group}/users/{user}", get(is_member).put(join).delete(leave))
        .route("/v3/users/{user}/groups", get(of_user))
}

struct Group {
    id: String,
    name: String,
    domain: DomainId,
    description: String,
}

impl Group {
    const COLUMNS: &str = "g.id, g.name, g.domain_id, g.description";

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { id: row.get(0)?, name: row.get(1)?, domain: row.get(2)?, description: row.get(3)? })
    }

    fn describe(&self) -> Value {
        json!({
            "id": self.id, "name": self.name, "domain_id": self.domain.as_str(),
            "description": self.description, "links": links(&format!("/v3/groups/{}", self.id)),
        })
    }
}

pub(crate) fn exists(db: &Connection, domain: &DomainId, id: &str) -> Result<(), ApiError> {
    find(db, domain, id).map(|_| ())
}

fn find(db: &Connection, domain: &DomainId, id: &str) -> Result<Group, ApiError> {
    let text = format!("SELECT {} FROM groups g WHERE g.id = ?1 AND g.domain_id = ?2", Group::COLUMNS);
    let found = db.prepare_cached(&text)?.query_row(params![id, domain], Group::read).optional()?;
    found.ok_or_else(|| absent("group"))
}

fn describe_all(groups: &[Group], wanted: &Parameters, path: &str) -> Json<Value> {
    let fits = |group: &&Group| wanted.get("name").is_none_or(|name| *name == group.name);
    let groups: Vec<Value> = groups.iter().filter(fits).map(Group::describe).collect();
    Json(json!({"groups": groups, "links": links(path)}))
}

async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    wanted: Parameters,
) -> Answer {
    let found = blocking(move || {
        let text = format!("SELECT {} FROM groups g WHERE g.domain_id = ?1 ORDER BY g.name", Group::COLUMNS);
        Ok(app.db().read(|db| -> rusqlite::Result<Vec<Group>> {
            db.prepare_cached(&text)?.query_map([&caller.domain], Group::read)?.collect()
        })?)
    });
    Ok(describe_all(&found.await?, &wanted, "/v3/groups"))
}

async fn of_user(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    Path(user): Path<UserId>,
    wanted: Parameters,
) -> Answer {
    let path = format!("/v3/users/{user}/groups");
    let found = blocking(move || {
        let text = format!(
            "SELECT {} FROM groups g JOIN group_members m ON m.group_id = g.id
             WHERE m.user_id = ?1 AND g.domain_id = ?2 ORDER BY g.name",
            Group::COLUMNS
        );
        Ok(app.db().read(|db| -> rusqlite::Result<Vec<Group>> {
            db.prepare_cached(&text)?.query_map(params![user, caller.domain], Group::read)?.collect()
        })?)
    });
    Ok(describe_all(&found.await?, &wanted, &path))
}

async fn show(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    Path(id): Path<String>,
) -> Answer {
    let found = blocking(move || app.db().read(|db| find(db, &caller.domain, &id)));
    Ok(Json(json!({"group": found.await?.describe()})))
}

async fn create(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    body: Result<Fields, ApiError>,
) -> Result<(StatusCode, Json<Value>), IdentityError> {
    let fields = body?.required_object("group")?;
    let group = Group {
        id: app.ambient().hex_id(),
        name: required_name(&fields)?,
        domain: caller.domain.clone(),
        description: description(&fields)?.unwrap_or_default(),
    };
    let made = change(&app, move |_, db| {
        let row = params![group.id, group.domain, group.name, group.description];
        db.execute("INSERT INTO groups (id, domain_id, name, description) VALUES (?1, ?2, ?3, ?4)", row)
            .map_err(|error| taken(error, "group"))?;
        Ok(group)
    });
    Ok((StatusCode::CREATED, Json(json!({"group": made.await?.describe()}))))
}

async fn update(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    Path(id): Path<String>,
    body: Result<Fields, ApiError>,
) -> Answer {
    let fields = body?.required_object("group")?;
    let (name, description) = (name(&fields)?, description(&fields)?);
    let changed = change(&app, move |_, db| {
        find(db, &caller.domain, &id)?;
        db.execute(
            "UPDATE groups SET name = coalesce(?2, name), description = coalesce(?3, description) WHERE id = ?1",
            params![id, name, description],
        )
        .map_err(|error| taken(error, "group"))?;
        find(db, &caller.domain, &id)
    });
    Ok(Json(json!({"group": changed.await?.describe()})))
}

async fn remove(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    Path(id): Path<String>,
) -> Result<StatusCode, IdentityError> {
    change(&app, move |_, db| {
        find(db, &caller.domain, &id)?;
        db.execute("DELETE FROM assignments WHERE actor = ?1", [&id])?;
        db.execute("DELETE FROM group_members WHERE group_id = ?1", [&id])?;
        db.execute("DELETE FROM groups WHERE id = ?1", [&id])?;
        users::keep_an_administrator(db, &caller.domain)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn members(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    Path(id): Path<String>,
    wanted: Parameters,
) -> Answer {
    let path = format!("/v3/groups/{id}/users");
    let found = blocking(move || {
        app.db().read(|db| {
            find(db, &caller.domain, &id)?;
            Ok::<_, ApiError>(users::in_group(db, &id)?)
        })
    });
    Ok(users::describe_all(&found.await?, &wanted, &path))
}

async fn is_member(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    Path((id, user)): Path<(String, UserId)>,
) -> Result<StatusCode, IdentityError> {
    let found = blocking(move || {
        app.db().read(|db| {
            find(db, &caller.domain, &id)?;
            Ok::<_, ApiError>(users::in_group(db, &id)?.iter().any(|member| member.id == user))
        })
    });
    if found.await? { Ok(StatusCode::NO_CONTENT) } else { Err(absent("user").into()) }
}

async fn join(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    Path((id, user)): Path<(String, UserId)>,
) -> Result<StatusCode, IdentityError> {
    change(&app, move |_, db| {
        find(db, &caller.domain, &id)?;
        users::find(db, &caller.domain, &user)?;
        db.execute("INSERT OR IGNORE INTO group_members VALUES (?1, ?2)", params![id, user])?;
        Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn leave(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    Path((id, user)): Path<(String, UserId)>,
) -> Result<StatusCode, IdentityError> {
    change(&app, move |_, db| {
        find(db, &caller.domain, &id)?;
        let left =
            db.execute("DELETE FROM group_members WHERE group_id = ?1 AND user_id = ?2", params![id, user])?;
        if left == 0 {
            return Err(absent("user"));
        }
        users::keep_an_administrator(db, &caller.domain)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}
