//! A snapshot into files.
//!
//! # Promise
//! Importing the files into an empty graph of the same schema mode gives the same content root,
//! or [`ExportReport::differences`] says why not.
//!
//! # Names
//! A set that fits in one page is the file `<path>/<set name>`; a larger one is a folder of that
//! name with `page-00000001.csv` and so on, so that importing `<path>/<set name>` works either
//! way. Pages that an earlier, longer export left there are removed. Names that end in `.gz` mean
//! compressed files.
//!
//! # What files cannot carry
//! * An empty list or set: it reads back as no value.
//! * Values of several types under one property of one label, as open graphs allow: they are
//!   written as the narrowest type that takes all of them, at last as text.
//! * Days before the year 0 and after 9999, and lists inside lists: they are written as text.
//! * The bits of a NaN: there is only one in text.
//!
//! # Order
//! All elements are looked at first, so that the columns of every label are known: those it
//! declares, then what its elements have besides. Then vertices, edges and metadata are written;
//! chunks are put into text on all cores, a window at a time.

mod pages;
mod rows;
mod shape;
mod values;

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

use model::LabelId;
use rayon::prelude::*;
use store::Snapshot;

pub use shape::Difference;

use crate::csv::Dialect;
use crate::error::Error;
use crate::files::{Sink, Watch};
use crate::metadata;
use pages::Pages;
use rows::{Rows, edge_rows, vertex_rows};
use shape::{Observations, Shape};

/// What to export, and where to.
#[derive(Debug, Clone)]
pub struct ExportJob {
    /// The folder.
    pub path: String,
    /// The name of the edges in it.
    pub edge_set_name: String,
    /// The name of the vertices.
    pub vertex_set_name: String,
    /// The name of the metadata file.
    pub schema_name: String,
    /// The most lines of a file; `None` puts all into one.
    pub rows_per_file: Option<NonZeroU64>,
    /// What stands between and around fields.
    pub dialect: Dialect,
}

/// What an export wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExportReport {
    /// All files, in the order in which they were written.
    pub files: Vec<WrittenFile>,
    /// How many vertices they hold.
    pub vertices: u64,
    /// How many edges.
    pub edges: u64,
    /// What the files could not carry; if there is nothing, importing them gives the same
    /// content root.
    pub differences: Vec<Difference>,
}

/// A file of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenFile {
    /// Its path.
    pub path: String,
    /// Its lines; 0 for metadata.
    pub rows: u64,
}

/// Writes a snapshot out.
pub fn export(
    snapshot: &Snapshot,
    job: &ExportJob,
    sink: &dyn Sink,
    watch: &dyn Watch,
) -> Result<ExportReport, Error> {
    job.check()?;
    let content = snapshot.content();
    let (vertices, edges) = (content.vertices.count, content.edges.count);
    let export =
        Export { snapshot, job, sink, watch, done: AtomicU64::new(0), total: 2 * (vertices + edges) };
    let (shape, differences) = export.look()?.resolve(snapshot.schema());
    let mut files =
        export.set(&job.vertex_set_name, vertices, |chunk| vertex_rows(&export, &shape, chunk))?;
    files.extend(export.set(&job.edge_set_name, edges, |chunk| edge_rows(&export, &shape, chunk))?);
    files.push(export.metadata(&shape)?);
    Ok(ExportReport { files, vertices, edges, differences })
}

/// An export under way.
struct Export<'a> {
    snapshot: &'a Snapshot,
    job: &'a ExportJob,
    sink: &'a dyn Sink,
    watch: &'a dyn Watch,
    /// Elements looked at and written so far.
    done: AtomicU64,
    total: u64,
}

impl ExportJob {
    fn check(&self) -> Result<(), Error> {
        let names = [
            ("graph_export_path", &self.path),
            ("edge_set_name", &self.edge_set_name),
            ("vertex_set_name", &self.vertex_set_name),
            ("schema_name", &self.schema_name),
        ];
        if let Some((field, _)) = names.iter().find(|(_, name)| name.trim().is_empty()) {
            return Err(Error::EmptyPath { field });
        }
        let [_, (_, edges), (_, vertices), (_, schema)] = names;
        if edges == vertices || edges == schema {
            return Err(Error::SameName { name: edges.clone() });
        }
        if vertices == schema { Err(Error::SameName { name: schema.clone() }) } else { Ok(()) }
    }

    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.path.trim_end_matches('/'))
    }
}

impl Export<'_> {
    /// Takes note of every property of every element.
    fn look(&self) -> Result<Observations, Error> {
        let schema = self.snapshot.schema();
        let chunk = |mut seen: Observations, chunk| -> Result<Observations, Error> {
            let vertices = self.snapshot.chunk_vertices(chunk)?;
            let edges = self.snapshot.chunk_edges(chunk)?;
            vertices.iter().for_each(|(_, vertex)| seen.see(schema, &vertex.labels, &vertex.props));
            edges.iter().for_each(|(edge, props)| seen.see(schema, &[edge.label], props));
            self.advance((vertices.len() + edges.len()) as u64)?;
            Ok(seen)
        };
        let chunks = (0..self.snapshot.chunks()).into_par_iter();
        let seen = chunks.try_fold(Observations::default, chunk);
        seen.try_reduce(Observations::default, |one, other| Ok(one.merge(other)))
    }

    /// Writes all rows of vertices or of edges.
    fn set(
        &self,
        name: &str,
        total: u64,
        rows: impl Fn(u32) -> Result<Rows, Error> + Sync,
    ) -> Result<Vec<WrittenFile>, Error> {
        let mut pages = Pages::new(self.sink, self.job.path(name), self.job.rows_per_file, total)?;
        let chunks: Vec<u32> = (0..self.snapshot.chunks()).collect();
        for window in chunks.chunks(2 * rayon::current_num_threads()) {
            let texts: Vec<Rows> = window.par_iter().map(|chunk| rows(*chunk)).collect::<Result<_, _>>()?;
            for text in texts {
                pages.write(&text)?;
                self.advance(text.len() as u64)?;
            }
        }
        pages.finish()
    }

    fn metadata(&self, shape: &Shape) -> Result<WrittenFile, Error> {
        let mut labels = shape.labels(self.snapshot.schema());
        // Every graph has the default label; it is worth a word only if it has properties.
        labels.retain(|label| label.name != model::DEFAULT_LABEL || !label.properties.is_empty());
        let path = self.job.path(&self.job.schema_name);
        let mut page = pages::Page::create(self.sink, path)?;
        page.write(metadata::to_xml(&labels).as_bytes())?;
        page.finish()
    }

    fn advance(&self, elements: u64) -> Result<(), Error> {
        let done = self.done.fetch_add(elements, Ordering::Relaxed) + elements;
        self.watch.progress(done, self.total);
        if self.watch.cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }
}

/// The labels whose columns an element has: one without labels has those of the default label.
fn column_labels(labels: &[LabelId]) -> &[LabelId] {
    const DEFAULT: [LabelId; 1] = [LabelId(0)];
    if labels.is_empty() { &DEFAULT } else { labels }
}
