//! Scenes, the analysis plug-ins that a graph can subscribe to. There are none, so lists are empty
//! and every subscription names one that does not exist.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use serde_json::{Value, json};

use super::begin::{GraphPath, change};
use super::record;
use super::states::Operation;
use crate::app::App;
use crate::codes::Code;
use crate::http::auth::Caller;
use crate::http::body::Fields;
use crate::http::error::ApiError;
use crate::http::{Parameters, blocking};
use crate::ids::GraphId;

/// What a graph subscribes to, or what one can subscribe to.
pub(super) async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    parameters: Parameters,
) -> Result<Json<Value>, ApiError> {
    let graph = parameters.get("graph_id").filter(|id| !id.is_empty()).map(|id| GraphId(id.clone()));
    if let Some(graph) = graph {
        let found = blocking(move || Ok(app.db().read(|db| record::find(db, &caller.project, &graph))?));
        found.await?.ok_or_else(|| ApiError::new(Code::GraphAbsent))?;
    }
    Ok(Json(json!({"results": []})))
}

/// The names of the scenes in a request.
fn names(body: &Fields) -> Result<Vec<String>, ApiError> {
    let scenes = body.objects("scenes")?;
    let scenes = scenes.ok_or_else(|| ApiError::about(Code::ParameterMissing, body.at("scenes")))?;
    if scenes.is_empty() {
        return Err(ApiError::about(Code::ParameterEmpty, body.at("scenes")));
    }
    scenes.iter().map(|scene| scene.text("name")).collect()
}

pub(super) async fn register(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((_, graph)): GraphPath,
    body: Fields,
) -> Result<Json<Value>, ApiError> {
    change(app, caller, graph, Operation::RegisterScenes, move |_, _| {
        let unknown = names(&body)?.join(", ");
        Err(ApiError::about(Code::BadParameter, format!("[scenes]: there is no scene [{unknown}].")))
    })
    .await
}

pub(super) async fn unregister(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((_, graph)): GraphPath,
    body: Fields,
) -> Result<Json<Value>, ApiError> {
    change(app, caller, graph, Operation::UnregisterScenes, move |_, _| {
        Ok(Json(json!({"success": [], "failure": names(&body)?})))
    })
    .await
}
