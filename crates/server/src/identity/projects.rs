//! Projects and accounts: `/v3/projects`, `/v3/domains`.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Extension, Json, Router};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::{Value, json};

use super::{Answer, IdentityError, absent, change, description, links, name, required_name, taken};
use crate::app::App;
use crate::codes::Code;
use crate::http::body::Fields;
use crate::http::error::ApiError;
use crate::http::{Parameters, blocking};
use crate::identity::session::{self, Session};
use crate::ids::{DomainId, ProjectId, UserId};

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/v3/projects", get(list).post(create))
        .route("/v3/projects/{project}", get(show).patch(update).delete(remove))
        .route("/v3/auth/projects", get(own))
        .route("/v3/users/{user}/projects", get(of_user))
        .route("/v3/auth/domains", get(domains))
        .route("/v3/domains", get(domains))
        .route("/v3/domains/{domain}", get(domain))
}

struct Project {
    id: ProjectId,
    name: String,
    domain: DomainId,
    description: String,
    enabled: bool,
}

impl Project {
    const COLUMNS: &str = "p.id, p.name, p.domain_id, p.description, p.enabled";

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
            "parent_id": self.domain.as_str(), "is_domain": false, "enabled": self.enabled,
            "description": self.description, "links": links(&format!("/v3/projects/{}", self.id)),
        })
    }

    fn fits(&self, wanted: &Parameters) -> bool {
        let is = |key: &str, value: &str| wanted.get(key).is_none_or(|wanted| wanted == value);
        is("name", &self.name)
            && is("domain_id", self.domain.as_str())
            && is("parent_id", self.domain.as_str())
            && is("enabled", if self.enabled { "true" } else { "false" })
            && is("is_domain", "false")
    }
}

fn all(db: &Connection, domain: &DomainId) -> rusqlite::Result<Vec<Project>> {
    let text = format!("SELECT {} FROM projects p WHERE p.domain_id = ?1 ORDER BY p.name", Project::COLUMNS);
    db.prepare_cached(&text)?.query_map([domain], Project::read)?.collect()
}

fn of(db: &Connection, domain: &DomainId, user: &UserId) -> rusqlite::Result<Vec<Project>> {
    let usable = session::projects_of(db, user)?;
    let mut projects = all(db, domain)?;
    projects.retain(|project| usable.iter().any(|(id, _)| *id == project.id));
    Ok(projects)
}

fn find(db: &Connection, domain: &DomainId, id: &ProjectId) -> Result<Project, ApiError> {
    let text = format!("SELECT {} FROM projects p WHERE p.id = ?1 AND p.domain_id = ?2", Project::COLUMNS);
    let found = db.prepare_cached(&text)?.query_row(params![id, domain], Project::read).optional()?;
    found.ok_or_else(|| absent("project"))
}

fn page(projects: &[Project], wanted: &Parameters, path: &str) -> Result<Json<Value>, ApiError> {
    let fitting = projects.iter().filter(|project| project.fits(wanted)).map(Project::describe);
    let number = |name: &str, default: usize, most: usize| match wanted.get(name) {
        None => Ok(default),
        Some(text) => text.parse().ok().filter(|number| (1..=most).contains(number)).ok_or_else(|| {
            ApiError::about(Code::IdentityBadRequest, format!("[{name}] must be from 1 to {most}."))
        }),
    };
    let (page, size) = (number("page", 1, usize::MAX)?, number("per_page", 5000, 5000)?);
    let shown: Vec<Value> = fitting.skip((page - 1).saturating_mul(size)).take(size).collect();
    Ok(Json(json!({"projects": shown, "links": links(path)})))
}

/// An administrator sees all projects, others see theirs.
async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    wanted: Parameters,
) -> Answer {
    let found = blocking(move || {
        let projects = app.db().read(|db| match caller.administrator {
            true => all(db, &caller.domain),
            false => of(db, &caller.domain, &caller.user),
        });
        page(&projects?, &wanted, "/v3/projects")
    });
    Ok(found.await?)
}

async fn own(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    wanted: Parameters,
) -> Answer {
    let found = blocking(move || {
        let projects = app.db().read(|db| of(db, &caller.domain, &caller.user))?;
        page(&projects, &wanted, "/v3/auth/projects")
    });
    Ok(found.await?)
}

