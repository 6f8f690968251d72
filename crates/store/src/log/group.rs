//! Group commit: writers queue their records; one of them syncs for all that are waiting and
//! answers them, while the next ones queue behind it. No thread of its own, so one writer pays no
//! hand-over.
//!
//! # Order
//! Records are queued under the writer's lock, so the queue is in the order of commits. A round
//! takes the whole queue, writes and syncs it, publishes the newest state in it, hands the next
//! round on, and answers. There is one round at a time: a write begins when the one before it is
//! durable, as the log's frames say (`segment.rs`).
//!
//! # Invariant
//! Whoever queues first after a round took the queue runs the next one, and is not answered
//! before: answers are queued only where somebody runs the round that takes them, so nobody waits
//! for ever.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use arc_swap::ArcSwap;

use crate::error::Error;
use crate::log::segment::Framer;
use crate::log::timeline::{ActiveSegment, Prepared, Timeline};
use crate::state::GraphState;
use crate::sync::{lock, wait};

/// Answers a writer: everything it did or saw is durable, or the reason why it never will be.
pub(crate) type Answer = Box<dyn FnOnce(Result<(), String>) + Send>;

/// Somebody who can be told to run the next round.
pub(crate) trait Turn: Send + Sync {
    fn your_turn(&self);
}

/// What somebody who queued must do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Run a round.
    Sync,
    /// Wait for the answer, or for the turn.
    Wait,
}

/// What transactions have made: records, the state after the last of them, and their answers.
pub(crate) struct Queued<'a> {
    pub(crate) payloads: &'a [Vec<u8>],
    pub(crate) state: &'a Arc<GraphState>,
    pub(crate) answers: Vec<Answer>,
}

/// The writing end of a timeline.
pub(crate) struct Log {
    pub(crate) timeline: Timeline,
    queue: Mutex<Queue>,
    /// A round is over.
    over: Condvar,
    active: Mutex<ActiveSegment>,
}

struct Queue {
    framer: Framer,
    /// Framed records that no round has taken yet, and the state after the last of them.
    bytes: Vec<u8>,
    newest: Option<Arc<GraphState>>,
    answers: Vec<Answer>,
    durable_lsn: u64,
    /// A round runs.
    syncing: bool,
    successor: Option<Arc<dyn Turn>>,
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
            answers: Vec::new(),
            durable_lsn,
            syncing: false,
            successor: None,
            failure: None,
            segment_bytes: active.len,
        };
        Self { timeline, queue: Mutex::new(queue), over: Condvar::new(), active: Mutex::new(active) }
    }

    /// Queues records and answers; `turn` is told if it must run a round. The caller holds the
    /// writer, so records queue in order. If the log has failed, gives the answers back.
    pub(crate) fn queue(
        &self,
        queued: Queued<'_>,
        turn: Arc<dyn Turn>,
    ) -> Result<Next, (String, Vec<Answer>)> {
        let mut queue = lock(&self.queue);
        if let Some(reason) = &queue.failure {
            return Err((reason.clone(), queued.answers));
        }
        queue.push(queued.payloads, queued.state);
        queue.answers.extend(queued.answers);
        if queue.syncing {
            queue.successor.get_or_insert(turn);
            return Ok(Next::Wait);
        }
        queue.syncing = true;
        Ok(Next::Sync)
    }

    /// Queues one record that its writer waits for with [`Log::wait_durable`].
    pub(crate) fn append(&self, payload: Vec<u8>, state: &Arc<GraphState>) -> Result<(), Error> {
        let mut queue = lock(&self.queue);
        check(&queue)?;
        queue.push(&[payload], state);
        Ok(())
    }

    /// Runs a round. To be called by whom [`Log::queue`] or a [`Turn`] told to.
    pub(crate) fn sync(&self, published: &ArcSwap<GraphState>) {
        self.round(lock(&self.queue), published);
    }

    /// Writes, publishes and answers everything queued, and hands on. `queue.syncing` is set.
    fn round<'a>(&'a self, mut queue: MutexGuard<'a, Queue>, published: &ArcSwap<GraphState>) {
        let bytes = std::mem::take(&mut queue.bytes);
        let (newest, answers) = (queue.newest.take(), std::mem::take(&mut queue.answers));
        // Whoever that was is answered by this round.
        queue.successor = None;
        if queue.failure.is_none() && !bytes.is_empty() {
            drop(queue);
            let written = lock(&self.active).append(&bytes);
            queue = lock(&self.queue);
            queue.failure = written.err().map(|error| error.to_string());
        }
        let outcome = queue.failure.clone().map_or(Ok(()), Err);
        if let (Ok(()), Some(state)) = (&outcome, newest) {
            queue.durable_lsn = state.lsn;
            published.store(state);
        }
        let successor = queue.successor.take();
        queue.syncing = successor.is_some();
        drop(queue);
        self.over.notify_all();
        // First, so that the disk has work while the others are answered.
        successor.into_iter().for_each(|next| next.your_turn());
        answers.into_iter().for_each(|answer| answer(outcome.clone()));
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
                queue = wait(&self.over, queue);
            } else {
                queue.syncing = true;
                self.round(queue, published);
                queue = lock(&self.queue);
            }
        }
    }

    /// Gets the next segment ready, as long as the present one is by now.
    pub(crate) fn prepare_roll(&self) -> Result<Prepared, Error> {
        check(&lock(&self.queue))?;
        self.timeline.prepare(self.segment_bytes())
    }

    /// Starts the next segment at `first_lsn`. The caller holds the writer and has waited until
    /// everything queued is durable.
    pub(crate) fn roll(&self, first_lsn: u64, prepared: Prepared) -> Result<(), Error> {
        check(&lock(&self.queue))?;
        let mut active = lock(&self.active);
        if active.first_lsn == first_lsn {
            return Ok(());
        }
        let (next, framer) = self.timeline.start(prepared, first_lsn, active.hash())?;
        let mut queue = lock(&self.queue);
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

impl Queue {
    fn push(&mut self, payloads: &[Vec<u8>], state: &Arc<GraphState>) {
        let before = self.bytes.len();
        payloads.iter().for_each(|payload| self.framer.frame(payload, &mut self.bytes));
        self.segment_bytes += (self.bytes.len() - before) as u64;
        if !payloads.is_empty() {
            self.newest = Some(Arc::clone(state));
        }
    }
}

fn check(queue: &Queue) -> Result<(), Error> {
    match &queue.failure {
        Some(reason) => Err(Error::LogFailed { reason: reason.clone() }),
        None => Ok(()),
    }
}
