//! Files into a graph.
//!
//! # Promise
//! All or nothing. Everything goes into one bulk load, which is committed at the very end; an
//! error of any kind drops it.
//!
//! # What is an error, and what is a bad line
//! A bad line is logged with file, line number and reason, counted, and left out; the import
//! goes on. It is an error if a path holds no file, if a file is larger than 5 GB, cannot be read
//! to its end or is no gzip though named so, if metadata cannot be used, and if a file has lines
//! but no good one: that is a wrong delimiter or the wrong metadata, not bad luck. A file without
//! lines is fine, as programs that write in parts leave such.
//!
//! # Order
//! Metadata, then vertices, then edges; files of a folder by name. A reading thread cuts a file
//! into blocks, a window of blocks is parsed on all cores, and what they give is added in the
//! order of the file. Memory is bounded by two windows.
//!
//! # What a line may need
//! A label of an open schema, or (without vertex files) the vertices at the ends of an edge, may
//! be missing. Parsing cannot add them, as it runs in parallel: it notes them, they are added,
//! and the blocks that needed them are parsed again.

mod block;
mod columns;
mod edges;
mod input;
mod log;
mod reject;
mod report;
mod vertices;

use std::sync::mpsc;

use model::{DEFAULT_LABEL, Label, LabelId, Props, SchemaMode, VertexRecord};
use rayon::prelude::*;
use store::BulkLoad;

pub(crate) use input::is_gzip;
pub use report::{FileReport, FileStatus, ImportFailure, ImportReport};

use crate::csv::{Block, Blocks, Dialect};
use crate::error::Error;
use crate::files::{Files, Watch};
use crate::metadata::{self, merge_labels};
use block::{Missing, Pass, parse};
use columns::Layout;
use edges::Edges;
use input::{DataFile, Plan};
use log::LogFile;
use vertices::Vertices;

/// What to import.
#[derive(Debug, Clone, Default)]
pub struct ImportJob {
    /// A metadata file.
    pub schema_path: Option<String>,
    /// A vertex file or a folder of such. Without it, vertices are taken from the edges.
    pub vertexset_path: Option<String>,
    /// An edge file or a folder of such.
    pub edgeset_path: Option<String>,
    /// A folder for bad lines, best one of its own for each import: the files in it are called
    /// `vertices-001-<name>.csv` and `edges-001-<name>.csv`. Without it they are only counted.
    pub log_dir: Option<String>,
    /// What stands between and around fields.
    pub dialect: Dialect,
    /// Whether a vertex may have several labels, written `a;b`.
    pub multi_label: bool,
    /// The most edges that may be added. Lines are counted, also those whose edge gives way to
    /// a parallel one.
    pub edge_limit: Option<u64>,
}

/// Reads files into a load and commits it. What to do with parallel edges is an option of the
/// load.
pub fn import(
    load: BulkLoad,
    job: &ImportJob,
    files: Files<'_>,
    watch: &dyn Watch,
) -> Result<ImportReport, Box<ImportFailure>> {
    let mut report = ImportReport::default();
    match run(load, job, files, watch, &mut report) {
        Ok(loaded) => {
            report.loaded = Some(loaded);
            Ok(report)
        }
        Err(error) => Err(Box::new(ImportFailure { error, report })),
    }
}

fn run(
    mut load: BulkLoad,
    job: &ImportJob,
    files: Files<'_>,
    watch: &dyn Watch,
    report: &mut ImportReport,
) -> Result<store::Loaded, Error> {
    let plan = Plan::new(job, files.source)?;
    let mut labels = Vec::new();
    for file in &plan.metadata {
        let read = take_metadata(&mut load, file, files);
        report.schema.push(FileReport::of_metadata(&file.path, read.as_ref().err()));
        labels.extend(read?);
    }
    let layout = Layout::new(load.schema(), &labels);
    let read_bytes = 0;
    let mut import =
        Import { load, job, files, watch, layout, read_bytes, total_bytes: plan.bytes, edges: 0 };
    for file in &plan.vertices {
        import.file::<Vertices>(file, &mut report.vertexset)?;
    }
    for file in &plan.edges {
        import.file::<Edges>(file, &mut report.edgeset)?;
    }
    import.load.commit().map_err(Error::from)
}

fn take_metadata(load: &mut BulkLoad, file: &DataFile, files: Files<'_>) -> Result<Vec<Label>, Error> {
    let bytes = file.read_metadata(files.source)?;
    let labels = metadata::from_xml(&bytes);
    let labels =
        labels.map_err(|error| Error::Metadata { path: file.path.clone(), source: Box::new(error) })?;
    merge_labels(load.schema_mut(), labels.clone())?;
    Ok(labels)
}

/// What vertex files and edge files do differently.
trait Elements {
    /// What the lines of a block give.
    type Batch: Default + Send;
    /// The word for it in names of logs.
    const SET: &'static str;

