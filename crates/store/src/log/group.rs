//! Group commit: writers queue their records; one of them syncs for all that are waiting, while
//! the next ones queue behind it. No thread of its own, so one writer pays no hand-over.

use std::sync::{Arc, Condvar, Mutex};

use arc_swap::ArcSwap;

use crate::error::Error;
use crate::log::segment::Framer;
use crate::log::timeline::{ActiveSegment, Prepared, Timeline};
use crate::state::GraphState;
use crate::sync::{lock, wait};

/// The writing end of a timeline.
pub(crate) struct Log {
    pub(crate) timeline: Timeline,
    queue: Mutex<Queue>,
    synced: Condvar,
    active: Mutex<ActiveSegment>,
}

struct Queue {
    framer: Framer,
    /// Framed records that no sync has taken yet, and the state after the last of them.
    bytes: Vec<u8>,
    newest: Option<Arc<GraphState>>,
    durable_lsn: u64,
    syncing: bool,
    failure: Option<String>,
    /// Bytes of the active segment, queued ones included.
    segment_bytes: u64,
}

impl Log {
    pub(crate) fn new(timeline: Timeline, active: ActiveSegment, framer: Framer, durable_lsn: u64) -> Self {
        let queue = Queue {
            framer,
            bytes: Vec::new(),
            newest: None,
            durable_lsn,
            syncing: false,
            failure: None,
            segment_bytes: active.len,
        };
        Self { timeline, queue: Mutex::new(queue), synced: Condvar::new(), active: Mutex::new(active) }
    }

    /// Queues records, the last of which is `lsn`, and the state after it. The caller holds the
    /// writer, so records queue in order. If the log has failed, `state` is not called.
    pub(crate) fn append(
        &self,
        payloads: &[Vec<u8>],
        lsn: u64,
        state: impl FnOnce() -> Arc<GraphState>,
    ) -> Result<(), Error> {
        if payloads.is_empty() {
            return Ok(());
        }
        let mut queue = lock(&self.queue);
        check(&queue)?;
        let Queue { framer, bytes, .. } = &mut *queue;
        let before = bytes.len();
        payloads.iter().for_each(|payload| framer.frame(payload, bytes));
        queue.segment_bytes += (queue.bytes.len() - before) as u64;
        let state = state();
        debug_assert_eq!(state.lsn, lsn);
        queue.newest = Some(state);
        Ok(())
    }

    /// Returns when the record is durable and its state published.
    pub(crate) fn wait_durable(&self, lsn: u64, published: &ArcSwap<GraphState>) -> Result<(), Error> {
        let mut queue = lock(&self.queue);
        loop {
            if queue.durable_lsn >= lsn {
                return Ok(());
            }
            check(&queue)?;
            if queue.syncing {
                queue = wait(&self.synced, queue);
                continue;
            }
            queue.syncing = true;
            let bytes = std::mem::take(&mut queue.bytes);
            let newest = queue.newest.take();
            drop(queue);
            let written = lock(&self.active).append(&bytes);
            queue = lock(&self.queue);
            queue.syncing = false;
            match written {
                Err(error) => queue.failure = Some(error.to_string()),
                Ok(()) => {
                    if let Some(state) = newest {
                        queue.durable_lsn = state.lsn;
                        published.store(state);
                    }
                }
            }
            self.synced.notify_all();
        }
    }

    /// Gets the next segment ready, as long as the present one is by now.
    pub(crate) fn prepare_roll(&self) -> Result<Prepared, Error> {
        self.timeline.prepare(self.segment_bytes())
    }

    /// Starts the next segment at `first_lsn`. The caller holds the writer and has waited until
    /// everything queued is durable.
    pub(crate) fn roll(&self, first_lsn: u64, prepared: Prepared) -> Result<(), Error> {
        let mut queue = lock(&self.queue);
        check(&queue)?;
        let mut active = lock(&self.active);
        if active.first_lsn == first_lsn {
            self.timeline.discard(prepared);
            return Ok(());
        }
        let (next, framer) = self.timeline.start(prepared, first_lsn, active.hash())?;
        queue.framer = framer;
        queue.segment_bytes = next.len;
        *active = next;
        Ok(())
    }

    /// The first record of the active segment.
    pub(crate) fn segment_start(&self) -> u64 {
        lock(&self.active).first_lsn
    }

    /// How long the active segment is, in bytes.
    pub(crate) fn segment_bytes(&self) -> u64 {
        lock(&self.queue).segment_bytes
    }

    /// Why the log takes no more records.
    pub(crate) fn failure(&self) -> Option<String> {
        lock(&self.queue).failure.clone()
    }
}

fn check(queue: &Queue) -> Result<(), Error> {
    match &queue.failure {
        Some(reason) => Err(Error::LogFailed { reason: reason.clone() }),
        None => Ok(()),
    }
}
