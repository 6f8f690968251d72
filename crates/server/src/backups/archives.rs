//! Backups to a bucket and back: jobs around the store's archives.

use std::io::{self, BufWriter, Read, Write};

use axum::extract::{Path, State};
use axum::{Extension, Json};
use rusqlite::Transaction;
use serde_json::{Value, json};
use store::{ArchiveIndex, PinKind, Shelf, ShelfFile};

use super::{Method, Noted, being_made, finish, forget, is_listed, note, usable_of};
use crate::app::App;
use crate::codes::Code;
use crate::graphs::record;
use crate::graphs::states::Status;
use crate::http::auth::Caller;
use crate::http::blocking;
use crate::http::body::Fields;
use crate::http::error::ApiError;
use crate::ids::{BackupId, GraphId, ProjectId};
use crate::jobs::{self, End, Job, Work};
use crate::obs::{Buckets, Draft, ObjectPath, is_legal_path};

/// Copies a backup to a folder of a bucket. The graph may be in any state, or be gone.
pub(super) async fn export(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((_, graph)): Path<(String, GraphId)>,
    body: Fields,
) -> Result<Json<Value>, ApiError> {
    let begun = blocking(move || {
        let wanted = body.text("backup_id").and_then(|id| Ok((BackupId(id), folder(&body, "export_path")?)));
        app.db().write(|db| {
            let row = record::find_any(db, &caller.project, &graph)?;
            let row = row.ok_or_else(|| ApiError::new(Code::GraphAbsent))?;
            let (backup, folder) = wanted?;
            usable_of(db, &caller.project, &graph, &backup)?;
            jobs::note(&app, db, row, Work::ExportBackup { backup, folder })
        })
    });
    let job = begun.await?;
    let reply = json!({"job_id": job.id});
    jobs::start(job);
    Ok(Json(reply))
}

/// The work of an export.
pub(crate) fn write(job: &Job, backup: &BackupId, folder: &str) -> End {
    let folder = Folder::of(&job.app, &job.graph.project, folder.into());
    let written = job.app.pool(&job.graph.project).map_err(|error| error.to_string()).and_then(|pool| {
        let archive = pool.pin(job.graph.id.as_str(), backup.as_str()).and_then(|pin| pool.archive(&pin));
        let go_on = |done, total| goes_on(job, done, total);
        archive.and_then(|archive| archive.export(&folder, &go_on)).map_err(reason)
    });
    End::beside_the_graph(written)
}

/// Takes a backup in from a folder of a bucket. It becomes a backup of the graph in the path,
/// whatever graph it was of.
pub(super) async fn import(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((_, graph)): Path<(String, GraphId)>,
    body: Fields,
) -> Result<Json<Value>, ApiError> {
    let user = caller.user_name.clone();
    let begun = blocking(move || {
        let row = app.db().read(|db| record::find(db, &caller.project, &graph))?;
        let row = row.ok_or_else(|| ApiError::new(Code::GraphAbsent))?;
        match row.status {
            Status::Creating => return Err(ApiError::new(Code::GraphCreating)),
            Status::CreateFailed => return Err(ApiError::new(Code::GraphNotRunning)),
            _ => {}
        }
        let folder = folder(&body, "import_path")?;
        let shelf = Folder::of(&app, &caller.project, folder.clone());
        // Whatever else is wrong with it, the job says.
        if matches!(ArchiveIndex::read(&shelf), Ok(None)) {
            return Err(ApiError::about(
                Code::ObjectAbsent,
                format!("[import_path]: no backup in [{folder}]"),
            ));
        }
        app.db().write(|db| {
            let row = record::find(db, &caller.project, &graph)?;
            let row = row.ok_or_else(|| ApiError::new(Code::GraphAbsent))?;
            let backup = note(&app, db, &row, Method::Import)?;
            jobs::note(&app, db, row, Work::ImportBackup { backup, user, folder })
        })
    });
    Ok(being_made(begun.await?))
}

/// The work of an import.
pub(crate) fn take_in(job: &Job, backup: &Noted, user: &str, folder: &str) -> End {
    let (id, request) = (backup.id.clone(), backup.request(PinKind::Imported, user));
    let shelf = Folder::of(&job.app, &job.graph.project, folder.into());
    let pool = job.app.pool(&job.graph.project).map_err(|error| error.to_string());
    let pin = pool.and_then(|pool| {
        let go_on = |done, total| goes_on(job, done, total);
        pool.import(job.graph.id.as_str(), request, &shelf, &go_on).map_err(reason)
    });
    let (now, app, graph) = (job.app.now(), job.app.clone(), job.graph.clone());
    let arrived = pin.as_ref().map(|pin| pin.stored_bytes as i64).ok();
    let also = move |db: &Transaction<'_>| match arrived {
        // The graph was deleted meanwhile, and its list with it.
        Some(_) if !is_listed(db, &id)? => {
            let removed = app
                .pool(&graph.project)
                .and_then(|pool| Ok(pool.remove_pin(graph.id.as_str(), id.as_str())?));
            removed.unwrap_or_else(
                |error| tracing::error!(backup = %id, %error, "a backup without a graph stays"),
            );
            Ok(())
        }
        Some(bytes) => finish(db, &id, "success", now, Some(bytes)),
        // What did not arrive is no backup, not even a failed one.
        None => forget(db, &id),
    };
    End { also: Some(Box::new(also)), ..End::beside_the_graph(pin.map(|_| ())) }
}

fn goes_on(job: &Job, done: u64, total: u64) -> bool {
    job.progress(done, total);
    !job.app.is_stopping()
}

/// The store's message, which names the file at fault, and what the disk says.
fn reason(error: store::Error) -> String {
    match std::error::Error::source(&error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// A folder of a bucket in a request, without the slash at its end.
fn folder(body: &Fields, name: &str) -> Result<String, ApiError> {
    let path = body.text(name)?;
    let refuse = |reason: String| ApiError::about(Code::FilePath, format!("[{name}]: {reason}"));
    if !is_legal_path(&path) {
        return Err(refuse(format!("[{path}] has a character that is not allowed")));
    }
    let folder = path.strip_suffix('/').unwrap_or(&path);
    match ObjectPath::parse(&format!("{folder}/index")) {
        Ok(_) => Ok(folder.into()),
        Err(error) => Err(refuse(error.to_string())),
    }
}

/// A folder of a bucket, as archives lie in it.
struct Folder {
    buckets: Buckets,
    app: App,
    path: String,
}

impl Folder {
    fn of(app: &App, project: &ProjectId, path: String) -> Self {
        Self { buckets: Buckets::new(app.buckets(project)), app: app.clone(), path }
    }

    fn place(&self, name: &str) -> io::Result<ObjectPath> {
        let path = format!("{}/{name}", self.path);
        ObjectPath::parse(&path).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
    }
}

impl Shelf for Folder {
    fn open(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(self.buckets.open(&self.place(name)?)?))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn ShelfFile>> {
        let draft = self.buckets.start(&self.place(name)?, &self.app.ambient().hex_id())?;
        Ok(Box::new(Writing(BufWriter::new(draft))))
    }
}

struct Writing(BufWriter<Draft>);

impl Write for Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl ShelfFile for Writing {
    fn finish(self: Box<Self>) -> io::Result<()> {
        let mut draft = self.0.into_inner().map_err(io::IntoInnerError::into_error)?;
        draft.publish()
    }
}