    /// Takes one line in.
    fn line(pass: &Pass<'_>, row: &crate::csv::Row<'_, '_>, out: &mut Self::Batch) -> block::LineResult;

    /// Adds a block's share to the load.
    fn add(load: &mut BulkLoad, batch: Self::Batch) -> Result<(), store::Error>;
}

/// An import under way.
struct Import<'a> {
    load: BulkLoad,
    job: &'a ImportJob,
    files: Files<'a>,
    watch: &'a dyn Watch,
    layout: Layout,
    /// Of the files that are finished.
    read_bytes: u64,
    total_bytes: u64,
    /// Good edge lines so far.
    edges: u64,
}

impl Import<'_> {
    fn file<E: Elements>(&mut self, file: &DataFile, reports: &mut Vec<FileReport>) -> Result<(), Error> {
        let log_dir = self.job.log_dir.as_deref();
        let mut log = LogFile::new(self.files.sink, log_dir, E::SET, reports.len(), &file.path);
        let read = self.blocks::<E>(file, &mut log);
        let read = read.and_then(|()| log.check_some_good());
        let finished = log.finish(read.as_ref().err());
        reports.push(finished.report);
        self.read_bytes += file.size;
        read.and(finished.written)
    }

    fn blocks<E: Elements>(&mut self, file: &DataFile, log: &mut LogFile<'_>) -> Result<(), Error> {
        let opened = file.open(self.files.source)?;
        let position = opened.position.clone();
        let window = 2 * rayon::current_num_threads();
        let dialect = &self.job.dialect;
        std::thread::scope(|scope| {
            let (send, blocks) = mpsc::sync_channel(window);
            scope.spawn(move || {
                let mut reader = Blocks::new(opened.reader, dialect);
                // Stops at the end, after an error, and when nobody listens any more.
                while let Some(block) = reader.next().transpose() {
                    let failed = block.is_err();
                    if send.send(block).is_err() || failed {
                        return;
                    }
                }
            });
            loop {
                let next: Result<Vec<Block>, _> = blocks.iter().take(window).collect();
                let next = next.map_err(|error| Error::read(&file.path, error))?;
                if next.is_empty() {
                    return file.check_whole(&position);
                }
                self.window::<E>(next, log)?;
                let done = self.read_bytes + position.bytes().min(file.size);
                self.watch.progress(done, self.total_bytes);
            }
        })
    }

    /// Parses some blocks at once and adds what they give.
    fn window<E: Elements>(&mut self, blocks: Vec<Block>, log: &mut LogFile<'_>) -> Result<(), Error> {
        if self.watch.cancelled() {
            return Err(Error::Cancelled);
        }
        let first = self.pass(false);
        let mut parsed: Vec<_> =
            blocks.par_iter().map(|block| parse::<E>(&first, block)).collect::<Result<_, _>>()?;
        let mut missing = Missing::default();
        parsed.iter_mut().for_each(|parsed| missing.merge(&mut parsed.missing));
        if !missing.is_empty() {
            self.supply(missing)?;
            let last = self.pass(true);
            let again = parsed.par_iter_mut().zip(&blocks).filter(|(parsed, _)| parsed.incomplete);
            again.try_for_each(|(parsed, block)| parse::<E>(&last, block).map(|again| *parsed = again))?;
        }
        for (parsed, block) in parsed.into_iter().zip(&blocks) {
            if E::SET == Edges::SET {
                self.edges += parsed.good;
            }
            if let Some(limit) = self.job.edge_limit.filter(|limit| self.edges > *limit) {
                return Err(Error::EdgeLimit { limit });
            }
            log.take(&block.bytes, &parsed)?;
            E::add(&mut self.load, parsed.batch)?;
        }
        Ok(())
    }

    fn pass(&self, last: bool) -> Pass<'_> {
        Pass {
            load: &self.load,
            layout: &self.layout,
            dialect: &self.job.dialect,
            multi_label: self.job.multi_label,
            new_labels: !last && self.load.schema().mode() == SchemaMode::Open,
            new_vertices: !last && self.job.vertexset_path.is_none(),
        }
    }

    /// Adds the labels and vertices that lines need. A label that is refused stays unknown, so
    /// that its lines are bad.
    fn supply(&mut self, missing: Missing) -> Result<(), Error> {
        let (labels, ids) = missing.into_lists();
        for label in labels {
            let _refused = self.load.schema_mut().intern_label(&label);
        }
        self.layout.extend(self.load.schema());
        let default = self.load.schema().label_id(DEFAULT_LABEL).unwrap_or(LabelId(0));
        let vertex = |id| VertexRecord { id, labels: vec![default], props: Props::new() };
        // Other blocks of the window, and only they, may have asked for the same vertex.
        Ok(self.load.add_vertices(ids.into_iter().map(vertex).collect())?)
    }
}
