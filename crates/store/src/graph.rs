//! One open graph: its one writer, its log, and what is folded.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use arc_swap::ArcSwap;
use model::Content;

use crate::bulk::{BulkLoad, BulkOptions};
use crate::commit::Waiting;
use crate::error::Error;
use crate::fold::Folding;
use crate::log::group::Log;
use crate::manifest::Manifests;
use crate::pin::{Pin, PinRequest, Pins};
use crate::pool::PoolShared;
use crate::state::GraphState;
use crate::sync::{lock, read};

/// One open graph. Clones are the same graph.
#[derive(Clone)]
pub struct Graph {
    pub(crate) shared: Arc<GraphShared>,
}

pub(crate) struct GraphShared {
    pub(crate) pool: Arc<PoolShared>,
    pub(crate) id: String,
    pub(crate) published: ArcSwap<GraphState>,
    pub(crate) writer: Mutex<Writer>,
    pub(crate) waiting: Waiting,
    pub(crate) log: Log,
    pub(crate) manifests: Manifests,
    pub(crate) pins: Pins,
    /// The newest manifest. Its lock is held by whoever folds or compacts.
    pub(crate) folding: Mutex<Folding>,
    /// The newest manifest's number and timeline, and the bytes of its deltas, for pins, which
    /// must not wait for a fold. Taken after `writer`, never before.
    pub(crate) folded: Mutex<Folded>,
    /// Set once, when the graph is closed.
    pub(crate) closed: AtomicBool,
}

/// What a pin needs to know of the newest manifest.
#[derive(Debug, Clone)]
pub(crate) struct Folded {
    pub(crate) manifest: u64,
    pub(crate) timeline: String,
    pub(crate) delta_bytes: u64,
    /// The log names a tree, of a bulk load, that the manifest does not know yet. A pin of such
    /// a state would not keep the tree.
    pub(crate) behind: bool,
}

/// The writing end of a graph.
pub(crate) struct Writer {
    /// The newest state; its last commits may not be durable yet, so nobody else sees it.
    pub(crate) head: Arc<GraphState>,
    pub(crate) mode: Mode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Open,
    Loading,
    Closed,
}

/// How a graph fares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// Why it takes no more writes, if it does not.
    pub log_failed: Option<String>,
    /// Bytes of log that recovery would replay.
    pub log_bytes: u64,
    /// Bytes of commits that are not folded yet, in memory.
    pub overlay_bytes: u64,
    /// Deltas on top of the base.
    pub deltas: u64,
}

/// A state of a graph that never changes; valid as long as somebody holds it.
#[derive(Debug, Clone)]
pub struct Snapshot(pub(crate) Arc<GraphState>);

impl Deref for Snapshot {
    type Target = GraphState;

    fn deref(&self) -> &GraphState {
        &self.0
    }
}

impl Graph {
    /// The graph's id.
    pub fn id(&self) -> &str {
        &self.shared.id
    }

