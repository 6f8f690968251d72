//! One state of a graph: a generation on disk, at most one frozen overlay that is being folded,
//! and the live overlay. Cloning it is a few pointer copies.

use std::sync::Arc;

use model::{Content, LabelId, Props, Schema, VertexRecord, Vid};

use crate::error::Error;
use crate::generation::Generation;
use crate::object::ObjectRef;
use crate::overlay::{EdgePatch, EdgePatches, Overlay, Patch, RowPatch};
use crate::part::adjacency::Neighbour;
use crate::part::{CHUNK_BITS, CHUNK_SLOTS, vid_at};

/// Along or against the direction of edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From source to target.
    Out,
    /// From target to source.
    In,
}

/// An edge: its ends, its label, and the rank that tells it apart from other edges between the
/// same ends, whatever their label. GES calls the rank `index`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EdgeKey {
    /// Where it starts.
    pub source: Vid,
    /// Where it ends.
    pub target: Vid,
    /// Its label.
    pub label: LabelId,
    /// Unique among the edges from `source` to `target`.
    pub rank: u32,
}

/// What a graph holds at one commit. Readers get it as a [`crate::Snapshot`] or inside a
/// [`crate::Transaction`]; it never changes under them.
#[derive(Debug, Clone)]
pub struct GraphState {
    pub(crate) lsn: u64,
    /// The commit up to which the overlays are read: `lsn`, and one more inside the transaction
    /// that makes it.
    pub(crate) seen: u64,
    pub(crate) time_us: i64,
    pub(crate) schema: Arc<Schema>,
    pub(crate) content: Content,
    pub(crate) next_vid: u32,
    pub(crate) generation: Arc<Generation>,
    pub(crate) frozen: Option<Arc<Overlay>>,
    pub(crate) live: Arc<Overlay>,
}

impl EdgeKey {
    pub(crate) fn seen(direction: Direction, vid: Vid, edge: Neighbour) -> Self {
        let (source, target) = match direction {
            Direction::Out => (vid, edge.other),
            Direction::In => (edge.other, vid),
        };
        Self { source, target, label: edge.label, rank: edge.rank }
    }

    pub(crate) fn out(self) -> Neighbour {
        Neighbour { label: self.label, other: self.target, rank: self.rank }
    }
}

impl Patch {
    fn edges(&self, direction: Direction) -> &EdgePatches {
        match direction {
            Direction::Out => &self.out,
            Direction::In => &self.into,
        }
    }
}

impl GraphState {
    /// A graph without anything in it.
    pub(crate) fn empty(generation: Arc<Generation>, schema: Schema) -> Self {
        Self {
            lsn: 0,
            seen: 0,
            time_us: 0,
            schema: Arc::new(schema),
            content: Content::default(),
            next_vid: 0,
            generation,
            frozen: None,
            live: Arc::default(),
        }
    }

    /// The number of the last commit it holds.
    pub fn lsn(&self) -> u64 {
        self.lsn
    }

    /// When that commit was made, in microseconds since 1970 UTC.
    pub fn time_us(&self) -> i64 {
        self.time_us
    }

    /// Labels and property keys.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Counts and content root.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// The overlays, oldest first.
    fn overlays(&self) -> impl DoubleEndedIterator<Item = &Overlay> {
        self.frozen.iter().chain([&self.live]).map(|overlay| &**overlay)
    }

    fn row_patch(&self, vid: Vid) -> Option<RowPatch> {
        self.overlays().rev().find_map(|overlay| overlay.patch(vid, |patch| patch.row(self.seen).cloned())?)
    }

    /// The vertex with an id.
    pub fn vertex_by_id(&self, id: &str) -> Result<Option<Vid>, Error> {
        match self.overlays().rev().find_map(|overlay| overlay.id(id, self.seen)) {
            Some(holder) => Ok(holder),
            None => self.generation.find(id),
        }
    }

