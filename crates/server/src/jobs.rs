//! The task centre: every asynchronous operation is a job that can be followed.
//!
//! A job is noted in the transaction that accepts it, with all its [`Work`], and then done by a
//! task of this process. If the process stops before that, [`crate::recovery`] hands it to the
//! next one.

mod list;
mod work;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rusqlite::{Transaction, params};
use serde_json::Value;

pub(crate) use self::list::routes;
pub(crate) use self::work::{BackupOf, Work};
use crate::app::App;
use crate::codes::Code;
use crate::graphs::record::{self, GraphRow};
use crate::graphs::states::{Operation, Status};
use crate::http::error::ApiError;
use crate::ids::{GraphId, JobId, ProjectId};
use crate::threads;

/// A job that is under way.
#[derive(Clone)]
pub(crate) struct Job {
    pub(crate) app: App,
    pub(crate) id: JobId,
    /// As it is while the job runs: the end of a job moves no graph that has gone on since.
    pub(crate) graph: GraphRow,
    work: Arc<Work>,
    /// Whether the database says that it runs. If not, it waits.
    begun: bool,
    cancelled: Arc<AtomicBool>,
    /// Per mille that the database knows of.
    noted: Arc<AtomicU64>,
}

/// How a job ended, and what else becomes true in the same transaction.
pub(crate) struct End {
    pub(crate) outcome: Result<(), String>,
    pub(crate) detail: Option<Value>,
    pub(crate) status: Option<Status>,
    pub(crate) also: Option<Also>,
}

