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
}

impl Ids {
    /// The vertices whose id has this hash.
    pub(crate) fn find(&self, hash: u64) -> impl Iterator<Item = Vid> + '_ {
        let hashes = self.sections.slice::<u64>(HASHES);
        let vids = self.sections.slice::<u32>(VIDS);
        let first = search(hashes, hash);
        let run = hashes[first..].iter().take_while(move |h| **h == hash).count();
        vids[first..first + run].iter().map(|vid| Vid(*vid))
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

/// The first position whose hash is not below `hash`. Hashes are uniform within a page, so an
/// interpolated guess lands near and a gallop from there closes in on a cache line or two.
fn search(hashes: &[u64], hash: u64) -> usize {
    let (Some(low), Some(high)) = (hashes.first(), hashes.last()) else { return 0 };
    if hash <= *low {
        return 0;
    }
    if hash > *high {
        return hashes.len();
    }
    let share = (hash - low) as f64 / (high - low) as f64;
    let guess = ((hashes.len() - 1) as f64 * share) as usize;
    let (mut from, mut to, mut step) = (guess.min(hashes.len() - 1), guess + 1, 8);
    while from > 0 && hashes[from] >= hash {
        from = from.saturating_sub(step);
        step *= 2;
    }
    step = 8;
    to = to.min(hashes.len());
    while to < hashes.len() && hashes[to - 1] < hash {
        to = (to + step).min(hashes.len());
        step *= 2;
    }
    from + hashes[from..to].partition_point(|h| *h < hash)
}

impl Part for Ids {
    fn parse(bytes: AlignedBytes, kind: PartKind) -> Result<Self, DecodeError> {
        let sections = Sections::parse(bytes, kind as u8)?;
        let hashes = sections.slice::<u64>(HASHES);
        let sorted = hashes.windows(2).all(|pair| pair[0] <= pair[1]);
        if sorted && hashes.len() == sections.slice::<u32>(VIDS).len() {
            Ok(Self { sections })
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

    proptest! {
        #[test]
        fn search_agrees_with_bisection(mut hashes: Vec<u64>, wanted: u64, pick: prop::sample::Index) {
            hashes.sort_unstable();
            prop_assert_eq!(search(&hashes, wanted), hashes.partition_point(|h| *h < wanted));
            if !hashes.is_empty() {
                let wanted = hashes[pick.index(hashes.len())];
                prop_assert_eq!(search(&hashes, wanted), hashes.partition_point(|h| *h < wanted));
            }
        }

        #[test]
        fn clustered_hashes_are_found_too(mut hashes in prop::collection::vec(0u64..40, 0..200), wanted in 0u64..41) {
            hashes.push(u64::MAX);
            hashes.sort_unstable();
            prop_assert_eq!(search(&hashes, wanted), hashes.partition_point(|h| *h < wanted));
        }
    }
}
