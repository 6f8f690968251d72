//! Compaction: where the shares of deltas outweigh a part, the part is written anew.
//!
//! # Promise
//! The same commits in another form. Random changes do not rewrite the graph: a part is written
//! only after shares of half its size have gathered on it.
//!
//! # Order
//! New parts, pages and tree (or a merged delta) are written and synced, then manifest n+1 names
//! them, then memory follows. Deltas that no part needs any more leave the manifest.
//!
//! # After a crash
//! Before the manifest the old one stands and the new objects are garbage.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Vid, Writer};

use crate::cache::{Slot, Source};
use crate::delta::{Delta, DeltaWriter, IdChange, ShareRef};
use crate::error::{At, Error};
use crate::fold::Folding;
use crate::generation::Generation;
use crate::graph::Graph;
use crate::object::Objects;
use crate::part::adjacency::{Neighbour, decode_edges, encode_edges};
use crate::part::ids::Ids;
use crate::part::rows::{decode_rows, encode_rows};
use crate::part::{Part, PartKind};
use crate::state::GraphState;
use crate::sync::{lock, read};
use crate::tree::{PartRef, Tree};

/// Parts written by one step, so that a step stays short.
const MAX_PARTS: usize = 64;
/// Entries of a page of ids.
const PAGE_IDS: usize = 1 << 13;

/// A part that is due, with the weight of its shares.
type Due = (u64, PartKind, u32);

impl Graph {
    /// Does one step of compaction. Returns whether there was anything to do.
    pub(super) fn compact(&self) -> Result<bool, Error> {
        let shared = &self.shared;
        let _kept = read(&shared.pool.sweeping);
        let mut folding = lock(&shared.folding);
        shared.check_open()?;
        if folding.frozen.is_some() || lock(&shared.folded).behind {
            return Ok(false);
        }
        let settings = &shared.pool.settings;
        let state = shared.published.load_full();
        let generation = &state.generation;
        let parts = due_parts(generation, settings.compact_min_bytes);
        let ids = generation.id_changes.len() > settings.compact_min_ids.max(id_count(generation)? / 4);
        let next = if !parts.is_empty() || ids {
            rewrite(generation, &parts, ids, folding.manifest.lsn)?
        } else if generation.deltas.len() > settings.max_deltas {
            merge_deltas(generation)?
        } else {
            return Ok(false);
        };
        self.publish_compaction(&mut folding, next)?;
        Ok(true)
    }

    /// Writes the manifest of the folded state in its new form. The state may have gone on in
    /// memory since; the manifest still speaks of the last fold.
    fn publish_compaction(&self, folding: &mut Folding, next: Generation) -> Result<(), Error> {
        let mut manifest = folding.manifest.clone();
        manifest.number += 1;
        manifest.tree = next.tree_object;
        manifest.deltas = next.deltas.iter().map(|delta| delta.object()).collect();
        self.shared.manifests.write(&manifest)?;
        let published = self.shared.publish_form(&manifest, next, false);
        folding.manifest = manifest;
        published
    }
}

fn due_parts(generation: &Generation, min_bytes: u64) -> Vec<Due> {
    let mut due: Vec<Due> = Vec::new();
    for chunk in &generation.chunks {
        for source in [chunk.rows.source(), chunk.out.source(), chunk.into.source()] {
            let weight: u64 = source.shares.iter().map(ShareRef::stored_bytes).sum();
            let base = source.base.map_or(0, |base| base.len);
            if weight > min_bytes.max(base / 2) {
                due.push((weight, source.kind, source.chunk));
            }
        }
    }
    due.sort_unstable_by(|a, b| b.cmp(a));
    due.truncate(MAX_PARTS);
    due
}

fn id_count(generation: &Generation) -> Result<usize, Error> {
    let bytes: u64 = generation.tree.ids.iter().map(|page| page.len).sum();
    usize::try_from(bytes / 12).map_err(|_| Error::corrupt("the tree", "more ids than memory"))
}

/// Writes parts, and on demand the pages of ids, in their present form.
fn rewrite(generation: &Generation, parts: &[Due], ids: bool, lsn: u64) -> Result<Generation, Error> {
    let objects = &generation.stock.chunks;
    let mut next = generation.share();
    let mut tree = Tree::clone(&generation.tree);
    tree.chunks.resize(generation.chunks.len(), [None; 3]);
    for (_, kind, nr) in parts {
        let chunk = Arc::make_mut(&mut next.chunks[*nr as usize]);
        let written = match kind {
            PartKind::Rows => write_down(&mut chunk.rows, objects, lsn)?,
            PartKind::Out => write_down(&mut chunk.out, objects, lsn)?,
            PartKind::In | PartKind::Ids => write_down(&mut chunk.into, objects, lsn)?,
        };
        tree.chunks[*nr as usize][*kind as usize - 1] = Some(written);
    }
    if ids {
        let entries = all_ids(generation)?;
        next.ids = write_ids(generation, entries, &mut tree)?;
        tree.ids_lsn = lsn;
        next.id_changes = Arc::default();
    }
    next.tree_object = Some(tree.write(objects)?);
    objects.sync()?;
    next.tree = Arc::new(tree);
    let needed = |delta: &Arc<Delta>| {
        delta.shares().any(|(kind, chunk, _)| match kind {
            PartKind::Ids => next.tree.ids_lsn < delta.last_lsn,
            kind => next.folded_up_to(kind, chunk) < delta.last_lsn,
        })
    };
    let deltas = next.deltas.iter().filter(|delta| needed(delta)).cloned().collect();
    next.deltas = deltas;
    Ok(next)
}

