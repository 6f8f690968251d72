//! Stop, start, restart, clear, delete.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use model::SchemaMode;
use rusqlite::{Transaction, params};
use serde_json::Value;

use super::begin::{GraphPath, operate};
use super::record::GraphRow;
use super::states::{Operation, Status};
use super::{record, sizes};
use crate::app::App;
use crate::backups;
use crate::codes::Code;
use crate::http::Parameters;
use crate::http::auth::Caller;
use crate::http::body::Fields;
use crate::http::error::ApiError;
use crate::ids::{BackupId, GraphId};
use crate::jobs::{BackupOf, End, Job, Work};

pub(super) async fn stop(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((_, graph)): GraphPath,
    _body: Fields,
) -> Result<Json<Value>, ApiError> {
    operate(app, caller, graph, Operation::Stop, |_, _| Ok(Work::StopGraph)).await
}

/// The work of a stop.
pub(crate) fn close(job: &Job) -> End {
    match job.app.close(&job.graph.id) {
        Ok(()) => End::success(Status::Stopped),
        // It is closed, and its log says at the next start what it holds.
        Err(error) => End::failure(error, Status::Stopped),
    }
}

pub(super) async fn start(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((_, graph)): GraphPath,
    body: Fields,
) -> Result<Json<Value>, ApiError> {
    let within = app.clone();
    operate(app, caller, graph, Operation::Start, move |db, graph| {
        let backup = body.optional_text("graph_backup_id")?.filter(|id| !id.is_empty()).map(BackupId);
        let from = backup.map(|backup| restorable(&within, db, graph, backup)).transpose()?;
        Ok(Work::StartGraph { from })
    })
    .await
}

/// Any complete backup of the project will do, also one that outlived its graph; it must fit.
fn restorable(
    app: &App,
    db: &Transaction<'_>,
    graph: &GraphRow,
    backup: BackupId,
) -> Result<BackupOf, ApiError> {
    let project = &graph.project;
    let owner = backups::usable(db, project, &backup)?;
    let pin = app.pool(project)?.pin(owner.as_str(), backup.as_str())?;
    let limit = sizes::edge_limit(&graph.size_index).unwrap_or(u64::MAX);
    if pin.edges > limit {
        let text =
            format!("[graph_backup_id]: the backup has {} edges, the graph at most {limit}.", pin.edges);
        return Err(ApiError::about(Code::GraphQuota, text));
    }
    let of = record::find_any(db, project, &owner)?;
    if !graph.multi_label() && of.is_some_and(|of| of.multi_label()) {
        // Before the data, so that no crash leaves vertices of several labels where none may be.
        let mut fields = graph.fields.clone();
        fields.insert("enable_multi_label".into(), true.into());
        record::set_fields(db, &graph.id, &fields, app.now())?;
    }
    Ok(BackupOf { graph: owner, backup })
}

/// The work of a start.
pub(crate) fn open_from(job: &Job, from: Option<&BackupOf>) -> End {
    match open(job, from) {
        Ok(mode) => {
            // The backup may be of a graph with another mode.
            let id = job.graph.id.clone();
            End {
                also: Some(Box::new(move |db| record::set_schema_mode(db, &id, mode))),
                ..End::success(Status::Running)
            }
        }
        Err(error) => End::failure(error, Status::Stopped),
    }
}

/// Opens a graph as it was, or as it or another was at a backup.
fn open(job: &Job, from: Option<&BackupOf>) -> Result<SchemaMode, ApiError> {
    let (pool, id) = (job.app.pool(&job.graph.project)?, job.graph.id.as_str());
    let graph = match from {
        None => pool.open(id)?,
        // The store compares the restored content root with the backup's before it lets go.
        Some(from) => pool.restore(id, &pool.pin(from.graph.as_str(), from.backup.as_str())?)?,
    };
    let mode = graph.snapshot().schema().mode();
    job.app.register(&job.graph.id, graph);
    Ok(mode)
}

pub(super) async fn restart(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((_, graph)): GraphPath,
    _body: Fields,
) -> Result<Json<Value>, ApiError> {
    operate(app, caller, graph, Operation::Restart, |_, _| Ok(Work::RestartGraph)).await
}

/// The work of a restart.
pub(crate) fn reopen(job: &Job) -> End {
    let reopened = end_others(job).and_then(|()| job.app.close(&job.graph.id)).and_then(|()| open(job, None));
    match reopened {
        Ok(_) => End::success(Status::Running),
        Err(error) => End::failure(error, Status::Stopped),
    }
}

