use axum::extract::State;
use axum::{Extension, Json};
use model::{Schema, SchemaMode};
use serde_json::{Map, Value, json};

use super::record::{self, GraphRow};
use super::states::Status;
use crate::app::App;
use crate::codes::Code;
use crate::http::auth::Caller;
use crate::http::blocking;
use crate::http::body::Fields;
use crate::http::error::ApiError;
use crate::ids::GraphId;
use crate::jobs::{self, End};

/// Recorded as given and shown again: on one's own machine these are labels.
const TEXTS: &[&str] =
    &["vpc_id", "subnet_id", "security_group_id", "crypt_algorithm", "sort_key_type", "master_key_id"];
const FLAGS: &[&str] = &[
    "enable_https",
    "enable_rbac",
    "enable_full_text_index",
    "enable_hyg",
    "enable_multi_label",
    "is_dynamic_graph",
];

pub(super) async fn create(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    body: Fields,
) -> Result<Json<Value>, ApiError> {
    let graph = parse(&app, &caller, &body)?;
    let reply = json!({"id": graph.id.as_str(), "name": graph.name});
    let job = blocking(move || {
        app.db().write(|db| {
            let used: i64 = db
                .prepare_cached("SELECT count(*) FROM graphs WHERE project_id = ?1 AND status <> 400")?
                .query_row([&graph.project], |row| row.get(0))?;
            if used >= i64::from(app.config().graph_quota) {
                return Err(ApiError::new(Code::GraphQuota));
            }
            if record::find_by_name(db, &graph.project, &graph.name)?.is_some() {
                return Err(ApiError::about(Code::GraphNameTaken, format!("[{}]", graph.name)));
            }
            record::insert(db, &graph)?;
            jobs::note(&app, db, graph.clone(), "CreateGraph")
        })
    })
    .await?;
    jobs::spawn(job, |job| {
        let mode = if job.graph.schema_mode == "open" { SchemaMode::Open } else { SchemaMode::Closed };
        let created = job.app.pool(&job.graph.project).and_then(|pool| {
            let graph = pool.create(job.graph.id.as_str(), Schema::new(mode))?;
            job.app.register(&job.graph.id, graph);
            Ok(())
        });
        match created {
            Ok(()) => End::success(Status::Running),
            Err(error) => End::failure(error, Status::CreateFailed),
        }
    });
    Ok(Json(reply))
}

fn parse(app: &App, caller: &Caller, body: &Fields) -> Result<GraphRow, ApiError> {
    let graph = body.required_object("graph")?;
    let name = graph.text("name")?;
    if !is_name(&name) {
        return Err(ApiError::about(Code::GraphName, "[graph.name]"));
    }
    let size_index = match graph.get("graph_size_type_index") {
        // Older clients send a number.
        Some(Value::Number(number)) => number.to_string(),
        _ => graph.text("graph_size_type_index")?,
    };
    if record::edge_limit(&size_index).is_none() {
        return Err(ApiError::about(Code::SizeIndex, "[graph.graph_size_type_index]"));
    }
    let schema_mode = graph.optional_text("schema_mode")?.unwrap_or_else(|| "closed".into());
    if !["closed", "open"].contains(&schema_mode.as_str()) {
        return Err(ApiError::about(Code::BadParameter, "[graph.schema_mode] must be closed or open."));
    }
    let now = app.now();
    Ok(GraphRow {
        id: GraphId(app.ambient().uuid()),
        project: caller.project.clone(),
        name,
        status: Status::Creating,
        fields: recorded(&graph)?,
        size_index,
        schema_mode,
        created_by: caller.user_name.clone(),
        created: now,
        updated: now,
        files: Map::new(),
    })
}

/// 4 to 50 letters, digits and underscores, the first a letter.
fn is_name(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (4..=50).contains(&name.len())
        && name.chars().all(legal)
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
}

fn recorded(graph: &Fields) -> Result<Map<String, Value>, ApiError> {
    let mut fields = Map::new();
    for name in TEXTS {
        if let Some(text) = graph.optional_text(name)? {
            fields.insert((*name).into(), text.into());
        }
    }
    for name in FLAGS {
        if let Some(flag) = graph.flag(name)? {
            fields.insert((*name).into(), flag.into());
        }
    }
    if let Some(arch) = graph.optional_text("arch")? {
        if !["x86_64", "aarch64"].contains(&arch.as_str()) {
            return Err(ApiError::about(Code::Architecture, "[graph.arch]"));
        }
        fields.insert("arch".into(), arch.into());
    }
    if let Some(product) = graph.optional_text("product_type")? {
        if !["InMemory", "Persistence"].contains(&product.as_str()) {
            let text = "[graph.product_type] must be InMemory or Persistence.";
            return Err(ApiError::about(Code::BadParameter, text));
        }
        fields.insert("product_type".into(), product.into());
    }
    if let Some(flag) = graph.flag("enable_multi_az")? {
        // Text, as clients read it.
        fields.insert("is_multi_az".into(), flag.to_string().into());
    }
    if let Some(tags) = graph.list("tags")? {
        fields.insert("tags".into(), tags.into());
    }
    if let Some(tags) = graph.list("sys_tags")? {
        // Asked for as objects, shown as the plain values.
        let value = |tag: &Value| tag.get("value").cloned().unwrap_or_else(|| tag.clone());
        fields.insert("sys_tags".into(), tags.iter().map(value).collect());
    }
    Ok(fields)
}
