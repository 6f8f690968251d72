//! Import and export: files of the object area into a graph and back.

use std::io::{self, Read, Write};
use std::num::NonZeroU64;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use serde_json::{Map, Value, json};
use store::{BulkOptions, ParallelEdges};
use transfer::metadata::MetadataError;
use transfer::{
    Dialect, Entry, ExportJob, FileReport, FileStatus, Files, ImportJob, ImportReport, Output, Sink, Source,
    Watch,
};

use super::begin::{GraphPath, operate};
use super::states::{Operation, Status};
use super::{record, sizes};
use crate::app::App;
use crate::codes::Code;
use crate::http::auth::Caller;
use crate::http::body::Fields;
use crate::http::error::ApiError;
use crate::jobs::{End, Job, Work};
use crate::obs::{Buckets, ObjectPath, is_legal_path};

/// An import as it was asked for.
struct Import {
    job: ImportJob,
    parallel: ParallelEdges,
}

pub(super) async fn import(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((_, graph)): GraphPath,
    body: Fields,
) -> Result<Json<Value>, ApiError> {
    operate(app, caller, graph, Operation::Import, move |_, _| {
        parse_import(&body)?;
        Ok(Work::ImportGraph { request: body })
    })
    .await
}

fn parse_import(body: &Fields) -> Result<Import, ApiError> {
    let job = ImportJob {
        schema_path: path(body, "schema_path")?,
        vertexset_path: path(body, "vertexset_path")?,
        edgeset_path: path(body, "edgeset_path")?,
        log_dir: path(body, "log_dir")?,
        dialect: dialect(body)?,
        ..ImportJob::default()
    };
    for name in ["edgeset_format", "vertexset_format"] {
        let format = body.optional_text(name)?;
        if format.is_some_and(|format| !["", "csv", "txt"].contains(&format.as_str())) {
            return Err(ApiError::about(Code::BadParameter, format!("[{name}] must be csv.")));
        }
    }
    // Accepted and of no effect: a graph is always readable while it is loaded.
    body.flag("offline")?;
    if job.schema_path.is_none() && job.vertexset_path.is_none() && job.edgeset_path.is_none() {
        return Err(ApiError::about(Code::ParameterMissing, "[edgeset_path] or [vertexset_path]"));
    }
    Ok(Import { job, parallel: parallel(body)? })
}

fn path(body: &Fields, name: &str) -> Result<Option<String>, ApiError> {
    let Some(path) = body.optional_text(name)?.filter(|path| !path.is_empty()) else { return Ok(None) };
    let refuse = |reason: String| ApiError::about(Code::FilePath, format!("[{name}]: {reason}"));
    if !is_legal_path(&path) {
        return Err(refuse(format!("[{path}] has a character that is not allowed")));
    }
    match ObjectPath::parse(&path) {
        Ok(_) => Ok(Some(path)),
        Err(error) => Err(refuse(error.to_string())),
    }
}

fn dialect(body: &Fields) -> Result<Dialect, ApiError> {
    let (delimiter, quote) = (body.optional_text("delimiter")?, body.optional_text("trim_quote")?);
    Dialect::parse(delimiter.as_deref(), quote.as_deref())
        .map_err(|error| ApiError::about(Code::BadParameter, error))
}

fn parallel(body: &Fields) -> Result<ParallelEdges, ApiError> {
    let Some(wanted) = body.object("parallel_edge")? else { return Ok(ParallelEdges::Allow) };
    let by_label = !wanted.flag("ignore_label")?.unwrap_or(true);
    if wanted.optional_text("sort_key_column")?.is_some_and(|column| !column.is_empty()) {
        let text = "[parallel_edge.sort_key_column] is not supported: edges are told apart by their rank.";
        return Err(ApiError::about(Code::BadParameter, text));
    }
    match wanted.optional_text("action")?.as_deref() {
        None | Some("" | "allow") => Ok(ParallelEdges::Allow),
        Some("ignore") => Ok(ParallelEdges::Ignore { by_label }),
        Some("override") => Ok(ParallelEdges::Override { by_label }),
        Some(_) => Err(ApiError::about(
            Code::BadParameter,
            "[parallel_edge.action] must be allow, ignore or override.",
        )),
    }
}

