//! The tree of a base: pages of references to parts, under one tree object that the manifest
//! names (`docs/format.md`, "Tree").

use model::{DecodeError, Reader, Writer};

use crate::error::{At, Error};
use crate::object::{ObjectRef, Objects};

const TREE_MAGIC: &[u8; 4] = b"GTRE";
const PAGE_MAGIC: &[u8; 4] = b"GPAG";
const VERSION: u8 = 1;
/// Chunks per page.
pub(crate) const PAGE_CHUNKS: usize = 256;

/// A part on disk and the commit up to which it holds all changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PartRef {
    pub(crate) object: ObjectRef,
    pub(crate) lsn: u64,
}

/// The parts of one chunk: rows, out-edges, in-edges.
pub(crate) type ChunkRefs = [Option<PartRef>; 3];

/// A base as it is written down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tree {
    /// The number the next vertex gets.
    pub(crate) next_vid: u32,
    pub(crate) chunks: Vec<ChunkRefs>,
    /// 2^`id_bits` pages of ids, or none at all.
    pub(crate) id_bits: u32,
    pub(crate) ids: Vec<ObjectRef>,
    /// The commit up to which the pages of ids hold all changes.
    pub(crate) ids_lsn: u64,
}

impl Tree {
    /// Stores pages and tree; not durable before the next sync of `objects`. Pages that did not
    /// change have the names they had, so they cost nothing.
    pub(crate) fn write(&self, objects: &Objects) -> Result<ObjectRef, Error> {
        let mut out = Writer::new();
        out.raw(TREE_MAGIC);
        out.u8(VERSION);
        out.varint(u64::from(self.next_vid));
        out.varint(self.chunks.len() as u64);
        for page in self.chunks.chunks(PAGE_CHUNKS) {
            objects.put(&encode_page(page))?.encode(&mut out);
        }
        out.varint(u64::from(self.id_bits));
        out.varint(self.ids_lsn);
        out.varint(self.ids.len() as u64);
        self.ids.iter().for_each(|page| page.encode(&mut out));
        objects.put(out.as_slice())
    }

    /// Reads tree and pages.
    pub(crate) fn read(objects: &Objects, tree: ObjectRef) -> Result<Self, Error> {
        let mut result = Self::default();
        for (page, chunks) in result.read_root(objects, tree)? {
            let path = objects.path(page.id);
            decode_page(objects.get(page)?.as_slice(), chunks, &mut result.chunks).at(&path)?;
        }
        Ok(result)
    }

    /// The objects that a tree names without being parts: its pages.
    pub(crate) fn pages(objects: &Objects, tree: ObjectRef) -> Result<Vec<ObjectRef>, Error> {
        let pages = Self::default().read_root(objects, tree)?;
        Ok(pages.into_iter().map(|(page, _)| page).collect())
    }

    /// The objects of all parts and pages of ids.
    pub(crate) fn parts(&self) -> impl Iterator<Item = ObjectRef> + '_ {
        let parts = self.chunks.iter().flatten().flatten().map(|part| part.object);
        parts.chain(self.ids.iter().copied())
    }

    fn read_root(&mut self, objects: &Objects, tree: ObjectRef) -> Result<Vec<(ObjectRef, usize)>, Error> {
        let path = objects.path(tree.id);
        let bytes = objects.get(tree)?;
        self.decode_root(bytes.as_slice()).at(&path)
    }

    fn decode_root(&mut self, bytes: &[u8]) -> Result<Vec<(ObjectRef, usize)>, DecodeError> {
        let mut input = Reader::new(bytes);
        if input.array::<4>()? != *TREE_MAGIC || input.u8()? != VERSION {
            return Err(input.error("the header of a tree"));
        }
        self.next_vid = input.number()?;
        let chunks: usize = input.number()?;
        if chunks.div_ceil(PAGE_CHUNKS) > input.remaining() / 33 {
            return Err(input.error("as many pages as announced"));
        }
        let mut pages = Vec::new();
        for first in (0..chunks).step_by(PAGE_CHUNKS) {
            pages.push((ObjectRef::decode(&mut input)?, PAGE_CHUNKS.min(chunks - first)));
        }
        self.id_bits = input.number()?;
        self.ids_lsn = input.varint()?;
        for _ in 0..input.count(33)? {
            self.ids.push(ObjectRef::decode(&mut input)?);
        }
        let expected = if self.ids.is_empty() { 0 } else { 1usize.checked_shl(self.id_bits).unwrap_or(0) };
        if self.ids.len() != expected {
            return Err(input.error("2^bits pages of ids"));
        }
        input.finish()?;
        Ok(pages)
    }
}

fn encode_page(chunks: &[ChunkRefs]) -> Vec<u8> {
    let mut out = Writer::new();
    out.raw(PAGE_MAGIC);
    out.u8(VERSION);
    for part in chunks.iter().flatten() {
        out.u8(u8::from(part.is_some()));
        if let Some(part) = part {
            part.object.encode(&mut out);
            out.varint(part.lsn);
        }
    }
    out.into_bytes()
}

fn decode_page(bytes: &[u8], count: usize, chunks: &mut Vec<ChunkRefs>) -> Result<(), DecodeError> {
    let mut input = Reader::new(bytes);
    if input.array::<4>()? != *PAGE_MAGIC || input.u8()? != VERSION {
        return Err(input.error("the header of a page"));
    }
    for _ in 0..count {
        let mut refs: ChunkRefs = [None; 3];
        for part in &mut refs {
            if input.u8()? != 0 {
                *part = Some(PartRef { object: ObjectRef::decode(&mut input)?, lsn: input.varint()? });
            }
        }
        chunks.push(refs);
    }
    input.finish()
}
