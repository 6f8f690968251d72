//! Roles and who has them where: `/v3/roles`, `/v3.0/OS-ROLE/roles`, and the assignments below
//! projects and accounts. A role in an account holds in each of its projects.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Extension, Json, Router};
use rusqlite::{Connection, OptionalExtension, params};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, IdentityError, absent, change, description, groups, links, taken, users};
use crate::app::App;
use crate::codes::Code;
use crate::http::body::Fields;
use crate::http::error::ApiError;
use crate::http::{Parameters, blocking};
use crate::identity::password::LONGEST_NAME;
use crate::identity::policy::Policy;
use crate::identity::role::{Grant, Role, built_in};
use crate::identity::session::Session;
use crate::ids::{DomainId, UserId};

pub(crate) fn routes() -> Router<App> {
    let assigned = || get(is_assigned).put(assign).delete(withdraw);
    Router::new()
        .route("/v3/roles", get(list))
        .route("/v3/roles/{role}", get(show))
        .route("/v3.0/OS-ROLE/roles", get(list).post(create))
        .route("/v3.0/OS-ROLE/roles/{role}", get(show).patch(update).delete(remove))
        .route("/v3/role_assignments", get(assignments))
        .route("/v3/projects/{project}/users/{user}/roles", get(assigned_roles))
        .route("/v3/projects/{project}/users/{user}/roles/{role}", assigned())
        .route("/v3/projects/{project}/groups/{group}/roles", get(assigned_roles))
        .route("/v3/projects/{project}/groups/{group}/roles/{role}", assigned())
        .route("/v3/domains/{domain}/users/{user}/roles", get(assigned_roles))
        .route("/v3/domains/{domain}/users/{user}/roles/{role}", assigned())
        .route("/v3/domains/{domain}/groups/{group}/roles", get(assigned_roles))
        .route("/v3/domains/{domain}/groups/{group}/roles/{role}", assigned())
}

/// A role that is built in or was made in this account.
pub(crate) fn find(db: &Connection, domain: &DomainId, id: &str) -> rusqlite::Result<Option<Role>> {
    if let Some(role) = built_in().into_iter().find(|role| role.id == id) {
        return Ok(Some(role));
    }
    db.prepare_cached("SELECT id, name, description, policy FROM roles WHERE id = ?1 AND domain_id = ?2")?
        .query_row(params![id, domain], read)
        .optional()
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Role> {
    let text: String = row.get(3)?;
    let damaged = |error: Box<dyn std::error::Error + Send + Sync>| {
        rusqlite::Error::FromSqlConversionFailure(3, rusqlite::types::Type::Text, error)
    };
    let json: Value = serde_json::from_str(&text).map_err(|error| damaged(error.into()))?;
    let policy = Policy::parse(&json).map_err(|error| damaged(error.into()))?;
    let grant = Grant::Policy(policy, json);
    Ok(Role { id: row.get(0)?, name: row.get(1)?, description: row.get(2)?, grant })
}

pub(crate) fn all(db: &Connection, domain: &DomainId) -> rusqlite::Result<Vec<Role>> {
    let mut rows = db.prepare_cached(
        "SELECT id, name, description, policy FROM roles WHERE domain_id = ?1 ORDER BY name",
    )?;
    let made = rows.query_map([domain], read)?.collect::<Result<Vec<_>, _>>()?;
    Ok(built_in().into_iter().chain(made).collect())
}

fn describe(role: &Role) -> Value {
    let mut body = json!({
        "id": role.id, "name": role.name, "display_name": role.name, "domain_id": null,
        "description": role.description, "catalog": "GES", "type": "XA",
        "links": {"self": format!("/v3/roles/{}", role.id)},
    });
    if let Grant::Policy(_, policy) = &role.grant {
        body["policy"] = policy.clone();
        body["catalog"] = "CUSTOMED".into();
    }
    body
}

async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    wanted: Parameters,
) -> Answer {
    let found = blocking(move || Ok(app.db().read(|db| all(db, &caller.domain))?)).await?;
    let name = wanted.get("name").or(wanted.get("display_name"));
    let fits = |role: &&Role| name.is_none_or(|name| *name == role.name);
    let roles: Vec<Value> = found.iter().filter(fits).map(describe).collect();
    Ok(Json(json!({"roles": roles, "links": links("/v3/roles"), "total_number": roles.len()})))
}

async fn show(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    Path(id): Path<String>,
) -> Answer {
    let found = blocking(move || Ok(app.db().read(|db| find(db, &caller.domain, &id))?)).await?;
    Ok(Json(json!({"role": describe(&found.ok_or_else(|| absent("role"))?)})))
}

/// What a role is to be.
struct Wanted {
    name: Option<String>,
    description: Option<String>,
    policy: Option<(Policy, Value)>,
}