/// The work of an import.
pub(crate) fn load(job: &Job, request: &Fields) -> End {
    let asked = parse_import(request).and_then(|wanted| Ok((wanted, job.app.graph(&job.graph.id)?)));
    let (Import { job: mut import, parallel }, graph) = match asked {
        Ok(asked) => asked,
        Err(error) => return End::failure(error, Status::Running),
    };
    let edges = graph.snapshot().content().edges.count;
    let limit = sizes::edge_limit(&job.graph.size_index).unwrap_or(u64::MAX);
    import.edge_limit = Some(limit.saturating_sub(edges));
    import.multi_label = job.graph.multi_label();
    import.log_dir = import.log_dir.map(|dir| format!("{}/{}", dir.trim_end_matches('/'), job.id));
    let area = Area::of(job);
    let load = match graph.bulk_load(BulkOptions { parallel, ..BulkOptions::default() }) {
        Ok(load) => load,
        Err(error) => return End::failure(error, Status::Running),
    };
    // From here on nobody else writes, so a newer commit after a crash is this import.
    if let Err(error) = job.note_start(graph.snapshot().lsn()) {
        return End::failure(error, Status::Running);
    }
    let files = Files { source: &area, sink: &area };
    let (outcome, report) = match transfer::import(load, &import, files, &Progress(job)) {
        Ok(report) => (Ok(()), report),
        Err(failure) => (Err(reason(&failure.error)), failure.report),
    };
    let shown = shown_files(&job.graph.files, &report, job);
    let id = job.graph.id.clone();
    End {
        outcome,
        detail: Some(detail(&report)),
        status: Some(Status::Running),
        also: Some(Box::new(move |db| record::set_files(db, &id, &shown))),
    }
}

fn reason(error: &transfer::Error) -> String {
    let code = match error {
        transfer::Error::Cancelled => return "ended by a restart of the graph".into(),
        transfer::Error::NoFiles { .. } | transfer::Error::Read { .. } => Code::ObjectAbsent,
        transfer::Error::FileTooLarge { .. } => Code::FilePath,
        transfer::Error::NoGoodLine { .. } | transfer::Error::Contradiction { .. } => Code::SchemaMismatch,
        transfer::Error::Metadata { source, .. } if matches!(**source, MetadataError::TooLarge { .. }) => {
            Code::MetadataTooLarge
        }
        transfer::Error::Metadata { .. } => Code::MetadataUnreadable,
        transfer::Error::EdgeLimit { .. } => Code::GraphQuota,
        _ => Code::ImportFailed,
    };
    ApiError::about(code, error).to_string()
}

fn detail(report: &ImportReport) -> Value {
    let list = |files: &[FileReport]| files.iter().map(describe).collect::<Vec<_>>();
    json!({
        "schema_path": list(&report.schema),
        "vertexset_path": list(&report.vertexset),
        "edgeset_path": list(&report.edgeset),
    })
}

fn describe(file: &FileReport) -> Value {
    json!({
        "path": file.path,
        "status": file.status.as_str(),
        "log": file.log,
        "cause": file.cause,
        "total_lines": file.total_lines,
        "failed_lines": file.failed_lines,
        "successful_lines": file.successful_lines,
    })
}

/// What a graph shows of its last import. There, half a success has another name.
fn shown_files(before: &Map<String, Value>, report: &ImportReport, job: &Job) -> Map<String, Value> {
    let mut shown = before.clone();
    let sets = [
        ("schema_path", &report.schema),
        ("vertexset_path", &report.vertexset),
        ("edgeset_path", &report.edgeset),
    ];
    for (name, files) in sets {
        let file = |file: &FileReport| {
            let status = match file.status {
                FileStatus::PartFailed => "partiallyFailed",
                status => status.as_str(),
            };
            json!({"path": file.path, "job_id": job.id.as_str(), "status": status})
        };
        if !files.is_empty() {
            shown.insert(name.into(), files.iter().map(file).collect());
        }
    }
    shown
}

