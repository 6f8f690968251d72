//! A folded state: a base tree and the deltas on top of it, as slots that load when needed.
//! Immutable; a fold or a compaction makes the next one and shares what did not change.

use std::sync::{Arc, Mutex, Weak};

use model::{LabelId, Vid};

use crate::cache::{Cache, Slot, Source};
use crate::delta::{Delta, IdChange};
use crate::error::Error;
use crate::object::{ObjectRef, Objects};
use crate::part::adjacency::Adjacency;
use crate::part::ids::{Ids, page_of};
use crate::part::rows::Rows;
use crate::part::{PartKind, chunk_of, slot_of};
use crate::sync::lock;
use crate::tree::Tree;

/// Parts and their shares in one pool.
#[derive(Debug, Clone)]
pub(crate) struct Stock {
    pub(crate) chunks: Objects,
    pub(crate) deltas: Objects,
    pub(crate) cache: Arc<Cache>,
    pub(crate) in_use: InUse,
}

/// Generations that somebody in this process may read, in a snapshot or otherwise: the garbage
/// collector keeps their objects.
#[derive(Debug, Clone, Default)]
pub(crate) struct InUse(Arc<Mutex<Vec<Weak<Generation>>>>);

impl InUse {
    /// All of them.
    pub(crate) fn all(&self) -> Vec<Arc<Generation>> {
        lock(&self.0).iter().filter_map(Weak::upgrade).collect()
    }
}

/// The three parts of a chunk.
#[derive(Debug, Clone)]
pub(crate) struct Chunk {
    pub(crate) rows: Arc<Slot<Rows>>,
    pub(crate) out: Arc<Slot<Adjacency>>,
    pub(crate) into: Arc<Slot<Adjacency>>,
}

/// A folded state.
#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) stock: Stock,
    pub(crate) tree: Arc<Tree>,
    /// The tree's object; `None` for the empty tree of a new graph.
    pub(crate) tree_object: Option<ObjectRef>,
    /// Oldest first.
    pub(crate) deltas: Vec<Arc<Delta>>,
    pub(crate) chunks: Vec<Arc<Chunk>>,
    pub(crate) ids: Vec<Arc<Slot<Ids>>>,
    /// Ids that changed since the pages of ids were written, sorted.
    pub(crate) id_changes: Arc<Vec<IdChange>>,
}

impl Generation {
    /// Opens what a manifest names. Parts stay on disk until they are needed.
    pub(crate) fn open(stock: Stock, tree: Option<ObjectRef>, deltas: &[ObjectRef]) -> Result<Self, Error> {
        let read = tree.map(|object| Tree::read(&stock.chunks, object)).transpose()?.unwrap_or_default();
        let deltas: Vec<_> =
            deltas.iter().map(|delta| Delta::open(&stock.deltas, *delta)).collect::<Result<_, _>>()?;
        let mut generation = Self::of_tree(stock, Arc::new(read), tree);
        for delta in deltas {
            generation = generation.with_delta(delta)?;
        }
        Ok(generation)
    }

    /// A tree without deltas.
    pub(crate) fn of_tree(stock: Stock, tree: Arc<Tree>, tree_object: Option<ObjectRef>) -> Self {
        let source = |kind, chunk, base| Source { kind, chunk, base, shares: Vec::new() };
        let chunk = |(nr, parts): (usize, &[Option<crate::tree::PartRef>; 3])| {
            let base = |part: usize| parts[part].map(|part| part.object);
            let nr = nr as u32;
            Arc::new(Chunk {
                rows: Slot::new(source(PartKind::Rows, nr, base(0)), &stock.cache),
                out: Slot::new(source(PartKind::Out, nr, base(1)), &stock.cache),
                into: Slot::new(source(PartKind::In, nr, base(2)), &stock.cache),
            })
        };
        let page = |(nr, page): (usize, &ObjectRef)| {
            Slot::new(source(PartKind::Ids, nr as u32, Some(*page)), &stock.cache)
        };
        Self {
            chunks: tree.chunks.iter().enumerate().map(chunk).collect(),
            ids: tree.ids.iter().enumerate().map(page).collect(),
            stock,
            tree,
            tree_object,
            deltas: Vec::new(),
            id_changes: Arc::default(),
        }
    }

    /// This state with one more delta on top.
    pub(crate) fn with_delta(&self, delta: Arc<Delta>) -> Result<Self, Error> {
        let mut next = self.share();
        if delta.last_lsn > self.tree.ids_lsn {
            let mut changes = Vec::clone(&self.id_changes);
            changes.extend(delta.id_changes()?);
            changes.sort_unstable();
            next.id_changes = Arc::new(changes);
        }
        for (kind, chunk, share) in delta.shares() {
            if kind == PartKind::Ids || self.folded_up_to(kind, chunk) >= delta.last_lsn {
                continue;
            }
            let chunk = next.chunk_mut(chunk);
            match kind {
                PartKind::Rows => chunk.rows = chunk.rows.with_share(share),
                PartKind::Out => chunk.out = chunk.out.with_share(share),
                PartKind::In | PartKind::Ids => chunk.into = chunk.into.with_share(share),
            }
        }
        next.deltas.push(delta);
        Ok(next)
    }

