//! Immutable objects, named by the BLAKE3 hash of their bytes.
//!
//! # Promise
//! An object that [`Objects::put`] returned is durable once [`Objects::sync`] returned, and is
//! either whole or absent. [`Objects::get`] gives the bytes that were put, or an error that
//! names the object.
//!
//! # Order
//! Bytes go to a file of a fresh name in `tmp/`, are synced, and are then published under their
//! hash; the directory is synced once for a batch, before anything names the objects in it.
//!
//! # After a crash
//! Files in `tmp/` are leftovers and are removed when the pool is opened. Objects that nothing
//! names are found by garbage collection.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

use model::{DecodeError, Reader, Writer};
use serde::{Deserialize, Serialize};

use crate::buffer::AlignedBytes;
use crate::disk::{Disk, Env, File};
use crate::error::{Doing, Error};

/// The name of an object: the BLAKE3 hash of its bytes (of a delta: of its index).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct ObjectId(pub(crate) [u8; 32]);

/// An object and how many of its bytes the hash covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct ObjectRef {
    pub(crate) id: ObjectId,
    pub(crate) len: u64,
}

/// Objects of one kind in one pool.
#[derive(Debug, Clone)]
pub(crate) struct Objects {
    env: Env,
    dir: String,
    tmp: String,
}

impl ObjectId {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

impl ObjectRef {
    pub(crate) fn encode(&self, out: &mut Writer) {
        out.raw(&self.id.0);
        out.varint(self.len);
    }

    pub(crate) fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { id: ObjectId(input.array()?), len: input.varint()? })
    }
}

impl Objects {
    /// Objects under `pool/dir`.
    pub(crate) fn new(env: Env, pool: &str, dir: &str) -> Self {
        Self { env, dir: format!("{pool}/{dir}"), tmp: format!("{pool}/tmp") }
    }

    /// Where an object lies.
    pub(crate) fn path(&self, id: ObjectId) -> String {
        format!("{}/{id}", self.dir)
    }

    /// Stores bytes under their hash. May be called from many threads; follow with `sync`.
    pub(crate) fn put(&self, bytes: &[u8]) -> Result<ObjectRef, Error> {
        let object = ObjectRef { id: ObjectId::of(bytes), len: bytes.len() as u64 };
        self.put_as(object.id, bytes)?;
        Ok(object)
    }

