//! Creating a graph: what can be asked for, and what of it is a label.

use axum::extract::State;
use axum::{Extension, Json};
use model::{Schema, SchemaMode};
use serde_json::{Map, Value, json};

use super::record::{self, GraphRow};
use super::states::Status;
use super::{network, sizes};
use crate::app::App;
use crate::codes::Code;
use crate::http::auth::Caller;
use crate::http::blocking;
use crate::http::body::Fields;
use crate::http::error::ApiError;
use crate::ids::GraphId;
use crate::jobs::{self, End, Job, Work};

/// Recorded as given and shown again: on one's own machine these are labels.
const TEXTS: &[&str] = &["vpc_id", "subnet_id", "security_group_id"];
const FLAGS: &[&str] = &[
    "enable_https",
    "enable_rbac",
    "enable_full_text_index",
    "enable_hyg",
    "enable_multi_label",
    "is_dynamic_graph",
];
/// Fields of a few words, and the words.
const CHOICES: &[(&str, &[&str])] = &[
    ("crypt_algorithm", &["generalCipher", "SMcompatible"]),
    ("product_type", &["InMemory", "Persistence"]),
    ("sort_key_type", &["int", "string", "varString"]),
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
            network::check_free(db, &graph.project, &graph)?;
            record::insert(db, &graph)?;
            jobs::note(&app, db, graph, Work::CreateGraph)
        })
    })
    .await?;
    jobs::start(job);
    Ok(Json(reply))
}

/// The work of creating one.
pub(crate) fn build(job: &Job) -> End {
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
}

fn parse(app: &App, caller: &Caller, body: &Fields) -> Result<GraphRow, ApiError> {
    let graph = body.required_object("graph")?;
    let name = graph.text("name")?;
    if !is_name(&name) {
        return Err(ApiError::about(Code::GraphName, "[graph.name]"));
    }
    let size_index = sizes::parse(&graph)?;
    refuse_encryption(&graph)?;
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
        fields: recorded(app, &graph)?,
        origin_size_index: size_index.clone(),
        size_index,
        resized: None,
        replicas: 1,
        expanded: None,
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

/// Nothing is encrypted at rest, and nobody is to believe that it is.
fn refuse_encryption(graph: &Fields) -> Result<(), ApiError> {
    let Some(wanted) = graph.object("encryption")? else { return Ok(()) };
    if wanted.flag("enable")?.unwrap_or(false) {
        let text = format!(
            "{} is not supported: keep the data directory on an encrypted disk.",
            wanted.at("enable")
        );
        return Err(ApiError::about(Code::BadParameter, text));
    }
    Ok(())
}

fn recorded(app: &App, graph: &Fields) -> Result<Map<String, Value>, ApiError> {
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
    for (name, words) in CHOICES {
        if let Some(word) = choice(graph, name, words)? {
            fields.insert((*name).into(), word.into());
        }
    }
    if let Some(arch) = graph.optional_text("arch")? {
        if !["x86_64", "aarch64"].contains(&arch.as_str()) {
            return Err(ApiError::about(Code::Architecture, "[graph.arch]"));
        }
        fields.insert("arch".into(), arch.into());
    }
    if let Some(flag) = graph.flag("enable_multi_az")? {
        // Text, as clients read it.
        fields.insert("is_multi_az".into(), flag.to_string().into());
    }
    if let Some(address) = network::of_new_graph(app, graph)? {
        fields.insert("public_ip".into(), address);
    }
    if let Some(trace) = graph.object("lts_operation_trace")? {
        trace.optional_text("audit_log_group_name")?;
        fields.insert("enable_lts".into(), trace.flag("enable_audit")?.unwrap_or(false).into());
    }
    if let Some(kind) = vertex_id_type(graph)? {
        fields.insert("vertex_id_type".into(), kind);
    }
    if let Some(ratio) = graph.count("capacity_ratio")? {
        fields.insert("capacity_ratio".into(), ratio.into());
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

fn choice(fields: &Fields, name: &str, words: &[&str]) -> Result<Option<String>, ApiError> {
    let Some(word) = fields.optional_text(name)?.filter(|word| !word.is_empty()) else { return Ok(None) };
    if words.contains(&word.as_str()) {
        return Ok(Some(word));
    }
    let text = format!("{} must be {}.", fields.at(name), words.join(" or "));
    Err(ApiError::about(Code::BadParameter, text))
}

/// How ids are kept, which is a label: ids of any length up to the engine's limit are taken.
fn vertex_id_type(graph: &Fields) -> Result<Option<Value>, ApiError> {
    let Some(wanted) = graph.object("vertex_id_type")? else { return Ok(None) };
    let Some(kind) = choice(&wanted, "id_type", &["fixedLengthString", "hash"])? else {
        return Err(ApiError::about(Code::ParameterMissing, wanted.at("id_type")));
    };
    let length = wanted.count("id_length")?;
    if length.is_some_and(|length| length > 128) {
        let text = format!("{} must be 1 to 128.", wanted.at("id_length"));
        return Err(ApiError::about(Code::BadParameter, text));
    }
    match (kind.as_str(), length) {
        ("fixedLengthString", None) => Err(ApiError::about(Code::ParameterMissing, wanted.at("id_length"))),
        (_, None) => Ok(Some(json!({"id_type": kind}))),
        (_, Some(length)) => Ok(Some(json!({"id_type": kind, "id_length": length}))),
    }
}