    /// A vertex with labels and properties; `None` if there is none of that number.
    pub fn vertex(&self, vid: Vid) -> Result<Option<VertexRecord>, Error> {
        match self.row_patch(vid) {
            Some(RowPatch::Put(row)) => Ok(Some(VertexRecord::clone(&row))),
            Some(RowPatch::Removed) => Ok(None),
            None => self.generation.with_rows(vid, |rows, slot| rows.get(slot)),
        }
    }

    /// A vertex's id.
    pub fn vertex_id(&self, vid: Vid) -> Result<Option<Box<str>>, Error> {
        match self.row_patch(vid) {
            Some(RowPatch::Put(row)) => Ok(Some(row.id.clone())),
            Some(RowPatch::Removed) => Ok(None),
            None => self.generation.with_rows(vid, |rows, slot| rows.id(slot).map(Box::from)),
        }
    }

    /// Whether there is a vertex of that number.
    pub fn has_vertex(&self, vid: Vid) -> Result<bool, Error> {
        match self.row_patch(vid) {
            Some(patch) => Ok(matches!(patch, RowPatch::Put(_))),
            None => Ok(self.generation.with_rows(vid, |rows, slot| rows.id(slot).map(|_| ()))?.is_some()),
        }
    }

    /// The edges of a vertex in one direction, of one label or all, sorted by label, other end
    /// and rank.
    pub fn edges(
        &self,
        vid: Vid,
        direction: Direction,
        label: Option<LabelId>,
    ) -> Result<Vec<EdgeKey>, Error> {
        let mut edges = self.generation.with_adjacency(vid, direction, |adjacency, slot| {
            let positions = match label {
                Some(label) => adjacency.labelled(slot, label),
                None => adjacency.range(slot),
            };
            positions.map(|position| adjacency.edge(position)).collect::<Vec<_>>()
        })?;
        let wanted = |edge: &Neighbour| label.is_none_or(|label| label == edge.label);
        for overlay in self.overlays() {
            let merged = overlay.patch(vid, |patch| {
                let changes = patch.edges(direction);
                let changes = (!changes.is_empty()).then(|| changes.iter(self.seen))?;
                Some(merge(&edges, changes.filter(|(edge, _)| wanted(edge))))
            });
            edges = merged.flatten().unwrap_or(edges);
        }
        Ok(edges.into_iter().map(|edge| EdgeKey::seen(direction, vid, edge)).collect())
    }

    /// Calls `visit` with the neighbours of a vertex, as slices of their numbers. The fast way
    /// to walk: no copies unless the vertex has changed since the last fold.
    pub fn neighbours(
        &self,
        vid: Vid,
        direction: Direction,
        label: Option<LabelId>,
        visit: impl FnOnce(&[u32]),
    ) -> Result<(), Error> {
        let changed = |overlay: &Overlay| overlay.patch(vid, |patch| !patch.edges(direction).is_empty());
        if !self.overlays().any(|overlay| changed(overlay) == Some(true)) {
            return self.generation.neighbours(vid, direction, label, visit);
        }
        let edges = self.edges(vid, direction, label)?;
        let other = |edge: &EdgeKey| match direction {
            Direction::Out => edge.target.0,
            Direction::In => edge.source.0,
        };
        visit(&edges.iter().map(other).collect::<Vec<_>>());
        Ok(())
    }

    /// All edges from one vertex to another, by rank.
    pub fn edges_between(&self, source: Vid, target: Vid) -> Result<Vec<EdgeKey>, Error> {
        let mut edges = self
            .generation
            .with_adjacency(source, Direction::Out, |adjacency, slot| adjacency.between(slot, target))?;
        for overlay in self.overlays() {
            let merged = overlay.patch(source, |patch| {
                let changes = patch.out.between(target, self.seen);
                (!changes.is_empty()).then(|| merge(&edges, changes.into_iter()))
            });
            edges = merged.flatten().unwrap_or(edges);
        }
        edges.sort_unstable_by_key(|edge| edge.rank);
        Ok(edges.into_iter().map(|edge| EdgeKey::seen(Direction::Out, source, edge)).collect())
    }

