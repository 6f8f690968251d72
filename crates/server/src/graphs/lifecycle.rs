//! Stop, start, restart, clear, delete.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use model::SchemaMode;
use rusqlite::{Transaction, params};
use serde_json::Value;
use store::Pin;

use super::begin::{GraphPath, begin, begun};
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
use crate::jobs::{self, End, Job};

/// Begins an operation and gives its job the work to do.
async fn operate(
    app: App,
    caller: Caller,
    graph: GraphId,
    operation: Operation,
    work: impl FnOnce(&Job) -> End + Send + 'static,
) -> Result<Json<Value>, ApiError> {
    let (job, ()) = begin(app, caller, graph, operation, |_, _| Ok(())).await?;
    let reply = begun(&job);
    jobs::spawn(job, work);
    Ok(reply)
}

pub(super) async fn stop(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((_, graph)): GraphPath,
    _body: Fields,
) -> Result<Json<Value>, ApiError> {
    operate(app, caller, graph, Operation::Stop, |job| match job.app.close(&job.graph.id) {
        Ok(()) => End::success(Status::Stopped),
        // It is closed, and its log says at the next start what it holds.
        Err(error) => End::failure(error, Status::Stopped),
    })
    .await
}

pub(super) async fn start(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((_, graph)): GraphPath,
    body: Fields,
) -> Result<Json<Value>, ApiError> {
    let (job, backup) = begin(app, caller, graph, Operation::Start, move |db, job| {
        let backup = body.optional_text("graph_backup_id")?.filter(|id| !id.is_empty()).map(BackupId);
        backup.map(|backup| restorable(db, job, &backup)).transpose()
    })
    .await?;
    let reply = begun(&job);
    jobs::spawn(job, move |job| match open(job, backup.as_ref()) {
        Ok(mode) => {
            // The backup may be of a graph with another mode.
            let id = job.graph.id.clone();
            End {
                also: Some(Box::new(move |db| record::set_schema_mode(db, &id, mode))),
                ..End::success(Status::Running)
            }
        }
        Err(error) => End::failure(error, Status::Stopped),
    });
    Ok(reply)
}

/// Any complete backup of the project will do, also one that outlived its graph; it must fit.
fn restorable(db: &Transaction<'_>, job: &Job, backup: &BackupId) -> Result<Pin, ApiError> {
    let (graph, project) = (&job.graph, &job.graph.project);
    let owner = backups::usable(db, project, backup)?;
    backups::hold(db, &job.id, backup)?;
    let pin = job.app.pool(project)?.pin(owner.as_str(), backup.as_str())?;
    let limit = sizes::edge_limit(&graph.size_index).unwrap_or(u64::MAX);
    if pin.edges > limit {
        let text =
            format!("[graph_backup_id]: the backup has {} edges, the graph at most {limit}.", pin.edges);
        return Err(ApiError::about(Code::GraphQuota, text));
    }
    let owner = record::find_any(db, project, &owner)?;
    if !graph.multi_label() && owner.is_some_and(|owner| owner.multi_label()) {
        // Before the data, so that no crash leaves vertices of several labels where none may be.
        let mut fields = graph.fields.clone();
        fields.insert("enable_multi_label".into(), true.into());
        record::set_fields(db, &graph.id, &fields, job.app.now())?;
    }
    Ok(pin)
}

/// Opens a graph as it was, or as it or another was at a backup.
fn open(job: &Job, backup: Option<&Pin>) -> Result<SchemaMode, ApiError> {
    let (pool, id) = (job.app.pool(&job.graph.project)?, job.graph.id.as_str());
    let graph = match backup {
        None => pool.open(id)?,
        // The store compares the restored content root with the backup's before it lets go.
        Some(pin) => pool.restore(id, pin)?,
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
    operate(app, caller, graph, Operation::Restart, |job| {
        let reopened =
            end_others(job).and_then(|()| job.app.close(&job.graph.id)).and_then(|()| open(job, None));
        match reopened {
            Ok(_) => End::success(Status::Running),
            Err(error) => End::failure(error, Status::Stopped),
        }
    })
    .await
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
    operate(app, caller, graph, Operation::Clear, move |job| {
        let cleared = job.app.graph(&job.graph.id).and_then(|graph| {
            job.note_start(graph.snapshot().lsn())?;
            Ok(graph.clear(schema_too)?)
        });
        match cleared {
            Ok(()) => End::success(Status::Running),
            Err(error) => End::failure(error, Status::Running),
        }
    })
    .await
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
    let (job, ()) = begin(app, caller, graph, Operation::Delete, move |db, job| {
        if keep {
            drop_all_but_kept(db, &job.graph.id)?
        } else {
            drop_all(db, &job.graph.id)?
        }
        Ok(())
    })
    .await?;
    let reply = begun(&job);
    jobs::spawn(job, |job| match remove(job) {
        Ok(()) => End::success(Status::Deleted),
        Err(error) => End::failure(error, Status::Deleted),
    });
    Ok(reply)
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

fn remove(job: &Job) -> Result<(), ApiError> {
    remove_from_store(&job.app, &job.graph)?;
    let collected = job.app.pool(&job.graph.project)?.collect_garbage()?;
    tracing::info!(graph = %job.graph.id, objects = collected.objects, bytes = collected.bytes, "garbage collected");
    Ok(())
}

fn flag(parameters: &Parameters, name: &str) -> Result<Option<bool>, ApiError> {
    match parameters.get(name).map(|text| text.to_ascii_lowercase()).as_deref() {
        None | Some("") => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(_) => Err(ApiError::about(Code::BadParameter, format!("[{name}] must be true or false."))),
    }
}
