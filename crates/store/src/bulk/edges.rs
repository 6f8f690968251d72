//! Staged edges into adjacency: out-edges by source, which gives ranks; then in-edges by target.

use model::{Content, DecodeError, IdHash, LabelId, Props, Reader, RecordHash, Vid};
use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::stage::{Entry, NO_PROPS, Partition, Run, Stage};
use super::{BulkLoad, ParallelEdges};
use crate::error::{At, Error};
use crate::object::ObjectRef;
use crate::part::adjacency::{Adjacency, AdjacencyBuilder, Neighbour};
use crate::part::{CHUNK_SLOTS, PartKind, slot_of, vid_at};
use crate::state::Direction;

/// Chunks built at a time: bounds the in-edges that wait to be staged.
const GROUP: usize = 32;
/// In the label of a staged in-edge: it was removed.
const REMOVED: u32 = 1 << 31;

/// The adjacency parts of touched chunks.
#[derive(Debug, Default)]
pub(super) struct Built {
    pub(super) out: FxHashMap<u32, ObjectRef>,
    pub(super) into: FxHashMap<u32, ObjectRef>,
}

/// One chunk's out-edges, and what they mean for the other side.
struct OutChunk {
    part: ObjectRef,
    /// Target, source, label, rank.
    into: Vec<Entry>,
    content: Content,
    added: u64,
    dropped: u64,
}

/// An edge that competes for its place: there before, or new.
#[derive(Clone)]
struct Candidate {
    label: LabelId,
    /// `None` until a new edge gets one.
    rank: Option<u32>,
    props: Props,
}

/// Builds all adjacency that staged edges touch.
pub(super) fn build(load: &mut BulkLoad, hashes: &[IdHash]) -> Result<Built, Error> {
    let mut built = Built::default();
    let pool = load.graph.shared.pool.clone();
    let mut into = Stage::new(&pool, load.options.memory_bytes);
    let mut partitions = load.edges.take();
    while !partitions.is_empty() {
        let group: Vec<_> = partitions.drain(..GROUP.min(partitions.len())).collect();
        let nrs: Vec<u32> = group.iter().map(|(nr, _)| *nr).collect();
        let load_ref = &*load;
        let chunks = group.into_par_iter().map(|(nr, edges)| build_out(load_ref, hashes, nr, edges));
        for (nr, chunk) in nrs.into_iter().zip(chunks.collect::<Result<Vec<_>, _>>()?) {
            load.content.merge(&chunk.content);
            load.loaded.edges_added += chunk.added;
            load.loaded.edges_dropped += chunk.dropped;
            into.extend(&chunk.into)?;
            built.out.insert(nr, chunk.part);
        }
    }
    let load_ref = &*load;
    let parts = into.take().into_par_iter().map(|(nr, edges)| Ok((nr, build_in(load_ref, nr, edges)?)));
    built.into = parts.collect::<Result<_, Error>>()?;
    Ok(built)
}

fn build_out(load: &BulkLoad, hashes: &[IdHash], nr: u32, edges: Partition) -> Result<OutChunk, Error> {
    let pool = &load.graph.shared.pool;
    let runs = edges.into_runs()?;
    let (ends, order) = by_slot(&runs);
    let mut out = OutBuilder {
        load,
        hashes,
        adjacency: AdjacencyBuilder::default(),
        into: Vec::with_capacity(order.len()),
        content: Content::default(),
        added: 0,
        dropped: 0,
    };
    let old = load.base.generation.chunks.get(nr as usize);
    let old = old.map(|chunk| chunk.out.get(&pool.stock.chunks)).transpose()?;
    let old = old.as_ref().and_then(|guard| guard.as_deref());
    for slot in 0..CHUNK_SLOTS {
        let new = &order[ends[slot]..ends[slot + 1]];
        out.build_slot(vid_at(nr, slot), old.filter(|old| !old.range(slot).is_empty()), new, &runs)
            .at("staged edges")?;
    }
    let bytes = out.adjacency.finish(PartKind::Out).at("a chunk of edges")?;
    let part = pool.stock.chunks.put(bytes.as_slice())?;
    Ok(OutChunk { part, into: out.into, content: out.content, added: out.added, dropped: out.dropped })
}