    /// Lets readers have it. Whoever may collect garbage meanwhile must be kept out until it is.
    pub(crate) fn publish(self) -> Arc<Self> {
        let in_use = self.stock.in_use.clone();
        let generation = Arc::new(self);
        let mut all = lock(&in_use.0);
        all.retain(|other| other.strong_count() > 0);
        all.push(Arc::downgrade(&generation));
        generation
    }

    /// A copy that shares everything, to be changed before anybody sees it.
    pub(crate) fn share(&self) -> Self {
        Self {
            stock: self.stock.clone(),
            tree: Arc::clone(&self.tree),
            tree_object: self.tree_object,
            deltas: self.deltas.clone(),
            chunks: self.chunks.clone(),
            ids: self.ids.clone(),
            id_changes: Arc::clone(&self.id_changes),
        }
    }

    /// The commit up to which a part's base object holds all changes.
    pub(crate) fn folded_up_to(&self, kind: PartKind, chunk: u32) -> u64 {
        let part = kind as usize - 1;
        let refs = self.tree.chunks.get(chunk as usize);
        refs.and_then(|refs| refs.get(part).copied().flatten()).map_or(0, |part| part.lsn)
    }

    fn chunk_mut(&mut self, nr: u32) -> &mut Chunk {
        while self.chunks.len() <= nr as usize {
            let chunk = self.chunks.len() as u32;
            let source = |kind| Source { kind, chunk, base: None, shares: Vec::new() };
            self.chunks.push(Arc::new(Chunk {
                rows: Slot::new(source(PartKind::Rows), &self.stock.cache),
                out: Slot::new(source(PartKind::Out), &self.stock.cache),
                into: Slot::new(source(PartKind::In), &self.stock.cache),
            }));
        }
        Arc::make_mut(&mut self.chunks[nr as usize])
    }

    /// Reads the rows of a vertex's chunk.
    pub(crate) fn with_rows<T>(
        &self,
        vid: Vid,
        read: impl FnOnce(&Rows, usize) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let Some(chunk) = self.chunks.get(chunk_of(vid) as usize) else { return Ok(None) };
        let rows = chunk.rows.get(&self.stock.chunks)?;
        Ok(rows.as_deref().and_then(|rows| read(rows, slot_of(vid))))
    }

    /// Reads the adjacency of a vertex's chunk.
    pub(crate) fn with_adjacency<T: Default>(
        &self,
        vid: Vid,
        direction: crate::Direction,
        read: impl FnOnce(&Adjacency, usize) -> T,
    ) -> Result<T, Error> {
        let Some(chunk) = self.chunks.get(chunk_of(vid) as usize) else { return Ok(T::default()) };
        let slot = match direction {
            crate::Direction::Out => &chunk.out,
            crate::Direction::In => &chunk.into,
        };
        let adjacency = slot.get(&self.stock.chunks)?;
        Ok(adjacency.as_deref().map(|adjacency| read(adjacency, slot_of(vid))).unwrap_or_default())
    }

    /// The vertex with an id. Changed ids come first: a vertex they removed is not there, even
    /// if the pages, which are older, still list it.
    pub(crate) fn find(&self, id: &str) -> Result<Option<Vid>, Error> {
        let hash = crate::part::ids::hash_id(id);
        let first = self.id_changes.partition_point(|change| change.hash < hash);
        let changes: Vec<_> = self.id_changes[first..].iter().take_while(|c| c.hash == hash).collect();
        let removed = |vid: Vid| changes.iter().any(|change| change.vid == vid && !change.present);
        for change in changes.iter().filter(|change| change.present && !removed(change.vid)) {
            if self.has_id(change.vid, id)? {
                return Ok(Some(change.vid));
            }
        }
        let Some(page) = self.ids.get(page_of(hash, self.tree.id_bits)) else { return Ok(None) };
        let page = page.get(&self.stock.chunks)?;
        for vid in page.as_deref().into_iter().flat_map(|page| page.find(hash)) {
            if !removed(vid) && self.has_id(vid, id)? {
                return Ok(Some(vid));
            }
        }
        Ok(None)
    }

    fn has_id(&self, vid: Vid, id: &str) -> Result<bool, Error> {
        let same = self.with_rows(vid, |rows, slot| Some(rows.id_bytes(slot) == Some(id.as_bytes())))?;
        Ok(same == Some(true))
    }

    /// The neighbours of a vertex over edges of one label or all, as the part lists them.
    pub(crate) fn neighbours(
        &self,
        vid: Vid,
        direction: crate::Direction,
        label: Option<LabelId>,
        visit: impl FnOnce(&[u32]),
    ) -> Result<(), Error> {
        self.with_adjacency(vid, direction, |adjacency, slot| {
            let positions = match label {
                Some(label) => adjacency.labelled(slot, label),
                None => adjacency.range(slot),
            };
            visit(adjacency.neighbours(positions));
        })
    }
}
