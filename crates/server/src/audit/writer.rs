//! The thread that writes records: whatever waits is written and synced together.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::chain::Link;
use super::files::{Files, FilesError};
use super::{FOLDER, anchor};
use crate::db::Db;
use crate::system::Ambient;
use crate::times::Time;

/// Records that may wait to be written; whoever has more waits too.
const WAITING: usize = 1024;
/// How often the database is told how far the record goes.
const ANCHORING: Duration = Duration::from_secs(1);

/// What is recorded; its number is given when it is written.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Entry {
    pub(crate) time: String,
    pub(crate) call: String,
    pub(crate) outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<super::Actor>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) address: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) request: String,
    /// What stood in the path: project, graph, backup, user …
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    pub(crate) of: serde_json::Map<String, serde_json::Value>,
    /// What came to be: its ids.
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    pub(crate) made: serde_json::Map<String, serde_json::Value>,
}

#[derive(Serialize)]
struct Numbered<'a> {
    seq: u64,
    #[serde(flatten)]
    entry: &'a Entry,
}

/// The record could not be written.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the audit record cannot be written")]
pub(crate) struct Broken;

/// Why there is no audit.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuditError {
    #[error("the audit record cannot be opened: {0}; move the folder aside to begin another")]
    Files(#[from] FilesError),
    #[error("the database fails: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("no thread for the audit record: {0}")]
    Thread(std::io::Error),
    #[error("the audit record cannot be written: {0}")]
    Write(std::io::Error),
}

enum Message {
    Record(Box<Entry>, Option<oneshot::Sender<()>>, OwnedSemaphorePermit),
    Stop(oneshot::Sender<()>),
}

/// The way to the record.
pub(crate) struct Audit {
    sender: Sender<Message>,
    room: Arc<Semaphore>,
    shared: Arc<Shared>,
}

struct Shared {
    broken: AtomicBool,
    /// The last record that is on the disk.
    head: Mutex<Link>,
}

struct Writer {
    files: Files,
    db: Db,
    ambient: Ambient,
    anchored: u64,
    anchored_at: Time,
    shared: Arc<Shared>,
}

impl Audit {
    /// Opens the record and notes the start.
    pub(crate) fn open(data: &Path, key: [u8; 32], db: Db, ambient: Ambient) -> Result<Self, AuditError> {
        let anchor = db.read(anchor)?;
        let (files, cut) = Files::open(&data.join(FOLDER), key, anchor.clone())?;
        let shared = Shared { broken: AtomicBool::new(false), head: Mutex::new(Link::start()) };
        let shared = Arc::new(shared);
        let anchored_at = ambient.now();
        let mut writer =
            Writer { files, db, ambient, anchored: anchor.seq, anchored_at, shared: Arc::clone(&shared) };
        let mut start = writer.event("start");
        if cut > 0 {
            start.of.insert("torn_bytes".into(), cut.into());
        }
        writer.write(&[start]).map_err(AuditError::Write)?;
        let (sender, receiver) = channel();
        let spawned = thread::Builder::new().name("audit".into()).spawn(move || writer.run(&receiver));
        spawned.map_err(AuditError::Thread)?;
        Ok(Self { sender, room: Arc::new(Semaphore::new(WAITING)), shared })
    }

    /// The last record that is on the disk.
    pub(crate) fn head(&self) -> Link {
        self.shared.head.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the record could not be written. It stays so until the server starts again.
    pub(crate) fn is_broken(&self) -> bool {
        self.shared.broken.load(Ordering::Acquire)
    }

    /// Records something, and waits until it is on the disk.
    pub(crate) async fn record(&self, entry: Entry) -> Result<(), Broken> {
        let (done, written) = oneshot::channel();
        self.send(entry, Some(done)).await?;
        written.await.map_err(|_| Broken)
    }

    /// Records something soon.
    pub(crate) async fn record_later(&self, entry: Entry) -> Result<(), Broken> {
        self.send(entry, None).await
    }

    async fn send(&self, entry: Entry, done: Option<oneshot::Sender<()>>) -> Result<(), Broken> {
        let permit = Arc::clone(&self.room).acquire_owned().await.map_err(|_| Broken)?;
        self.sender.send(Message::Record(Box::new(entry), done, permit)).map_err(|_| Broken)
    }

    /// Writes what waits, notes the end and tells the database.
    pub(crate) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.sender.send(Message::Stop(done)).is_ok() {
            let _ = closed.await;
        }
    }
}

/// Tells one who waits, if he still does.
fn tell(done: oneshot::Sender<()>) {
    let _ = done.send(());
}

impl Writer {
    fn event(&self, call: &str) -> Entry {
        Entry { time: self.ambient.now().precise(), call: call.into(), outcome: "done", ..Entry::default() }
    }

    fn run(mut self, receiver: &Receiver<Message>) {
        loop {
            let first = match receiver.recv_timeout(ANCHORING) {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout) => {
                    self.anchor();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return self.anchor(),
            };
            let (mut entries, mut waiting, mut stop) = (Vec::new(), Vec::new(), None);
            for message in std::iter::once(first).chain(receiver.try_iter().take(WAITING)) {
                match message {
                    Message::Record(entry, done, permit) => {
                        entries.push(*entry);
                        waiting.push((done, permit));
                    }
                    Message::Stop(done) => stop = Some(done),
                }
            }
            if stop.is_some() {
                entries.push(self.event("stop"));
            }
            // Who is not told waits no longer either: dropping the channel says that it failed.
            if !self.shared.broken.load(Ordering::Acquire) {
                match self.write(&entries) {
                    Ok(()) => waiting.into_iter().filter_map(|(done, _)| done).for_each(tell),
                    Err(error) => {
                        tracing::error!(%error, "the audit record cannot be written: no more changes");
                        self.shared.broken.store(true, Ordering::Release);
                    }
                }
            }
            if stop.is_some() || self.ambient.now().seconds_since(self.anchored_at) >= 1 {
                self.anchor();
            }
            if let Some(done) = stop {
                let _ = done.send(());
            }
        }
    }

    fn write(&mut self, entries: &[Entry]) -> std::io::Result<()> {
        let line = |entry| move |seq| serde_json::to_string(&Numbered { seq, entry }).unwrap_or_default();
        self.files.append(entries.iter().map(line))?;
        *self.shared.head.lock().unwrap_or_else(PoisonError::into_inner) = self.files.link().clone();
        Ok(())
    }

    /// Tells the database how far the record goes, so that cutting it shows.
    fn anchor(&mut self) {
        let Link { seq, mac } = self.shared.head.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.anchored_at = self.ambient.now();
        if seq == self.anchored {
            return;
        }
        let noted = self.db.write(|db| {
            db.execute(
                "INSERT OR REPLACE INTO audit_anchor VALUES (1, ?1, ?2)",
                rusqlite::params![seq as i64, mac],
            )
        });
        match noted {
            Ok(_) => self.anchored = seq,
            Err(error) => tracing::error!(%error, "the audit's anchor cannot be written"),
        }
    }
}
