//! Commits since the last fold, in memory: for every changed vertex and id, the values that
//! commits gave it, each with the commit's number (multi-version concurrency control). The one
//! writer adds versions in place; a reader sees those up to its own number, so a snapshot is a
//! pointer and a number, and a commit copies nothing.
//!
//! # Invariants
//! * Versions of one thing are in the order of their commits.
//! * A commit's versions are there before its state is published. Until then nobody's number
//!   reaches them, so they may be taken back.
//! * Once a fold has frozen an overlay, nothing is added to it.
//! * Under a lock only this crate's code runs, and only on one patch.

mod edges;
mod versions;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, RwLock, RwLockReadGuard};

use model::{Props, VertexRecord, Vid};
use rustc_hash::{FxBuildHasher, FxHashMap};

pub(crate) use self::edges::EdgePatches;
use self::versions::Versions;
use crate::part::adjacency::Neighbour;
use crate::sync::{read, write};

/// Locks over the patches, so that readers rarely meet the writer.
const SHARDS: usize = 64;

/// Bits that tell vertices without a patch from others, without a lock.
const FILTER_BITS: usize = 1 << 20;

/// About what a map needs for an entry besides what is counted.
const ENTRY: usize = 64;

/// What became of a vertex.
#[derive(Debug, Clone)]
pub(crate) enum RowPatch {
    Put(Arc<VertexRecord>),
    Removed,
}

/// What became of an edge: its properties, or `None` where it was removed.
pub(crate) type EdgePatch = Option<Arc<Props>>;

/// Everything that changed about one vertex.
#[derive(Debug, Default)]
pub(crate) struct Patch {
    row: Option<Versions<RowPatch>>,
    pub(crate) out: EdgePatches,
    pub(crate) into: EdgePatches,
}

/// What became of an id: a vertex got it or lost it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IdChange {
    lsn: u64,
    pub(crate) vid: Vid,
    pub(crate) present: bool,
}

type Patches = FxHashMap<Vid, Patch>;
/// Ids come from outside, so their map has a keyed hash.
type Ids = HashMap<Box<str>, Vec<IdChange>>;

/// A set of patches, and the ids they add or take away.
#[derive(Debug)]
pub(crate) struct Overlay {
    patches: [RwLock<Patches>; SHARDS],
    ids: [RwLock<Ids>; SHARDS],
    filter: OnceLock<Box<[AtomicU64]>>,
    weight: AtomicUsize,
}

/// A frozen overlay, all of it.
pub(crate) struct Whole<'a> {
    patches: Vec<RwLockReadGuard<'a, Patches>>,
    ids: Vec<RwLockReadGuard<'a, Ids>>,
}

impl Patch {
    /// What became of the vertex by commit `lsn`.
    pub(crate) fn row(&self, lsn: u64) -> Option<&RowPatch> {
        self.row.as_ref()?.at(lsn)
    }

    fn put_row(&mut self, row: RowPatch, lsn: u64) {
        match &mut self.row {
            Some(versions) => versions.put(lsn, row),
            None => self.row = Some(Versions::One(lsn, row)),
        }
    }

    fn forget_row(&mut self, lsn: u64) {
        if self.row.as_mut().is_some_and(|versions| !versions.forget(lsn)) {
            self.row = None;
        }
    }

    fn is_empty(&self) -> bool {
        self.row.is_none() && self.out.is_empty() && self.into.is_empty()
    }
}

impl Default for Overlay {
    fn default() -> Self {
        Self {
            patches: std::array::from_fn(|_| RwLock::default()),
            ids: std::array::from_fn(|_| RwLock::default()),
            filter: OnceLock::new(),
            weight: AtomicUsize::new(0),
        }
    }
}

/// Reading.
impl Overlay {
    pub(crate) fn is_empty(&self) -> bool {
        self.weight() == 0
    }

    /// Roughly the bytes of memory it holds.
    pub(crate) fn weight(&self) -> usize {
        self.weight.load(Ordering::Relaxed)
    }

    /// Whether there may be a patch for a vertex; cheap.
    pub(crate) fn may_touch(&self, vid: Vid) -> bool {
        let (word, bit) = filter_place(vid);
        self.filter.get().is_some_and(|filter| filter[word].load(Ordering::Relaxed) & bit != 0)
    }

    /// Reads a vertex's patch, if there is one.
    pub(crate) fn patch<T>(&self, vid: Vid, look: impl FnOnce(&Patch) -> T) -> Option<T> {
        if !self.may_touch(vid) {
            return None;
        }
        read(&self.patches[shard_of(vid)]).get(&vid).map(look)
    }

    /// Who has an id after commit `lsn`: `None` if it never changed.
    pub(crate) fn id(&self, id: &str, lsn: u64) -> Option<Option<Vid>> {
        if self.is_empty() {
            return None;
        }
        let ids = read(&self.ids[id_shard(id)]);
        let last = ids.get(id)?.iter().rev().find(|change| change.lsn <= lsn)?;
        Some(last.present.then_some(last.vid))
    }

    /// All there is; for an overlay that is frozen.
    pub(crate) fn whole(&self) -> Whole<'_> {
        Whole { patches: self.patches.iter().map(read).collect(), ids: self.ids.iter().map(read).collect() }
    }
}

impl Whole<'_> {
    /// All patches by vertex.
    pub(crate) fn sorted(&self) -> Vec<(Vid, &Patch)> {
        let mut all: Vec<_> =
            self.patches.iter().flat_map(|shard| shard.iter()).map(|(v, p)| (*v, p)).collect();
        all.sort_unstable_by_key(|(vid, _)| *vid);
        all
    }

    /// All ids that changed, with what became of them, oldest first.
    pub(crate) fn ids(&self) -> impl Iterator<Item = (&str, &[IdChange])> {
        self.ids.iter().flat_map(|shard| shard.iter()).map(|(id, changes)| (&**id, changes.as_slice()))
    }
}

