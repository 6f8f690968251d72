//! Folding: what commits left in memory becomes a delta object on disk.
//!
//! # Promise
//! The folded state holds exactly the commits up to its number. Readers and writers go on.
//!
//! # Order
//! 1. Freeze: the live overlay becomes the frozen one and the log starts its next segment.
//! 2. The frozen overlay is written as a delta object, synced.
//! 3. Manifest n+1 names it, and where the log goes on.
//! 4. The new generation takes the frozen overlay's place in memory.
//! 5. The finished segments are sealed.
//!
//! # After a crash
//! Before 3 the old manifest stands, and recovery replays both segments; the delta is garbage.
//! After 3 recovery starts at the new segment; unsealed ones are sealed at the next fold.
//!
//! # After a failure
//! The frozen overlay stays where it is, readable, and the next fold takes it up again.

pub(crate) mod compact;

use std::sync::Arc;

use model::Writer;

use crate::delta::{self, Delta, DeltaWriter};
use crate::error::Error;
use crate::generation::Generation;
use crate::graph::{Folded, Graph, Mode};
use crate::log::LogStart;
use crate::manifest::Manifest;
use crate::overlay::{EdgePatch, IdChange, Overlay, Patch, RowPatch};
use crate::part::adjacency::{Neighbour, encode_edges};
use crate::part::ids::hash_id;
use crate::part::rows::encode_rows;
use crate::part::{PartKind, chunk_of, slot_of};
use crate::state::GraphState;
use crate::sync::{lock, read};

/// An overlay may grow to this many times its budget before writers must wait for a fold.
const BACKPRESSURE: usize = 4;

/// The newest manifest, and the state that is frozen and not folded yet.
#[derive(Debug)]
pub(crate) struct Folding {
    pub(crate) manifest: Manifest,
    pub(crate) frozen: Option<Arc<GraphState>>,
    pub(crate) last_us: i64,
}

impl Graph {
    /// Does one piece of background work that is due: a fold or a compaction. Returns whether
    /// it did any. To be called a few times a second.
    pub fn maintain(&self) -> Result<bool, Error> {
        if self.fold_is_due() {
            return self.fold();
        }
        self.compact()
    }

    fn fold_is_due(&self) -> bool {
        let settings = &self.shared.pool.settings;
        let state = self.shared.published.load();
        let idle_us = self.shared.pool.env.clock.now_us().saturating_sub(lock(&self.shared.folding).last_us);
        state.frozen.is_some()
            || lock(&self.shared.folded).behind
            || state.live.weight() > settings.fold_overlay_bytes
            || self.shared.log.segment_bytes() > settings.fold_log_bytes
            || (!state.live.is_empty() && idle_us > settings.fold_after_us)
    }

    /// Makes writers wait while folds cannot keep up with them.
    pub(crate) fn make_room(&self) -> Result<(), Error> {
        let limit = BACKPRESSURE * self.shared.pool.settings.fold_overlay_bytes;
        if self.shared.published.load().live.weight() > limit {
            self.fold()?;
        }
        Ok(())
    }

    /// Folds everything committed so far. Returns whether there was anything to fold.
    pub fn fold(&self) -> Result<bool, Error> {
        let _kept = read(&self.shared.pool.sweeping);
        self.fold_kept()
    }

    /// Folds; the caller keeps the garbage collector out.
    pub(crate) fn fold_kept(&self) -> Result<bool, Error> {
        let mut folding = lock(&self.shared.folding);
        self.shared.check_open()?;
        // What an earlier fold froze and could not write is not all there is.
        let retried = folding.frozen.is_some() && self.fold_once(&mut folding)?;
        Ok(self.fold_once(&mut folding)? || retried)
    }

    /// Folds what is frozen, or freezes and folds the present; the caller keeps the garbage
    /// collector out.
    pub(crate) fn fold_once(&self, folding: &mut Folding) -> Result<bool, Error> {
        let shared = &self.shared;
        let Some(state) = self.freeze(folding)? else { return Ok(false) };
        let generation = &state.generation;
        let frozen = state.frozen.clone().unwrap_or_default();
        let mut next = generation.share();
        if !frozen.is_empty() {
            let deltas = &generation.stock.deltas;
            let object = delta_of(&frozen, folding.manifest.lsn + 1, state.lsn).write(deltas)?;
            deltas.sync()?;
            next = next.with_delta(Delta::open(deltas, object)?)?;
        }
        let manifest = shared.next_manifest(&folding.manifest, &state, &next);
        shared.manifests.write(&manifest)?;
        let published = shared.publish_form(&manifest, next, true);
        folding.last_us = shared.pool.env.clock.now_us();
        folding.manifest = manifest;
        folding.frozen = None;
        published?;
        shared.log.timeline.seal_finished(Some(shared.log.segment_start()))?;
        Ok(true)
    }

