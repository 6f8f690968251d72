//! Starting over after a stop or a crash: what the database says is brought in line with what the
//! store holds, running graphs are opened again, and jobs that had not ended go on.
//!
//! A job whose work was done ends as a success. One that waited waits again; one that was under
//! way is begun anew, as all work is whole or without effect, but only once: what was interrupted
//! twice may be what brings the server down, and fails. Nothing here is one transaction, and need
//! not be: each step may be repeated by the recovery after a crash in this one.

use std::collections::BTreeMap;

use model::Kind;
use rusqlite::params;
use rustc_hash::FxHashMap;

use crate::app::App;
use crate::backups;
use crate::graphs::record::{self, GraphRow};
use crate::graphs::states::Status;
use crate::http::error::ApiError;
use crate::ids::{BackupId, GraphId, JobId};
use crate::jobs::{Job, Work};

const INTERRUPTED: &str = "interrupted by a stop of the server";
/// How often a job is begun at most.
const STARTS: i64 = 2;

/// A job that had not ended.
struct Unfinished {
    /// In the order in which they were accepted.
    seq: i64,
    id: JobId,
    waited: bool,
    /// How often it was begun.
    starts: i64,
    lsn_before: Option<i64>,
    /// `None` if it is of an earlier version of the server.
    work: Option<Work>,
}

/// What becomes of one.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Verdict {
    Done,
    Again,
    Failed,
}

/// Recovers all graphs; gives the jobs that are to be started again, in their order.
pub(crate) fn recover(app: &App) -> Result<Vec<Job>, ApiError> {
    let graphs = app.db().read(record::all)?;
    let mut unfinished = unfinished(app)?;
    let mut again = BTreeMap::new();
    for graph in &graphs {
        let jobs = unfinished.remove(&graph.id).unwrap_or_default();
        again.extend(recover_graph(app, graph, jobs)?);
    }
    let again: Vec<Job> = again.into_values().collect();
    let expected: Vec<&BackupId> = again.iter().filter_map(|job| job.work().makes()).collect();
    for graph in &graphs {
        reconcile(app, graph, &expected)?;
    }
    Ok(again)
}

fn unfinished(app: &App) -> Result<FxHashMap<GraphId, Vec<Unfinished>>, ApiError> {
    let mut found: FxHashMap<GraphId, Vec<Unfinished>> = FxHashMap::default();
    app.db().read(|db| {
        let mut jobs = db.prepare(
            "SELECT graph_id, seq, id, status = 'pending', starts, lsn_before, work FROM jobs
             WHERE status IN ('pending', 'running') ORDER BY seq",
        )?;
        let mut jobs = jobs.query([])?;
        while let Some(row) = jobs.next()? {
            let work: Option<String> = row.get(6)?;
            found.entry(row.get(0)?).or_default().push(Unfinished {
                seq: row.get(1)?,
                id: row.get(2)?,
                waited: row.get(3)?,
                starts: row.get(4)?,
                lsn_before: row.get(5)?,
                work: work.and_then(|work| serde_json::from_str(&work).ok()),
            });
        }
        Ok::<_, rusqlite::Error>(())
    })?;
    Ok(found)
}

/// Brings a graph to a state of rest, or leaves it in the one of a job that goes on.
fn recover_graph(app: &App, graph: &GraphRow, jobs: Vec<Unfinished>) -> Result<Vec<(i64, Job)>, ApiError> {
    let opened = open(app, graph, &jobs);
    let usable = opened.is_ok();
    let mut status = opened.unwrap_or_else(|error| {
        tracing::error!(graph = %graph.id, %error, "a graph cannot be opened");
        // A deleted one is gone for its users all the same; the next start tries again.
        if graph.status == Status::Deleted { Status::Deleted } else { Status::Faulty }
    });
    let mut again = Vec::new();
    for job in jobs {
        match (verdict(app, graph, &job, usable)?, job.work) {
            (Verdict::Again, Some(work)) => {
                if work.during().is_some() {
                    status = graph.status;
                }
                again.push((job.seq, Job::again(app, job.id, graph.clone(), work)?));
            }
            (verdict, _) => end(app, &job.id, verdict == Verdict::Done)?,
        }
    }
    if status != graph.status {
        app.db().write(|db| record::set_status(db, &graph.id, status, app.now()))?;
    }
    Ok(again)
}

