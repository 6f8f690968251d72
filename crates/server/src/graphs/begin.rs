//! How every operation on a graph begins: with a job, or as a change of what is recorded.

use axum::Json;
use axum::extract::Path;
use rusqlite::Transaction;
use serde_json::{Value, json};

use super::record::{self, GraphRow};
use super::states::Operation;
use crate::app::App;
use crate::codes::Code;
use crate::http::auth::Caller;
use crate::http::blocking;
use crate::http::error::ApiError;
use crate::ids::GraphId;
use crate::jobs::{self, Work};

pub(super) type GraphPath = Path<(String, GraphId)>;

/// Begins an operation with a job. Which graph and in which state comes before what is wrong with
/// the request, so `ask` looks at that last; if it refuses, nothing has happened.
pub(super) async fn operate(
    app: App,
    caller: Caller,
    graph: GraphId,
    operation: Operation,
    ask: impl FnOnce(&Transaction<'_>, &GraphRow) -> Result<Work, ApiError> + Send + 'static,
) -> Result<Json<Value>, ApiError> {
    let begun = blocking(move || {
        app.db().write(|db| jobs::begin(&app, db, &caller.project, &graph, operation, |graph| ask(db, graph)))
    });
    let job = begun.await?;
    let reply = Json(json!({"job_id": job.id.as_str()}));
    jobs::start(job);
    Ok(reply)
}

/// Changes what is recorded of a graph, at once and in one transaction.
pub(super) async fn change<T: Send + 'static>(
    app: App,
    caller: Caller,
    graph: GraphId,
    operation: Operation,
    change: impl FnOnce(&Transaction<'_>, &mut GraphRow) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    blocking(move || {
        app.db().write(|db| {
            let found = record::find(db, &caller.project, &graph)?;
            let mut graph = found.ok_or_else(|| ApiError::new(Code::GraphAbsent))?;
            operation.begin(graph.status).map_err(ApiError::new)?;
            let before = graph.fields.clone();
            let answer = change(db, &mut graph)?;
            if graph.fields != before {
                record::set_fields(db, &graph.id, &graph.fields, app.now())?;
            }
            Ok(answer)
        })
    })
    .await
}
