//! Taking an archive in.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use model::Content;
use rustc_hash::{FxHashMap, FxHashSet};

use super::{ArchiveFile, ArchiveIndex, INDEX, MANIFEST, MAX_WHOLE, PIN, Progress, Shelf, in_blocks};
use crate::delta;
use crate::disk::File;
use crate::error::{Doing, Error};
use crate::log::LogStart;
use crate::manifest::{Manifest, read_checked};
use crate::object::{ObjectRef, Objects};
use crate::pin::{Pin, PinRequest, import_home};
use crate::pool::{Pool, PoolShared, check_name};
use crate::recount::recount;
use crate::sync::read;
use crate::tree::Tree;

impl Pool {
    /// Takes an archive in as a backup of `graph`, which need not exist. Nothing is listed before
    /// every byte is checked and the whole graph is proven; after an error nothing is.
    pub fn import(
        &self,
        graph: &str,
        request: PinRequest,
        shelf: &dyn Shelf,
        progress: Progress<'_>,
    ) -> Result<Pin, Error> {
        check_name(graph)?;
        check_name(&request.id)?;
        let home = import_home(graph, &request.id);
        check_name(&home)?;
        let _loading = Loading::begin(&self.shared);
        let mut incoming = Incoming::open(shelf, progress)?;
        let (manifest, pin) = incoming.claims()?;
        incoming.take_objects(&self.shared, &manifest)?;
        incoming.check_rest()?;
        let log = LogStart { timeline: self.shared.env.fresh_name(), first_lsn: manifest.lsn + 1 };
        let manifest = Manifest { graph: home.clone(), number: 1, log, ..manifest };
        self.prove(&manifest, &pin)?;
        let pin = Pin {
            id: request.id,
            graph: home,
            name: request.name,
            kind: request.kind,
            requested_by: request.requested_by,
            stored_bytes: incoming.index.bytes(),
            manifest: 1,
            timeline: manifest.log.timeline.clone(),
            ..pin
        };
        self.shelve(manifest, &pin)?;
        Ok(pin)
    }

    /// Compares what manifest and pin say of the graph with the graph.
    fn prove(&self, manifest: &Manifest, pin: &Pin) -> Result<(), Error> {
        let (state, _) = self.shared.recover(manifest, Some(manifest.lsn))?;
        let counted = recount(&state)?;
        let claimed = Content::from(&manifest.content);
        if counted != claimed || counted.root() != pin.root {
            let (expected, found) = (pin.root.to_string(), counted.root().to_string());
            return Err(Error::RootMismatch { expected, found });
        }
        if (counted.vertices.count, counted.edges.count) != (pin.vertices, pin.edges) {
            return Err(Error::corrupt(PIN, "it counts other vertices and edges than there are"));
        }
        Ok(())
    }

    /// Puts a proven state in its home.
    fn shelve(&self, manifest: Manifest, pin: &Pin) -> Result<(), Error> {
        let _kept = read(&self.shared.sweeping);
        let manifests = self.shared.manifests(&manifest.graph);
        manifests.write(&Manifest { number: 2, removed: true, ..manifest.clone() })?;
        manifests.write(&manifest)?;
        self.shared.pins(&manifest.graph).write(pin)
    }
}

/// While it lives, no object is collected.
struct Loading<'a>(&'a PoolShared);

impl<'a> Loading<'a> {
    fn begin(pool: &'a PoolShared) -> Self {
        // Not while a batch is being removed, or it could take what is found to be there already.
        let _kept = read(&pool.sweeping);
        pool.loads.fetch_add(1, Ordering::Relaxed);
        Self(pool)
    }
}

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        self.0.loads.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An archive that is being read.
struct Incoming<'a> {
    shelf: &'a dyn Shelf,
    progress: Progress<'a>,
    index: Arc<ArchiveIndex>,
    /// Files that nothing has asked for yet.
    unread: FxHashMap<String, ArchiveFile>,
    done: u64,
}

impl<'a> Incoming<'a> {
    fn open(shelf: &'a dyn Shelf, progress: Progress<'a>) -> Result<Self, Error> {
        let index = ArchiveIndex::read(shelf)?.ok_or_else(|| Error::corrupt(INDEX, "the file is missing"))?;
        let mut unread = FxHashMap::default();
        for file in &index.files {
            if unread.insert(file.name.clone(), file.clone()).is_some() {
                return Err(Error::corrupt(INDEX, format!("it names {} twice", file.name)));
            }
        }
        Ok(Self { shelf, progress, index: Arc::new(index), unread, done: 0 })
    }

    /// Manifest and pin, as far as they agree with each other and with the index.
    fn claims(&mut self) -> Result<(Manifest, Pin), Error> {
        let manifest: Manifest = read_checked(&self.whole(MANIFEST)?, MANIFEST)?;
        let pin: Pin = read_checked(&self.whole(PIN)?, PIN)?;
        if manifest.removed || !manifest.replay.is_empty() || manifest.lsn != pin.lsn {
            return Err(Error::corrupt(MANIFEST, "it is not the state of the backup"));
        }
        let index = &self.index;
        let said = (&index.backup, index.lsn, index.vertices, index.edges, index.root.clone());
        if said != (&pin.id, pin.lsn, pin.vertices, pin.edges, pin.root.to_string()) {
            return Err(Error::corrupt(INDEX, "it is the index of another backup"));
        }
        if manifest.lsn == u64::MAX {
            return Err(Error::corrupt(MANIFEST, "a commit number that cannot be"));
        }
        Ok((manifest, pin))
    }

