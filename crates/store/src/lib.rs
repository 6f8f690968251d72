//! One graph on disk: the only crate that knows bytes.
//!
//! A graph is a log and a tree of immutable objects. Commits go to the log and into an overlay in
//! memory; folds turn the overlay into delta objects; compaction writes parts of the tree anew;
//! numbered manifests say what belongs together; pins (backups) keep old states alive; garbage
//! collection removes what no manifest and no pin needs. `docs/format.md` has every byte,
//! `docs/durability.md` the promises.

mod archive;
mod buffer;
mod bulk;
mod cache;
mod commit;
mod delta;
mod disk;
mod error;
mod fold;
mod gc;
mod generation;
mod graph;
mod log;
mod manifest;
mod object;
mod overlay;
mod part;
mod pin;
mod pool;
mod recount;
pub mod sim;
mod state;
mod sync;
mod transaction;
mod tree;

pub use archive::{Archive, ArchiveFile, ArchiveIndex, Progress, Shelf, ShelfFile};
pub use bulk::{BulkLoad, BulkOptions, EdgeBatch, Loaded, ParallelEdges};
pub use disk::{Clock, Disk, Entropy, Env, File, LocalDisk};
pub use error::Error;
pub use gc::Collected;
pub use graph::{Graph, Health, Snapshot};
pub use pin::{LabelCount, LabelOf, Pin, PinKind, PinRequest};
pub use pool::{Pool, Settings, Store};
pub use state::{Direction, EdgeKey, GraphState};
pub use transaction::Transaction;
