//! The object area: buckets are folders, objects are files, and nothing else of the machine can be
//! reached. Each project has buckets of its own.

mod files;
mod list;
mod path;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio_util::io::ReaderStream;

pub(crate) use self::files::{Buckets, Draft};
use self::list::{Listed, Wanted};
pub(crate) use self::path::{ObjectPath, PathError, is_legal as is_legal_path};
use crate::app::App;
use crate::codes::Code;
use crate::http::auth::Caller;
use crate::http::body::broken_off;
use crate::http::error::ApiError;
use crate::http::{Parameters, blocking};

/// The largest object.
const MAX_OBJECT: u64 = 50 << 30;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/obs/{bucket}", get(list))
        .route("/obs/{bucket}/", get(list))
        .route("/obs/{bucket}/{*key}", get(read).head(head).put(write).delete(remove))
}

fn object(bucket: &str, key: &str) -> Result<ObjectPath, ApiError> {
    ObjectPath::new(bucket, key).map_err(|error| {
        let code = if error == PathError::Bucket { Code::BucketName } else { Code::ObjectKey };
        ApiError::about(code, format!("[{bucket}/{key}]"))
    })
}

async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(bucket): Path<String>,
    parameters: Parameters,
) -> Result<Json<Value>, ApiError> {
    let wanted = wanted(&parameters, parameters.get("prefix").cloned().unwrap_or_default())?;
    list_below(app, caller, bucket, wanted).await
}

/// The most keys that one page names, and how many it does if nothing is said.
const PAGE: usize = 1000;

fn wanted(parameters: &Parameters, prefix: String) -> Result<Wanted, ApiError> {
    let limit = match parameters.get("limit").map(String::as_str) {
        None | Some("") => Some(PAGE),
        Some(text) => text.parse().ok().filter(|limit| *limit > 0),
    };
    let refuse = || ApiError::about(Code::BadParameter, "[limit] must be a whole number from 1.");
    let limit = limit.ok_or_else(refuse)?.min(PAGE);
    Ok(Wanted { prefix, marker: parameters.get("marker").cloned().unwrap_or_default(), limit })
}

async fn list_below(
    app: App,
    caller: Caller,
    bucket: String,
    wanted: Wanted,
) -> Result<Json<Value>, ApiError> {
    object(&bucket, "any")?;
    let buckets = Buckets::new(app.buckets(&caller.project));
    blocking(move || {
        let listed = list::list(&buckets.bucket(&bucket), &wanted);
        let Listed { objects, truncated } = listed.map_err(|error| failed(error, Code::NoSuchBucket))?;
        let next = objects.last().filter(|_| truncated).map(|(key, _)| key.clone());
        let objects: Vec<Value> =
            objects.into_iter().map(|(key, size)| json!({"key": key, "size": size})).collect();
        Ok(Json(json!({
            "bucket": bucket, "prefix": wanted.prefix, "objects": objects,
            "is_truncated": truncated, "next_marker": next,
        })))
    })
    .await
}

fn failed(error: std::io::Error, absent: Code) -> ApiError {
    match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::IsADirectory => ApiError::new(absent),
        std::io::ErrorKind::NotADirectory | std::io::ErrorKind::AlreadyExists => {
            ApiError::new(Code::KeyConflict)
        }
        std::io::ErrorKind::StorageFull => ApiError::new(Code::Unavailable),
        _ => ApiError::internal(error),
    }
}

async fn open(
    app: &App,
    caller: &Caller,
    bucket: &str,
    key: &str,
) -> Result<(tokio::fs::File, u64), ApiError> {
    let (path, buckets) = (object(bucket, key)?, Buckets::new(app.buckets(&caller.project)));
    let opened = blocking(move || {
        let file = buckets.open(&path).map_err(|error| failed(error, Code::NoSuchKey))?;
        let size = file.metadata().map_err(ApiError::internal)?.len();
        Ok((file, size))
    });
    let (file, size) = opened.await?;
    Ok((tokio::fs::File::from_std(file), size))
}

async fn read(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((bucket, key)): Path<(String, String)>,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    if key.ends_with('/') {
        // A folder: the keys below it.
        object(&bucket, key.trim_end_matches('/'))?;
        return Ok(list_below(app, caller, bucket, wanted(&parameters, key)?).await?.into_response());
    }
    let (file, size) = open(&app, &caller, &bucket, &key).await?;
    let headers = [
        (header::CONTENT_LENGTH, size.to_string()),
        (header::CONTENT_TYPE, "application/octet-stream".into()),
    ];
    Ok((headers, Body::from_stream(ReaderStream::with_capacity(file, 1 << 18))).into_response())
}

async fn head(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((bucket, key)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let (_, size) = open(&app, &caller, &bucket, &key).await?;
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_LENGTH, size.into());
    Ok((StatusCode::OK, headers).into_response())
}

/// Streams to a file without a name and names it when it is whole and synced.
async fn write(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((bucket, key)): Path<(String, String)>,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    let (path, buckets) = (object(&bucket, &key)?, Buckets::new(app.buckets(&caller.project)));
    let name = app.ambient().hex_id();
    let target = path.clone();
    let started =
        blocking(move || buckets.start(&target, &name).map_err(|error| failed(error, Code::ObjectKey)));
    let mut draft = started.await?;
    let file = draft.file.try_clone().map_err(ApiError::internal)?;
    let mut file = tokio::fs::File::from_std(file);
    let mut body = request.into_body().into_data_stream();
    let mut size = 0u64;
    while let Some(bytes) = body.next().await {
        let bytes = bytes.map_err(|error| broken_off(&error))?;
        size += bytes.len() as u64;
        if size > MAX_OBJECT {
            return Err(ApiError::new(Code::ObjectTooLarge));
        }
        file.write_all(&bytes).await.map_err(|error| failed(error, Code::ObjectKey))?;
    }
    file.flush().await.map_err(|error| failed(error, Code::ObjectKey))?;
    drop(file);
    blocking(move || draft.publish().map_err(|error| failed(error, Code::ObjectKey))).await?;
    Ok(Json(json!({"bucket": path.bucket(), "key": path.key(), "size": size})))
}

async fn remove(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((bucket, key)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let (path, buckets) = (object(&bucket, &key)?, Buckets::new(app.buckets(&caller.project)));
    blocking(move || buckets.remove(&path).map_err(|error| failed(error, Code::NoSuchKey))).await?;
    Ok(StatusCode::NO_CONTENT)
}
