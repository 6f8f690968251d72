//! Parts: immutable columnar images of one range of vertices, the same bytes in memory and on
//! disk. A chunk is up to three parts: its rows, its out-edges and its in-edges, so that a
//! changed property does not rewrite adjacency and a walk over edges does not load rows.

pub(crate) mod adjacency;
mod columns;
pub(crate) mod ids;
pub(crate) mod rows;

use std::fmt::Debug;

use model::{DecodeError, Vid};

use crate::buffer::AlignedBytes;

/// How many vertices a chunk covers, as a power of two. Part of the format.
pub(crate) const CHUNK_BITS: u32 = 12;
/// How many vertices a chunk covers.
pub(crate) const CHUNK_SLOTS: usize = 1 << CHUNK_BITS;

/// Which part of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum PartKind {
    Rows = 1,
    Out = 2,
    In = 3,
    Ids = 4,
}

impl PartKind {
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        [Self::Rows, Self::Out, Self::In, Self::Ids].into_iter().find(|kind| *kind as u8 == number)
    }
}

/// An image that can be read from bytes and brought forward by the changes of deltas.
pub(crate) trait Part: Sized + Send + Sync + Debug + 'static {
    /// Checks bytes once, so that reading them later cannot fail.
    fn parse(bytes: AlignedBytes, kind: PartKind) -> Result<Self, DecodeError>;
    /// The image of `chunk` without anything in it.
    fn empty(chunk: u32, kind: PartKind) -> Result<Self, DecodeError>;
    /// This image with an encoded share of changes applied.
    fn apply(&self, share: &[u8]) -> Result<Self, DecodeError>;
    /// The bytes it was read from.
    fn as_bytes(&self) -> &[u8];
}

/// The chunk a vertex is in.
pub(crate) fn chunk_of(vid: Vid) -> u32 {
    vid.0 >> CHUNK_BITS
}

/// The vertex's place in its chunk.
pub(crate) fn slot_of(vid: Vid) -> usize {
    vid.index() & (CHUNK_SLOTS - 1)
}

/// The vertex at a place of a chunk.
pub(crate) fn vid_at(chunk: u32, slot: usize) -> Vid {
    Vid((chunk << CHUNK_BITS) | slot as u32)
}
