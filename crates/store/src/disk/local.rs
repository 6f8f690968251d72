use std::fs::{self, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use super::{Disk, File, parent};

/// A directory of the local file system.
#[derive(Debug)]
pub struct LocalDisk {
    root: PathBuf,
}

impl LocalDisk {
    /// Everything lives under `root`, which is created on first use.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn path(&self, path: &str) -> PathBuf {
        if path.is_empty() { self.root.clone() } else { self.root.join(path) }
    }

    /// Creates a directory and makes its name durable in each directory above that was new.
    fn make_dir(&self, dir: &str) -> io::Result<()> {
        if self.path(dir).is_dir() {
            return Ok(());
        }
        if dir.is_empty() {
            return fs::create_dir_all(&self.root);
        }
        self.make_dir(parent(dir))?;
        match fs::create_dir(self.path(dir)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => self.sync_dir(parent(dir)),
        }
    }
}

impl Disk for LocalDisk {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        fs::read(self.path(path))
    }

    fn read_at(&self, path: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut file = OpenOptions::new().read(true).open(self.path(path))?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.take(len as u64).read_to_end(&mut bytes)?;
        if bytes.len() == len { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.path(dir)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let name = |entry: io::Result<fs::DirEntry>| entry.map(|e| e.file_name().into_string().ok());
        entries.filter_map(|entry| name(entry).transpose()).collect()
    }

    fn create(&self, path: &str) -> io::Result<Box<dyn File>> {
        self.make_dir(parent(path))?;
        let file = OpenOptions::new().append(true).create_new(true).open(self.path(path))?;
        Ok(Box::new(LocalFile(file)))
    }

    fn append(&self, path: &str) -> io::Result<Box<dyn File>> {
        let file = OpenOptions::new().append(true).open(self.path(path))?;
        Ok(Box::new(LocalFile(file)))
    }

    /// A hard link fails if the name is taken, where a rename would overwrite.
    fn publish(&self, from: &str, to: &str) -> io::Result<()> {
        self.make_dir(parent(to))?;
        fs::hard_link(self.path(from), self.path(to))?;
        fs::remove_file(self.path(from))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        fs::remove_file(self.path(path))
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        OpenOptions::new().read(true).open(self.path(dir))?.sync_all()
    }

    fn len(&self, path: &str) -> io::Result<u64> {
        Ok(fs::metadata(self.path(path))?.len())
    }
}

struct LocalFile(fs::File);

impl File for LocalFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
}
