//! A backup laid out as an archive.

use std::io::{self, Read, Write};
use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::{ArchiveFile, ArchiveIndex, INDEX, MANIFEST, PIN, Progress, Shelf, in_blocks};
use crate::error::{Doing, Error};
use crate::generation::Generation;
use crate::log::LogStart;
use crate::manifest::{FORMAT, Manifest, write_checked};
use crate::object::{ObjectId, ObjectRef};
use crate::pin::Pin;
use crate::pool::{Pool, PoolShared};
use crate::sync::read;
use crate::tree::Tree;

/// The timeline of a state without a log.
const NO_TIMELINE: &str = "00000000000000000000000000000000";

/// A backup as the files of an archive, most of which are read from the pool when they are asked
/// for. As long as it is held, none of them is collected, even if the backup is removed.
pub struct Archive {
    pool: Arc<PoolShared>,
    index: ArchiveIndex,
    /// Files that are not in the pool.
    own: Vec<(String, Arc<[u8]>)>,
    _kept: Arc<Generation>,
}

impl Pool {
    /// Lays a backup out as an archive. Reads the log and the deltas that it needs, and proves
    /// its content root; chunks are not read.
    pub fn archive(&self, pin: &Pin) -> Result<Archive, Error> {
        let kept = read(&self.shared.sweeping);
        let (source, state) = self.pinned_state(pin)?;
        drop(kept);
        let generation = &state.generation;
        let mut own = Vec::new();
        let mut files = Vec::new();
        let mut deltas: Vec<ObjectRef> = Vec::new();
        for delta in &generation.deltas {
            deltas.push(delta.object());
            let (len, blake3) = delta.check()?;
            files.push(ArchiveFile { name: format!("delta/{}", delta.object().id), len, blake3 });
        }
        if !state.live.is_empty() {
            let (delta, bytes) = crate::fold::delta_of(&state.live, source.lsn + 1, state.lsn).into_object();
            deltas.push(delta);
            own.push((format!("delta/{}", delta.id), bytes));
        }
        for object in tree_objects(&self.shared, generation.tree_object)? {
            files.push(ArchiveFile {
                name: format!("chunk/{}", object.id),
                len: object.len,
                blake3: object.id,
            });
        }
        let manifest = Manifest {
            number: 1,
            lsn: state.lsn,
            time_us: state.time_us,
            tree: generation.tree_object,
            deltas,
            replay: Vec::new(),
            log: LogStart { timeline: NO_TIMELINE.into(), first_lsn: state.lsn + 1 },
            next_vid: state.next_vid,
            schema: model::Schema::clone(&state.schema),
            content: (&state.content).into(),
            ..source
        };
        let pin = Pin { manifest: 1, timeline: NO_TIMELINE.into(), expires_us: None, ..pin.clone() };
        own.push((MANIFEST.into(), write_checked(&manifest)));
        own.push((PIN.into(), write_checked(&pin)));
        let mut own: Vec<(String, Arc<[u8]>)> =
            own.into_iter().map(|(name, bytes)| (name, bytes.into())).collect();
        files.extend(own.iter().map(|(name, bytes)| of_bytes(name, bytes)));
        let index = index_of(&pin, files);
        own.push((INDEX.into(), write_checked(&index).into()));
        Ok(Archive { pool: Arc::clone(&self.shared), index, own, _kept: Arc::clone(generation) })
    }
}

fn of_bytes(name: &str, bytes: &[u8]) -> ArchiveFile {
    ArchiveFile { name: name.into(), len: bytes.len() as u64, blake3: ObjectId::of(bytes) }
}

fn index_of(pin: &Pin, files: Vec<ArchiveFile>) -> ArchiveIndex {
    ArchiveIndex {
        format: FORMAT,
        backup: pin.id.clone(),
        graph: pin.owner().into(),
        name: pin.name.clone(),
        lsn: pin.lsn,
        time_us: pin.time_us,
        root: pin.root.to_string(),
        vertices: pin.vertices,
        edges: pin.edges,
        files,
    }
}

