//! The task centre: every asynchronous operation is a job that can be followed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use axum::extract::{Path, Query, State};
use axum::routing::get;
use axum::{Extension, Json, Router};
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params, params_from_iter};
use serde_json::{Value, json};

use crate::app::App;
use crate::codes::Code;
use crate::graphs::record::{self, GraphRow};
use crate::graphs::states::{Operation, Status};
use crate::http::auth::Caller;
use crate::http::error::ApiError;
use crate::http::{Page, Parameters, blocking};
use crate::ids::{GraphId, JobId, ProjectId};
use crate::times::Time;
use crate::turns::Turns;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/v2/{project}/graphs/jobs", get(list))
        .route("/v2/{project}/graphs/{graph}/jobs/{job}/status", get(show))
}

/// A job that is under way.
#[derive(Clone)]
pub(crate) struct Job {
    pub(crate) app: App,
    pub(crate) id: JobId,
    pub(crate) graph: GraphRow,
    name: &'static str,
    /// The graph's status while it runs: the end of a job moves no graph that has gone on since.
    during: Status,
    cancelled: Arc<AtomicBool>,
    /// Per mille that the database knows of.
    noted: Arc<AtomicU64>,
}

/// What a restart of the graph puts an end to.
const INTERRUPTIBLE: [&str; 3] = ["ImportGraph", "ExportGraph", "ClearGraph"];

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

    /// The graph has gone on without it.
    fn given_up(reason: &str) -> Self {
        Self { outcome: Err(reason.to_owned()), detail: None, status: None, also: None }
    }

    pub(crate) fn failure(reason: impl std::fmt::Display, status: Status) -> Self {
        Self { outcome: Err(reason.to_string()), detail: None, status: Some(status), also: None }
    }
}

impl Job {
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

    /// A state of rest after something unforeseen, from which there is a way on.
    fn rest(&self) -> Status {
        match self.during {
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
                record::move_on(db, &self.graph.id, self.during, status, now)?;
            }
            end.also.map_or(Ok(()), |also| also(db))
        });
        if let Err(error) = finished {
            tracing::error!(%error, job = %self.id, "the end of a job could not be noted");
        }
    }
}

/// Begins an operation: checks that the graph's state allows it, moves the graph on and notes
/// the job, in one transaction.
pub(crate) fn begin(
    app: &App,
    db: &Transaction<'_>,
    project: &ProjectId,
    graph: &GraphId,
    operation: Operation,
) -> Result<Job, ApiError> {
    let row = record::find(db, project, graph)?.ok_or_else(|| ApiError::new(Code::GraphAbsent))?;
    let next = operation.begin(row.status).map_err(ApiError::new)?;
    if next != row.status {
        record::set_status(db, graph, next, app.now())?;
    }
    note(app, db, GraphRow { status: next, ..row }, operation.job_name())
}

/// Notes a job of a graph.
pub(crate) fn note(
    app: &App,
    db: &Transaction<'_>,
    graph: GraphRow,
    name: &'static str,
) -> Result<Job, ApiError> {
    let id = JobId(app.ambient().hex_id());
    db.prepare_cached(
        "INSERT INTO jobs (id, project_id, graph_id, graph_name, name, status, submitted, started, lsn_before)
         VALUES (?1, ?2, ?3, ?4, ?5, 'running', ?6, ?6, NULL)",
    )?
    .execute(params![id, graph.project, graph.id, graph.name, name, app.now(),])?;
    let cancelled = app.cancel_flag(&graph.id);
    let during = graph.status;
    Ok(Job { app: app.clone(), id, graph, name, during, cancelled, noted: Arc::default() })
}

/// Does the work of a long job when its turn comes; until then it is pending.
pub(crate) fn queue(job: Job, work: impl FnOnce(&Job) -> End + Send + 'static) {
    let turns = job.app.long_jobs().clone();
    tokio::spawn(in_turn(turns, job, work));
}

/// Does the work of a short job, beside whatever long ones run.
pub(crate) fn spawn(job: Job, work: impl FnOnce(&Job) -> End + Send + 'static) {
    tokio::spawn(run(job, work));
}

/// The same, here.
pub(crate) async fn run(job: Job, work: impl FnOnce(&Job) -> End + Send + 'static) {
    let turns = job.app.short_jobs().clone();
    in_turn(turns, job, work).await;
}

async fn in_turn(turns: Turns, job: Job, work: impl FnOnce(&Job) -> End + Send + 'static) {
    let project = job.graph.project.clone();
    let _turn = match turns.take_now(&project) {
        Some(turn) => turn,
        None => {
            note_state(&job, "pending").await;
            let Some(turn) = turns.take(&project).await else { return };
            note_state(&job, "running").await;
            turn
        }
    };
    work_through(job, work).await;
}

/// Pending jobs begin when they get their turn.
async fn note_state(job: &Job, state: &'static str) {
    let job = job.clone();
    let noted = blocking(move || {
        let now = job.app.now();
        job.app.db().write(|db| {
            db.execute(
                "UPDATE jobs SET status = ?2, started = ?3 WHERE id = ?1 AND ended IS NULL",
                params![job.id, state, now],
            )
        })?;
        Ok(())
    });
    if let Err(error) = noted.await {
        tracing::warn!(%error, "the state of a job could not be noted");
    }
}

async fn work_through(job: Job, work: impl FnOnce(&Job) -> End + Send + 'static) {
    let ended = tokio::task::spawn_blocking(move || {
        let given_up = INTERRUPTIBLE.contains(&job.name) && job.cancelled.load(Ordering::Relaxed);
        let end = match given_up {
            true => End::given_up("ended by a restart of the graph"),
            false => catch_unwind(AssertUnwindSafe(|| work(&job))).unwrap_or_else(|_| {
                tracing::error!(job = %job.id, "a job panicked");
                End::failure("internal error", job.rest())
            }),
        };
        job.finish(end);
    });
    if let Err(error) = ended.await {
        tracing::error!(%error, "a job was lost");
    }
}

