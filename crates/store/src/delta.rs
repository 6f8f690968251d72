//! Delta objects: what one fold changed, sorted by chunk, so that one chunk's share can be read
//! alone (`docs/format.md`, "Deltas").
//!
//! A delta is named by the hash of its index, and the index holds the hash of every share, so
//! the name vouches for all of it.

use std::io::{self, Read};
use std::sync::Arc;

use model::{DecodeError, Reader, Vid, Writer};

use crate::error::{At, Doing, Error};
use crate::object::{ObjectId, ObjectRef, Objects};
use crate::part::PartKind;

const MAGIC: &[u8; 4] = b"GDLT";
const VERSION: u8 = 1;
/// Shares shorter than this are not worth compressing.
const COMPRESS_FROM: usize = 128;
const COMPRESSION_LEVEL: i32 = 1;

/// An open delta: its index, with which shares are found and checked.
#[derive(Debug)]
pub(crate) struct Delta {
    objects: Objects,
    object: ObjectRef,
    pub(crate) first_lsn: u64,
    pub(crate) last_lsn: u64,
    shares: Vec<Share>,
}

/// One chunk's changes of one part.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Share {
    kind: PartKind,
    chunk: u32,
    /// From the end of the index.
    offset: u64,
    stored: u64,
    /// Before compression; equal to `stored` if it is not compressed.
    raw: u64,
    hash: [u8; 16],
}

/// A share of an open delta.
#[derive(Debug, Clone)]
pub(crate) struct ShareRef {
    delta: Arc<Delta>,
    nr: usize,
}

/// An id that appeared or went since the pages of ids were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct IdChange {
    pub(crate) hash: u64,
    pub(crate) vid: Vid,
    pub(crate) present: bool,
}

impl Delta {
    /// Reads and checks the index.
    pub(crate) fn open(objects: &Objects, object: ObjectRef) -> Result<Arc<Self>, Error> {
        let path = objects.path(object.id);
        let len = usize::try_from(object.len).map_err(|_| Error::corrupt(&path, "an index too long"))?;
        let index = objects.get_range(object.id, 0, len)?;
        if ObjectId::of(&index) != object.id {
            return Err(Error::corrupt(path, "its index does not have the hash that is its name"));
        }
        let (first_lsn, last_lsn, shares) = decode_index(&index).at(&path)?;
        Ok(Arc::new(Self { objects: objects.clone(), object, first_lsn, last_lsn, shares }))
    }

    pub(crate) fn object(&self) -> ObjectRef {
        self.object
    }

    /// The bytes of all shares as they lie on disk.
    pub(crate) fn stored_bytes(&self) -> u64 {
        self.object.len + self.shares.iter().map(|share| share.stored).sum::<u64>()
    }

    /// Checks all of it; its length and the hash of all its bytes.
    pub(crate) fn check(&self) -> Result<(u64, ObjectId), Error> {
        let len = self.stored_bytes();
        let name = format!("delta/{}", self.object.id);
        let mut input = self.objects.reader(self.object.id, len);
        let mut hasher = blake3::Hasher::new();
        copy_checked(&mut input, self.object, &name, &mut |block| {
            hasher.update(block);
            Ok(())
        })?;
        Ok((len, ObjectId(*hasher.finalize().as_bytes())))
    }

    /// All shares with part and chunk.
    pub(crate) fn shares(self: &Arc<Self>) -> impl Iterator<Item = (PartKind, u32, ShareRef)> + '_ {
        let refer = |(nr, share): (usize, &Share)| {
            (share.kind, share.chunk, ShareRef { delta: Arc::clone(self), nr })
        };
        self.shares.iter().enumerate().map(refer)
    }

    /// The ids that changed; empty if none did.
    pub(crate) fn id_changes(self: &Arc<Self>) -> Result<Vec<IdChange>, Error> {
        let share = self.shares().find(|(kind, ..)| *kind == PartKind::Ids);
        let Some((.., share)) = share else { return Ok(Vec::new()) };
        decode_ids(&share.read()?).at(&share.path())
    }
}

impl ShareRef {
    fn share(&self) -> &Share {
        &self.delta.shares[self.nr]
    }

    pub(crate) fn stored_bytes(&self) -> u64 {
        self.share().stored
    }

    /// Where it lies, for messages.
    pub(crate) fn path(&self) -> String {
        let Share { kind, chunk, .. } = self.share();
        format!("{} ({kind:?} of chunk {chunk})", self.delta.objects.path(self.delta.object.id))
    }

    /// Reads and checks the share.
    pub(crate) fn read(&self) -> Result<Vec<u8>, Error> {
        let share = self.share();
        let too_long = |_| Error::corrupt(self.path(), "a share too long");
        let stored = usize::try_from(share.stored).map_err(too_long)?;
        let offset = self.delta.object.len + share.offset;
        let bytes = self.delta.objects.get_range(self.delta.object.id, offset, stored)?;
        if short_hash(&bytes) != share.hash {
            return Err(Error::corrupt(self.path(), "the share does not have the hash in the index"));
        }
        if share.raw == share.stored {
            return Ok(bytes);
        }
        let raw = usize::try_from(share.raw).map_err(too_long)?;
        zstd::bulk::decompress(&bytes, raw).map_err(|error| Error::corrupt(self.path(), error))
    }
}

/// Collects shares and writes them as one object.
#[derive(Debug)]
pub(crate) struct DeltaWriter {
    first_lsn: u64,
    last_lsn: u64,
    shares: Vec<Share>,
    bytes: Vec<u8>,
}

