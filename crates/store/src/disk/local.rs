use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
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
        let file = OpenOptions::new().read(true).open(self.path(path))?;
        // Checked first: a length from a damaged file must not be believed.
        if offset.checked_add(len as u64).is_none_or(|end| end > file.metadata().map_or(0, |m| m.len())) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut bytes = vec![0; len];
        file.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
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
        let file = OpenOptions::new().write(true).create_new(true).open(self.path(path))?;
        Ok(Box::new(LocalFile { file, end: 0, len: 0 }))
    }

    fn append(&self, path: &str) -> io::Result<Box<dyn File>> {
        let file = OpenOptions::new().write(true).open(self.path(path))?;
        let len = file.metadata()?.len();
        Ok(Box::new(LocalFile { file, end: len, len }))
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

struct LocalFile {
    file: fs::File,
    /// Where the next append goes.
    end: u64,
    /// The file's size: more than `end` where there is room.
    len: u64,
}

/// Zeros are written in pieces of this size.
static ZEROS: [u8; 1 << 16] = [0; 1 << 16];

impl File for LocalFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.end)?;
        self.end += bytes.len() as u64;
        self.len = self.len.max(self.end);
        Ok(())
    }

    /// Zeros that are written, not only allocated: an extent that was never written costs its
    /// first sync a change of metadata too.
    fn reserve(&mut self, len: u64) -> io::Result<()> {
        while self.len < len {
            let piece = (len - self.len).min(ZEROS.len() as u64);
            self.file.write_all_at(&ZEROS[..piece as usize], self.len)?;
            self.len += piece;
        }
        self.sync()
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.file.set_len(len)?;
        self.len = len;
        self.end = self.end.min(len);
        Ok(())
    }
}
