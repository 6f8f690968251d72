//! Metadata files: named schemas that imports can start from. Each is also an object, at its path.

use std::io::Write;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use model::Label;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::{Value, json};
use transfer::metadata::MetadataError;

use crate::app::App;
use crate::codes::Code;
use crate::http::auth::Caller;
use crate::http::body::Fields;
use crate::http::error::ApiError;
use crate::http::{Page, Parameters, blocking};
use crate::ids::{MetadataId, ProjectId};
use crate::obs::{Buckets, ObjectPath};
use crate::times::Time;

/// How many a project may have.
pub(crate) const MAX_METADATA: u32 = 50;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/v2/{project}/graphs/metadatas", get(list).post(create))
        .route("/v2/{project}/graphs/metadatas/{metadata}", get(show).delete(remove))
        .route("/v2/{project}/graphs/metadata/upload-from-obs", post(upload))
        .route("/v1.0/{project}/graphs/metadatas/{metadata}", get(show_v1))
}

/// What is to be stored.
struct Wanted {
    name: String,
    description: String,
    path: String,
    labels: Vec<Label>,
    overwrite: bool,
    encrypted: bool,
    master_key_id: String,
}

async fn create(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    body: Fields,
) -> Result<Json<Value>, ApiError> {
    let name = name(&body)?;
    let path = path(&body)?;
    let definition = body.required_object("ges_metadata")?;
    let labels = json!({"labels": definition.list("labels")?});
    let labels = transfer::metadata::from_json(&labels).map_err(refuse)?;
    let wanted = wanted(&body, name, path, labels, body.flag("is_overwrite")?.unwrap_or(false))?;
    blocking(move || {
        let xml = transfer::metadata::to_xml(&wanted.labels);
        let path = ObjectPath::parse(&wanted.path).map_err(|error| ApiError::about(Code::FilePath, error))?;
        let stored = store_row(&app, &caller.project, &wanted)?;
        let buckets = Buckets::new(app.buckets(&caller.project));
        let written = buckets.start(&path, &app.ambient().hex_id()).and_then(|mut draft| {
            draft.file.write_all(xml.as_bytes())?;
            draft.publish()
        });
        written
            .map_err(|error| ApiError::about(Code::FilePath, format!("[metadata_path]: {}", error.kind())))?;
        Ok(stored)
    })
    .await
}

async fn upload(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    body: Fields,
) -> Result<Json<Value>, ApiError> {
    let (name, path) = (name(&body)?, path(&body)?);
    blocking(move || {
        let object = ObjectPath::parse(&path).map_err(|error| ApiError::about(Code::FilePath, error))?;
        let bytes = read_limited(&Buckets::new(app.buckets(&caller.project)), &object)?;
        let labels = transfer::metadata::from_xml(&bytes).map_err(refuse)?;
        store_row(&app, &caller.project, &wanted(&body, name, path, labels, false)?)
    })
    .await
}

/// One byte more than the limit is enough to know.
fn read_limited(buckets: &Buckets, path: &ObjectPath) -> Result<Vec<u8>, ApiError> {
    use std::io::Read;
    let absent = |_| ApiError::about(Code::ObjectAbsent, format!("[{}/{}]", path.bucket(), path.key()));
    let file = buckets.open(path).map_err(absent)?;
    let mut bytes = Vec::new();
    let limit = transfer::metadata::MAX_BYTES as u64 + 1;
    file.take(limit).read_to_end(&mut bytes).map_err(ApiError::internal)?;
    Ok(bytes)
}

fn refuse(error: MetadataError) -> ApiError {
    match error {
        MetadataError::TooLarge { .. } => ApiError::new(Code::MetadataTooLarge),
        error => ApiError::about(Code::MetadataUnreadable, error),
    }
}

/// 1 to 64 letters, digits and underscores.
fn name(body: &Fields) -> Result<String, ApiError> {
    let name = body.text("name")?;
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.len() <= 64 && name.chars().all(legal) {
        return Ok(name);
    }
    Err(ApiError::about(Code::BadParameter, "[name] has 1 to 64 letters, digits and underscores."))
}

fn path(body: &Fields) -> Result<String, ApiError> {
    let path = body.text("metadata_path")?;
    match ObjectPath::parse(&path) {
        Ok(_) => Ok(path),
        Err(error) => Err(ApiError::about(Code::FilePath, format!("[metadata_path]: {error}"))),
    }
}

fn wanted(
    body: &Fields,
    name: String,
    path: String,
    labels: Vec<Label>,
    overwrite: bool,
) -> Result<Wanted, ApiError> {
    let encryption = body.object("encryption")?.unwrap_or_default();
    Ok(Wanted {
        name,
        description: body.optional_text("description")?.unwrap_or_default(),
        path,
        labels,
        overwrite,
        encrypted: encryption.flag("enable")?.unwrap_or(false),
        master_key_id: encryption.optional_text("master_key_id")?.unwrap_or_default(),
    })
}

