//! The log: every transaction as one record, durable before it is acknowledged.
//!
//! # Promise
//! A commit that returned is in the log and survives `kill -9` and power loss. After a crash the
//! log gives back every acknowledged record in order and at most whole records that were in
//! flight; never part of one.
//!
//! # Order
//! Records are appended to the active segment and synced; only then is their state published and
//! their writers answered. A fold starts the next segment; the former one is sealed (compressed,
//! immutable) once its records are in a delta, and then removed.
//!
//! # Integrity
//! A record's checksum continues that of the record before it, and a segment's header holds the
//! BLAKE3 hash of the segment before it: what is missing, swapped or changed does not check.
//!
//! # After a crash
//! The last segment may end in part of a record, which is cut off. Anything else that does not
//! check is damage and is reported, never skipped. A bad record followed by a good one is damage
//! too: a torn write can only be the last thing in a file.
//!
//! # Not handled
//! Whoever changes the very last batch of a log that was not closed, to bytes that no longer
//! check, makes it look like a torn write; nothing inside the file can tell the two apart.
//!
//! # After a failed sync
//! The graph takes no more writes and says so: what the disk holds is then unknown. Reads go on.

pub(crate) mod group;
pub(crate) mod record;
pub(crate) mod segment;
pub(crate) mod timeline;

/// Where a timeline's recovery starts, as manifests say it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct LogStart {
    /// 32 hex digits.
    pub(crate) timeline: String,
    /// The first record to replay. Segments begin at folds, so one begins here.
    pub(crate) first_lsn: u64,
}

/// Records of another timeline that come before: (`after_lsn`, `last_lsn`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct LogRange {
    pub(crate) timeline: String,
    pub(crate) after_lsn: u64,
    pub(crate) last_lsn: u64,
}
