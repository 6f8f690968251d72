use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};

use flate2::Compression;
use flate2::write::GzEncoder;
use model::{Label, Schema, SchemaMode};
use store::{BulkOptions, Graph, ParallelEdges, Settings, Store, sim};
use transfer::{Entry, Files, ImportFailure, ImportJob, ImportReport, Output, Sink, Source};

/// Files in memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bucket(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

struct NewFile {
    bucket: Bucket,
    path: String,
    bytes: Vec<u8>,
}

impl Bucket {
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let bucket = Self::default();
        files.iter().for_each(|(path, text)| bucket.put(path, text.as_bytes()));
        bucket
    }

    pub(crate) fn put(&self, path: &str, bytes: &[u8]) {
        self.0.lock().unwrap().insert(path.into(), bytes.into());
    }

    pub(crate) fn put_gzip(&self, path: &str, bytes: &[u8]) {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        self.put(path, &encoder.finish().unwrap());
    }

    pub(crate) fn get(&self, path: &str) -> Option<Vec<u8>> {
        self.0.lock().unwrap().get(path).cloned()
    }

    pub(crate) fn text(&self, path: &str) -> String {
        String::from_utf8(self.get(path).unwrap_or_else(|| panic!("no file {path}"))).unwrap()
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        self.0.lock().unwrap().keys().cloned().collect()
    }

    pub(crate) fn as_files(&self) -> Files<'_> {
        Files { source: self, sink: self }
    }
}

impl Source for Bucket {
    fn list(&self, path: &str) -> io::Result<Vec<Entry>> {
        let files = self.0.lock().unwrap();
        let folder = format!("{}/", path.trim_end_matches('/'));
        let entry =
            |(path, bytes): (&String, &Vec<u8>)| Entry { path: path.clone(), size: bytes.len() as u64 };
        if let Some(file) = files.get_key_value(path) {
            return Ok(vec![entry(file)]);
        }
        Ok(files.iter().filter(|(path, _)| path.starts_with(&folder)).map(entry).rev().collect())
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send>> {
        let bytes = self.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(io::Cursor::new(bytes)))
    }
}

impl Sink for Bucket {
    fn create(&self, path: &str) -> io::Result<Box<dyn Output>> {
        Ok(Box::new(NewFile { bucket: self.clone(), path: path.into(), bytes: Vec::new() }))
    }

    fn remove(&self, path: &str) -> io::Result<bool> {
        Ok(self.0.lock().unwrap().remove(path).is_some())
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output for NewFile {
    fn finish(self: Box<Self>) -> io::Result<()> {
        self.bucket.put(&self.path, &self.bytes);
        Ok(())
    }
}

/// An empty graph on a disk of its own.
pub(crate) fn graph(mode: SchemaMode, labels: &[Label]) -> Graph {
    let mut schema = Schema::new(mode);
    for label in labels {
        schema.add_label(label.clone()).unwrap();
    }
    let (env, _disk) = sim::env(1);
    Store::new(env, Settings::default()).pool("p").unwrap().create("g", schema).unwrap()
}

pub(crate) fn import(
    graph: &Graph,
    bucket: &Bucket,
    job: &ImportJob,
) -> Result<ImportReport, Box<ImportFailure>> {
    import_with(graph, bucket, job, ParallelEdges::Allow)
}

pub(crate) fn import_with(
    graph: &Graph,
    bucket: &Bucket,
    job: &ImportJob,
    parallel: ParallelEdges,
) -> Result<ImportReport, Box<ImportFailure>> {
    let load = graph.bulk_load(BulkOptions { parallel, ..BulkOptions::default() }).unwrap();
    transfer::import(load, job, bucket.as_files(), &())
}

/// An import of `vertices.csv` and `edges.csv`.
pub(crate) fn both() -> ImportJob {
    ImportJob {
        vertexset_path: Some("vertices.csv".into()),
        edgeset_path: Some("edges.csv".into()),
        log_dir: Some("log".into()),
        ..ImportJob::default()
    }
}

/// All elements as text, sorted, for comparison with what a test expects.
pub(crate) fn contents(graph: &Graph) -> Vec<String> {
    let snapshot = graph.snapshot();
    let schema = snapshot.schema();
    let props = |props: &model::Props| -> String {
        let pair = |(key, value): &(model::KeyId, model::Value)| {
            format!(" {}={}", schema.key_name(*key), model::to_text(value))
        };
        props.iter().map(pair).collect()
    };
    let mut lines = Vec::new();
    for chunk in 0..snapshot.chunks() {
        for (_, vertex) in snapshot.chunk_vertices(chunk).unwrap() {
            let labels: Vec<_> = vertex.labels.iter().map(|label| schema.label_name(*label)).collect();
            lines.push(format!("({}:{}{})", vertex.id, labels.join(":"), props(&vertex.props)));
        }
        for (edge, values) in snapshot.chunk_edges(chunk).unwrap() {
            let id = |end| snapshot.vertex_id(end).unwrap().unwrap();
            let label = schema.label_name(edge.label);
            lines.push(format!("{}-[{label}{}]->{}", id(edge.source), props(&values), id(edge.target)));
        }
    }
    lines.sort();
    lines
}