    /// Stores bytes under a name that the caller derived from them. A file that is there already
    /// is kept if it holds the same bytes; a damaged one gives way, as its name says what
    /// belongs there.
    pub(crate) fn put_as(&self, id: ObjectId, bytes: &[u8]) -> Result<(), Error> {
        let path = self.path(id);
        let tmp = format!("{}/{}", self.tmp, self.env.fresh_name());
        let disk = &self.env.disk;
        let mut file = disk.create(&tmp).doing("created", &tmp)?;
        let written = file.write_all(bytes).and_then(|()| file.sync());
        drop(file);
        let published = written.and_then(|()| match disk.publish(&tmp, &path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if disk.read(&path).is_ok_and(|stored| stored == bytes) {
                    return disk.remove(&tmp);
                }
                disk.remove(&path).and_then(|()| disk.publish(&tmp, &path))
            }
            published => published,
        });
        if published.is_err() {
            // The disk may be full: what cannot be published must not stay. If this fails too,
            // opening the pool removes it.
            let _ = disk.remove(&tmp);
        }
        published.doing("written", &path)
    }

    /// Stores what `copy` writes under a name that `copy` vouches for: it fails if the bytes are not
    /// what the name says. An object that is there already is kept if it holds the same bytes.
    pub(crate) fn receive(
        &self,
        id: ObjectId,
        copy: impl FnOnce(&mut dyn File) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let path = self.path(id);
        let tmp = format!("{}/{}", self.tmp, self.env.fresh_name());
        let mut file = self.env.disk.create(&tmp).doing("created", &tmp)?;
        let copied = copy(&mut *file).and_then(|()| file.sync().doing("written", &path));
        drop(file);
        let published = copied.and_then(|()| self.publish(&tmp, &path).doing("written", &path));
        if published.is_err() {
            // Best effort, as in `put_as`.
            let _ = self.env.disk.remove(&tmp);
        }
        published
    }

    /// Gives a whole file its name, unless the same is there already.
    fn publish(&self, tmp: &str, path: &str) -> io::Result<()> {
        let disk = &self.env.disk;
        match disk.publish(tmp, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if self.same(tmp, path) {
                    return disk.remove(tmp);
                }
                disk.remove(path).and_then(|()| disk.publish(tmp, path))
            }
            published => published,
        }
    }

    /// Whether two files hold the same bytes. What cannot be read is not the same.
    fn same(&self, one: &str, other: &str) -> bool {
        const BLOCK: u64 = 1 << 18;
        let disk = &self.env.disk;
        let Ok(len) = disk.len(one) else { return false };
        if disk.len(other).ok() != Some(len) {
            return false;
        }
        (0..len).step_by(BLOCK as usize).all(|at| {
            let read = |path: &str| disk.read_at(path, at, BLOCK.min(len - at) as usize).ok();
            read(one).is_some_and(|bytes| read(other) == Some(bytes))
        })
    }

    /// Makes the names of everything put before durable.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        self.env.disk.sync_dir(&self.dir).doing("synced", &self.dir)
    }

    /// Reads a whole object and checks it against its name.
    pub(crate) fn get(&self, object: ObjectRef) -> Result<AlignedBytes, Error> {
        let path = self.path(object.id);
        let bytes = self.read(&path, |disk| disk.read(&path))?;
        if bytes.len() as u64 != object.len {
            let reason = format!("{} bytes instead of {}", bytes.len(), object.len);
            return Err(Error::corrupt(path, reason));
        }
        if ObjectId::of(&bytes) != object.id {
            return Err(Error::corrupt(path, "its bytes do not have the hash that is its name"));
        }
        Ok(AlignedBytes::copy_of(&bytes))
    }

    /// Reads a stretch of an object; the caller checks it.
    pub(crate) fn get_range(&self, id: ObjectId, offset: u64, len: usize) -> Result<Vec<u8>, Error> {
        let path = self.path(id);
        self.read(&path, |disk| disk.read_at(&path, offset, len))
    }

    /// Reads the first `len` bytes of an object block by block, unchecked.
    pub(crate) fn reader(&self, id: ObjectId, len: u64) -> DiskReader {
        DiskReader { disk: Arc::clone(&self.env.disk), path: self.path(id), at: 0, len }
    }

    fn read(
        &self,
        path: &str,
        read: impl FnOnce(&dyn crate::disk::Disk) -> io::Result<Vec<u8>>,
    ) -> Result<Vec<u8>, Error> {
        read(&*self.env.disk).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => Error::corrupt(path, "the object is missing"),
            io::ErrorKind::UnexpectedEof => Error::corrupt(path, "the object is cut short"),
            _ => Error::Disk { path: path.into(), action: "read", source },
        })
    }

    /// The names of all objects.
    pub(crate) fn list(&self) -> Result<Vec<ObjectId>, Error> {
        let names = self.env.disk.list(&self.dir).doing("listed", &self.dir)?;
        Ok(names.into_iter().filter_map(|name| ObjectId::try_from(name).ok()).collect())
    }

    /// Removes an object and returns how long it was.
    pub(crate) fn remove(&self, id: ObjectId) -> Result<u64, Error> {
        let path = self.path(id);
        let len = self.env.disk.len(&path).doing("read", &path)?;
        self.env.disk.remove(&path).doing("removed", &path)?;
        Ok(len)
    }
}

/// Reads a file from its begin, block by block.
pub(crate) struct DiskReader {
    disk: Arc<dyn Disk>,
    path: String,
    at: u64,
    len: u64,
}

impl Read for DiskReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.len - self.at).unwrap_or(usize::MAX);
        let wanted = out.len().min(left);
        if wanted == 0 {
            return Ok(0);
        }
        let bytes = self.disk.read_at(&self.path, self.at, wanted)?;
        out[..wanted].copy_from_slice(&bytes);
        self.at += wanted as u64;
        Ok(wanted)
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<ObjectId> for String {
    fn from(id: ObjectId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for ObjectId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut bytes = [0; 32];
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err("an object name has 64 hex digits");
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |d: u8| char::from(d).to_digit(16).filter(|_| !d.is_ascii_uppercase());
            let (high, low) = (digit(pair[0]), digit(pair[1]));
            *byte = (high.zip(low).map(|(h, l)| h * 16 + l)).ok_or("an object name is lower-case hex")? as u8;
        }
        Ok(Self(bytes))
    }
}