/// Writing, as part of commit `lsn`. Only the graph's writer does that.
impl Overlay {
    /// Puts a row; `fresh` if the vertex is new.
    pub(crate) fn put_row(&self, vid: Vid, row: Arc<VertexRecord>, fresh: bool, lsn: u64) {
        self.weight.fetch_add(row_weight(&row, fresh), Ordering::Relaxed);
        if fresh {
            self.change_id(&row.id, IdChange { lsn, vid, present: true });
        }
        self.change(vid, |patch| patch.put_row(RowPatch::Put(row), lsn));
    }

    /// Takes a vertex away.
    pub(crate) fn remove_row(&self, vid: Vid, id: &str, lsn: u64) {
        self.weight.fetch_add(removal_weight(id), Ordering::Relaxed);
        self.change_id(id, IdChange { lsn, vid, present: false });
        self.change(vid, |patch| patch.put_row(RowPatch::Removed, lsn));
    }

    /// Puts an edge, or removes it, at both of its ends.
    pub(crate) fn set_edge(&self, source: Vid, out: Neighbour, props: EdgePatch, lsn: u64) {
        self.weight.fetch_add(edge_weight(props.as_deref()), Ordering::Relaxed);
        let into = Neighbour { other: source, ..out };
        self.change(source, |patch| patch.out.set(out, lsn, props.clone()));
        self.change(out.other, |patch| patch.into.set(into, lsn, props));
    }

    fn change_id(&self, id: &str, change: IdChange) {
        let mut ids = write(&self.ids[id_shard(id)]);
        match ids.get_mut(id) {
            Some(changes) => changes.push(change),
            None => {
                ids.insert(id.into(), vec![change]);
            }
        }
    }

    fn change(&self, vid: Vid, change: impl FnOnce(&mut Patch)) {
        let filter = self.filter.get_or_init(|| (0..FILTER_BITS / 64).map(|_| AtomicU64::new(0)).collect());
        let (word, bit) = filter_place(vid);
        filter[word].fetch_or(bit, Ordering::Relaxed);
        let mut patches = write(&self.patches[shard_of(vid)]);
        let patch = patches.entry(vid).or_insert_with(|| {
            self.weight.fetch_add(patch_weight(), Ordering::Relaxed);
            Patch::default()
        });
        change(patch);
    }
}

/// Taking back what commit `lsn`, which nobody has seen, put. Weights too: an overlay whose every
/// change was taken back is empty.
impl Overlay {
    pub(crate) fn forget_row(&self, vid: Vid, row: &VertexRecord, fresh: bool, lsn: u64) {
        self.weight.fetch_sub(row_weight(row, fresh), Ordering::Relaxed);
        if fresh {
            self.forget_id(&row.id, lsn);
        }
        self.forget(vid, |patch| patch.forget_row(lsn));
    }

    pub(crate) fn forget_removal(&self, vid: Vid, id: &str, lsn: u64) {
        self.weight.fetch_sub(removal_weight(id), Ordering::Relaxed);
        self.forget_id(id, lsn);
        self.forget(vid, |patch| patch.forget_row(lsn));
    }

    pub(crate) fn forget_edge(&self, source: Vid, out: Neighbour, props: Option<&Props>, lsn: u64) {
        self.weight.fetch_sub(edge_weight(props), Ordering::Relaxed);
        let into = Neighbour { other: source, ..out };
        self.forget(source, |patch| patch.out.forget(&out, lsn));
        self.forget(out.other, |patch| patch.into.forget(&into, lsn));
    }

    fn forget_id(&self, id: &str, lsn: u64) {
        let mut ids = write(&self.ids[id_shard(id)]);
        let Some(changes) = ids.get_mut(id) else { return };
        changes.retain(|change| change.lsn < lsn);
        if changes.is_empty() {
            ids.remove(id);
        }
    }

    fn forget(&self, vid: Vid, forget: impl FnOnce(&mut Patch)) {
        let mut patches = write(&self.patches[shard_of(vid)]);
        let Some(patch) = patches.get_mut(&vid) else { return };
        forget(patch);
        if patch.is_empty() {
            patches.remove(&vid);
            self.weight.fetch_sub(patch_weight(), Ordering::Relaxed);
        }
    }
}

fn shard_of(vid: Vid) -> usize {
    vid.index() % SHARDS
}

fn id_shard(id: &str) -> usize {
    use std::hash::BuildHasher;
    (FxBuildHasher.hash_one(id) >> 32) as usize % SHARDS
}

fn filter_place(vid: Vid) -> (usize, u64) {
    let bit = vid.index() % FILTER_BITS;
    (bit / 64, 1 << (bit % 64))
}

fn patch_weight() -> usize {
    size_of::<Patch>() + ENTRY
}

fn row_weight(row: &VertexRecord, fresh: bool) -> usize {
    let id = if fresh { row.id.len() + size_of::<IdChange>() + ENTRY } else { 0 };
    row.weight() + size_of::<RowPatch>() + id
}

fn removal_weight(id: &str) -> usize {
    id.len() + size_of::<IdChange>() + size_of::<RowPatch>() + ENTRY
}

fn edge_weight(props: Option<&Props>) -> usize {
    2 * size_of::<(Neighbour, Versions<EdgePatch>)>() + props.map_or(0, Props::weight)
}
