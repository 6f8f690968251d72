//! Download links: the files of a backup as an archive, each at an address that is good for an
//! hour and needs no token. They are read from the pool when they are asked for; nothing is
//! copied before.

use std::io::Read;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use futures_util::stream;
use serde_json::{Value, json};
use store::Archive;
use tokio::sync::mpsc;

use super::usable_of;
use crate::app::App;
use crate::codes::Code;
use crate::graphs::record;
use crate::http::auth::Caller;
use crate::http::error::ApiError;
use crate::http::{Parameters, blocking};
use crate::ids::{BackupId, GraphId, ProjectId};
use crate::times::Time;

/// How long a link is good for.
const LIFETIME: i64 = 3600;
/// The bucket that links name. It is no folder, and nothing can be put there.
const BUCKET: &str = "backup-links";
/// Archives that are held for further downloads of their files.
const HELD: usize = 4;
const BLOCK: usize = 1 << 18;

/// Without a token: the signature in the link is the permission.
pub(crate) fn routes() -> Router<App> {
    Router::new().route("/obs/backup-links/{project}/{graph}/{backup}/{*name}", get(download))
}

/// What a link is good for.
struct Link<'a> {
    project: &'a ProjectId,
    graph: &'a GraphId,
    backup: &'a BackupId,
    name: &'a str,
    expires: i64,
}

impl Link<'_> {
    /// What is signed. No part of a link that was given out has a line break, so no two links say
    /// the same.
    fn text(&self) -> String {
        let Self { project, graph, backup, name, expires } = self;
        format!("{project}\n{graph}\n{backup}\n{name}\n{expires}")
    }

    fn url(&self, app: &App, base: &str) -> String {
        let Self { project, graph, backup, name, expires } = self;
        let signature = hex::encode(app.instance_key().sign(self.text().as_bytes()));
        format!(
            "{base}/obs/{BUCKET}/{project}/{graph}/{backup}/{name}?expires={expires}&signature={signature}"
        )
    }
}

/// Archives of late, so that not every file of one costs reading its log again.
#[derive(Debug, Default)]
pub(crate) struct Held(Vec<(BackupId, Time, Arc<Archive>)>);

impl Held {
    fn find(&mut self, backup: &BackupId, now: Time) -> Option<Arc<Archive>> {
        self.expire(now);
        let held = self.0.iter_mut().find(|(id, ..)| id == backup)?;
        held.1 = now;
        Some(Arc::clone(&held.2))
    }

    fn keep(&mut self, backup: BackupId, now: Time, archive: Arc<Archive>) {
        self.0.retain(|(id, ..)| *id != backup);
        self.0.push((backup, now, archive));
        if self.0.len() > HELD {
            self.0.remove(0);
        }
    }

    /// Lets go of what was not asked for within the life of a link.
    pub(crate) fn expire(&mut self, now: Time) {
        self.0.retain(|(_, used, _)| now.seconds_since(*used) < LIFETIME);
    }

    pub(crate) fn forget(&mut self, backup: &BackupId) {
        self.0.retain(|(id, ..)| id != backup);
    }
}

fn archive(
    app: &App,
    project: &ProjectId,
    graph: &GraphId,
    backup: &BackupId,
) -> Result<Arc<Archive>, ApiError> {
    app.db().read(|db| usable_of(db, project, graph, backup))?;
    if let Some(archive) = app.archives().find(backup, app.now()) {
        return Ok(archive);
    }
    let pool = app.pool(project)?;
    let archive = Arc::new(pool.archive(&pool.pin(graph.as_str(), backup.as_str())?)?);
    app.archives().keep(backup.clone(), app.now(), Arc::clone(&archive));
    Ok(archive)
}

pub(super) async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((_, graph)): Path<(String, GraphId)>,
    parameters: Parameters,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let base = app.url_for(&headers);
    blocking(move || {
        let known = app.db().read(|db| record::find_any(db, &caller.project, &graph))?;
        known.ok_or_else(|| ApiError::new(Code::GraphAbsent))?;
        let backup = match parameters.get("backup_id") {
            None => return Err(ApiError::about(Code::ParameterMissing, "[backup_id]")),
            Some(id) if id.is_empty() => return Err(ApiError::about(Code::ParameterEmpty, "[backup_id]")),
            Some(id) => BackupId(id.clone()),
        };
        let archive = archive(&app, &caller.project, &graph, &backup)?;
        // In whole seconds, as the link says it.
        let expires = Time(app.now().0 / 1_000_000 * 1_000_000).plus_seconds(LIFETIME);
        let file = |(name, len): (&str, u64)| {
            let (project, graph, backup) = (&caller.project, &graph, &backup);
            let link = Link { project, graph, backup, name, expires: expires.0 / 1_000_000 };
            json!({
                "name": name,
                "size": len.div_ceil(1000),
                "download_link": link.url(&app, &base),
                "link_expired_time": expires.with_offset(),
            })
        };
        Ok(Json(json!({"bucket": BUCKET, "files": archive.files().map(file).collect::<Vec<_>>()})))
    })
    .await
}

type Place = (ProjectId, GraphId, BackupId, String);

async fn download(
    State(app): State<App>,
    Path((project, graph, backup, name)): Path<Place>,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    if !app.is_recovered() {
        return Err(ApiError::about(Code::Unavailable, "The server is starting."));
    }
    let given = |key: &str| parameters.get(key).map(String::as_str).unwrap_or_default();
    let expires = given("expires").parse().map_err(|_| ApiError::new(Code::LinkInvalid))?;
    let signature = hex::decode(given("signature")).map_err(|_| ApiError::new(Code::LinkInvalid))?;
    let link = Link { project: &project, graph: &graph, backup: &backup, name: &name, expires };
    if !app.instance_key().verify(link.text().as_bytes(), &signature) {
        return Err(ApiError::new(Code::LinkInvalid));
    }
    if Time(0).plus_seconds(expires) <= app.now() {
        return Err(ApiError::new(Code::LinkExpired));
    }
    let opened = blocking(move || {
        let archive = archive(&app, &project, &graph, &backup).map_err(|error| match error.code {
            Code::BackupAbsent | Code::BackupFailed => ApiError::new(Code::NoSuchKey),
            _ => error,
        })?;
        let (file, len) = archive.open(&name).ok_or_else(|| ApiError::new(Code::NoSuchKey))?;
        Ok((archive, file, len))
    });
    let (archive, file, len) = opened.await?;
    let headers = [
        (header::CONTENT_LENGTH, len.to_string()),
        (header::CONTENT_TYPE, "application/octet-stream".into()),
    ];
    Ok((headers, stream_of(archive, file)).into_response())
}

/// Reads on a thread that may block, as far ahead as the client takes it.
fn stream_of(archive: Arc<Archive>, mut file: Box<dyn Read + Send>) -> Body {
    let (sender, receiver) = mpsc::channel(2);
    tokio::task::spawn_blocking(move || {
        // Until the last byte is read, nothing of it is collected.
        let _held = archive;
        loop {
            let mut block = vec![0; BLOCK];
            let read = match file.read(&mut block) {
                Ok(0) => return,
                Ok(len) => {
                    block.truncate(len);
                    Ok(Bytes::from(block))
                }
                Err(error) => {
                    tracing::error!(%error, "a file of a backup cannot be read");
                    Err(error)
                }
            };
            let failed = read.is_err();
            if sender.blocking_send(read).is_err() || failed {
                return;
            }
        }
    });
    Body::from_stream(stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|block| (block, receiver))
    }))
}