impl Wanted {
    fn parse(fields: &Fields) -> Result<Self, ApiError> {
        let name = fields.optional_text("display_name")?.or(fields.optional_text("name")?);
        let legal = |name: &String| (1..=LONGEST_NAME).contains(&name.chars().count());
        let built_in = |name: &String| built_in().iter().any(|role| role.name.eq_ignore_ascii_case(name));
        if name.as_ref().is_some_and(|name| !legal(name)) {
            return Err(ApiError::about(
                Code::IdentityBadRequest,
                "[display_name] must have 1 to 64 characters.",
            ));
        }
        if name.as_ref().is_some_and(built_in) {
            return Err(ApiError::about(Code::IdentityConflict, "The name of the role is in use."));
        }
        let policy = fields.get("policy").cloned();
        let policy = policy.map(|json| Policy::parse(&json).map(|policy| (policy, json))).transpose();
        let policy = policy.map_err(|error| ApiError::about(Code::IdentityBadRequest, error))?;
        Ok(Self { name, description: description(fields)?, policy })
    }
}

async fn create(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    body: Result<Fields, ApiError>,
) -> Result<(StatusCode, Json<Value>), IdentityError> {
    let wanted = Wanted::parse(&body?.required_object("role")?)?;
    let missing =
        |field: &str| ApiError::about(Code::IdentityBadRequest, format!("[role.{field}] is missing."));
    let (policy, json) = wanted.policy.ok_or_else(|| missing("policy"))?;
    let role = Role {
        id: app.ambient().hex_id(),
        name: wanted.name.ok_or_else(|| missing("display_name"))?,
        description: wanted.description.unwrap_or_default(),
        grant: Grant::Policy(policy, json.clone()),
    };
    let made = change(&app, move |_, db| {
        db.execute(
            "INSERT INTO roles (id, domain_id, name, description, policy) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![role.id, caller.domain, role.name, role.description, json.to_string()],
        )
        .map_err(|error| taken(error, "role"))?;
        Ok(role)
    });
    Ok((StatusCode::CREATED, Json(json!({"role": describe(&made.await?)}))))
}

fn not_built_in(id: &str) -> Result<(), ApiError> {
    if built_in().iter().any(|role| role.id == id) {
        return Err(ApiError::about(Code::IdentityForbidden, "The role is built in."));
    }
    Ok(())
}

async fn update(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    Path(id): Path<String>,
    body: Result<Fields, ApiError>,
) -> Answer {
    not_built_in(&id)?;
    let wanted = Wanted::parse(&body?.required_object("role")?)?;
    let changed = change(&app, move |_, db| {
        let policy = wanted.policy.map(|(_, json)| json.to_string());
        db.execute(
            "UPDATE roles SET name = coalesce(?3, name), description = coalesce(?4, description),
                 policy = coalesce(?5, policy) WHERE id = ?1 AND domain_id = ?2",
            params![id, caller.domain, wanted.name, wanted.description, policy],
        )
        .map_err(|error| taken(error, "role"))?;
        find(db, &caller.domain, &id)?.ok_or_else(|| absent("role"))
    });
    Ok(Json(json!({"role": describe(&changed.await?)})))
}

