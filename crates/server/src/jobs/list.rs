//! Jobs as clients see them: one by its id, and lists.

use axum::extract::{Path, Query, State};
use axum::routing::get;
use axum::{Extension, Json, Router};
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};
use serde_json::{Value, json};

use crate::app::App;
use crate::codes::Code;
use crate::graphs::record;
use crate::http::auth::Caller;
use crate::http::error::ApiError;
use crate::http::{Page, Parameters, blocking};
use crate::ids::{GraphId, JobId, ProjectId};
use crate::times::Time;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/v2/{project}/graphs/jobs", get(list))
        .route("/v2/{project}/graphs/{graph}/jobs/{job}/status", get(show))
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
