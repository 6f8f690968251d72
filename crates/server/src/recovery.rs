//! Starting over after a stop or a crash: what the database says is brought in line with what the
//! store holds, interrupted jobs are finished or failed with a reason, and running graphs are
//! opened again.

use model::Kind;
use rusqlite::params;

use crate::app::App;
use crate::backups;
use crate::graphs::record::{self, GraphRow};
use crate::graphs::states::Status;
use crate::http::error::ApiError;
use crate::ids::{BackupId, GraphId, JobId, ProjectId};

const INTERRUPTED: &str = "interrupted by a stop of the server";

/// A job that was under way.
struct Unfinished {
    id: JobId,
    graph: GraphId,
    name: String,
    lsn_before: Option<i64>,
}

pub(crate) fn recover(app: &App) -> Result<(), ApiError> {
    let graphs = app.db().read(record::all)?;
    for graph in &graphs {
        if let Err(error) = recover_graph(app, graph) {
            tracing::error!(graph = %graph.id, %error, "a graph cannot be opened");
            if graph.status == Status::Deleted {
                // Gone for its users all the same; the next start tries again.
                continue;
            }
            app.db().write(|db| record::set_status(db, &graph.id, Status::Faulty, app.now()))?;
        }
    }
    for job in unfinished(app)? {
        settle(app, &job)?;
    }
    reconcile(app, &graphs)
}

/// Brings a graph to a state of rest: running, stopped, failed or gone.
fn recover_graph(app: &App, graph: &GraphRow) -> Result<(), ApiError> {
    let pool = app.pool(&graph.project)?;
    let next = match graph.status {
        Status::Deleted => {
            crate::graphs::remove_from_store(app, graph)?;
            return Ok(());
        }
        Status::Creating if !pool.exists(graph.id.as_str())? => Status::CreateFailed,
        Status::Stopped | Status::Starting | Status::CreateFailed => resting(graph.status),
        Status::Stopping if !is_restarting(app, graph)? => Status::Stopped,
        _ => {
            app.register(&graph.id, pool.open(graph.id.as_str())?);
            Status::Running
        }
    };
    if next != graph.status {
        app.db().write(|db| record::set_status(db, &graph.id, next, app.now()))?;
    }
    Ok(())
}

fn resting(status: Status) -> Status {
    if status == Status::CreateFailed { status } else { Status::Stopped }
}

fn is_restarting(app: &App, graph: &GraphRow) -> Result<bool, ApiError> {
    Ok(unfinished(app)?.iter().any(|job| job.graph == graph.id && job.name == "RestartGraph"))
}

fn unfinished(app: &App) -> Result<Vec<Unfinished>, ApiError> {
    Ok(app.db().read(|db| {
        let mut rows = db.prepare(
            "SELECT id, graph_id, name, lsn_before FROM jobs WHERE status IN ('pending', 'running') ORDER BY seq",
        )?;
        let rows = rows.query_map([], |row| {
            Ok(Unfinished { id: row.get(0)?, graph: row.get(1)?, name: row.get(2)?, lsn_before: row.get(3)? })
        })?;
        rows.collect::<rusqlite::Result<_>>()
    })?)
}

/// Ends a job: as a success if its work was done before the interruption.
fn settle(app: &App, job: &Unfinished) -> Result<(), ApiError> {
    let done = match job.name.as_str() {
        // What these leave behind says whether they were through: the graph is open, closed or
        // gone by now.
        "CreateGraph" | "RestartGraph" => app.graph(&job.graph).is_ok(),
        "StopGraph" | "DeleteGraph" => true,
        // The number was noted when nobody else could write any more, so a newer commit is its own.
        "ImportGraph" => app
            .graph(&job.graph)
            .is_ok_and(|graph| job.lsn_before.is_some_and(|lsn| graph.snapshot().lsn() > lsn as u64)),
        "ClearGraph" => app.graph(&job.graph).is_ok_and(|graph| {
            let snapshot = graph.snapshot();
            let newer = job.lsn_before.is_some_and(|lsn| snapshot.lsn() > lsn as u64);
            newer && snapshot.content().vertices.count == 0
        }),
        "CreateBackup" | "ImportBackup" => return settle_backup(app, job),
        _ => false,
    };
    end(app, &job.id, done)
}

fn end(app: &App, job: &JobId, done: bool) -> Result<(), ApiError> {
    let (status, reason) = if done { ("success", None) } else { ("failed", Some(INTERRUPTED)) };
    if !done {
        tracing::warn!(job = %job, "a job was interrupted");
    }
    app.db().write(|db| {
        db.execute(
            "UPDATE jobs SET status = ?2, ended = ?3, fail_reason = ?4,
             progress = CASE WHEN ?4 IS NULL THEN 100 ELSE progress END WHERE id = ?1",
            params![job, status, app.now(), reason],
        )
    })?;
    Ok(())
}

/// A backup whose pin is there is complete; one without a pin never was. One that was to be
/// imported does not even stay in the list.
fn settle_backup(app: &App, job: &Unfinished) -> Result<(), ApiError> {
    let row: Option<(BackupId, ProjectId)> = app.db().read(|db| {
        use rusqlite::OptionalExtension;
        db.query_row("SELECT id, project_id FROM backups WHERE job_id = ?1", [&job.id], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()
    })?;
    let Some((backup, project)) = row else { return end(app, &job.id, false) };
    let pin = match app.pool(&project)?.pin(job.graph.as_str(), backup.as_str()) {
        Ok(pin) => Some(pin),
        Err(error) if error.kind() == Kind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    let status = if pin.is_some() { "success" } else { "failed" };
    let bytes = pin.as_ref().map(|pin| pin.stored_bytes as i64);
    app.db().write(|db| match (&pin, job.name.as_str()) {
        (None, "ImportBackup") => backups::forget(db, &backup),
        _ => backups::finish(db, &backup, status, app.now(), bytes),
    })?;
    end(app, &job.id, pin.is_some())
}

/// Lists pins that the database does not know, and unlists backups that have no pin.
fn reconcile(app: &App, graphs: &[GraphRow]) -> Result<(), ApiError> {
    for graph in graphs {
        let pins = app.pool(&graph.project)?.pins(graph.id.as_str())?;
        let pins: Vec<_> = pins.iter().filter(|pin| pin.kind != store::PinKind::Undo).collect();
        app.db().write(|db| {
            let mut rows = db.prepare("SELECT id, status FROM backups WHERE graph_id = ?1")?;
            let rows = rows.query_map([&graph.id], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let listed = rows.collect::<rusqlite::Result<Vec<(String, String)>>>()?;
            for pin in pins.iter().filter(|pin| !listed.iter().any(|(id, _)| *id == pin.id)) {
                backups::adopt(db, &graph.project, &graph.name, pin)?;
            }
            for (id, status) in &listed {
                if status == "success" && !pins.iter().any(|pin| pin.id == *id) {
                    db.execute("DELETE FROM backups WHERE id = ?1", [id])?;
                }
            }
            Ok::<_, rusqlite::Error>(())
        })?;
    }
    Ok(())
}
