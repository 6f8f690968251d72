//! Bytes of a part, aligned so that its columns can be read in place, and the container that
//! divides them into sections (`docs/format.md`, "Parts").

use std::ops::Range;

use bytemuck::Pod;
use model::DecodeError;

#[cfg(target_endian = "big")]
compile_error!("parts are read in place and are little-endian");

const MAGIC: [u8; 4] = *b"GPRT";
const VERSION: u8 = 1;
const HEADER: usize = 8;
const ENTRY: usize = 16;

/// Bytes at an 8-byte boundary.
#[derive(Debug)]
pub(crate) struct AlignedBytes {
    words: Vec<u64>,
    len: usize,
}

impl AlignedBytes {
    pub(crate) fn copy_of(bytes: &[u8]) -> Self {
        let mut words = vec![0u64; bytes.len().div_ceil(8)];
        bytemuck::cast_slice_mut::<u64, u8>(&mut words)[..bytes.len()].copy_from_slice(bytes);
        Self { words, len: bytes.len() }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.len]
    }
}

/// A checked container: magic, kind, and sections of which every one lies inside the bytes.
#[derive(Debug)]
pub(crate) struct Sections {
    bytes: AlignedBytes,
    ranges: Vec<Range<usize>>,
}

impl Sections {
    pub(crate) fn parse(bytes: AlignedBytes, kind: u8) -> Result<Self, DecodeError> {
        let refuse = |offset, expected| DecodeError { offset, expected };
        let all = bytes.as_slice();
        if all.len() < HEADER || all[..4] != MAGIC || all[5] != VERSION {
            return Err(refuse(0, "the header of a part"));
        }
        if all[4] != kind {
            return Err(refuse(4, "a part of the kind that its reference names"));
        }
        let count = usize::from(u16::from_le_bytes([all[6], all[7]]));
        let table = all.get(HEADER..HEADER + count * ENTRY);
        let table = table.ok_or_else(|| refuse(HEADER, "the table of sections"))?;
        let mut ranges = Vec::with_capacity(count);
        for entry in table.chunks_exact(ENTRY) {
            let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| entry[at + i])) as usize;
            let (start, len) = (word(0), word(8));
            let end = start.checked_add(len).filter(|end| *end <= all.len() && start % 8 == 0);
            ranges.push(start..end.ok_or_else(|| refuse(HEADER, "sections inside the part"))?);
        }
        Ok(Self { bytes, ranges })
    }

    pub(crate) fn len(&self) -> usize {
        self.ranges.len()
    }

    pub(crate) fn bytes(&self, section: usize) -> &[u8] {
        self.ranges.get(section).map_or(&[], |range| &self.bytes.as_slice()[range.clone()])
    }

    /// A section as numbers; a tail that is no whole number is left out.
    pub(crate) fn slice<T: Pod>(&self, section: usize) -> &[T] {
        let bytes = self.bytes(section);
        let whole = bytes.len() - bytes.len() % size_of::<T>();
        bytemuck::try_cast_slice(&bytes[..whole]).unwrap_or(&[])
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.as_slice()
    }
}

/// Collects sections and lays them out.
#[derive(Debug, Default)]
pub(crate) struct SectionWriter {
    sections: Vec<Vec<u8>>,
}

impl SectionWriter {
    pub(crate) fn push<T: Pod>(&mut self, values: &[T]) {
        self.sections.push(bytemuck::cast_slice(values).to_vec());
    }

    pub(crate) fn finish(self, kind: u8) -> AlignedBytes {
        let mut at = (HEADER + self.sections.len() * ENTRY).next_multiple_of(8);
        let size = self.sections.iter().fold(at, |end, section| end + section.len().next_multiple_of(8));
        let mut all = Vec::with_capacity(size);
        all.extend_from_slice(&MAGIC);
        all.extend_from_slice(&[kind, VERSION]);
        all.extend_from_slice(&(self.sections.len() as u16).to_le_bytes());
        for section in &self.sections {
            all.extend_from_slice(&(at as u64).to_le_bytes());
            all.extend_from_slice(&(section.len() as u64).to_le_bytes());
            at += section.len().next_multiple_of(8);
        }
        for section in &self.sections {
            all.resize(all.len().next_multiple_of(8), 0);
            all.extend_from_slice(section);
        }
        AlignedBytes::copy_of(&all)
    }
}

/// Fails unless `offsets` ascend from 0 to `end`: after this check, slicing by them is safe.
pub(crate) fn check_offsets(offsets: &[u32], count: usize, end: usize) -> Result<(), DecodeError> {
    let ascending = offsets.windows(2).all(|pair| pair[0] <= pair[1]);
    let bounded = offsets.first() == Some(&0) && offsets.last().map(|o| *o as usize) == Some(end);
    if offsets.len() == count + 1 && ascending && bounded {
        Ok(())
    } else {
        Err(DecodeError { offset: 0, expected: "ascending offsets" })
    }
}
