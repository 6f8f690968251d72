//! Addresses and security groups. On one's own machine they are labels: recorded, shown, and of
//! no effect on who can reach a graph.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use rusqlite::{OptionalExtension, Transaction, params};
use serde_json::{Value, json};

use super::begin::{GraphPath, change};
use super::record::GraphRow;
use super::states::Operation;
use crate::app::App;
use crate::codes::Code;
use crate::http::auth::Caller;
use crate::http::body::Fields;
use crate::http::error::ApiError;
use crate::ids::{GraphId, ProjectId};

/// An address as it is recorded. Terraform reads an object here, and ends at anything else.
const FIELD: &str = "public_ip";

/// The address that a new graph is to have. One that is to be assigned gets an id here, so that it
/// can be unbound.
pub(super) fn of_new_graph(app: &App, graph: &Fields) -> Result<Option<Value>, ApiError> {
    let Some(wanted) = graph.object(FIELD)? else { return Ok(None) };
    match wanted.optional_text("public_bind_type")?.as_deref() {
        None | Some("") => Ok(None),
        Some("auto_assign") => Ok(Some(recorded("auto_assign", &app.ambient().uuid()))),
        Some("bind_existing") => Ok(Some(recorded("bind_existing", &eip(&wanted)?))),
        Some(_) => Err(ApiError::about(Code::EipBindType, wanted.at("public_bind_type"))),
    }
}

fn recorded(bind_type: &str, eip: &str) -> Value {
    json!({"public_bind_type": bind_type, "eip_id": eip})
}

fn eip(fields: &Fields) -> Result<String, ApiError> {
    label(fields, "eip_id", Code::EipId)
}

/// 1 to 64 letters, digits, hyphens and underscores.
fn label(fields: &Fields, name: &str, otherwise: Code) -> Result<String, ApiError> {
    let id = fields.text(name)?;
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if id.len() <= 64 && id.chars().all(legal) {
        Ok(id)
    } else {
        Err(ApiError::about(otherwise, fields.at(name)))
    }
}

fn bound(graph: &GraphRow) -> Option<&str> {
    graph.fields.get(FIELD)?.get("eip_id")?.as_str()
}

/// An address is bound to one graph at most.
pub(super) fn check_free(
    db: &Transaction<'_>,
    project: &ProjectId,
    graph: &GraphRow,
) -> Result<(), ApiError> {
    bound(graph).map_or(Ok(()), |eip| free(db, project, &graph.id, eip))
}

fn free(db: &Transaction<'_>, project: &ProjectId, graph: &GraphId, eip: &str) -> Result<(), ApiError> {
    let holder: Option<String> = db
        .prepare_cached(
            "SELECT name FROM graphs WHERE project_id = ?1 AND status <> 400 AND id <> ?2
             AND json_extract(fields, '$.public_ip.eip_id') = ?3 LIMIT 1",
        )?
        .query_row(params![project, graph, eip], |row| row.get(0))
        .optional()?;
    match holder {
        None => Ok(()),
        Some(holder) => {
            Err(ApiError::about(Code::EipBound, format!("[{eip}] is bound to the graph [{holder}].")))
        }
    }
}

pub(super) async fn bind_eip(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((_, graph)): GraphPath,
    body: Fields,
) -> Result<Json<Value>, ApiError> {
    change(app, caller, graph, Operation::BindEip, move |db, graph| {
        let eip = eip(&body)?;
        if let Some(bound) = bound(graph) {
            return Err(ApiError::about(Code::EipBound, format!("The graph has [{bound}].")));
        }
        free(db, &graph.project, &graph.id, &eip)?;
        graph.fields.insert(FIELD.into(), recorded("bind_existing", &eip));
        Ok(Json(json!({})))
    })
    .await
}

pub(super) async fn unbind_eip(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((_, graph)): GraphPath,
    body: Fields,
) -> Result<Json<Value>, ApiError> {
    change(app, caller, graph, Operation::UnbindEip, move |_, graph| {
        let eip = eip(&body)?;
        match bound(graph) {
            None => return Err(ApiError::new(Code::EipNotBound)),
            Some(bound) if bound != eip => {
                return Err(ApiError::about(
                    Code::EipNotBound,
                    format!("[eip_id]: [{eip}], but the graph has [{bound}]."),
                ));
            }
            Some(_) => graph.fields.remove(FIELD),
        };
        Ok(Json(json!({})))
    })
    .await
}

pub(super) async fn change_security_group(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((_, graph)): GraphPath,
    body: Fields,
) -> Result<Json<Value>, ApiError> {
    change(app, caller, graph, Operation::ChangeSecurityGroup, move |_, graph| {
        let group = label(&body, "security_group_id", Code::SecurityGroup)?;
        graph.fields.insert("security_group_id".into(), group.into());
        Ok(Json(json!({})))
    })
    .await
}