pub(super) async fn export(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((_, graph)): GraphPath,
    body: Fields,
) -> Result<Json<Value>, ApiError> {
    operate(app, caller, graph, Operation::Export, move |_, _| {
        parse_export(&body)?;
        Ok(Work::ExportGraph { request: body })
    })
    .await
}

/// The work of an export.
pub(crate) fn write_out(job: &Job, request: &Fields) -> End {
    let exported = parse_export(request).and_then(|wanted| {
        let graph = job.app.graph(&job.graph.id)?;
        let report = transfer::export(&graph.snapshot(), &wanted, &Area::of(job), &Progress(job));
        report.map_err(|error| ApiError::about(Code::ExportFailed, error))
    });
    match exported {
        Ok(report) => {
            for difference in &report.differences {
                tracing::info!(job = %job.id, %difference, "files cannot carry everything");
            }
            End::success(Status::Running)
        }
        Err(error) => End::failure(error, Status::Running),
    }
}

fn parse_export(body: &Fields) -> Result<ExportJob, ApiError> {
    body.text("graph_export_path")?;
    let name = |field: &str| {
        let name = body.text(field)?;
        let single = is_legal_path(&name) && !name.contains('/');
        if single { Ok(name) } else { Err(ApiError::about(Code::FilePath, format!("[{field}]"))) }
    };
    let (edge_set_name, vertex_set_name) = (name("edge_set_name")?, name("vertex_set_name")?);
    let paginate = body.object("paginate")?.unwrap_or_default();
    let rows = paginate.count("row_count_per_file")?.unwrap_or(10_000_000);
    paginate.count("num_thread")?;
    let paged = paginate.flag("enable")?.unwrap_or(true);
    Ok(ExportJob {
        path: path(body, "graph_export_path")?.unwrap_or_default(),
        edge_set_name,
        vertex_set_name,
        schema_name: name("schema_name")?,
        rows_per_file: NonZeroU64::new(rows).filter(|_| paged),
        dialect: Dialect::default(),
    })
}

/// The project's buckets, as imports and exports use them.
struct Area<'a> {
    buckets: Buckets,
    job: &'a Job,
}

struct Progress<'a>(&'a Job);

impl Watch for Progress<'_> {
    fn progress(&self, done: u64, total: u64) {
        self.0.progress(done, total);
    }

    fn cancelled(&self) -> bool {
        self.0.is_cancelled()
    }
}

impl<'a> Area<'a> {
    fn of(job: &'a Job) -> Self {
        Self { buckets: Buckets::new(job.app.buckets(&job.graph.project)), job }
    }

    fn place(path: &str) -> io::Result<ObjectPath> {
        ObjectPath::parse(path).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
    }
}

impl Source for Area<'_> {
    fn list(&self, path: &str) -> io::Result<Vec<Entry>> {
        let found = self.buckets.below(&Self::place(path)?)?;
        Ok(found.into_iter().map(|(path, size)| Entry { path, size }).collect())
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(self.buckets.open(&Self::place(path)?)?))
    }
}

impl Sink for Area<'_> {
    fn create(&self, path: &str) -> io::Result<Box<dyn Output>> {
        let draft = self.buckets.start(&Self::place(path)?, &self.job.app.ambient().hex_id())?;
        Ok(Box::new(Writing(io::BufWriter::new(draft))))
    }

    fn remove(&self, path: &str) -> io::Result<bool> {
        match self.buckets.remove(&Self::place(path)?) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            removed => removed.map(|()| true),
        }
    }
}

struct Writing(io::BufWriter<crate::obs::Draft>);

impl Write for Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Output for Writing {
    fn finish(self: Box<Self>) -> io::Result<()> {
        let mut draft = self.0.into_inner().map_err(io::IntoInnerError::into_error)?;
        draft.publish()
    }
}
