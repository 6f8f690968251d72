//! Commits since the last fold, in memory: persistent maps from vertex to patch, so that a
//! snapshot is a pointer copy and a commit copies only the paths it touches.

use std::sync::Arc;

use model::{Props, VertexRecord, Vid};
use rpds::{HashTrieMapSync, RedBlackTreeMapSync};
use rustc_hash::FxHasher;

use crate::part::adjacency::Neighbour;

/// More changed edges than this at one vertex move from a vector, which each commit copies, to
/// a tree, of which it copies a path.
const FEW: usize = 32;

/// Children of a node. A commit copies every node on its paths, so narrow nodes are cheaper to
/// write; wide ones would be a little faster to read.
const DEGREE: u8 = 8;

type FxBuild = std::hash::BuildHasherDefault<FxHasher>;

/// What became of a vertex.
#[derive(Debug, Clone)]
pub(crate) enum RowPatch {
    Put(Arc<VertexRecord>),
    Removed,
}

/// What became of an edge: its properties, or `None` where it was removed.
pub(crate) type EdgePatch = Option<Arc<Props>>;

/// Changed edges of one vertex in one direction, sorted.
#[derive(Debug, Clone)]
pub(crate) enum EdgePatches {
    Few(Vec<(Neighbour, EdgePatch)>),
    Many(RedBlackTreeMapSync<Neighbour, EdgePatch>),
}

/// Everything that changed about one vertex.
#[derive(Debug, Clone, Default)]
pub(crate) struct Patch {
    pub(crate) row: Option<RowPatch>,
    pub(crate) out: EdgePatches,
    pub(crate) into: EdgePatches,
}

/// A set of patches, and the ids they add or take away.
#[derive(Debug, Clone)]
pub(crate) struct Overlay {
    patches: HashTrieMapSync<Vid, Arc<Patch>, FxBuild>,
    ids: HashTrieMapSync<Arc<str>, IdPatch, FxBuild>,
    weight: usize,
}

/// What became of an id. A removed vertex is remembered too: its number must leave the index
/// even if the id was given to another vertex since.
#[derive(Debug, Clone, Default)]
pub(crate) struct IdPatch {
    pub(crate) present: Option<Vid>,
    pub(crate) removed: Vec<Vid>,
}

impl Default for EdgePatches {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl EdgePatches {
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Few(few) if few.is_empty())
    }

    pub(crate) fn get(&self, edge: &Neighbour) -> Option<&EdgePatch> {
        match self {
            Self::Few(few) => few.binary_search_by_key(edge, |(e, _)| *e).ok().map(|at| &few[at].1),
            Self::Many(many) => many.get(edge),
        }
    }

    pub(crate) fn set(&mut self, edge: Neighbour, patch: EdgePatch) {
        match self {
            Self::Few(few) => match few.binary_search_by_key(&edge, |(e, _)| *e) {
                Ok(at) => few[at].1 = patch,
                Err(at) if few.len() < FEW => few.insert(at, (edge, patch)),
                Err(_) => {
                    let mut many: RedBlackTreeMapSync<_, _> = std::mem::take(few).into_iter().collect();
                    many.insert_mut(edge, patch);
                    *self = Self::Many(many);
                }
            },
            Self::Many(many) => {
                many.insert_mut(edge, patch);
            }
        }
    }

    /// All changes in order.
    pub(crate) fn iter(&self) -> Box<dyn Iterator<Item = (Neighbour, &EdgePatch)> + '_> {
        match self {
            Self::Few(few) => Box::new(few.iter().map(|(edge, patch)| (*edge, patch))),
            Self::Many(many) => Box::new(many.iter().map(|(edge, patch)| (*edge, patch))),
        }
    }
}

impl Default for Overlay {
    fn default() -> Self {
        Self {
            patches: HashTrieMapSync::new_with_hasher_and_degree_and_ptr_kind(FxBuild::default(), DEGREE),
            ids: HashTrieMapSync::new_with_hasher_and_degree_and_ptr_kind(FxBuild::default(), DEGREE),
            weight: 0,
        }
    }
}

impl Overlay {
    pub(crate) fn is_empty(&self) -> bool {
        self.patches.is_empty()
    }

    /// Roughly the bytes of memory it holds.
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    pub(crate) fn patch(&self, vid: Vid) -> Option<&Patch> {
        if self.patches.is_empty() {
            return None;
        }
        self.patches.get(&vid).map(|patch| &**patch)
    }

    /// What it says about an id; `None` if nothing.
    pub(crate) fn id(&self, id: &str) -> Option<&IdPatch> {
        if self.ids.is_empty() { None } else { self.ids.get(id) }
    }

    /// All patches by vertex.
    pub(crate) fn sorted(&self) -> Vec<(Vid, &Patch)> {
        let mut all: Vec<_> = self.patches.iter().map(|(vid, patch)| (*vid, &**patch)).collect();
        all.sort_unstable_by_key(|(vid, _)| *vid);
        all
    }

    /// All ids it adds or takes away.
    pub(crate) fn ids(&self) -> impl Iterator<Item = (&str, &IdPatch)> {
        self.ids.iter().map(|(id, patch)| (&**id, patch))
    }

    /// Puts a row; `fresh` if the vertex is new.
    pub(crate) fn put_row(&mut self, vid: Vid, row: Arc<VertexRecord>, fresh: bool) {
        self.weight += row.weight();
        if fresh {
            self.weight += 2 * row.id.len();
            let id: Arc<str> = Arc::from(&*row.id);
            let mut patch = self.ids.get(&id).cloned().unwrap_or_default();
            patch.present = Some(vid);
            self.ids.insert_mut(id, patch);
        }
        self.change(vid, |patch| patch.row = Some(RowPatch::Put(row)));
    }

    /// Takes a vertex away.
    pub(crate) fn remove_row(&mut self, vid: Vid, id: &str) {
        let mut patch = self.ids.get(id).cloned().unwrap_or_default();
        patch.present = None;
        patch.removed.push(vid);
        self.weight += 2 * id.len() + size_of::<IdPatch>();
        self.ids.insert_mut(Arc::from(id), patch);
        self.change(vid, |patch| patch.row = Some(RowPatch::Removed));
    }

    /// Puts an edge, or removes it, at both of its ends.
    pub(crate) fn set_edge(&mut self, source: Vid, out: Neighbour, props: EdgePatch) {
        self.weight += 2 * size_of::<(Neighbour, EdgePatch)>() + props.as_ref().map_or(0, |p| p.weight());
        let into = Neighbour { other: source, ..out };
        self.change(source, |patch| patch.out.set(out, props.clone()));
        self.change(out.other, |patch| patch.into.set(into, props));
    }

    fn change(&mut self, vid: Vid, change: impl FnOnce(&mut Patch)) {
        if let Some(patch) = self.patches.get_mut(&vid) {
            return change(Arc::make_mut(patch));
        }
        self.weight += size_of::<Patch>() + 64;
        let mut patch = Patch::default();
        change(&mut patch);
        self.patches.insert_mut(vid, Arc::new(patch));
    }
}