fn write_down<P: Part>(slot: &mut Arc<Slot<P>>, objects: &Objects, lsn: u64) -> Result<PartRef, Error> {
    let image = slot.get(objects)?;
    let bytes = image.as_deref().map(|image| image.as_bytes());
    let object = objects.put(bytes.unwrap_or_default())?;
    let source = Source { base: Some(object), shares: Vec::new(), ..slot.source().clone() };
    *slot = slot.moved_to(source);
    Ok(PartRef { object, lsn })
}

/// Every id of a generation, by hash.
pub(crate) fn all_ids(generation: &Generation) -> Result<Vec<(u64, Vid)>, Error> {
    let mut removed: Vec<(u64, Vid)> = Vec::new();
    let mut entries: Vec<(u64, Vid)> = Vec::new();
    for IdChange { hash, vid, present } in generation.id_changes.iter() {
        if *present { entries.push((*hash, *vid)) } else { removed.push((*hash, *vid)) }
    }
    for page in &generation.ids {
        let page = page.get(&generation.stock.chunks)?;
        entries.extend(page.as_deref().into_iter().flat_map(Ids::entries));
    }
    removed.sort_unstable();
    entries.retain(|entry| removed.binary_search(entry).is_err());
    Ok(entries)
}

/// Writes pages of ids and notes them in the tree.
pub(crate) fn write_ids(
    generation: &Generation,
    mut entries: Vec<(u64, Vid)>,
    tree: &mut Tree,
) -> Result<Vec<Arc<Slot<Ids>>>, Error> {
    use rayon::prelude::*;
    entries.par_sort_unstable();
    let bits = entries.len().div_ceil(PAGE_IDS).next_power_of_two().trailing_zeros();
    let objects = &generation.stock.chunks;
    let bounds: Vec<usize> = (0..=1u64 << bits)
        .map(|page| {
            entries.partition_point(|(hash, _)| crate::part::ids::page_of(*hash, bits) < page as usize)
        })
        .collect();
    let pages =
        bounds.par_windows(2).map(|pair| objects.put(Ids::build(&entries[pair[0]..pair[1]]).as_slice()));
    tree.ids = pages.collect::<Result<_, _>>()?;
    tree.id_bits = bits;
    let slot = |(nr, page): (usize, &crate::object::ObjectRef)| {
        let source = Source { kind: PartKind::Ids, chunk: nr as u32, base: Some(*page), shares: Vec::new() };
        Slot::new(source, &generation.stock.cache)
    };
    Ok(tree.ids.iter().enumerate().map(slot).collect())
}

/// All deltas as one. Later changes take the place of earlier ones.
fn merge_deltas(generation: &Generation) -> Result<Generation, Error> {
    let mut shares: BTreeMap<(PartKind, u32), Vec<ShareRef>> = BTreeMap::new();
    for delta in &generation.deltas {
        for (kind, chunk, share) in delta.shares() {
            let stale = kind != PartKind::Ids && generation.folded_up_to(kind, chunk) >= delta.last_lsn;
            if !stale {
                shares.entry((kind, chunk)).or_default().push(share);
            }
        }
    }
    let first = generation.deltas.first().map_or(0, |delta| delta.first_lsn);
    let last = generation.deltas.last().map_or(0, |delta| delta.last_lsn);
    let mut out = DeltaWriter::new(first, last);
    out.push_ids(generation.id_changes.to_vec());
    for ((kind, chunk), shares) in &shares {
        match kind {
            PartKind::Ids => {}
            PartKind::Rows => out.push(*kind, *chunk, &merge_rows(shares)?),
            PartKind::Out | PartKind::In => out.push(*kind, *chunk, &merge_edges(shares, *kind)?),
        }
    }
    let deltas = &generation.stock.deltas;
    let merged = Delta::open(deltas, out.write(deltas)?)?;
    deltas.sync()?;
    let mut next = generation.share();
    for (kind, chunk, share) in merged.shares() {
        if kind == PartKind::Ids {
            continue;
        }
        let chunk = Arc::make_mut(&mut next.chunks[chunk as usize]);
        match kind {
            PartKind::Rows => restock(&mut chunk.rows, share),
            PartKind::Out => restock(&mut chunk.out, share),
            PartKind::In | PartKind::Ids => restock(&mut chunk.into, share),
        }
    }
    next.deltas = vec![merged];
    Ok(next)
}

fn restock<P: Part>(slot: &mut Arc<Slot<P>>, share: ShareRef) {
    let source = Source { shares: vec![share], ..slot.source().clone() };
    *slot = slot.moved_to(source);
}

fn merge_rows(shares: &[ShareRef]) -> Result<Vec<u8>, Error> {
    let mut merged = BTreeMap::new();
    for share in shares {
        merged.extend(decode_rows(&share.read()?).at(&share.path())?);
    }
    let mut out = Writer::new();
    encode_rows(merged.iter().map(|(slot, row)| (*slot, row.as_ref())), &mut out);
    Ok(out.into_bytes())
}

fn merge_edges(shares: &[ShareRef], kind: PartKind) -> Result<Vec<u8>, Error> {
    let mut merged: BTreeMap<(usize, Neighbour), _> = BTreeMap::new();
    for share in shares {
        let changes = decode_edges(&share.read()?, kind).at(&share.path())?;
        merged.extend(changes.into_iter().map(|(slot, edge, props)| ((slot, edge), props)));
    }
    let mut out = Writer::new();
    encode_edges(merged.iter().map(|((slot, edge), props)| (*slot, *edge, props.as_ref())), kind, &mut out);
    Ok(out.into_bytes())
}

/// Whether a state is wholly folded, so that its generation alone is the graph.
pub(crate) fn is_folded(state: &GraphState) -> bool {
    state.live.is_empty() && state.frozen.is_none()
}
