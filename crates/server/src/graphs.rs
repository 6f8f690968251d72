//! Graphs on the management plane.

mod begin;
pub(crate) mod create;
pub(crate) mod files;
pub(crate) mod lifecycle;
mod network;
pub(crate) mod record;
mod scenes;
pub(crate) mod sizes;
pub(crate) mod states;
mod upgrade;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::app::App;
use crate::codes::Code;
use crate::http::auth::Caller;
use crate::http::error::ApiError;
use crate::http::{Page, Parameters, blocking};
use crate::ids::{GraphId, ProjectId};
use crate::metadata::MAX_METADATA;

pub(crate) use self::lifecycle::remove_from_store;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/v2/{project}/graphs", get(list).post(create::create))
        .route("/v2/{project}/graphs/quotas", get(quotas))
        .route("/v2/{project}/graphs/scenes", get(scenes::list))
        .route("/v2/{project}/graphs/{graph}", get(show).delete(lifecycle::delete))
        .route("/v2/{project}/graphs/{graph}/start", post(lifecycle::start))
        .route("/v2/{project}/graphs/{graph}/stop", post(lifecycle::stop))
        .route("/v2/{project}/graphs/{graph}/restart", post(lifecycle::restart))
        .route("/v2/{project}/graphs/{graph}/clear-graph", post(lifecycle::clear))
        .route("/v2/{project}/graphs/{graph}/import-graph", post(files::import))
        .route("/v2/{project}/graphs/{graph}/export-graph", post(files::export))
        .route("/v2/{project}/graphs/{graph}/upgrade", post(upgrade::upgrade))
        .route("/v2/{project}/graphs/{graph}/resize", post(sizes::resize))
        .route("/v2/{project}/graphs/{graph}/expand", post(sizes::expand))
        .route("/v2/{project}/graphs/{graph}/bind-eip", post(network::bind_eip))
        .route("/v2/{project}/graphs/{graph}/unbind-eip", post(network::unbind_eip))
        .route("/v2/{project}/graphs/{graph}/sg/change", post(network::change_security_group))
        .route("/v2/{project}/graphs/{graph}/scenes/register", post(scenes::register))
        .route("/v2/{project}/graphs/{graph}/scenes/unregister", post(scenes::unregister))
}

async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    parameters: Parameters,
) -> Result<Json<Value>, ApiError> {
    let page = Page::of(&parameters)?;
    let (count, graphs) =
        blocking(move || Ok(app.db().read(|db| record::list(db, &caller.project, page))?)).await?;
    let graphs: Vec<Value> = graphs.iter().map(record::GraphRow::describe).collect();
    Ok(Json(json!({"graph_count": count, "graphs": graphs})))
}

/// An unknown graph is a 404 here, and only here: Terraform takes nothing else for "gone".
async fn show(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((_, graph)): Path<(String, GraphId)>,
) -> Result<Json<Value>, ApiError> {
    let found = blocking(move || Ok(app.db().read(|db| record::find(db, &caller.project, &graph))?)).await?;
    let graph = found.ok_or_else(|| ApiError::new(Code::GraphGone))?;
    Ok(Json(json!({"graph": graph.describe()})))
}

async fn quotas(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Value>, ApiError> {
    let used = blocking(move || {
        let used = app.db().read(|db| used(db, &caller.project))?;
        let config = app.config();
        let left = |quota: u32, used: i64| i64::from(quota).saturating_sub(used).max(0);
        Ok(json!({"quotas": {"resources": [
            {"type": "graph", "available": left(config.graph_quota, used.graphs), "edge_volume": i64::MAX},
            {"type": "backup", "available": left(config.backup_quota, used.backups)},
            {"type": "metadata", "available": left(MAX_METADATA, used.metadata)},
        ]}}))
    });
    used.await.map(Json)
}

struct Used {
    graphs: i64,
    backups: i64,
    metadata: i64,
}

fn used(db: &Connection, project: &ProjectId) -> rusqlite::Result<Used> {
    db.prepare_cached(
        "SELECT (SELECT count(*) FROM graphs WHERE project_id = ?1 AND status <> 400),
                (SELECT count(*) FROM backups WHERE project_id = ?1),
                (SELECT count(*) FROM metadata WHERE project_id = ?1)",
    )?
    .query_row([project], |row| Ok(Used { graphs: row.get(0)?, backups: row.get(1)?, metadata: row.get(2)? }))
}