type Also = Box<dyn FnOnce(&Transaction<'_>) -> rusqlite::Result<()> + Send>;

impl End {
    pub(crate) fn success(status: Status) -> Self {
        Self { outcome: Ok(()), detail: None, status: Some(status), also: None }
    }

    pub(crate) fn failure(reason: impl std::fmt::Display, status: Status) -> Self {
        Self { outcome: Err(reason.to_string()), detail: None, status: Some(status), also: None }
    }

    /// The graph was in its state all along, and may have gone on to another since.
    pub(crate) fn beside_the_graph(outcome: Result<(), String>) -> Self {
        Self { outcome, detail: None, status: None, also: None }
    }
}

/// Begins an operation: checks that the graph's state allows it, moves the graph on and notes
/// the job, in one transaction. What to do is asked last, when graph and state are known to be
/// right.
pub(crate) fn begin(
    app: &App,
    db: &Transaction<'_>,
    project: &ProjectId,
    graph: &GraphId,
    operation: Operation,
    ask: impl FnOnce(&GraphRow) -> Result<Work, ApiError>,
) -> Result<Job, ApiError> {
    let row = record::find(db, project, graph)?.ok_or_else(|| ApiError::new(Code::GraphAbsent))?;
    let next = operation.begin(row.status).map_err(ApiError::new)?;
    if next != row.status {
        record::set_status(db, graph, next, app.now())?;
    }
    let row = GraphRow { status: next, ..row };
    let work = ask(&row)?;
    note(app, db, row, work)
}

/// Notes a job of a graph.
pub(crate) fn note(app: &App, db: &Transaction<'_>, graph: GraphRow, work: Work) -> Result<Job, ApiError> {
    let id = JobId(app.ambient().hex_id());
    let text = serde_json::to_string(&work).map_err(ApiError::internal)?;
    db.prepare_cached(
        "INSERT INTO jobs (id, project_id, graph_id, graph_name, name, status, submitted, started, backup_id, work)
         VALUES (?1, ?2, ?3, ?4, ?5, 'running', ?6, ?6, ?7, ?8)",
    )?
    .execute(params![id, graph.project, graph.id, graph.name, work.name(), app.now(), work.reads(), text])?;
    Ok(Job::new(app, id, graph, work, true))
}

/// Does a job's work when its turn comes.
pub(crate) fn start(job: Job) {
    tokio::spawn(run(job));
}

/// The same, here.
pub(crate) async fn run(mut job: Job) {
    let turns = if job.work.is_long() { job.app.long_jobs() } else { job.app.short_jobs() }.clone();
    let project = job.graph.project.clone();
    let mut turn = turns.take_now(&project);
    if turn.is_none() {
        if job.begun {
            job = unblocked(job, Job::wait).await;
        }
        turn = turns.take(&project).await;
    }
    // Without a turn the server ends, and the job is one for the next.
    let Some(_turn) = turn else { return };
    unblocked(job, |job| {
        if !job.begun {
            job.go_on();
        }
        job.work_through();
    })
    .await;
}

/// Lets a job do something on a thread where it may block.
async fn unblocked(job: Job, act: impl FnOnce(&mut Job) + Send + 'static) -> Job {
    let mut acting = job.clone();
    let is_long = job.work.is_long();
    let act = move || {
        act(&mut acting);
        acting
    };
    let acted = if is_long { tokio::task::spawn_blocking(act) } else { threads::JOBS.spawn(act) };
    acted.await.unwrap_or_else(|error| {
        tracing::error!(%error, job = %job.id, "a job was lost");
        job
    })
}

/// Forgets jobs that ended longer ago than they are kept; tells how many.
pub(crate) fn purge(app: &App) -> Result<usize, ApiError> {
    let before = app.now().plus_seconds(-app.config().job_retention_seconds);
    Ok(app.db().write(|db| db.execute("DELETE FROM jobs WHERE ended < ?1", [before]))?)
}

impl Job {
    fn new(app: &App, id: JobId, graph: GraphRow, work: Work, begun: bool) -> Self {
        let cancelled = app.cancel_flag(&graph.id);
        let (app, work) = (app.clone(), Arc::new(work));
        Self { app, id, graph, work, begun, cancelled, noted: Arc::default() }
    }

    /// A job that an earlier process left behind, to be started again.
    pub(crate) fn again(app: &App, id: JobId, graph: GraphRow, work: Work) -> Result<Self, ApiError> {
        app.db().write(|db| {
            db.execute("UPDATE jobs SET status = 'pending', progress = 0 WHERE id = ?1", [&id])
        })?;
        Ok(Self::new(app, id, graph, work, false))
    }

    pub(crate) fn work(&self) -> &Work {
        &self.work
    }

    /// Whether it should end early.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed) || self.app.is_stopping()
    }

    /// Notes the graph's last commit before the job's own, once nobody else can write.
    pub(crate) fn note_start(&self, lsn: u64) -> Result<(), ApiError> {
        let noted = self.app.db().write(|db| {
            db.execute("UPDATE jobs SET lsn_before = ?2 WHERE id = ?1", params![self.id, lsn as i64])
        });
        noted.map(|_| ()).map_err(ApiError::from)
    }

    /// Whether other jobs of the graph that it must not overtake are under way. One that waits
    /// for its turn and was told to end does so when the turn comes.
    pub(crate) fn has_rivals(&self) -> Result<bool, ApiError> {
        let rivals: i64 = self.app.db().read(|db| {
            db.prepare_cached(
                "SELECT count(*) FROM jobs WHERE graph_id = ?1 AND id <> ?2 AND status = 'running'
                 AND name IN ('ImportGraph', 'ExportGraph', 'ClearGraph')",
            )?
            .query_row(params![self.graph.id, self.id], |row| row.get(0))
        })?;
        Ok(rivals > 0)
    }

    /// Notes progress; writes it down when it moved by a per cent.
    pub(crate) fn progress(&self, done: u64, total: u64) {
        let now = done.saturating_mul(1000) / total.max(1);
        if now < self.noted.load(Ordering::Relaxed) + 10 {
            return;
        }
        self.noted.store(now, Ordering::Relaxed);
        let percent = now.min(1000) as f64 / 10.0;
        let written = self.app.db().write(|db| {
            db.prepare_cached("UPDATE jobs SET progress = ?2 WHERE id = ?1 AND status = 'running'")?
                .execute(params![self.id, percent])
        });
        if let Err(error) = written {
            tracing::warn!(%error, job = %self.id, "progress could not be noted");
        }
    }

    /// Notes that it waits: what had begun has not been done.
    fn wait(&mut self) {
        self.begun = false;
        self.set("status = 'pending', starts = starts - 1, progress = 0");
    }

    /// Notes that its work begins now.
    fn go_on(&mut self) {
        self.begun = true;
        self.set("status = 'running', starts = starts + 1");
    }

    fn set(&self, columns: &'static str) {
        let now = self.app.now();
        let set = self.app.db().write(|db| {
            db.prepare_cached(&format!("UPDATE jobs SET {columns}, started = ?2 WHERE id = ?1"))?
                .execute(params![self.id, now])
        });
        if let Err(error) = set {
            tracing::warn!(%error, job = %self.id, "the state of a job could not be noted");
        }
    }

    /// Does the work and notes how it ended, unless the server stops before the end of a long one:
    /// the next process begins it anew.
    fn work_through(&mut self) {
        let ended_by_restart = self.work.ends_with_restart() && self.cancelled.load(Ordering::Relaxed);
        let end = match ended_by_restart {
            true => End::beside_the_graph(Err("ended by a restart of the graph".into())),
            false => catch_unwind(AssertUnwindSafe(|| self.work.perform(self))).unwrap_or_else(|_| {
                tracing::error!(job = %self.id, "a job panicked");
                End::failure("internal error", self.rest())
            }),
        };
        if end.outcome.is_err() && self.work.is_long() && self.app.is_stopping() {
            self.wait();
        } else {
            self.finish(end);
        }
    }

    /// A state of rest after something unforeseen, from which there is a way on.
    fn rest(&self) -> Status {
        match self.graph.status {
            Status::Creating => Status::CreateFailed,
            Status::Deleted => Status::Deleted,
            _ if self.app.graph(&self.graph.id).is_ok() => Status::Running,
            _ => Status::Stopped,
        }
    }

    fn finish(&self, end: End) {
        let now = self.app.now();
        let (status, progress) =
            if end.outcome.is_ok() { ("success", Some(100.0)) } else { ("failed", None) };
        if let Err(reason) = &end.outcome {
            tracing::info!(job = %self.id, graph = %self.graph.id, reason, "job failed");
        }
        let finished = self.app.db().write(|db| {
            db.prepare_cached(
                "UPDATE jobs SET status = ?2, ended = ?3, fail_reason = ?4, detail = ?5,
                 progress = coalesce(?6, progress) WHERE id = ?1",
            )?
            .execute(params![
                self.id,
                status,
                now,
                end.outcome.as_ref().err(),
                end.detail.map(|detail| detail.to_string()),
                progress,
            ])?;
            if let Some(status) = end.status {
                record::move_on(db, &self.graph.id, self.graph.status, status, now)?;
            }
            end.also.map_or(Ok(()), |also| also(db))
        });
        if let Err(error) = finished {
            tracing::error!(%error, job = %self.id, "the end of a job could not be noted");
        }
    }
}
