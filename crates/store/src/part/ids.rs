use std::ops::Range;

use model::{DecodeError, Vid};

use super::{Part, PartKind};
use crate::buffer::{AlignedBytes, SectionWriter, Sections};

const HASHES: usize = 0;
const VIDS: usize = 1;

/// The hash by which ids are found: the first 64 bits of BLAKE3. Equal hashes are told apart by
/// reading the candidates' ids.
pub(crate) fn hash_id(id: &str) -> u64 {
    let hash = blake3::hash(id.as_bytes());
    u64::from_le_bytes(std::array::from_fn(|i| hash.as_bytes()[i]))
}

/// The page of 2^`bits` pages that a hash belongs to: its highest bits.
pub(crate) fn page_of(hash: u64, bits: u32) -> usize {
    hash.checked_shr(64 - bits).unwrap_or(0) as usize
}

/// One page of the id index: vertices sorted by the hash of their id.
#[derive(Debug)]
pub(crate) struct Ids {
    sections: Sections,
    places: Places,
}

impl Ids {
    /// The vertices whose id has this hash.
    pub(crate) fn find(&self, hash: u64) -> impl Iterator<Item = Vid> + '_ {
        let hashes = self.sections.slice::<u64>(HASHES);
        let vids = self.sections.slice::<u32>(VIDS);
        let same = self.places.of(hash).filter(move |at| hashes[*at] == hash);
        same.map(|at| Vid(vids[at]))
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (u64, Vid)> + '_ {
        let vids = self.sections.slice::<u32>(VIDS).iter().map(|vid| Vid(*vid));
        self.sections.slice::<u64>(HASHES).iter().copied().zip(vids)
    }

    /// Builds a page from entries sorted by hash, then vertex.
    pub(crate) fn build(entries: &[(u64, Vid)]) -> AlignedBytes {
        let mut out = SectionWriter::default();
        out.push(&entries.iter().map(|(hash, _)| *hash).collect::<Vec<_>>());
        out.push(&entries.iter().map(|(_, vid)| vid.0).collect::<Vec<_>>());
        out.finish(PartKind::Ids as u8)
    }
}

/// Where hashes begin in a sorted list, by their highest bits: about four to a place, so that a
/// look-up reads one line of memory of the list. Made when a page is loaded.
#[derive(Debug)]
struct Places {
    low: u64,
    shift: u32,
    starts: Vec<u32>,
}

impl Places {
    fn new(hashes: &[u64]) -> Self {
        let (low, high) = (hashes.first().copied().unwrap_or(0), hashes.last().copied().unwrap_or(0));
        let used = 64 - (high - low).leading_zeros();
        let shift = used.saturating_sub((hashes.len() / 4).max(1).ilog2());
        let place = |hash: u64| (hash - low).checked_shr(shift).unwrap_or(0) as usize;
        let mut starts = Vec::with_capacity(place(high) + 2);
        for (at, hash) in hashes.iter().enumerate() {
            starts.resize(starts.len().max(place(*hash) + 1), at as u32);
        }
        starts.push(hashes.len() as u32);
        Self { low, shift, starts }
    }

    /// Positions that can have a hash.
    fn of(&self, hash: u64) -> Range<usize> {
        let place =
            hash.checked_sub(self.low).map(|above| above.checked_shr(self.shift).unwrap_or(0) as usize);
        match place.and_then(|place| self.starts.get(place..)?.first_chunk()) {
            Some([start, end]) => *start as usize..*end as usize,
            None => 0..0,
        }
    }
}

impl Part for Ids {
    fn parse(bytes: AlignedBytes, kind: PartKind) -> Result<Self, DecodeError> {
        let sections = Sections::parse(bytes, kind as u8)?;
        let hashes = sections.slice::<u64>(HASHES);
        let sorted = hashes.windows(2).all(|pair| pair[0] <= pair[1]);
        if sorted && hashes.len() == sections.slice::<u32>(VIDS).len() {
            let places = Places::new(hashes);
            Ok(Self { sections, places })
        } else {
            Err(DecodeError { offset: 0, expected: "ids sorted by hash" })
        }
    }

    fn empty(_chunk: u32, kind: PartKind) -> Result<Self, DecodeError> {
        Self::parse(Self::build(&[]), kind)
    }

    /// Id pages get no shares: changed ids are kept beside them (see `IdChanges`).
    fn apply(&self, _share: &[u8]) -> Result<Self, DecodeError> {
        Err(DecodeError { offset: 0, expected: "no share for a page of ids" })
    }

    fn as_bytes(&self) -> &[u8] {
        self.sections.as_slice()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(hashes: &[u64], wanted: u64) -> Result<(), TestCaseError> {
        let found = Places::new(hashes).of(wanted).filter(|at| hashes[*at] == wanted);
        let all = (0..hashes.len()).filter(|at| hashes[*at] == wanted);
        prop_assert_eq!(found.collect::<Vec<_>>(), all.collect::<Vec<_>>());
        Ok(())
    }

    proptest! {
        #[test]
        fn places_hold_every_hash(mut hashes: Vec<u64>, wanted: u64) {
            hashes.sort_unstable();
            check(&hashes, wanted)?;
            hashes.iter().try_for_each(|hash| check(&hashes, *hash))?;
        }

        #[test]
        fn clustered_hashes_are_found_too(
            mut hashes in prop::collection::vec(0u64..40, 0..200),
            wanted in 0u64..41,
            far: bool,
        ) {
            hashes.extend(far.then_some(u64::MAX));
            hashes.sort_unstable();
            check(&hashes, wanted)?;
            hashes.iter().try_for_each(|hash| check(&hashes, *hash))?;
        }
    }
}
