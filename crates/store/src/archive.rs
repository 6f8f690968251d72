//! Archives: a backup as a folder of plain files that any server can take in.
//!
//! # What is in one
//! `manifest` and `pin` of the state, every object that it needs under `chunk/` and `delta/`, and
//! `index`, which names all of them with length and BLAKE3 hash. There is no log: the commits
//! between the manifest and the backup are in one more delta, so an archive holds the state of
//! the backup and nothing that came after it.
//!
//! # Order of writing
//! The index is written last. A crash before leaves files that nothing names: not an archive. A
//! folder that holds the index of another backup is refused, so no archive is ever spoilt.
//!
//! # What is checked
//! Writing proves the content root of the state and checks each file on its way out. Reading
//! checks each file against the index while it is copied, chunks against their names, deltas
//! against index and share hashes, and the index against what manifest and tree need: nothing
//! may be missing and nothing may be there besides. Then the whole graph is counted and summed
//! anew. Only after that a pin names it.
//!
//! # Order of reading
//! 1. Objects, under the names that their bytes give them. Meanwhile nothing is collected.
//! 2. The proof.
//! 3. In a home of its own (`pin.rs`): manifest 2, which says that the graph is gone; manifest 1,
//!    which is the state; the pin. So the home never looks like a graph, and a crash in between
//!    leaves a home without a pin, which garbage collection removes.
//!
//! # Memory
//! Files are copied in blocks. The index, the index of one delta, and the commits between
//! manifest and backup are held in memory.
//!
//! # Not handled
//! An archive proves that nothing changed by accident. It is no signature: whoever can write
//! files can write a different graph.

mod read;
mod write;

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

use crate::error::{Doing, Error};
use crate::manifest::{FORMAT, read_checked};
use crate::object::ObjectId;

pub use self::write::Archive;

/// Where archives lie: a folder of a disk or a bucket.
pub trait Shelf: Send + Sync {
    /// A file, from its begin.
    fn open(&self, name: &str) -> io::Result<Box<dyn Read + Send>>;
    /// A file to be written; one of that name that is there gives way when it is finished.
    fn create(&self, name: &str) -> io::Result<Box<dyn ShelfFile>>;
}

/// A file that is being written. Dropping it leaves nothing behind.
pub trait ShelfFile: Write {
    /// Gives it its name, whole and durable.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// Hears how many bytes of how many are done, and says whether to go on.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) -> bool + Sync);

/// One file of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveFile {
    /// Its path in the folder.
    pub name: String,
    /// Its length in bytes.
    pub len: u64,
    pub(crate) blake3: ObjectId,
}

/// What an archive says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct ArchiveIndex {
    pub format: u32,
    pub backup: String,
    pub graph: String,
    pub name: String,
    pub lsn: u64,
    /// When it was added, in microseconds since 1970 UTC.
    pub time_us: i64,
    /// The content root, 32 hex digits.
    pub root: String,
    pub vertices: u64,
    pub edges: u64,
    /// All files but the index itself.
    pub files: Vec<ArchiveFile>,
}

pub(crate) const INDEX: &str = "index";
const MANIFEST: &str = "manifest";
const PIN: &str = "pin";
/// Files that are held in memory as a whole may be this long: an index with some two million
/// names.
const MAX_WHOLE: u64 = 256 << 20;
const BLOCK: usize = 1 << 18;

impl ArchiveIndex {
    /// Reads the index of an archive; `None` if there is no archive.
    pub fn read(shelf: &dyn Shelf) -> Result<Option<Self>, Error> {
        let file = match shelf.open(INDEX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.doing("read", INDEX)?,
        };
        let mut bytes = Vec::new();
        file.take(MAX_WHOLE + 1).read_to_end(&mut bytes).doing("read", INDEX)?;
        if bytes.len() as u64 > MAX_WHOLE {
            return Err(Error::corrupt(INDEX, "it is longer than any index"));
        }
        let index: Self = read_checked(&bytes, INDEX)?;
        // Lengths are added up from here on, and no disk holds as much.
        let total = index.files.iter().try_fold(0_u64, |sum, file| sum.checked_add(file.len));
        if index.format != FORMAT || total.is_none() {
            return Err(Error::corrupt(INDEX, "it says what cannot be"));
        }
        Ok(Some(index))
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.len).sum()
    }
}

/// Copies in blocks until the input ends or `each` fails.
fn in_blocks(
    input: &mut dyn Read,
    name: &str,
    each: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut block = vec![0; BLOCK];
    loop {
        match input.read(&mut block) {
            Ok(0) => return Ok(()),
            Ok(len) => each(&block[..len])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error).doing("read", name),
        }
    }
}