    /// Copies what a manifest names into the pool: the tree, what the tree names, and the deltas.
    fn take_objects(&mut self, pool: &PoolShared, manifest: &Manifest) -> Result<(), Error> {
        let (chunks, deltas) = (&pool.stock.chunks, &pool.stock.deltas);
        if let Some(tree) = manifest.tree {
            let mut taken = FxHashSet::default();
            self.take_chunk(chunks, tree, &mut taken)?;
            for page in Tree::pages(chunks, tree)? {
                self.take_chunk(chunks, page, &mut taken)?;
            }
            for part in Tree::read(chunks, tree)?.parts() {
                self.take_chunk(chunks, part, &mut taken)?;
            }
            chunks.sync()?;
        }
        for object in &manifest.deltas {
            self.take_delta(deltas, *object)?;
        }
        if manifest.deltas.is_empty() { Ok(()) } else { deltas.sync() }
    }

    fn take_chunk(
        &mut self,
        objects: &Objects,
        object: ObjectRef,
        taken: &mut FxHashSet<ObjectRef>,
    ) -> Result<(), Error> {
        if !taken.insert(object) {
            return Ok(());
        }
        let name = format!("chunk/{}", object.id);
        let file = self.claim(&name)?;
        if (file.len, file.blake3) != (object.len, object.id) {
            return Err(Error::corrupt(INDEX, format!("it says of {name} what its name does not")));
        }
        let mut input = self.reader(file)?;
        objects.receive(object.id, |out| {
            in_blocks(&mut input, &name, &mut |block| write(out, block, &name))?;
            input.finish()
        })?;
        self.count(object.len)
    }

    fn take_delta(&mut self, objects: &Objects, object: ObjectRef) -> Result<(), Error> {
        let name = format!("delta/{}", object.id);
        let file = self.claim(&name)?;
        let len = file.len;
        let mut input = self.reader(file)?;
        objects.receive(object.id, |out| {
            delta::copy_checked(&mut input, object, &name, &mut |block| write(out, block, &name))?;
            input.finish()
        })?;
        self.count(len)
    }

    /// A file that is held in memory.
    fn whole(&mut self, name: &str) -> Result<Vec<u8>, Error> {
        let file = self.claim(name)?;
        if file.len > MAX_WHOLE {
            return Err(Error::corrupt(name, "it is longer than it can be"));
        }
        let mut input = self.reader(file)?;
        let mut bytes = Vec::new();
        input.read_to_end(&mut bytes).doing("read", name)?;
        input.finish()?;
        self.count(bytes.len() as u64)?;
        Ok(bytes)
    }

    /// What the index says of a file that is needed.
    fn claim(&mut self, name: &str) -> Result<ArchiveFile, Error> {
        self.unread.remove(name).ok_or_else(|| Error::corrupt(INDEX, format!("it does not name {name}")))
    }

    fn reader(&self, file: ArchiveFile) -> Result<CheckedReader, Error> {
        let input = match self.shelf.open(&file.name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::corrupt(file.name, "the file is missing"));
            }
            input => input.doing("read", &file.name)?,
        };
        // One byte more than there may be, so that a longer file is noticed.
        let input = input.take(file.len.saturating_add(1));
        Ok(CheckedReader { input, file, hasher: blake3::Hasher::new(), read: 0 })
    }

    fn count(&mut self, bytes: u64) -> Result<(), Error> {
        self.done += bytes;
        if (self.progress)(self.done, self.index.bytes()) { Ok(()) } else { Err(Error::Interrupted) }
    }

    /// Nothing may be there that nothing needs.
    fn check_rest(&self) -> Result<(), Error> {
        match self.unread.keys().min() {
            None => Ok(()),
            Some(name) => {
                Err(Error::corrupt(INDEX, format!("it names {name}, which the backup does not need")))
            }
        }
    }
}

fn write(out: &mut dyn File, block: &[u8], name: &str) -> Result<(), Error> {
    out.write_all(block).doing("stored", name)
}

/// Reads a file and notes length and hash on the way.
struct CheckedReader {
    input: io::Take<Box<dyn Read + Send>>,
    file: ArchiveFile,
    hasher: blake3::Hasher,
    read: u64,
}

impl Read for CheckedReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let len = self.input.read(out)?;
        self.hasher.update(&out[..len]);
        self.read += len as u64;
        Ok(len)
    }
}

impl CheckedReader {
    /// Fails unless exactly the file that the index names was read.
    fn finish(mut self) -> Result<(), Error> {
        let name = self.file.name.clone();
        in_blocks(&mut self, &name, &mut |_| Ok(()))?;
        if self.read != self.file.len {
            let found = if self.read > self.file.len { "more".into() } else { self.read.to_string() };
            return Err(Error::corrupt(name, format!("{found} bytes instead of {}", self.file.len)));
        }
        if self.hasher.finalize().as_bytes() != &self.file.blake3.0 {
            return Err(Error::corrupt(name, "its bytes do not have the hash in the index"));
        }
        Ok(())
    }
}