/// Entries by slot of their first number, in the order they came: a counting sort.
fn by_slot(runs: &[Run]) -> (Vec<usize>, Vec<(u32, u32)>) {
    let mut ends = vec![0usize; CHUNK_SLOTS + 1];
    for entry in runs.iter().flat_map(|run| &run.entries) {
        ends[slot_of(Vid(entry[0])) + 1] += 1;
    }
    for slot in 0..CHUNK_SLOTS {
        ends[slot + 1] += ends[slot];
    }
    let mut next = ends.clone();
    let mut order = vec![(0u32, 0u32); ends[CHUNK_SLOTS]];
    for (run, entries) in runs.iter().enumerate() {
        for (nr, entry) in entries.entries.iter().enumerate() {
            let slot = slot_of(Vid(entry[0]));
            order[next[slot]] = (run as u32, nr as u32);
            next[slot] += 1;
        }
    }
    (ends, order)
}

struct OutBuilder<'a> {
    load: &'a BulkLoad,
    hashes: &'a [IdHash],
    adjacency: AdjacencyBuilder,
    into: Vec<Entry>,
    content: Content,
    added: u64,
    dropped: u64,
}

impl OutBuilder<'_> {
    /// All out-edges of one vertex: those that were there and the new ones, target by target.
    fn build_slot(
        &mut self,
        source: Vid,
        old: Option<&Adjacency>,
        new: &[(u32, u32)],
        runs: &[Run],
    ) -> Result<(), DecodeError> {
        let entry = |at: &(u32, u32)| &runs[at.0 as usize].entries[at.1 as usize];
        let mut new: Vec<&(u32, u32)> = new.iter().collect();
        new.sort_by_key(|at| entry(at)[1]);
        let mut kept: Vec<(Neighbour, Props)> = Vec::with_capacity(new.len());
        let mut touched: Vec<Vid> = Vec::new();
        for run in new.chunk_by(|a, b| entry(a)[1] == entry(b)[1]) {
            let target = Vid(entry(run[0])[1]);
            touched.push(target);
            let old = old.map(|old| old.between(slot_of(source), target));
            if run.len() == 1 && old.as_ref().is_none_or(Vec::is_empty) {
                let candidate = candidate(entry(run[0]), runs, run[0].0)?;
                self.keep(source, target, candidate, 0, &mut kept);
                continue;
            }
            let mut candidates = self.present(source, old.unwrap_or_default());
            for at in run {
                candidates.push(candidate(entry(at), runs, at.0)?);
            }
            self.settle(source, target, candidates, &mut kept);
        }
        if let Some(old) = old {
            for position in old.range(slot_of(source)) {
                let edge = old.edge(position);
                if touched.binary_search(&edge.other).is_err() {
                    kept.push((edge, old.props(position)));
                }
            }
        }
        kept.sort_unstable_by_key(|(edge, _)| *edge);
        kept.iter().for_each(|(edge, props)| self.adjacency.push(*edge, props));
        self.adjacency.end_slot()
    }

    /// Edges that are there, as candidates.
    fn present(&self, source: Vid, edges: Vec<Neighbour>) -> Vec<Candidate> {
        let mut edges = edges;
        edges.sort_unstable_by_key(|edge| edge.rank);
        let props = |edge: &Neighbour| {
            let key = crate::state::EdgeKey::seen(Direction::Out, source, *edge);
            self.load.base.edge_props(key).ok().flatten().unwrap_or_default()
        };
        let candidate =
            |edge: &Neighbour| Candidate { label: edge.label, rank: Some(edge.rank), props: props(edge) };
        edges.iter().map(candidate).collect()
    }

    /// Decides which of the edges between two vertices stay. Oldest first.
    fn settle(
        &mut self,
        source: Vid,
        target: Vid,
        candidates: Vec<Candidate>,
        kept: &mut Vec<(Neighbour, Props)>,
    ) {
        let mut next = candidates.iter().filter_map(|c| c.rank).max().map_or(0, |rank| rank + 1);
        let winners = winners(&candidates, self.load.options.parallel);
        for (nr, candidate) in candidates.into_iter().enumerate() {
            let wins = winners.as_ref().is_none_or(|winners| winners.contains(&nr));
            match (wins, candidate.rank) {
                (true, Some(rank)) => {
                    kept.push((Neighbour { label: candidate.label, other: target, rank }, candidate.props));
                }
                (true, None) => {
                    self.keep(source, target, candidate, next, kept);
                    next += 1;
                }
                (false, Some(rank)) => self.drop_present(source, target, &candidate, rank),
                (false, None) => self.dropped += 1,
            }
        }
    }

    fn keep(
        &mut self,
        source: Vid,
        target: Vid,
        candidate: Candidate,
        rank: u32,
        kept: &mut Vec<(Neighbour, Props)>,
    ) {
        let Candidate { label, props, .. } = candidate;
        self.content.add_edge(label, self.hash(source, target, label, &props));
        self.into.push([target.0, source.0, u32::from(label.0), rank]);
        self.added += 1;
        kept.push((Neighbour { label, other: target, rank }, props));
    }

    fn drop_present(&mut self, source: Vid, target: Vid, candidate: &Candidate, rank: u32) {
        let Candidate { label, props, .. } = candidate;
        self.content.remove_edge(*label, self.hash(source, target, *label, props));
        self.into.push([target.0, source.0, u32::from(label.0) | REMOVED, rank]);
        self.dropped += 1;
    }

    fn hash(&self, source: Vid, target: Vid, label: LabelId, props: &Props) -> RecordHash {
        let (source, target) = (self.hashes[source.index()], self.hashes[target.index()]);
        RecordHash::of_edge(source, target, label, props, &self.load.schema)
    }
}

