//! The audit: who changed what, from where, and what became of it. Records are chained (`chain`),
//! kept in files of their own (`files`) and written by one thread that syncs many at a time.
//!
//! # Promise
//! A change of the management plane, of identity or of a bucket is recorded on the disk before it
//! is answered. Changes of elements on the data plane are recorded in order, but their answers do
//! not wait for it: the log of the graph has each of them anyway. If the record can no longer be
//! written, no more changes are accepted.
//!
//! # Not handled
//! A crash between a change and its record leaves the change without one.

pub(crate) mod chain;
pub(crate) mod files;
mod note;
mod writer;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use rusqlite::OptionalExtension;
use serde_json::{Value, json};

use self::chain::Link;
use self::files::FilesError;
use crate::app::App;
use crate::codes::Code;
use crate::db::{Db, OpenError};
use crate::http::error::ApiError;
use crate::http::{Parameters, blocking};
use crate::identity::bootstrap::read_audit_key;

pub(crate) use self::note::{Actor, note};
pub(crate) use self::writer::{Audit, AuditError};

/// The folder in the data directory.
const FOLDER: &str = "audit";
/// Records a page has by default and at most.
const PAGE: (usize, usize) = (100, 1000);

/// A chain that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// How many records it has.
    pub records: u64,
    /// The code of the last one. Kept elsewhere, it shows later that nothing was cut off or made anew.
    pub head: String,
}

/// Why a chain could not be verified, or is not whole.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct VerifyError(String);

/// Checks the audit of a data directory, which may be in use. With `expected`, the number and code
/// of a record that was noted earlier, also checks that it is still there.
pub fn verify(data: &std::path::Path, expected: Option<(u64, String)>) -> Result<Verified, VerifyError> {
    let say = |what: &str, error: &dyn std::fmt::Display| VerifyError(format!("{what}: {error}"));
    let key = read_audit_key(data).map_err(|error| say("instance.key cannot be read", &error))?;
    let anchor = Db::open_to_read(&data.join("gestalt.db"))
        .and_then(|db| db.read(anchor).map_err(OpenError::from))
        .map_err(|error| say("the database cannot be read", &error))?;
    let folder = data.join(FOLDER);
    let broken = |error: FilesError| VerifyError(error.to_string());
    let head = files::verify(&folder, &key, &anchor).map_err(broken)?;
    if let Some((seq, mac)) = expected {
        files::verify(&folder, &key, &Link { seq, mac }).map_err(broken)?;
    }
    Ok(Verified { records: head.seq, head: head.mac })
}

/// The last record that the database remembers.
fn anchor(db: &rusqlite::Connection) -> rusqlite::Result<Link> {
    let found = db
        .query_row("SELECT seq, mac FROM audit_anchor", [], |row| {
            Ok(Link { seq: row.get::<_, i64>(0)?.unsigned_abs(), mac: row.get(1)? })
        })
        .optional()?;
    Ok(found.unwrap_or_else(Link::start))
}

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/gestalt/v1/audit", get(page))
}

/// Records in the order they were written: from number `from` on, or the newest ones.
async fn page(State(app): State<App>, wanted: Parameters) -> Result<Json<Value>, ApiError> {
    let number = |name: &str| match wanted.get(name) {
        None => Ok(None),
        Some(text) => text.parse::<u64>().ok().filter(|number| *number > 0).map(Some).ok_or_else(|| {
            ApiError::about(Code::BadParameter, format!("[{name}] must be a whole number from 1."))
        }),
    };
    let limit = number("limit")?.map_or(PAGE.0, |limit| usize::try_from(limit).unwrap_or(PAGE.1).min(PAGE.1));
    let from = number("from")?;
    let head = app.audit().head();
    let from = from.unwrap_or_else(|| (head.seq + 1).saturating_sub(limit as u64).max(1));
    let folder = app.config().data.join(FOLDER);
    let lines = blocking(move || files::read(&folder, from, limit).map_err(ApiError::internal)).await?;
    let records: Vec<Value> = lines.iter().filter_map(|line| describe(line)).collect();
    let last = records.last().and_then(|record| record["seq"].as_u64()).unwrap_or(from);
    let next = (last < head.seq).then_some(last + 1);
    Ok(Json(json!({"records": records, "next": next, "head": {"seq": head.seq, "code": head.mac}})))
}

fn describe(line: &str) -> Option<Value> {
    let (code, json) = line.split_once(' ')?;
    let mut record: Value = serde_json::from_str(json).ok()?;
    record["code"] = code.into();
    Some(record)
}