    /// The newest durable state. Costs two pointer copies.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.shared.published.load_full())
    }

    /// Keeps the newest durable state: one small file. Writers do not wait for it, nor it for
    /// them or for a fold.
    pub fn add_pin(&self, request: PinRequest) -> Result<Pin, Error> {
        crate::pool::check_name(&request.id)?;
        let _kept = read(&self.shared.pool.sweeping);
        self.shared.check_open()?;
        let (folded, state) = self.place()?;
        let bytes = folded.delta_bytes + self.shared.log.segment_bytes();
        let now_us = self.shared.pool.env.clock.now_us();
        let mut pin = Pin::of(&state, request, &self.shared.id, (folded.manifest, &folded.timeline), bytes);
        pin.time_us = now_us;
        self.shared.pins.write(&pin)?;
        Ok(pin)
    }

    /// The newest durable state and a manifest that it starts from.
    fn place(&self) -> Result<(Folded, Arc<GraphState>), Error> {
        loop {
            // Together: a load says here that the manifest is behind before its state appears.
            let folded = lock(&self.shared.folded);
            if !folded.behind {
                return Ok((folded.clone(), self.shared.published.load_full()));
            }
            drop(folded);
            self.fold_kept()?;
        }
    }

    /// Starts a bulk load. Until it is committed or dropped, other writes fail; reads go on.
    pub fn bulk_load(&self, options: BulkOptions) -> Result<BulkLoad, Error> {
        BulkLoad::start(self, options)
    }

    /// Removes all vertices and edges, and on demand all labels.
    pub fn clear(&self, clear_schema: bool) -> Result<(), Error> {
        let load = self.bulk_load(BulkOptions::default())?;
        load.commit_empty(clear_schema)
    }

    /// How the graph fares.
    pub fn health(&self) -> Health {
        let state = self.shared.published.load();
        let frozen = state.frozen.as_ref().map_or(0, |overlay| overlay.weight());
        Health {
            log_failed: self.shared.log.failure(),
            log_bytes: self.shared.log.segment_bytes(),
            overlay_bytes: (state.live.weight() + frozen) as u64,
            deltas: state.generation.deltas.len() as u64,
        }
    }

    /// Closes the graph: waits for commits, seals the log. Later calls fail.
    pub fn close(&self) -> Result<(), Error> {
        let _folding = lock(&self.shared.folding);
        let mut writer = lock(&self.shared.writer);
        if writer.mode == Mode::Closed {
            return Ok(());
        }
        writer.mode = Mode::Closed;
        self.shared.closed.store(true, Ordering::Release);
        let drained = self.shared.log.wait_durable(writer.head.lsn, &self.shared.published);
        let prepared = drained.and_then(|()| self.shared.log.timeline.prepare(0));
        let rolled = prepared.and_then(|prepared| self.shared.log.roll(writer.head.lsn + 1, prepared));
        let start = self.shared.log.segment_start();
        let sealed = rolled.and_then(|()| self.shared.log.timeline.seal_finished(Some(start)));
        self.shared.pool.forget(&self.shared.id);
        sealed
    }
}

impl GraphShared {
    /// The writer, if the graph is in `mode`.
    pub(crate) fn writer_in(&self, mode: Mode) -> Result<MutexGuard<'_, Writer>, Error> {
        let writer = lock(&self.writer);
        self.check_mode(writer.mode, mode)?;
        Ok(writer)
    }

    pub(crate) fn check_mode(&self, present: Mode, wanted: Mode) -> Result<(), Error> {
        let graph = || self.id.clone();
        match present {
            present if present == wanted => Ok(()),
            Mode::Loading => Err(Error::GraphLoading { graph: graph() }),
            Mode::Open | Mode::Closed => Err(Error::GraphClosed { graph: graph() }),
        }
    }

    pub(crate) fn check_open(&self) -> Result<(), Error> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::GraphClosed { graph: self.id.clone() });
        }
        Ok(())
    }

    /// Waits until everything is durable, then replaces the state by one that holds the same
    /// graph in another form. The caller keeps writers out by holding `writer`.
    pub(crate) fn replace_form(
        &self,
        writer: &mut Writer,
        change: impl FnOnce(&mut GraphState),
    ) -> Result<(), Error> {
        self.log.wait_durable(writer.head.lsn, &self.published)?;
        let mut state = GraphState::clone(&writer.head);
        change(&mut state);
        let state = Arc::new(state);
        self.published.store(Arc::clone(&state));
        writer.head = state;
        Ok(())
    }
}

impl Snapshot {
    /// Counts and sums the graph anew, from its data. The result equals [`GraphState::content`],
    /// or the graph is damaged: this is the proof.
    pub fn recount(&self) -> Result<Content, Error> {
        crate::recount::recount(&self.0)
    }
}

impl std::fmt::Debug for Graph {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Graph").field("id", &self.shared.id).finish_non_exhaustive()
    }
}
