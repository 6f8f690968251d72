//! Backups. A backup is a pin in the store; the database keeps what clients list, and is brought
//! back in line with the pins at every start.

pub(crate) mod archives;
pub(crate) mod links;
mod policy;
pub(crate) mod schedule;

use axum::extract::{Path, State};
use axum::routing::{delete, get, post};
use axum::{Extension, Json, Router};
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Pin, PinKind, PinRequest};

use crate::app::App;
use crate::codes::Code;
use crate::graphs::record::{self, ENGINE_VERSION, GraphRow};
use crate::graphs::states::Operation;
use crate::http::auth::Caller;
use crate::http::body::Fields;
use crate::http::error::ApiError;
use crate::http::{Page, Parameters, blocking};
use crate::ids::{BackupId, GraphId, ProjectId};
use crate::jobs::{self, End, Job, Work};
use crate::times::Time;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/v2/{project}/graphs/backups", get(list_all))
        .route("/v2/{project}/graphs/{graph}/backups", get(list_of_graph).post(add))
        .route("/v2/{project}/graphs/{graph}/backups/export", post(archives::export))
        .route("/v2/{project}/graphs/{graph}/backups/import", post(archives::import))
        .route("/v2/{project}/graphs/{graph}/backup-files", get(links::list))
        .route("/v2/{project}/graphs/{graph}/backup-policy", get(policy::show).put(policy::change))
        .route("/v2/{project}/graphs/{graph}/backups/{backup}", delete(remove))
}

/// Adds a backup: two transactions of the database and one small file of the store, whatever the
/// size of the graph. It is listed from the first moment on.
async fn add(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((_, graph)): Path<(String, GraphId)>,
    _body: Fields,
) -> Result<Json<Value>, ApiError> {
    let user = caller.user_name.clone();
    let begun = blocking(move || {
        app.db().write(|db| {
            jobs::begin(&app, db, &caller.project, &graph, Operation::Backup, |graph| {
                let backup = note(&app, db, graph, Method::Manual)?;
                Ok(Work::CreateBackup { backup, user, keep: None })
            })
        })
    });
    Ok(being_made(begun.await?))
}

/// Starts the job of a backup and answers with the ids of both.
fn being_made(job: Job) -> Json<Value> {
    let reply = json!({"job_id": job.id, "backup_id": job.work().makes()});
    jobs::start(job);
    Json(reply)
}

/// How a backup came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Manual,
    Automatic,
    Import,
}

impl Method {
    fn of(kind: PinKind) -> Self {
        match kind {
            PinKind::Automatic => Self::Automatic,
            PinKind::Imported => Self::Import,
            PinKind::Manual | PinKind::Undo => Self::Manual,
        }
    }

    /// As clients see it.
    fn text(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Automatic => "auto",
            Self::Import => "import",
        }
    }
}

/// What a backup is called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Noted {
    pub(crate) id: BackupId,
    pub(crate) name: String,
}

/// Lists a backup that is being made, if there is room for one more.
fn note(app: &App, db: &Connection, graph: &GraphRow, method: Method) -> Result<Noted, ApiError> {
    let used: i64 = db
        .prepare_cached("SELECT count(*) FROM backups WHERE project_id = ?1")?
        .query_row([&graph.project], |row| row.get(0))?;
    if used >= i64::from(app.config().backup_quota) {
        return Err(ApiError::new(Code::BackupQuota));
    }
    let now = app.now();
    let name = match method {
        Method::Automatic => format!("{}_{}_auto", graph.name, now.stamp()),
        Method::Manual | Method::Import => format!("{}-{}", graph.name, now.stamp()),
    };
    let id = BackupId(app.ambient().uuid());
    db.prepare_cached(
        "INSERT INTO backups (id, project_id, graph_id, graph_name, name, method, status, started)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'backing_up', ?7)",
    )?
    .execute(params![id, graph.project, graph.id, graph.name, name, method.text(), now])?;
    Ok(Noted { id, name })
}

/// The work of adding a backup. An automatic one makes older ones go.
pub(crate) fn make(job: &Job, backup: &Noted, user: &str, keep: Option<i64>) -> End {
    let kind = if keep.is_some() { PinKind::Automatic } else { PinKind::Manual };
    let request = backup.request(kind, user);
    let pinned = job.app.graph(&job.graph.id).and_then(|graph| Ok(graph.add_pin(request)?));
    let (now, id) = (job.app.now(), backup.id.clone());
    let (status, bytes) = match &pinned {
        Ok(pin) => ("success", Some(pin.stored_bytes as i64)),
        Err(_) => ("failed", None),
    };
    if let (Ok(_), Some(keep)) = (&pinned, keep) {
        schedule::rotate(job, &backup.id, keep);
    }
    End {
        also: Some(Box::new(move |db| finish(db, &id, status, now, bytes))),
        ..End::beside_the_graph(pinned.map(|_| ()).map_err(|error| error.to_string()))
    }
}

