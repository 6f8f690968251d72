//! GES files into a graph, durably, in a process of its own, so that its peak memory is its own.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use model::{Schema, SchemaMode};
use store::BulkOptions;
use transfer::{Entry, Files, ImportJob, Output, Sink, Source};

use crate::measure::{Durations, peak_memory, row};
use crate::world::{self, Rmat};

const RUNS: usize = 3;

struct Folder(PathBuf);

impl Source for Folder {
    fn list(&self, path: &str) -> io::Result<Vec<Entry>> {
        let size = std::fs::metadata(self.0.join(path))?.len();
        Ok(vec![Entry { path: path.into(), size }])
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(File::open(self.0.join(path))?))
    }
}

/// Good files need no place for bad lines.
impl Sink for Folder {
    fn create(&self, _: &str) -> io::Result<Box<dyn Output>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn remove(&self, _: &str) -> io::Result<bool> {
        Ok(false)
    }
}

/// Imports once and says how long it took (ms) and what memory it needed (bytes).
pub fn child(files: &Path) -> anyhow::Result<()> {
    let dir = tempfile::tempdir_in(files)?;
    let graph = world::pool(dir.path())?.create("import", Schema::new(SchemaMode::Closed))?;
    let job = ImportJob {
        schema_path: Some("schema.xml".into()),
        vertexset_path: Some("vertices.csv".into()),
        edgeset_path: Some("edges.csv".into()),
        ..ImportJob::default()
    };
    let folder = Folder(files.into());
    let start = Instant::now();
    let load = graph.bulk_load(BulkOptions::default())?;
    transfer::import(load, &job, Files { source: &folder, sink: &folder }, &())?;
    println!("{} {}", start.elapsed().as_millis(), peak_memory());
    Ok(())
}

pub fn run(dir: &Path, rmat: Rmat) -> anyhow::Result<()> {
    write_files(dir, rmat)?;
    let (mut times, mut memory) = (Durations::default(), 0u64);
    for _ in 0..RUNS {
        let output = Command::new(std::env::current_exe()?).arg("--import").arg(dir).output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut numbers = said.split_whitespace().filter_map(|number| number.parse::<u64>().ok());
        let (Some(ms), Some(bytes)) = (numbers.next(), numbers.next()) else {
            anyhow::bail!("the import failed: {}", String::from_utf8_lossy(&output.stderr));
        };
        times.push(std::time::Duration::from_millis(ms));
        memory = memory.max(bytes);
    }
    row("import of 2^20 vertices and 10 M edges from CSV, durable", times.show());
    row("peak memory of the import", format!("{} MiB", memory >> 20));
    #[cfg(feature = "peers")]
    kuzu(dir)?;
    Ok(())
}

/// The same files into Kuzu, with the Python that `GESTALT_PEERS_PYTHON` names.
#[cfg(feature = "peers")]
fn kuzu(dir: &Path) -> anyhow::Result<()> {
    let Some(python) = std::env::var_os("GESTALT_PEERS_PYTHON") else { return Ok(()) };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/kuzu_import.py");
    let (mut times, mut memory) = (Durations::default(), 0);
    let mut opened = Durations::default();
    for _ in 0..RUNS {
        let output = Command::new(&python).arg(script).arg(dir).output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let numbers: Vec<f64> = said.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        let [import, peak, open] = numbers[..] else {
            anyhow::bail!("Kuzu failed: {}", String::from_utf8_lossy(&output.stderr));
        };
        times.push(std::time::Duration::from_secs_f64(import));
        opened.push(std::time::Duration::from_secs_f64(open));
        memory = memory.max(peak as u64);
        std::fs::remove_file(dir.join("kuzu"))?;
    }
    row("Kuzu: the same import", times.show());
    row("Kuzu: its peak memory", format!("{} MiB", memory >> 20));
    row("Kuzu: a process that opens it and asks", opened.show());
    Ok(())
}

/// Writes the three files of a graph.
pub fn write_files(dir: &Path, rmat: Rmat) -> anyhow::Result<()> {
    std::fs::write(
        dir.join("schema.xml"),
        r#"<PMML version="3.0"><labels><label name="vertex"><properties>
        <property name="score" cardinality="single" dataType="long"/></properties></label>
        <label name="edge"/></labels></PMML>"#,
    )?;
    let mut out = BufWriter::new(File::create(dir.join("vertices.csv"))?);
    for nr in 0..rmat.vertices() {
        writeln!(out, "v{nr},vertex,{}", u64::from(nr) * 7)?;
    }
    out.flush()?;
    let mut out = BufWriter::new(File::create(dir.join("edges.csv"))?);
    let mut result = Ok(());
    rmat.for_each(|source, target| {
        if result.is_ok() {
            result = writeln!(out, "v{source},v{target},edge");
        }
    });
    result?;
    Ok(out.flush()?)
}