/// Opens a graph if it is to be open, and tells in which state it rests then.
fn open(app: &App, graph: &GraphRow, jobs: &[Unfinished]) -> Result<Status, ApiError> {
    let pool = app.pool(&graph.project)?;
    let restarts = || jobs.iter().any(|job| job.work == Some(Work::RestartGraph));
    Ok(match graph.status {
        Status::Deleted => {
            crate::graphs::remove_from_store(app, graph)?;
            Status::Deleted
        }
        Status::CreateFailed => Status::CreateFailed,
        Status::Creating if !pool.exists(graph.id.as_str())? => Status::CreateFailed,
        Status::Stopped | Status::Starting => Status::Stopped,
        Status::Stopping if !restarts() => Status::Stopped,
        _ => {
            app.register(&graph.id, pool.open(graph.id.as_str())?);
            Status::Running
        }
    })
}

fn verdict(app: &App, graph: &GraphRow, job: &Unfinished, usable: bool) -> Result<Verdict, ApiError> {
    let Some(work) = &job.work else { return Ok(Verdict::Failed) };
    if is_done(app, graph, job, work)? {
        return Ok(Verdict::Done);
    }
    // In another state another job has put an end to it.
    let in_its_state = work.during().is_none_or(|during| during == graph.status);
    let may_begin = job.waited || job.starts < STARTS;
    Ok(if usable && in_its_state && may_begin { Verdict::Again } else { Verdict::Failed })
}

/// Whether what the work leaves behind is there.
fn is_done(app: &App, graph: &GraphRow, job: &Unfinished, work: &Work) -> Result<bool, ApiError> {
    let open = app.graph(&graph.id);
    // The number was noted when nobody else could write any more, so a newer commit is its own.
    let newer = |lsn: u64| job.lsn_before.is_some_and(|before| lsn > before as u64);
    Ok(match work {
        Work::CreateGraph | Work::RestartGraph => open.is_ok(),
        // The state of the graph was enough for it to be closed or gone by now.
        Work::StopGraph | Work::DeleteGraph => true,
        Work::ImportGraph { .. } => open.is_ok_and(|graph| newer(graph.snapshot().lsn())),
        Work::ClearGraph { .. } => open.is_ok_and(|graph| {
            let snapshot = graph.snapshot();
            newer(snapshot.lsn()) && snapshot.content().vertices.count == 0
        }),
        Work::CreateBackup { backup, .. } | Work::ImportBackup { backup, .. } => {
            match app.pool(&graph.project)?.pin(graph.id.as_str(), backup.id.as_str()) {
                Ok(_) => true,
                Err(error) if error.kind() == Kind::NotFound => false,
                Err(error) => return Err(error.into()),
            }
        }
        Work::StartGraph { .. }
        | Work::ResizeGraph { .. }
        | Work::ExpandGraph { .. }
        | Work::ExportGraph { .. }
        | Work::ExportBackup { .. } => false,
    })
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

/// Makes the list of a graph's backups say what its pins say: a backup whose pin is there is
/// complete, one without was not made, unless it is `expected` of a job that goes on.
fn reconcile(app: &App, graph: &GraphRow, expected: &[&BackupId]) -> Result<(), ApiError> {
    let pins = app.pool(&graph.project)?.pins(graph.id.as_str())?;
    let pins: Vec<_> = pins.iter().filter(|pin| pin.kind != store::PinKind::Undo).collect();
    app.db().write(|db| {
        let mut rows = db.prepare("SELECT id, status, method FROM backups WHERE graph_id = ?1")?;
        let rows = rows.query_map([&graph.id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let listed = rows.collect::<rusqlite::Result<Vec<(BackupId, String, String)>>>()?;
        for pin in pins.iter().filter(|pin| !listed.iter().any(|(id, ..)| id.as_str() == pin.id)) {
            backups::adopt(db, &graph.project, &graph.name, pin)?;
        }
        for (id, status, method) in &listed {
            let pin = pins.iter().find(|pin| pin.id == id.as_str());
            match (status.as_str(), pin) {
                ("backing_up", Some(pin)) => {
                    backups::finish(db, id, "success", app.now(), Some(pin.stored_bytes as i64))?;
                }
                ("backing_up", None) if expected.contains(&id) => {}
                // What was to come from elsewhere is no backup, not even a failed one.
                ("backing_up", None) if method == "import" => backups::forget(db, id)?,
                ("backing_up", None) => backups::finish(db, id, "failed", app.now(), None)?,
                ("success", None) => backups::forget(db, id)?,
                _ => {}
            }
        }
        Ok::<_, rusqlite::Error>(())
    })?;
    Ok(())
}

#[cfg(test)]
mod tests;
