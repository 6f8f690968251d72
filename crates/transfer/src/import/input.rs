use std::io::{self, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

use super::ImportJob;
use crate::error::Error;
use crate::files::Source;
use crate::metadata;

/// The largest file, as in GES.
const MAX_FILE_BYTES: u64 = 5 << 30;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// All files of an import, found before anything is read.
pub(super) struct Plan {
    pub(super) metadata: Vec<DataFile>,
    pub(super) vertices: Vec<DataFile>,
    pub(super) edges: Vec<DataFile>,
    /// Of vertices and edges.
    pub(super) bytes: u64,
}

/// A file that is there and not too large.
pub(super) struct DataFile {
    pub(super) path: String,
    pub(super) size: u64,
}

/// A file being read.
pub(super) struct Opened {
    /// Its text, unpacked.
    pub(super) reader: Box<dyn Read + Send>,
    pub(super) position: Position,
}

/// How many bytes of a file were read, as they are stored.
#[derive(Debug, Clone, Default)]
pub(super) struct Position(Arc<AtomicU64>);

struct Counted<R> {
    inner: R,
    position: Position,
}

impl Plan {
    pub(super) fn new(job: &ImportJob, source: &dyn Source) -> Result<Self, Error> {
        let metadata = list(source, "schema_path", job.schema_path.as_deref())?;
        let vertices = list(source, "vertexset_path", job.vertexset_path.as_deref())?;
        let edges = list(source, "edgeset_path", job.edgeset_path.as_deref())?;
        if metadata.is_empty() && vertices.is_empty() && edges.is_empty() {
            return Err(Error::NothingToImport);
        }
        let bytes = vertices.iter().chain(&edges).map(|file| file.size).sum();
        Ok(Self { metadata, vertices, edges, bytes })
    }
}

fn list(source: &dyn Source, field: &'static str, path: Option<&str>) -> Result<Vec<DataFile>, Error> {
    let Some(path) = path else { return Ok(Vec::new()) };
    if path.trim().is_empty() {
        return Err(Error::EmptyPath { field });
    }
    let mut entries = source.list(path).map_err(|error| Error::read(path, error))?;
    // Object stores keep an empty object to mark a folder.
    entries.retain(|entry| !entry.path.ends_with('/'));
    entries.sort_unstable();
    if entries.is_empty() {
        return Err(Error::NoFiles { field, path: path.into() });
    }
    if let Some(entry) = entries.iter().find(|entry| entry.size > MAX_FILE_BYTES) {
        return Err(Error::FileTooLarge { path: entry.path.clone(), size: entry.size });
    }
    Ok(entries.into_iter().map(|entry| DataFile { path: entry.path, size: entry.size }).collect())
}

impl DataFile {
    /// Starts to read it; a name that ends in `.gz` says that it is compressed.
    pub(super) fn open(&self, source: &dyn Source) -> Result<Opened, Error> {
        let inner = source.open(&self.path).map_err(|error| Error::read(&self.path, error))?;
        let position = Position::default();
        let mut counted = Counted { inner, position: position.clone() };
        if !is_gzip(&self.path) {
            return Ok(Opened { reader: Box::new(counted), position });
        }
        let mut head = Vec::new();
        let read = counted.by_ref().take(GZIP_MAGIC.len() as u64).read_to_end(&mut head);
        read.map_err(|error| Error::read(&self.path, error))?;
        if head != GZIP_MAGIC {
            return Err(Error::NotGzip { path: self.path.clone() });
        }
        let packed = BufReader::with_capacity(1 << 16, io::Cursor::new(head).chain(counted));
        Ok(Opened { reader: Box::new(MultiGzDecoder::new(packed)), position })
    }

    /// A stream that ends early must not pass for a shorter file.
    pub(super) fn check_whole(&self, position: &Position) -> Result<(), Error> {
        if position.bytes() == self.size {
            return Ok(());
        }
        Err(Error::read(&self.path, io::ErrorKind::UnexpectedEof.into()))
    }

    /// The whole file, or enough of it to see that it is too large.
    pub(super) fn read_metadata(&self, source: &dyn Source) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        let reader = self.open(source)?.reader;
        let read = reader.take(metadata::MAX_BYTES as u64 + 1).read_to_end(&mut bytes);
        read.map_err(|error| Error::read(&self.path, error))?;
        Ok(bytes)
    }
}

/// Whether a file of this name is compressed.
pub(crate) fn is_gzip(path: &str) -> bool {
    path.len() >= 3 && path.as_bytes()[path.len() - 3..].eq_ignore_ascii_case(b".gz")
}

impl Position {
    pub(super) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.position.0.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
