//! Running transactions: writers hand their changes to whichever of them has the writer.
//!
//! The first writer to come takes the lock and runs, besides its own change, everything that was
//! handed in until it got it. Their records go to the log's queue with their answers, and all
//! wait; whoever of them is told to syncs for all that have queued by then, and answers them
//! (`log/group.rs`). So thirty-two writers cost one wake-up each instead of fighting for locks,
//! and their records share a sync, while a single writer does everything on its own thread.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex};

use crate::error::Error;
use crate::graph::{Graph, GraphShared, Mode, Writer};
use crate::log::group::{Answer, Next, Queued, Turn};
use crate::log::record::Record;
use crate::state::GraphState;
use crate::sync::{lock, wait};
use crate::transaction::Transaction;

/// Changes that wait for the writer, in order.
#[derive(Default)]
pub(crate) struct Waiting(Mutex<Vec<Job>>);

/// Runs one change and says how to answer it.
type Job = Box<dyn FnOnce(&GraphShared, &mut Batch) -> Answer + Send>;

/// Transactions that run one after the other on one working state, which nobody else sees.
struct Batch {
    mode: Mode,
    state: GraphState,
    payloads: Vec<Vec<u8>>,
}

/// Where a writer waits for its answer.
struct Slot<R> {
    news: Mutex<Option<News<R>>>,
    ready: Condvar,
}

enum News<R> {
    /// It is this writer's turn to sync.
    Turn,
    Answer(R),
    /// The change panicked, maybe on another writer's thread; with what.
    Panic(Box<dyn Any + Send>),
}

impl Graph {
    /// Runs one transaction and returns when it is durable. If `change` fails, nothing happened.
    /// Transactions run one after the other, each seeing what the ones before it did; their
    /// syncs are shared. `change` may run on another writer's thread.
    pub fn write<T, E>(
        &self,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.make_room()?;
        let shared = &self.shared;
        let slot = Arc::new(Slot { news: Mutex::default(), ready: Condvar::new() });
        let first = {
            let mut waiting = lock(&shared.waiting.0);
            waiting.push(job(change, Responder(Arc::clone(&slot))));
            waiting.len() == 1
        };
        if first && shared.run_waiting(&slot) == Next::Sync {
            shared.log.sync(&shared.published);
        }
        loop {
            match slot.wait() {
                News::Answer(result) => return result,
                News::Panic(payload) => resume_unwind(payload),
                News::Turn => shared.log.sync(&shared.published),
            }
        }
    }
}

impl GraphShared {
    /// Runs everything that waits, and queues its records and answers. Called by the writer that
    /// found nobody waiting before it; whoever comes after the list is taken is first again.
    fn run_waiting(&self, turn: &Arc<impl Turn + 'static>) -> Next {
        let mut writer = lock(&self.writer);
        let jobs = std::mem::take(&mut *lock(&self.waiting.0));
        let mut batch = Batch::on(&writer);
        let answers = jobs.into_iter().map(|job| job(self, &mut batch)).collect();
        let Batch { state, payloads, .. } = batch;
        let state = Arc::new(state);
        let queued = Queued { state: &state, payloads: &payloads, answers };
        match self.log.queue(queued, Arc::clone(turn) as Arc<dyn Turn>) {
            Ok(next) => {
                writer.head = state;
                next
            }
            Err((reason, answers)) => {
                for payload in payloads.iter().rev() {
                    // They were just made, so they decode.
                    if let Ok(record) = Record::decode(payload) {
                        record.forget(&state.live);
                    }
                }
                drop(writer);
                answers.into_iter().for_each(|answer| answer(Err(reason.clone())));
                Next::Wait
            }
        }
    }
}

impl Batch {
    fn on(writer: &Writer) -> Self {
        Self { state: GraphState::clone(&writer.head), mode: writer.mode, payloads: Vec::new() }
    }

    /// Runs a change; if it fails, nothing happened.
    fn run<T, E: From<Error>>(
        &mut self,
        shared: &GraphShared,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        shared.check_mode(self.mode, Mode::Open)?;
        let mut transaction = Transaction::new(&mut self.state);
        let result = change(&mut transaction)?;
        self.payloads.extend(transaction.finish(shared.pool.env.clock.now_us()));
        Ok(result)
    }
}

fn job<T, E>(
    change: impl FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
    responder: Responder<Result<T, E>>,
) -> Job
where
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    Box::new(move |shared, batch| {
        // A change that panics takes back what it did, and must not take the others with it.
        let result = catch_unwind(AssertUnwindSafe(|| batch.run(shared, change)));
        Box::new(move |durable: Result<(), String>| {
            let failed = |reason| E::from(Error::LogFailed { reason });
            responder.0.tell(match result {
                Ok(result) => News::Answer(durable.map_err(failed).and(result)),
                Err(payload) => News::Panic(payload),
            });
        })
    })
}

/// The answering side of a slot. Dropped without an answer, which only a bug can do, it makes the
/// writer panic rather than wait for ever.
struct Responder<R>(Arc<Slot<R>>);

impl<R> Drop for Responder<R> {
    fn drop(&mut self) {
        self.0.tell(News::Panic(Box::new("a transaction got no answer")));
    }
}

impl<R> Slot<R> {
    /// The first answer counts; a turn comes before it or not at all.
    fn tell(&self, news: News<R>) {
        lock(&self.news).get_or_insert(news);
        self.ready.notify_one();
    }

    /// Waits for news and takes it.
    fn wait(&self) -> News<R> {
        let mut news = lock(&self.news);
        loop {
            match news.take() {
                Some(news) => return news,
                None => news = wait(&self.ready, news),
            }
        }
    }
}

impl<R: Send> Turn for Slot<R> {
    fn your_turn(&self) {
        self.tell(News::Turn);
    }
}