fn candidate(entry: &Entry, runs: &[Run], run: u32) -> Result<Candidate, DecodeError> {
    let props = match entry[3] {
        NO_PROPS => Props::new(),
        at => Props::decode(&mut Reader::new(&runs[run as usize].props[at as usize..]))?,
    };
    Ok(Candidate { label: LabelId(entry[2] as u16), rank: None, props })
}

/// The candidates that stay, or `None` for all.
fn winners(candidates: &[Candidate], parallel: ParallelEdges) -> Option<Vec<usize>> {
    let (by_label, last) = match parallel {
        ParallelEdges::Allow => return None,
        ParallelEdges::Ignore { by_label } => (by_label, false),
        ParallelEdges::Override { by_label } => (by_label, true),
    };
    let mut winners: FxHashMap<Option<LabelId>, usize> = FxHashMap::default();
    for (nr, candidate) in candidates.iter().enumerate() {
        let winner = winners.entry(by_label.then_some(candidate.label)).or_insert(nr);
        if last {
            *winner = nr;
        }
    }
    Some(winners.into_values().collect())
}

/// The in-edges of one chunk: those that were there, less the removed, and the new ones.
fn build_in(load: &BulkLoad, nr: u32, edges: Partition) -> Result<ObjectRef, Error> {
    let pool = &load.graph.shared.pool;
    let runs = edges.into_runs()?;
    let (ends, order) = by_slot(&runs);
    let old = load.base.generation.chunks.get(nr as usize);
    let old = old.map(|chunk| chunk.into.get(&pool.stock.chunks)).transpose()?;
    let old = old.as_ref().and_then(|guard| guard.as_deref());
    let mut adjacency = AdjacencyBuilder::default();
    let nothing = Props::new();
    for slot in 0..CHUNK_SLOTS {
        let mut present: Vec<Neighbour> =
            old.map(|old| old.range(slot).map(|position| old.edge(position)).collect()).unwrap_or_default();
        let mut removed: Vec<Neighbour> = Vec::new();
        for (run, at) in &order[ends[slot]..ends[slot + 1]] {
            let [_, source, label, rank] = runs[*run as usize].entries[*at as usize];
            let edge = Neighbour { label: LabelId(label as u16), other: Vid(source), rank };
            if label & REMOVED == 0 { present.push(edge) } else { removed.push(edge) }
        }
        removed.sort_unstable();
        present.retain(|edge| removed.binary_search(edge).is_err());
        present.sort_unstable();
        present.iter().for_each(|edge| adjacency.push(*edge, &nothing));
        adjacency.end_slot().at("a chunk of edges")?;
    }
    let bytes = adjacency.finish(PartKind::In).at("a chunk of edges")?;
    pool.stock.chunks.put(bytes.as_slice())
}