impl Noted {
    fn request(&self, kind: PinKind, user: &str) -> PinRequest {
        PinRequest { id: self.id.0.clone(), name: self.name.clone(), kind, requested_by: user.into() }
    }
}

/// Notes how a backup ended.
pub(crate) fn finish(
    db: &Connection,
    id: &BackupId,
    status: &str,
    now: Time,
    bytes: Option<i64>,
) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE backups SET status = ?2, ended = ?3, bytes = ?4 WHERE id = ?1")?
        .execute(params![id, status, now, bytes])
        .map(|_| ())
}

/// Takes a backup that never came to be from the list.
pub(crate) fn forget(db: &Connection, id: &BackupId) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM backups WHERE id = ?1")?.execute([id]).map(|_| ())
}

fn is_listed(db: &Connection, id: &BackupId) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT EXISTS (SELECT 1 FROM backups WHERE id = ?1)")?
        .query_row([id], |row| row.get(0))
}

/// Whether a job reads it, or is going to.
fn is_held(db: &Connection, backup: &BackupId) -> rusqlite::Result<bool> {
    db.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM jobs WHERE status IN ('pending', 'running') AND backup_id = ?1)",
    )?
    .query_row([backup], |row| row.get(0))
}

/// Lists a pin that the database does not know, as after its loss.
pub(crate) fn adopt(
    db: &Connection,
    project: &ProjectId,
    graph_name: &str,
    pin: &Pin,
) -> rusqlite::Result<()> {
    let method = Method::of(pin.kind).text();
    db.execute(
        "INSERT INTO backups (id, project_id, graph_id, graph_name, name, method, status, started, ended, bytes)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'success', ?7, ?7, ?8)",
        params![pin.id, project, pin.owner(), graph_name, pin.name, method, Time(pin.time_us), pin.stored_bytes as i64],
    )
    .map(|_| ())
}

