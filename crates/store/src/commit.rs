//! Running transactions: writers hand their changes to whichever of them has the writer.
//!
//! The first writer to come takes the lock and runs, besides its own change, everything that was
//! handed in until it got it; then it waits for the log and answers them all. Meanwhile the next
//! one runs what came since. So thirty-two writers cost one hand-over each instead of fighting
//! for a lock, and their records share a sync, while a single writer runs on its own thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex};

use crate::error::{At, Error};
use crate::graph::{Graph, GraphShared, Mode, Writer};
use crate::log::record::Record;
use crate::state::GraphState;
use crate::sync::{lock, wait};
use crate::transaction::Transaction;

/// Changes that wait for the writer, in order.
#[derive(Default)]
pub(crate) struct Waiting(Mutex<Vec<Job>>);

/// Runs one change and says how to answer it: when everything before it is durable, or with the
/// reason why it never will be.
type Job = Box<dyn FnOnce(&GraphShared, &mut Batch) -> Answer + Send>;
type Answer = Box<dyn FnOnce(Result<(), String>) + Send>;

/// Transactions that run one after the other on one working state, which nobody else sees: what
/// the first has copied of the head's overlay, the others change in place.
struct Batch {
    head: Arc<GraphState>,
    mode: Mode,
    state: GraphState,
    payloads: Vec<Vec<u8>>,
}

/// Where a writer waits for its answer.
struct Slot<R> {
    answer: Mutex<State<R>>,
    ready: Condvar,
}

enum State<R> {
    Waiting,
    Answered(R),
    /// The change panicked on the thread that ran it.
    Panicked,
    Taken,
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
        let slot = Arc::new(Slot { answer: Mutex::new(State::Waiting), ready: Condvar::new() });
        let first = {
            let mut waiting = lock(&self.shared.waiting.0);
            waiting.push(job(change, Responder(Arc::clone(&slot))));
            waiting.len() == 1
        };
        if first {
            self.shared.run_waiting();
        }
        slot.take()
    }
}

impl GraphShared {
    /// Runs everything that waits, and answers it. Called by the writer that found nobody
    /// waiting before it; whoever comes after the list is taken is first again.
    fn run_waiting(&self) {
        let mut writer = lock(&self.writer);
        let jobs = std::mem::take(&mut *lock(&self.waiting.0));
        let mut batch = Batch::on(&writer);
        let mut answers = Vec::with_capacity(jobs.len());
        for job in jobs {
            let done = batch.payloads.len();
            match catch_unwind(AssertUnwindSafe(|| job(self, &mut batch))) {
                Ok(answer) => answers.push(answer),
                Err(_) => batch.roll_back(done),
            }
        }
        let lsn = batch.state.lsn;
        let (payloads, state) = (batch.payloads, batch.state);
        let queued = self.log.append(&payloads, lsn, || {
            let state = Arc::new(state);
            writer.head = Arc::clone(&state);
            state
        });
        drop(writer);
        let durable = queued.and_then(|()| self.log.wait_durable(lsn, &self.published));
        let durable = durable.map_err(|error| match error {
            Error::LogFailed { reason } => reason,
            error => error.to_string(),
        });
        for answer in answers {
            answer(durable.clone());
        }
    }
}

impl Batch {
    fn on(writer: &Writer) -> Self {
        let head = Arc::clone(&writer.head);
        Self { state: GraphState::clone(&head), head, mode: writer.mode, payloads: Vec::new() }
    }

    /// Runs a change; if it fails, nothing happened.
    fn run<T, E: From<Error>>(
        &mut self,
        shared: &GraphShared,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        shared.check_mode(self.mode, Mode::Open)?;
        let done = self.payloads.len();
        let mut transaction = Transaction::new(&mut self.state);
        match change(&mut transaction) {
            Ok(result) => {
                self.payloads.extend(transaction.finish(shared.pool.env.clock.now_us()));
                Ok(result)
            }
            Err(error) => {
                if transaction.has_changed() {
                    self.roll_back(done);
                }
                Err(error)
            }
        }
    }

    /// Makes the working state anew from the first `done` transactions. Failures are rare, so
    /// they may cost more than keeping a copy before every transaction would.
    fn roll_back(&mut self, done: usize) {
        self.payloads.truncate(done);
        self.state = GraphState::clone(&self.head);
        for payload in &self.payloads {
            let record = Record::decode(payload).at("a record of this batch");
            let replayed = record.and_then(|record| record.replay(&mut self.state, "a record of this batch"));
            debug_assert!(replayed.is_ok(), "records that were just made replay");
        }
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
        let result = batch.run(shared, change);
        Box::new(move |durable: Result<(), String>| {
            let failed = |reason| E::from(Error::LogFailed { reason });
            responder.answer(durable.map_err(failed).and(result));
        })
    })
}

/// The answering side of a slot. Dropped without an answer, it tells the writer that its change
/// panicked, so that nobody waits for ever.
struct Responder<R>(Arc<Slot<R>>);

impl<R> Responder<R> {
    fn answer(self, result: R) {
        self.0.put(State::Answered(result));
    }
}

impl<R> Drop for Responder<R> {
    fn drop(&mut self) {
        self.0.put(State::Panicked);
    }
}

impl<R> Slot<R> {
    /// The first answer counts.
    fn put(&self, state: State<R>) {
        let mut answer = lock(&self.answer);
        if matches!(*answer, State::Waiting) {
            *answer = state;
            self.ready.notify_one();
        }
    }

    fn take(&self) -> R {
        let mut answer = lock(&self.answer);
        loop {
            match std::mem::replace(&mut *answer, State::Taken) {
                State::Answered(result) => return result,
                State::Panicked => std::panic::resume_unwind(Box::new("the transaction panicked")),
                state => *answer = state,
            }
            answer = wait(&self.ready, answer);
        }
    }
}