impl DeltaWriter {
    /// A delta of the commits `first_lsn` to `last_lsn`.
    pub(crate) fn new(first_lsn: u64, last_lsn: u64) -> Self {
        Self { first_lsn, last_lsn, shares: Vec::new(), bytes: Vec::new() }
    }

    pub(crate) fn push(&mut self, kind: PartKind, chunk: u32, share: &[u8]) {
        let compressed = (share.len() >= COMPRESS_FROM)
            .then(|| zstd::bulk::compress(share, COMPRESSION_LEVEL).ok())
            .flatten()
            .filter(|compressed| compressed.len() < share.len());
        let stored = compressed.as_deref().unwrap_or(share);
        self.shares.push(Share {
            kind,
            chunk,
            offset: self.bytes.len() as u64,
            stored: stored.len() as u64,
            raw: share.len() as u64,
            hash: short_hash(stored),
        });
        self.bytes.extend_from_slice(stored);
    }

    pub(crate) fn push_ids(&mut self, mut changes: Vec<IdChange>) {
        if changes.is_empty() {
            return;
        }
        changes.sort_unstable();
        let mut out = Writer::new();
        out.varint(changes.len() as u64);
        for change in &changes {
            out.raw(&change.hash.to_le_bytes());
            out.varint(u64::from(change.vid.0));
            out.u8(u8::from(change.present));
        }
        self.push(PartKind::Ids, 0, out.as_slice());
    }

    /// Stores the object; not durable before the next sync of `objects`.
    pub(crate) fn write(self, objects: &Objects) -> Result<ObjectRef, Error> {
        let (object, bytes) = self.into_object();
        objects.put_as(object.id, &bytes)?;
        Ok(object)
    }

    /// The object and its bytes.
    pub(crate) fn into_object(self) -> (ObjectRef, Vec<u8>) {
        let mut index = Writer::new();
        index.raw(MAGIC);
        index.u8(VERSION);
        index.varint(self.first_lsn);
        index.varint(self.last_lsn);
        index.varint(self.shares.len() as u64);
        for share in &self.shares {
            index.u8(share.kind as u8);
            index.varint(u64::from(share.chunk));
            index.varint(share.stored);
            index.varint(share.raw);
            index.raw(&share.hash);
        }
        let object = ObjectRef { id: ObjectId::of(index.as_slice()), len: index.len() as u64 };
        index.raw(&self.bytes);
        (object, index.into_bytes())
    }
}

/// Copies the object `object` from `input`, and fails where it is not what its name vouches for.
pub(crate) fn copy_checked(
    input: &mut dyn Read,
    object: ObjectRef,
    path: &str,
    out: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut index = Vec::new();
    input.take(object.len).read_to_end(&mut index).doing("read", path)?;
    if index.len() as u64 != object.len || ObjectId::of(&index) != object.id {
        return Err(Error::corrupt(path, "its index does not have the hash that is its name"));
    }
    let (_, _, shares) = decode_index(&index).at(path)?;
    out(&index)?;
    let mut block = vec![0; 1 << 16];
    for share in shares {
        let (mut hasher, mut left) = (blake3::Hasher::new(), share.stored);
        while left > 0 {
            let wanted = block.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let read = input.read_exact(&mut block[..wanted]);
            read.map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => Error::corrupt(path, "the file is cut short"),
                _ => Error::Disk { path: path.into(), action: "read", source: error },
            })?;
            hasher.update(&block[..wanted]);
            out(&block[..wanted])?;
            left -= wanted as u64;
        }
        if hasher.finalize().as_bytes()[..16] != share.hash {
            return Err(Error::corrupt(path, "a share does not have the hash in the index"));
        }
    }
    Ok(())
}

fn decode_index(index: &[u8]) -> Result<(u64, u64, Vec<Share>), DecodeError> {
    let mut input = Reader::new(index);
    if input.array::<4>()? != *MAGIC || input.u8()? != VERSION {
        return Err(input.error("the header of a delta"));
    }
    let (first_lsn, last_lsn) = (input.varint()?, input.varint()?);
    let count = input.count(20)?;
    let mut shares = Vec::with_capacity(count);
    let mut offset = 0u64;
    for _ in 0..count {
        let kind = PartKind::from_number(input.u8()?).ok_or_else(|| input.error("the kind of a part"))?;
        let chunk = input.number()?;
        let (stored, raw) = (input.varint()?, input.varint()?);
        // zstd expands at most some 30,000-fold; a length beyond that is a lie about memory.
        if raw != stored && raw > stored.saturating_mul(1 << 15) {
            return Err(input.error("a length that its bytes can hold"));
        }
        shares.push(Share { kind, chunk, offset, stored, raw, hash: input.array()? });
        offset = offset.checked_add(stored).ok_or_else(|| input.error("shorter shares"))?;
    }
    input.finish()?;
    Ok((first_lsn, last_lsn, shares))
}

fn decode_ids(share: &[u8]) -> Result<Vec<IdChange>, DecodeError> {
    let mut input = Reader::new(share);
    let count = input.count(10)?;
    let mut changes = Vec::with_capacity(count);
    for _ in 0..count {
        let hash = u64::from_le_bytes(input.array()?);
        let vid = Vid(input.number()?);
        changes.push(IdChange { hash, vid, present: input.u8()? != 0 });
    }
    input.finish()?;
    Ok(changes)
}

fn short_hash(bytes: &[u8]) -> [u8; 16] {
    let hash = blake3::hash(bytes);
    std::array::from_fn(|i| hash.as_bytes()[i])
}
