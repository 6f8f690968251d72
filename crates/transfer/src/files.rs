//! Where files come from and go to. The crate never opens a file itself: buckets, folders and
//! test doubles look the same to it.

use std::io::{self, Read, Write};

/// A file that can be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The full path.
    pub path: String,
    /// Bytes as stored, so compressed ones for `.gz`.
    pub size: u64,
}

/// Files to read.
pub trait Source: Sync {
    /// The file of exactly this name if there is one; else every file below the folder of this
    /// name (with or without a final `/`), also in folders below it, in any order. Nothing
    /// there is an empty list, not an error.
    fn list(&self, path: &str) -> io::Result<Vec<Entry>>;

    /// Reads one file from its start; [`io::ErrorKind::NotFound`] if there is none.
    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send>>;
}

/// Files to write.
pub trait Sink: Sync {
    /// Starts a file, with the folders above it. It appears under its name, replacing what was
    /// there, when it is finished.
    fn create(&self, path: &str) -> io::Result<Box<dyn Output>>;

    /// Deletes one file, and folders that are empty then; false if there is no file of this name.
    fn remove(&self, path: &str) -> io::Result<bool>;
}

/// A file being written. Dropping it without [`Output::finish`] leaves nothing behind.
pub trait Output: Write + Send {
    /// Makes it durable and visible.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// Where an import takes its files from and where it writes its logs.
#[derive(Clone, Copy)]
pub struct Files<'a> {
    /// Data and metadata.
    pub source: &'a dyn Source,
    /// Logs of bad lines.
    pub sink: &'a dyn Sink,
}

/// Looks on while files are moved, and may stop it.
pub trait Watch: Sync {
    /// How far it is: bytes of data files for an import, elements for an export.
    fn progress(&self, done: u64, total: u64) {
        let _ = (done, total);
    }

    /// Asked every few megabytes; `true` ends the work with [`Error::Cancelled`](crate::Error).
    fn cancelled(&self) -> bool {
        false
    }
}

/// Nobody looks on.
impl Watch for () {}