    /// The state to fold: one that an earlier fold froze and could not write, else the present.
    fn freeze(&self, folding: &mut Folding) -> Result<Option<Arc<GraphState>>, Error> {
        if folding.frozen.is_none() {
            let shared = &self.shared;
            let nothing_new = |head: &GraphState| head.lsn == folding.manifest.lsn && head.live.is_empty();
            if nothing_new(&lock(&shared.writer).head) {
                return Ok(None);
            }
            // Before writers have to wait.
            let prepared = shared.log.prepare_roll()?;
            let mut writer = lock(&shared.writer);
            if writer.mode == Mode::Closed {
                return Ok(None);
            }
            shared.log.wait_durable(writer.head.lsn, &shared.published)?;
            shared.log.roll(writer.head.lsn + 1, prepared)?;
            shared.replace_form(&mut writer, |state| {
                state.frozen = Some(std::mem::take(&mut state.live));
            })?;
            folding.frozen = Some(Arc::clone(&writer.head));
        }
        Ok(folding.frozen.clone())
    }
}

impl crate::graph::GraphShared {
    /// The manifest of `state` in the form of `generation`.
    pub(crate) fn next_manifest(
        &self,
        before: &Manifest,
        state: &GraphState,
        generation: &Generation,
    ) -> Manifest {
        Manifest {
            number: before.number + 1,
            lsn: state.lsn,
            time_us: state.time_us,
            tree: generation.tree_object,
            deltas: generation.deltas.iter().map(|delta| delta.object()).collect(),
            replay: Vec::new(),
            log: LogStart { timeline: before.log.timeline.clone(), first_lsn: state.lsn + 1 },
            next_vid: state.next_vid,
            schema: model::Schema::clone(&state.schema),
            content: (&state.content).into(),
            ..before.clone()
        }
    }

    /// Puts a generation whose manifest is written in the place of the old one, and with `folded`
    /// in that of the frozen overlay.
    pub(crate) fn publish_form(
        &self,
        manifest: &Manifest,
        generation: Generation,
        folded: bool,
    ) -> Result<(), Error> {
        let delta_bytes = generation.deltas.iter().map(|delta| delta.stored_bytes()).sum();
        let generation = generation.publish();
        let mut writer = lock(&self.writer);
        let timeline = manifest.log.timeline.clone();
        // First, and even if the log has failed: the manifest before may be collected now, so no
        // pin may name it any more.
        *lock(&self.folded) = Folded { manifest: manifest.number, timeline, delta_bytes, behind: false };
        self.replace_form(&mut writer, |state| {
            state.generation = generation;
            if folded {
                state.frozen = None;
            }
        })
    }
}

/// An overlay as a delta, chunk by chunk.
pub(crate) fn delta_of(overlay: &Overlay, first_lsn: u64, last_lsn: u64) -> DeltaWriter {
    let mut out = DeltaWriter::new(first_lsn, last_lsn);
    let whole = overlay.whole();
    let patches = whole.sorted();
    for chunk in patches.chunk_by(|(a, _), (b, _)| chunk_of(*a) == chunk_of(*b)) {
        let nr = chunk_of(chunk[0].0);
        push_rows(&mut out, nr, chunk, last_lsn);
        push_edges(&mut out, nr, PartKind::Out, chunk, |patch| patch.out.iter(last_lsn));
        push_edges(&mut out, nr, PartKind::In, chunk, |patch| patch.into.iter(last_lsn));
    }
    out.push_ids(whole.ids().flat_map(|(id, changes)| id_changes(id, changes)).collect());
    out
}

fn push_rows(out: &mut DeltaWriter, chunk: u32, patches: &[(model::Vid, &Patch)], lsn: u64) {
    let rows: Vec<_> = patches
        .iter()
        .filter_map(|(vid, patch)| match patch.row(lsn)? {
            RowPatch::Put(row) => Some((slot_of(*vid), Some(&**row))),
            RowPatch::Removed => Some((slot_of(*vid), None)),
        })
        .collect();
    if !rows.is_empty() {
        let mut share = Writer::new();
        encode_rows(rows.into_iter(), &mut share);
        out.push(PartKind::Rows, chunk, share.as_slice());
    }
}

fn push_edges<'a, E>(
    out: &mut DeltaWriter,
    chunk: u32,
    kind: PartKind,
    patches: &[(model::Vid, &'a Patch)],
    side: impl Fn(&'a Patch) -> E,
) where
    E: Iterator<Item = (Neighbour, &'a EdgePatch)>,
{
    let mut edges: Vec<(usize, Neighbour, _)> = Vec::new();
    for (vid, patch) in patches {
        edges.extend(side(patch).map(|(edge, props)| (slot_of(*vid), edge, props.as_deref())));
    }
    if !edges.is_empty() {
        let mut share = Writer::new();
        encode_edges(edges.into_iter(), kind, &mut share);
        out.push(kind, chunk, share.as_slice());
    }
}

/// What the pages of ids must learn: who has the id, and every vertex that lost it, even if
/// another got it since: its number must leave the index.
fn id_changes(id: &str, changes: &[IdChange]) -> Vec<delta::IdChange> {
    let hash = hash_id(id);
    let removed = changes.iter().filter(|change| !change.present);
    let holder = changes.last().filter(|change| change.present);
    removed
        .chain(holder)
        .map(|change| delta::IdChange { hash, vid: change.vid, present: change.present })
        .collect()
}