    /// The properties of an edge; `None` if there is no such edge.
    pub fn edge_props(&self, edge: EdgeKey) -> Result<Option<Props>, Error> {
        let out = edge.out();
        let patched = |overlay: &Overlay| {
            overlay.patch(edge.source, |patch| patch.out.get(&out, self.seen).map(|p| p.as_deref().cloned()))
        };
        if let Some(patch) = self.overlays().rev().find_map(|overlay| patched(overlay)?) {
            return Ok(patch);
        }
        self.generation.with_adjacency(edge.source, Direction::Out, |adjacency, slot| {
            adjacency.find(slot, &out).map(|position| adjacency.props(position))
        })
    }

    /// How many ranges of vertices there are to scan.
    pub fn chunks(&self) -> u32 {
        self.next_vid.div_ceil(CHUNK_SLOTS as u32)
    }

    /// The vertices of one range, by number.
    pub fn chunk_vertices(&self, chunk: u32) -> Result<Vec<(Vid, VertexRecord)>, Error> {
        let mut vertices = Vec::new();
        for vid in self.chunk_vids(chunk) {
            if let Some(vertex) = self.vertex(vid)? {
                vertices.push((vid, vertex));
            }
        }
        Ok(vertices)
    }

    /// The edges that start in one range, by source, target and rank, with their properties.
    pub fn chunk_edges(&self, chunk: u32) -> Result<Vec<(EdgeKey, Props)>, Error> {
        let mut edges = Vec::new();
        for vid in self.chunk_vids(chunk) {
            let mut keys = self.edges(vid, Direction::Out, None)?;
            keys.sort_unstable_by_key(|edge| (edge.target, edge.rank));
            for key in keys {
                edges.push((key, self.edge_props(key)?.unwrap_or_default()));
            }
        }
        Ok(edges)
    }

    fn chunk_vids(&self, chunk: u32) -> impl Iterator<Item = Vid> + use<> {
        let end = self.next_vid.saturating_sub(chunk << CHUNK_BITS).min(CHUNK_SLOTS as u32);
        (0..end as usize).map(move |slot| vid_at(chunk, slot))
    }
}

/// Edges with changes applied, both in order.
fn merge<'a>(
    edges: &[Neighbour],
    changes: impl Iterator<Item = (Neighbour, &'a EdgePatch)>,
) -> Vec<Neighbour> {
    let mut merged = Vec::with_capacity(edges.len() + 8);
    let mut rest = edges;
    for (edge, patch) in changes {
        let before = rest.partition_point(|e| *e < edge);
        merged.extend_from_slice(&rest[..before]);
        rest = &rest[before..];
        if rest.first() == Some(&edge) {
            rest = &rest[1..];
        }
        if patch.is_some() {
            merged.push(edge);
        }
    }
    merged.extend_from_slice(rest);
    merged
}

/// The changes that commits and their replay make, as part of commit `seen`. Both go through
/// here, so that a recovered state cannot differ from the one that was lost.
impl GraphState {
    pub(crate) fn put_row(&mut self, vid: Vid, row: VertexRecord, fresh: bool) {
        self.next_vid = self.next_vid.max(vid.0.saturating_add(1));
        self.live.put_row(vid, Arc::new(row), fresh, self.seen);
    }

    pub(crate) fn remove_row(&mut self, vid: Vid, id: &str) {
        self.live.remove_row(vid, id, self.seen);
    }

    pub(crate) fn set_edge(&mut self, edge: EdgeKey, props: Option<Props>) {
        self.live.set_edge(edge.source, edge.out(), props.map(Arc::new), self.seen);
    }

    /// Replaces everything by a tree that holds the state after commit `lsn`.
    pub(crate) fn set_tree(&mut self, object: ObjectRef) -> Result<(), Error> {
        let generation = Generation::open(self.generation.stock.clone(), Some(object), &[])?;
        self.next_vid = generation.tree.next_vid;
        self.generation = generation.publish();
        self.frozen = None;
        self.live = Arc::default();
        Ok(())
    }
}