/// All objects of a tree, each once, the tree itself first.
fn tree_objects(pool: &PoolShared, tree: Option<ObjectRef>) -> Result<Vec<ObjectRef>, Error> {
    let Some(object) = tree else { return Ok(Vec::new()) };
    let chunks = &pool.stock.chunks;
    let mut all = vec![object];
    all.extend(Tree::pages(chunks, object)?);
    all.extend(Tree::read(chunks, object)?.parts());
    let mut seen = FxHashSet::default();
    all.retain(|object| seen.insert(object.id));
    Ok(all)
}

impl Archive {
    /// What it says of itself.
    pub fn index(&self) -> &ArchiveIndex {
        &self.index
    }

    /// Names and lengths of all files, the index last.
    pub fn files(&self) -> impl Iterator<Item = (&str, u64)> {
        let index = self.own.iter().filter(|(name, _)| name == INDEX);
        let index = index.map(|(name, bytes)| (name.as_str(), bytes.len() as u64));
        self.index.files.iter().map(|file| (file.name.as_str(), file.len)).chain(index)
    }

    /// One file and its length; `None` if there is none of that name. Bytes from the pool come as
    /// they are: whoever takes the archive in checks them.
    pub fn open(&self, name: &str) -> Option<(Box<dyn Read + Send>, u64)> {
        if let Some((_, bytes)) = self.own.iter().find(|(own, _)| own == name) {
            return Some((Box::new(io::Cursor::new(Arc::clone(bytes))), bytes.len() as u64));
        }
        let file = self.index.files.iter().find(|file| file.name == name)?;
        let (dir, id) = name.split_once('/')?;
        let stock = &self.pool.stock;
        let objects = if dir == "delta" { &stock.deltas } else { &stock.chunks };
        Some((Box::new(objects.reader(ObjectId::try_from(id.to_owned()).ok()?, file.len)), file.len))
    }

    /// Writes it to a shelf, the index last.
    pub fn export(&self, shelf: &dyn Shelf, progress: Progress<'_>) -> Result<(), Error> {
        match ArchiveIndex::read(shelf) {
            Ok(None) => {}
            Ok(Some(there)) if there.backup == self.index.backup && there.root == self.index.root => {}
            Ok(Some(there)) => return Err(Error::ShelfTaken { backup: there.backup }),
            // Whatever it was, it is not ours to overwrite.
            Err(Error::Corrupt { .. } | Error::TooNew { .. }) => {
                return Err(Error::ShelfTaken { backup: "unreadable".into() });
            }
            Err(error) => return Err(error),
        }
        let (mut done, total) = (0, self.index.bytes());
        for file in &self.index.files {
            self.put(shelf, file, &mut |bytes| {
                done += bytes;
                if progress(done, total) { Ok(()) } else { Err(Error::Interrupted) }
            })?;
        }
        let index = self.own.iter().find(|(name, _)| name == INDEX);
        index.map_or(Ok(()), |(name, bytes)| self.put(shelf, &of_bytes(name, bytes), &mut |_| Ok(())))
    }

    fn put(
        &self,
        shelf: &dyn Shelf,
        file: &ArchiveFile,
        done: &mut dyn FnMut(u64) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let ArchiveFile { name, len, blake3 } = file;
        let missing = || Error::corrupt(name, "the file is missing");
        let (mut input, _) = self.open(name).ok_or_else(missing)?;
        let mut draft = shelf.create(name).doing("written", name)?;
        let (mut hasher, mut copied) = (blake3::Hasher::new(), 0);
        in_blocks(&mut *input, name, &mut |block| {
            hasher.update(block);
            copied += block.len() as u64;
            draft.write_all(block).doing("written", name)?;
            done(block.len() as u64)
        })?;
        if copied != *len || hasher.finalize().as_bytes() != &blake3.0 {
            return Err(Error::corrupt(name, "its bytes do not have the hash that they should have"));
        }
        draft.finish().doing("written", name)
    }
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Archive").field("backup", &self.index.backup).finish_non_exhaustive()
    }
}