/// The graph whose backup this is, which may be gone. Refuses a backup that no graph can be
/// started from.
pub(crate) fn usable(db: &Connection, project: &ProjectId, backup: &BackupId) -> Result<GraphId, ApiError> {
    let found: Option<(GraphId, String)> = db
        .prepare_cached("SELECT graph_id, status FROM backups WHERE id = ?1 AND project_id = ?2")?
        .query_row(params![backup, project], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match found {
        None => Err(ApiError::about(Code::BackupAbsent, format!("[{backup}]"))),
        Some((graph, status)) if status == "success" => Ok(graph),
        Some(_) => Err(ApiError::about(Code::BackupFailed, format!("[{backup}]"))),
    }
}

/// The same for a backup that must be the graph's own.
fn usable_of(
    db: &Connection,
    project: &ProjectId,
    graph: &GraphId,
    backup: &BackupId,
) -> Result<(), ApiError> {
    if usable(db, project, backup)? == *graph {
        return Ok(());
    }
    Err(ApiError::about(Code::BackupAbsent, format!("[{backup}]")))
}

fn status(
    db: &Connection,
    project: &ProjectId,
    graph: &GraphId,
    backup: &BackupId,
) -> rusqlite::Result<Option<String>> {
    db.prepare_cached("SELECT status FROM backups WHERE id = ?1 AND graph_id = ?2 AND project_id = ?3")?
        .query_row(params![backup, graph, project], |row| row.get(0))
        .optional()
}

async fn list_of_graph(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((_, graph)): Path<(String, GraphId)>,
    parameters: Parameters,
) -> Result<Json<Value>, ApiError> {
    let page = Page::of(&parameters)?;
    let listed = blocking(move || {
        app.db().read(|db| {
            let known = record::find_any(db, &caller.project, &graph)?;
            let list = select(db, &caller.project, Some(&graph), page)?;
            // A deleted graph can be asked for as long as it has backups.
            let alive = record::find(db, &caller.project, &graph)?.is_some();
            if known.is_none() || (!alive && list["backup_count"] == 0) {
                return Err(ApiError::new(Code::GraphAbsent));
            }
            Ok(list)
        })
    });
    listed.await.map(Json)
}

async fn list_all(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    parameters: Parameters,
) -> Result<Json<Value>, ApiError> {
    let page = Page::of(&parameters)?;
    blocking(move || Ok(app.db().read(|db| select(db, &caller.project, None, page))?)).await.map(Json)
}

/// Newest first, so that a client that reads one page finds what it just made.
fn select(
    db: &Connection,
    project: &ProjectId,
    graph: Option<&GraphId>,
    page: Page,
) -> rusqlite::Result<Value> {
    let condition = if graph.is_some() { "b.project_id = ? AND b.graph_id = ?" } else { "b.project_id = ?" };
    let mut values: Vec<Sql> = vec![project.0.clone().into()];
    values.extend(graph.map(|graph| Sql::Text(graph.0.clone())));
    let count = format!("SELECT count(*) FROM backups b WHERE {condition}");
    let count: i64 = db.prepare_cached(&count)?.query_row(params_from_iter(&values), |row| row.get(0))?;
    values.extend([Sql::Integer(page.limit), Sql::Integer(page.offset)]);
    let rows = format!(
        "SELECT b.id, b.name, b.method, b.graph_id, b.graph_name, g.status, g.size_index, b.status, b.started,
                b.ended, b.bytes
         FROM backups b LEFT JOIN graphs g ON g.id = b.graph_id
         WHERE {condition} ORDER BY b.seq DESC LIMIT ? OFFSET ?"
    );
    let mut rows = db.prepare_cached(&rows)?;
    let list = rows.query_map(params_from_iter(&values), describe)?.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(json!({"backup_count": count, "backup_list": list}))
}

fn describe(row: &Row<'_>) -> rusqlite::Result<Value> {
    let (started, ended): (Time, Option<Time>) = (row.get(8)?, row.get(9)?);
    let megabytes = row.get::<_, Option<i64>>(10)?.map_or(1, |bytes| (bytes / 1_000_000).max(1));
    Ok(json!({
        "id": row.get::<_, String>(0)?,
        "name": row.get::<_, String>(1)?,
        "backup_method": row.get::<_, String>(2)?,
        "graph_id": row.get::<_, String>(3)?,
        "graph_name": row.get::<_, String>(4)?,
        "graph_status": row.get::<_, Option<i64>>(5)?.unwrap_or(400).to_string(),
        "graph_size_type_index": row.get::<_, Option<String>>(6)?,
        "data_store_version": ENGINE_VERSION,
        "arch": "x86_64",
        "status": row.get::<_, String>(7)?,
        "start_timestamp": started.millis(),
        "start_time": started.text(),
        "end_timestamp": ended.map(Time::millis),
        "end_time": ended.map(Time::text),
        "size": megabytes,
        "duration": ended.map_or(0, |ended| ended.seconds_since(started)),
        "encrypted": false,
    }))
}

async fn remove(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((_, graph, backup)): Path<(String, GraphId, BackupId)>,
) -> Result<Json<Value>, ApiError> {
    blocking(move || {
        let known = app.db().read(|db| record::find_any(db, &caller.project, &graph))?;
        known.ok_or_else(|| ApiError::new(Code::GraphAbsent))?;
        discard(&app, &caller.project, &graph, &backup)?;
        Ok(Json(json!({})))
    })
    .await
}

/// Deletes a backup: its pin first, so that a crash leaves a row without a pin, which the next
/// start removes, and never a pin that nobody sees. All in one transaction, so that no job
/// begins to read it in between.
fn discard(app: &App, project: &ProjectId, graph: &GraphId, backup: &BackupId) -> Result<(), ApiError> {
    let pool = app.pool(project)?;
    app.db().write(|db| {
        match status(db, project, graph, backup)?.as_deref() {
            None => return Err(ApiError::about(Code::BackupAbsent, format!("[{backup}]"))),
            // Its pin may be written at any moment, and must not outlive its row.
            Some("backing_up") => return Err(ApiError::new(Code::GraphBackingUp)),
            Some(_) if is_held(db, backup)? => {
                let text = format!("[{backup}] is being exported or restored.");
                return Err(ApiError::about(Code::GraphBackingUp, text));
            }
            Some(_) => {}
        }
        match pool.remove_pin(graph.as_str(), backup.as_str()) {
            Ok(()) | Err(store::Error::NoPin { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(forget(db, backup)?)
    })?;
    app.archives().forget(backup);
    Ok(())
}