async fn of_user(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    Path(user): Path<UserId>,
    wanted: Parameters,
) -> Answer {
    let found = blocking(move || {
        let projects = app.db().read(|db| of(db, &caller.domain, &user))?;
        page(&projects, &wanted, &format!("/v3/users/{user}/projects"))
    });
    Ok(found.await?)
}

async fn show(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    Path(id): Path<ProjectId>,
) -> Answer {
    let found = blocking(move || {
        app.db().read(|db| {
            let project = find(db, &caller.domain, &id)?;
            let own = || {
                Ok::<_, ApiError>(session::projects_of(db, &caller.user)?.iter().any(|(own, _)| *own == id))
            };
            if !caller.administrator && !own()? {
                return Err(absent("project"));
            }
            Ok(project)
        })
    });
    Ok(Json(json!({"project": found.await?.describe()})))
}

async fn create(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    body: Result<Fields, ApiError>,
) -> Result<(StatusCode, Json<Value>), IdentityError> {
    let fields = body?.required_object("project")?;
    let project = Project {
        id: ProjectId(app.ambient().hex_id()),
        name: required_name(&fields)?,
        domain: caller.domain.clone(),
        description: description(&fields)?.unwrap_or_default(),
        enabled: fields.flag("enabled")?.unwrap_or(true),
    };
    let made = change(&app, move |_, db| {
        let row = params![project.id, project.domain, project.name, project.description, project.enabled];
        db.execute(
            "INSERT INTO projects (id, domain_id, name, description, enabled) VALUES (?1, ?2, ?3, ?4, ?5)",
            row,
        )
        .map_err(|error| taken(error, "project"))?;
        Ok(project)
    });
    Ok((StatusCode::CREATED, Json(json!({"project": made.await?.describe()}))))
}

async fn update(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    Path(id): Path<ProjectId>,
    body: Result<Fields, ApiError>,
) -> Answer {
    let fields = body?.required_object("project")?;
    let (name, description, enabled) = (name(&fields)?, description(&fields)?, fields.flag("enabled")?);
    let changed = change(&app, move |_, db| {
        find(db, &caller.domain, &id)?;
        db.execute(
            "UPDATE projects SET name = coalesce(?2, name), description = coalesce(?3, description),
                 enabled = coalesce(?4, enabled) WHERE id = ?1",
            params![id, name, description, enabled],
        )
        .map_err(|error| taken(error, "project"))?;
        find(db, &caller.domain, &id)
    });
    Ok(Json(json!({"project": changed.await?.describe()})))
}

/// Only an empty project can be deleted: graphs and backups do not go by the way.
async fn remove(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    Path(id): Path<ProjectId>,
) -> Result<StatusCode, IdentityError> {
    change(&app, move |_, db| {
        find(db, &caller.domain, &id)?;
        let held: i64 = db.query_row(
            "SELECT (SELECT count(*) FROM graphs WHERE project_id = ?1 AND status <> 400)
                  + (SELECT count(*) FROM backups WHERE project_id = ?1)
                  + (SELECT count(*) FROM metadata WHERE project_id = ?1)",
            [&id],
            |row| row.get(0),
        )?;
        if held > 0 {
            let why = "The project has graphs, backups or metadata. Delete them first.";
            return Err(ApiError::about(Code::IdentityConflict, why));
        }
        db.execute("DELETE FROM tokens WHERE project_id = ?1", [&id])?;
        db.execute("DELETE FROM assignments WHERE target = ?1", [&id])?;
        db.execute("DELETE FROM graphs WHERE project_id = ?1", [&id])?;
        db.execute("DELETE FROM projects WHERE id = ?1", [&id])?;
        Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

fn describe_domain(caller: &Session) -> Value {
    json!({
        "id": caller.domain.as_str(), "name": caller.domain_name, "enabled": true, "description": "",
        "links": {"self": format!("/v3/domains/{}", caller.domain)},
    })
}

/// The caller's account is the only one that he can see.
async fn domains(Extension(caller): Extension<Arc<Session>>, wanted: Parameters) -> Json<Value> {
    let fits = wanted.get("name").is_none_or(|name| *name == caller.domain_name);
    let domains: Vec<Value> = fits.then(|| describe_domain(&caller)).into_iter().collect();
    Json(json!({"domains": domains, "links": links("/v3/auth/domains")}))
}

async fn domain(Extension(caller): Extension<Arc<Session>>, Path(id): Path<DomainId>) -> Answer {
    if id != caller.domain {
        return Err(absent("domain").into());
    }
    Ok(Json(json!({"domain": describe_domain(&caller)})))
}