fn store_row(app: &App, project: &ProjectId, wanted: &Wanted) -> Result<Json<Value>, ApiError> {
    let labels = transfer::metadata::to_json(&wanted.labels).to_string();
    let now = app.now();
    app.db().write(|db| {
        let there: Option<MetadataId> = db
            .query_row("SELECT id FROM metadata WHERE project_id = ?1 AND name = ?2", params![project, wanted.name], |row| {
                row.get(0)
            })
            .optional()?;
        let id = match there {
            Some(_) if !wanted.overwrite => {
                return Err(ApiError::about(Code::MetadataExists, format!("[{}]", wanted.name)));
            }
            Some(id) => id,
            None => {
                check_quota(db, project)?;
                MetadataId(app.ambient().uuid())
            }
        };
        db.execute(
            "INSERT INTO metadata (id, project_id, name, description, path, labels, created, updated, encrypted, master_key_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8, ?9)
             ON CONFLICT (project_id, name) DO UPDATE SET description = ?4, path = ?5, labels = ?6, updated = ?7,
             encrypted = ?8, master_key_id = ?9",
            params![
                id, project, wanted.name, wanted.description, wanted.path, labels, now, wanted.encrypted,
                wanted.master_key_id
            ],
        )?;
        Ok(Json(json!({"id": id.as_str(), "name": wanted.name})))
    })
}

fn check_quota(db: &Connection, project: &ProjectId) -> Result<(), ApiError> {
    let used: i64 =
        db.query_row("SELECT count(*) FROM metadata WHERE project_id = ?1", [project], |row| row.get(0))?;
    if used >= i64::from(MAX_METADATA) {
        let text = format!("A project has at most {MAX_METADATA} metadata files.");
        return Err(ApiError::about(Code::BadParameter, text));
    }
    Ok(())
}

async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    parameters: Parameters,
) -> Result<Json<Value>, ApiError> {
    let page = Page::of(&parameters)?;
    blocking(move || Ok(app.db().read(|db| select(db, &caller.project, page))?)).await.map(Json)
}

fn select(db: &Connection, project: &ProjectId, page: Page) -> rusqlite::Result<Value> {
    let count: i64 =
        db.query_row("SELECT count(*) FROM metadata WHERE project_id = ?1", [project], |row| row.get(0))?;
    let mut rows = db.prepare_cached(
        "SELECT id, name, description, path, created, updated, encrypted, master_key_id FROM metadata
         WHERE project_id = ?1 ORDER BY seq DESC LIMIT ?2 OFFSET ?3",
    )?;
    let list = rows.query_map(params![project, page.limit, page.offset], describe)?;
    Ok(json!({"schema_count": count, "schema_list": list.collect::<rusqlite::Result<Vec<_>>>()?}))
}

fn describe(row: &Row<'_>) -> rusqlite::Result<Value> {
    Ok(json!({
        "id": row.get::<_, String>(0)?,
        "name": row.get::<_, String>(1)?,
        "description": row.get::<_, String>(2)?,
        "metadata_path": row.get::<_, String>(3)?,
        "status": "200",
        "start_time": row.get::<_, Time>(4)?.text(),
        "last_update_time": row.get::<_, Time>(5)?.text(),
        "encrypted": row.get::<_, bool>(6)?,
        "master_key_id": row.get::<_, String>(7)?,
        "master_key_name": "",
    }))
}

/// Labels, whether it is encrypted, and the key's id.
async fn find(app: App, caller: Caller, id: MetadataId) -> Result<(Value, bool, String), ApiError> {
    blocking(move || {
        let found: Option<(String, bool, String)> = app.db().read(|db| {
            db.prepare_cached(
                "SELECT labels, encrypted, master_key_id FROM metadata WHERE id = ?1 AND project_id = ?2",
            )?
            .query_row(params![id, caller.project], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()
        })?;
        let (labels, encrypted, key) =
            found.ok_or_else(|| ApiError::about(Code::MetadataAbsent, format!("[{id}]")))?;
        Ok((serde_json::from_str(&labels).map_err(ApiError::internal)?, encrypted, key))
    })
    .await
}

async fn show(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((_, id)): Path<(String, MetadataId)>,
) -> Result<Json<Value>, ApiError> {
    let (labels, encrypted, key) = find(app, caller, id).await?;
    Ok(Json(json!({
        "ges_metadata": labels, "encrypted": encrypted, "master_key_id": key, "master_key_name": "",
    })))
}

/// The older route, which Terraform still reads.
async fn show_v1(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((_, id)): Path<(String, MetadataId)>,
) -> Response {
    match find(app, caller, id).await {
        Err(error) => error.v1(),
        Ok((labels, encrypted, key)) => Json(json!({
            "gesMetadata": labels, "encrypted": encrypted, "masterKeyId": key, "masterKeyName": "",
        }))
        .into_response(),
    }
}

async fn remove(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((_, id)): Path<(String, MetadataId)>,
) -> Result<Json<Value>, ApiError> {
    blocking(move || {
        let gone = app.db().write(|db| {
            db.execute("DELETE FROM metadata WHERE id = ?1 AND project_id = ?2", params![id, caller.project])
        })?;
        if gone == 0 {
            return Err(ApiError::about(Code::MetadataAbsent, format!("[{id}]")));
        }
        Ok(Json(json!({})))
    })
    .await
}