async fn remove(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    Path(id): Path<String>,
) -> Result<StatusCode, IdentityError> {
    not_built_in(&id)?;
    change(&app, move |_, db| {
        let gone =
            db.execute("DELETE FROM roles WHERE id = ?1 AND domain_id = ?2", params![id, caller.domain])?;
        if gone == 0 {
            return Err(absent("role"));
        }
        db.execute("DELETE FROM assignments WHERE role_id = ?1", [&id])?;
        Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The path of an assignment: one of project and domain, one of user and group.
#[derive(Deserialize)]
struct Place {
    project: Option<String>,
    domain: Option<String>,
    user: Option<UserId>,
    group: Option<String>,
    role: Option<String>,
}

/// An assignment whose ends are there, in the caller's account.
struct Assignment {
    actor: String,
    target: String,
    role: String,
}

impl Place {
    fn resolve(self, db: &Connection, domain: &DomainId) -> Result<Assignment, ApiError> {
        let target = match (self.project, self.domain) {
            (Some(project), _) => {
                let known: Option<i64> = db
                    .prepare_cached("SELECT 1 FROM projects WHERE id = ?1 AND domain_id = ?2")?
                    .query_row(params![project, domain], |row| row.get(0))
                    .optional()?;
                known.ok_or_else(|| absent("project"))?;
                project
            }
            (None, named) => {
                named.filter(|named| named == domain.as_str()).ok_or_else(|| absent("domain"))?
            }
        };
        let actor = match (self.user, self.group) {
            (Some(user), _) => users::find(db, domain, &user)?.id.0,
            (None, group) => {
                let group = group.ok_or_else(|| absent("group"))?;
                groups::exists(db, domain, &group)?;
                group
            }
        };
        let role = self.role.unwrap_or_default();
        Ok(Assignment { actor, target, role })
    }
}

async fn assigned_roles(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    Path(place): Path<Place>,
) -> Answer {
    let found = blocking(move || {
        app.db().read(|db| {
            let place = place.resolve(db, &caller.domain)?;
            let mut rows = db.prepare_cached(
                "SELECT role_id FROM assignments WHERE actor = ?1 AND target = ?2 ORDER BY 1",
            )?;
            let ids = rows.query_map([&place.actor, &place.target], |row| row.get::<_, String>(0))?;
            let roles = ids.map(|id| find(db, &caller.domain, &id?)).collect::<Result<Vec<_>, _>>()?;
            Ok::<_, ApiError>(roles.into_iter().flatten().collect::<Vec<_>>())
        })
    });
    let roles: Vec<Value> = found.await?.iter().map(describe).collect();
    Ok(Json(json!({"roles": roles, "links": links("/v3/role_assignments")})))
}

async fn is_assigned(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    Path(place): Path<Place>,
) -> Result<StatusCode, IdentityError> {
    let found = blocking(move || {
        app.db().read(|db| {
            let place = place.resolve(db, &caller.domain)?;
            let found: Option<i64> = db
                .prepare_cached(
                    "SELECT 1 FROM assignments WHERE actor = ?1 AND target = ?2 AND role_id = ?3",
                )?
                .query_row([&place.actor, &place.target, &place.role], |row| row.get(0))
                .optional()?;
            found.map(|_| ()).ok_or_else(|| absent("role"))
        })
    });
    found.await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn assign(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    Path(place): Path<Place>,
) -> Result<StatusCode, IdentityError> {
    change(&app, move |_, db| {
        let place = place.resolve(db, &caller.domain)?;
        find(db, &caller.domain, &place.role)?.ok_or_else(|| absent("role"))?;
        let row = [&place.actor, &place.target, &place.role];
        db.execute("INSERT OR IGNORE INTO assignments VALUES (?1, ?2, ?3)", row)?;
        Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn withdraw(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    Path(place): Path<Place>,
) -> Result<StatusCode, IdentityError> {
    change(&app, move |_, db| {
        let place = place.resolve(db, &caller.domain)?;
        let row = [&place.actor, &place.target, &place.role];
        let gone =
            db.execute("DELETE FROM assignments WHERE actor = ?1 AND target = ?2 AND role_id = ?3", row)?;
        if gone == 0 {
            return Err(absent("role"));
        }
        users::keep_an_administrator(db, &caller.domain)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// All assignments of the account, filtered as Keystone does.
async fn assignments(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    wanted: Parameters,
) -> Answer {
    let found = blocking(move || {
        let rows = app.db().read(|db| -> rusqlite::Result<Vec<[Option<String>; 5]>> {
            let mut rows = db.prepare_cached(
                "SELECT a.role_id, u.id, g.id, p.id, d.id FROM assignments a
                 LEFT JOIN users u ON u.id = a.actor LEFT JOIN groups g ON g.id = a.actor
                 LEFT JOIN projects p ON p.id = a.target LEFT JOIN domains d ON d.id = a.target
                 WHERE coalesce(u.domain_id, g.domain_id) = ?1 ORDER BY a.target, a.actor, a.role_id",
            )?;
            let columns = |row: &rusqlite::Row<'_>| {
                Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?])
            };
            rows.query_map([&caller.domain], columns)?.collect()
        })?;
        let keys = ["role.id", "user.id", "group.id", "scope.project.id", "scope.domain.id"];
        let fits = |row: &&[Option<String>; 5]| {
            keys.iter()
                .zip(row.iter())
                .all(|(key, value)| wanted.get(*key).is_none_or(|id| Some(id) == value.as_ref()))
        };
        Ok(rows.iter().filter(fits).map(describe_assignment).collect::<Vec<_>>())
    });
    Ok(Json(json!({"role_assignments": found.await?, "links": links("/v3/role_assignments")})))
}

fn describe_assignment([role, user, group, project, domain]: &[Option<String>; 5]) -> Value {
    let scope = match project {
        Some(project) => json!({"project": {"id": project}}),
        None => json!({"domain": {"id": domain}}),
    };
    let mut assignment = json!({"role": {"id": role}, "scope": scope, "links": {}});
    match user {
        Some(user) => assignment["user"] = json!({"id": user}),
        None => assignment["group"] = json!({"id": group}),
    }
    assignment
}