/// Ends what runs on the graph and waits until it has ended: nothing may go on across a restart.
fn end_others(job: &Job) -> Result<(), ApiError> {
    job.app.cancel(&job.graph.id);
    while job.has_rivals()? && !job.app.is_stopping() {
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    }
    Ok(())
}

pub(super) async fn clear(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((_, graph)): GraphPath,
    parameters: Parameters,
    _body: Fields,
) -> Result<Json<Value>, ApiError> {
    let schema_too = flag(&parameters, "clear_metadata")?.unwrap_or(false);
    operate(app, caller, graph, Operation::Clear, move |_, _| Ok(Work::ClearGraph { schema_too })).await
}

/// The work of clearing.
pub(crate) fn empty(job: &Job, schema_too: bool) -> End {
    let cleared = job.app.graph(&job.graph.id).and_then(|graph| {
        job.note_start(graph.snapshot().lsn())?;
        Ok(graph.clear(schema_too)?)
    });
    match cleared {
        Ok(()) => End::success(Status::Running),
        Err(error) => End::failure(error, Status::Running),
    }
}

/// Deletes a graph: it is gone at once; its files go with the next garbage collection, but for
/// what kept backups need: one automatic and the two newest manual ones.
pub(super) async fn delete(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((_, graph)): GraphPath,
    parameters: Parameters,
    body: Fields,
) -> Result<Json<Value>, ApiError> {
    // In the query by the documents, in the body by Terraform.
    let keep = match flag(&parameters, "keep_backup")? {
        Some(keep) => keep,
        None => body.flag("keep_backup")?.unwrap_or(false),
    };
    // An address is a label of the graph and goes with it, whatever is asked for.
    flag(&parameters, "delete_eip")?;
    operate(app, caller, graph, Operation::Delete, move |db, graph| {
        if keep {
            drop_all_but_kept(db, &graph.id)?
        } else {
            drop_all(db, &graph.id)?
        }
        Ok(Work::DeleteGraph)
    })
    .await
}

fn drop_all(db: &Transaction<'_>, graph: &GraphId) -> rusqlite::Result<()> {
    db.execute("DELETE FROM backups WHERE graph_id = ?1", [graph]).map(|_| ())
}

fn drop_all_but_kept(db: &Transaction<'_>, graph: &GraphId) -> rusqlite::Result<()> {
    let newest = "SELECT id FROM backups WHERE graph_id = ?1 AND status = 'success' AND method";
    let sql = format!(
        "DELETE FROM backups WHERE graph_id = ?1
         AND id NOT IN (SELECT * FROM ({newest} = 'auto' ORDER BY seq DESC LIMIT 1))
         AND id NOT IN (SELECT * FROM ({newest} <> 'auto' ORDER BY seq DESC LIMIT 2))"
    );
    db.execute(&sql, params![graph]).map(|_| ())
}

/// Takes a deleted graph out of the store, with the pins that the list of backups no longer has.
/// May be repeated after a crash.
pub(crate) fn remove_from_store(app: &App, graph: &record::GraphRow) -> Result<(), ApiError> {
    app.close(&graph.id)?;
    let (pool, id) = (app.pool(&graph.project)?, graph.id.as_str());
    let kept: Vec<String> = app.db().read(|db| {
        let mut rows = db.prepare_cached("SELECT id FROM backups WHERE graph_id = ?1")?;
        rows.query_map([&graph.id], |row| row.get(0))?.collect::<rusqlite::Result<_>>()
    })?;
    for pin in pool.pins(id)?.iter().filter(|pin| !kept.contains(&pin.id)) {
        pool.remove_pin(id, &pin.id)?;
    }
    if pool.exists(id)? {
        pool.remove_graph(id)?;
    }
    Ok(())
}

/// The work of deleting.
pub(crate) fn remove(job: &Job) -> End {
    let removed = remove_from_store(&job.app, &job.graph)
        .and_then(|()| Ok(job.app.pool(&job.graph.project)?.collect_garbage()?));
    match removed {
        Ok(collected) => {
            tracing::info!(graph = %job.graph.id, collected.objects, collected.bytes, "garbage collected");
            End::success(Status::Deleted)
        }
        Err(error) => End::failure(error, Status::Deleted),
    }
}

fn flag(parameters: &Parameters, name: &str) -> Result<Option<bool>, ApiError> {
    match parameters.get(name).map(|text| text.to_ascii_lowercase()).as_deref() {
        None | Some("") => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(_) => Err(ApiError::about(Code::BadParameter, format!("[{name}] must be true or false."))),
    }
}