/// Forgets jobs that ended longer ago than they are kept; tells how many.
pub(crate) fn purge(app: &App) -> Result<usize, ApiError> {
    let before = app.now().plus_seconds(-app.config().job_retention_seconds);
    Ok(app.db().write(|db| db.execute("DELETE FROM jobs WHERE ended < ?1", [before]))?)
}

const COLUMNS: &str =
    "id, graph_name, name, status, started, ended, fail_reason, progress, detail, submitted";

fn describe(row: &Row<'_>) -> rusqlite::Result<Value> {
    let ended: Option<Time> = row.get(5)?;
    let mut job = json!({
        "job_id": row.get::<_, String>(0)?,
        "related_graph": row.get::<_, String>(1)?,
        "job_name": row.get::<_, String>(2)?,
        "job_type": "GraphManagement",
        "status": row.get::<_, String>(3)?,
        "submit_time": row.get::<_, Time>(9)?.text(),
        "begin_time": row.get::<_, Time>(4)?.text(),
        "job_progress": row.get::<_, f64>(7)?,
    });
    if let Some(ended) = ended {
        job["end_time"] = ended.text().into();
    }
    if let Some(reason) = row.get::<_, Option<String>>(6)? {
        job["fail_reason"] = reason.into();
    }
    if let Some(detail) = row.get::<_, Option<String>>(8)? {
        job["job_detail"] = serde_json::from_str(&detail).unwrap_or_default();
    }
    Ok(job)
}

async fn show(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((_, graph, job)): Path<(String, GraphId, JobId)>,
) -> Result<Json<Value>, ApiError> {
    // Here and not on a thread of its own: by its key a row is read in microseconds, and clients
    // ask for this more often than for anything else.
    let found = app.db().read(|db| {
        let sql = format!("SELECT {COLUMNS} FROM jobs WHERE id = ?1 AND graph_id = ?2 AND project_id = ?3");
        let mut rows = db.prepare_cached(&sql)?;
        if let Some(found) = rows.query_row(params![job, graph, caller.project], describe).optional()? {
            return Ok(found);
        }
        let known = record::find_any(db, &caller.project, &graph)?;
        known.ok_or_else(|| ApiError::new(Code::GraphAbsent))?;
        Err(ApiError::about(Code::NoSuchJob, format!("[{job}]")))
    });
    found.map(Json)
}

async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Query(parameters): Query<std::collections::HashMap<String, String, rustc_hash::FxBuildHasher>>,
) -> Result<Json<Value>, ApiError> {
    let parameters: Parameters = Query(parameters);
    let (page, filter) = (Page::of(&parameters)?, Filter::of(&parameters, &caller.project)?);
    let found = blocking(move || app.db().read(|db| filter.select(db, page).map_err(ApiError::from)));
    let (count, jobs) = found.await?;
    Ok(Json(json!({"job_count": count, "job_list": jobs})))
}

/// Which jobs to list.
struct Filter {
    conditions: Vec<&'static str>,
    values: Vec<Sql>,
}

impl Filter {
    fn of(parameters: &Parameters, project: &ProjectId) -> Result<Self, ApiError> {
        let mut filter = Self { conditions: vec!["project_id = ?"], values: vec![project.0.clone().into()] };
        let given = |name: &str| parameters.get(name).filter(|value| !value.is_empty());
        if let Some(status) = given("status") {
            // The filter says waiting where the field says pending.
            let status = if status == "waiting" { "pending" } else { status };
            if !["pending", "running", "success", "failed"].contains(&status) {
                return Err(ApiError::about(
                    Code::BadParameter,
                    format!("[status] has no value [{status}]."),
                ));
            }
            filter.push("status = ?", Sql::Text(status.into()));
        }
        if let Some(name) = given("graph_name") {
            filter.push("graph_name = ?", Sql::Text(name.clone()));
        }
        let day = |name: &'static str, text: &String| {
            let refuse =
                || ApiError::about(Code::BadParameter, format!("[{name}] must be a day: yyyy-MM-dd."));
            Time::day(text).ok_or_else(refuse)
        };
        if let Some(text) = given("start_time") {
            filter.push("started >= ?", Sql::Integer(day("start_time", text)?.0));
        }
        if let Some(text) = given("end_time") {
            filter.push("started < ?", Sql::Integer(day("end_time", text)?.plus_seconds(86_400).0));
        }
        Ok(filter)
    }

    fn push(&mut self, condition: &'static str, value: Sql) {
        self.conditions.push(condition);
        self.values.push(value);
    }

    fn select(&self, db: &Connection, page: Page) -> rusqlite::Result<(i64, Vec<Value>)> {
        let conditions = self.conditions.join(" AND ");
        let count = format!("SELECT count(*) FROM jobs WHERE {conditions}");
        let count = db.query_row(&count, params_from_iter(&self.values), |row| row.get(0))?;
        let rows =
            format!("SELECT {COLUMNS} FROM jobs WHERE {conditions} ORDER BY seq DESC LIMIT ? OFFSET ?");
        let paging = [Sql::Integer(page.limit), Sql::Integer(page.offset)];
        let mut rows = db.prepare(&rows)?;
        let rows = rows.query_map(params_from_iter(self.values.iter().chain(&paging)), describe)?;
        Ok((count, rows.collect::<Result<_, _>>()?))
    }
}
