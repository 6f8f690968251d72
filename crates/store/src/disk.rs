//! The effects the store needs from outside: files, time, randomness. Everything below this
//! line is deterministic, so a crash, a full disk or a clock jump can be replayed from a seed.

mod local;

use std::fmt::Debug;
use std::io;
use std::sync::Arc;

pub use local::LocalDisk;

/// Microseconds since 1970-01-01 UTC. May jump; the store never relies on it for order.
pub trait Clock: Send + Sync + Debug {
    /// The present instant.
    fn now_us(&self) -> i64;
}

/// Random bytes, for names that nobody else will choose.
pub trait Entropy: Send + Sync + Debug {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// A tree of files. Paths are relative to its root and use `/`.
///
/// What is promised: bytes are durable after [`File::sync`], names after [`Disk::sync_dir`] on
/// their directory, and [`Disk::publish`] is atomic: a name either does not exist or is whole.
pub trait Disk: Send + Sync + Debug {
    /// A whole file.
    fn read(&self, path: &str) -> io::Result<Vec<u8>>;
    /// Exactly `len` bytes from `offset`.
    fn read_at(&self, path: &str, offset: u64, len: usize) -> io::Result<Vec<u8>>;
    /// The names in a directory, in no order; none if it does not exist.
    fn list(&self, dir: &str) -> io::Result<Vec<String>>;
    /// A new empty file; makes the directories above it, durably. Fails if it exists.
    fn create(&self, path: &str) -> io::Result<Box<dyn File>>;
    /// An existing file, to be written at its end, behind any room reserved in it.
    fn append(&self, path: &str) -> io::Result<Box<dyn File>>;
    /// Renames a file to a name that must not exist yet, else fails with `AlreadyExists`.
    fn publish(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &str) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, dir: &str) -> io::Result<()>;
    /// The size of a file in bytes.
    fn len(&self, path: &str) -> io::Result<u64>;
}

/// A file that is being written.
pub trait File: Send {
    /// Appends bytes.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Fills the file up to `len` bytes with zeros, durably, that later appends replace. A sync
    /// within that room need not change the file's size, which costs a journaling file system a
    /// second write and makes it wait for whatever else is in its journal.
    ///
    /// After a crash any part of what was appended to the room and not synced may be there.
    fn reserve(&mut self, len: u64) -> io::Result<()>;
    /// Makes what was appended durable. After a failure nothing may be assumed about any byte
    /// written since the last success (fsyncgate): stop writing.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts the file, and with it any room.
    fn truncate(&mut self, len: u64) -> io::Result<()>;
}

/// The outside world as the store sees it.
#[derive(Debug, Clone)]
pub struct Env {
    /// Files.
    pub disk: Arc<dyn Disk>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

impl Env {
    /// A random name of 32 hex digits.
    pub(crate) fn fresh_name(&self) -> String {
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes);
        format!("{:032x}", u128::from_be_bytes(bytes))
    }
}

/// The directory part of a path; the root's is empty.
pub(crate) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(dir, _)| dir)
}
