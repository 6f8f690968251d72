//! The log: every transaction as one record, durable before it is acknowledged.
//!
//! # Promise
//! A commit that returned is in the log and survives `kill -9` and power loss. After a crash the
//! log gives back every acknowledged record in order and at most whole records that were in
//! flight; never part of one.
//!
//! # Order
//! Records are appended to the active segment, many in one write, and synced; only then is their
//! state published and their writers answered, and only then the next write begins. They replace
//! zeros that were reserved, durably, before. A fold starts the next segment; the former one is sealed (compressed,
//! immutable) once its records are in a delta, and then removed.
//!
//! # Integrity
//! A record's checksum continues that of the record before it, and a segment's header holds the
//! BLAKE3 hash of the segment before it: what is missing, swapped or changed does not check.
//!
//! # After a crash
//! Of the last write of the last segment any part may be there: what does not check is cut off.
//! Each record says how far into its write it stands, so anything before the last write that does
//! not check is known for damage and is reported, never skipped.
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
