//! Automatic backups: looks every second which graphs have their turn.

use std::time::Duration;

use rusqlite::{Connection, params};

use super::policy::Policy;
use super::{Method, discard, note};
use crate::app::App;
use crate::codes::Code;
use crate::graphs::states::Operation;
use crate::http::blocking;
use crate::http::error::ApiError;
use crate::ids::{BackupId, GraphId, ProjectId};
use crate::jobs::{self, Job, Work};
use crate::times::Time;

const EVERY: Duration = Duration::from_secs(1);
/// Who asks for them.
const REQUESTED_BY: &str = "schedule";

/// A running graph and what its last turn was.
struct Candidate {
    graph: GraphId,
    project: ProjectId,
    policy: Policy,
    last: Time,
}

/// Runs until the server stops.
pub(crate) fn start(app: &App) {
    let app = app.clone();
    tokio::spawn(async move {
        while !app.is_stopping() {
            let begun = {
                let app = app.clone();
                blocking(move || begin_due(&app)).await
            };
            match begun {
                Ok(begun) => begun.into_iter().for_each(jobs::start),
                Err(error) => tracing::error!(%error, "automatic backups cannot be begun"),
            }
            tokio::time::sleep(EVERY).await;
        }
    });
}

/// Begins the backups that are due.
fn begin_due(app: &App) -> Result<Vec<Job>, ApiError> {
    let now = app.now();
    app.archives().expire(now);
    let candidates = app.db().read(|db| candidates(app, db))?;
    let due = candidates.into_iter().filter(|one| one.policy.is_due(&one.graph, one.last, now));
    Ok(due.filter_map(|one| begin(app, &one, now)).collect())
}

fn candidates(app: &App, db: &Connection) -> rusqlite::Result<Vec<Candidate>> {
    let mut rows = db.prepare_cached(
        "SELECT g.id, g.project_id, g.size_index, json_extract(g.fields, '$.product_type'), g.created,
                t.tried, p.enabled, p.interval_seconds, p.keep
         FROM graphs g LEFT JOIN backup_turns t ON t.graph_id = g.id
                       LEFT JOIN backup_policies p ON p.graph_id = g.id
         WHERE g.status = 200",
    )?;
    let rows = rows.query_map([], |row| {
        let policy = match row.get::<_, Option<bool>>(6)? {
            Some(enabled) => Policy { enabled, interval: row.get(7)?, keep: row.get(8)? },
            None => {
                let (size, product): (String, Option<String>) = (row.get(2)?, row.get(3)?);
                Policy::default_of(app, &size, product.as_deref())
            }
        };
        // The first turn of a graph is the one after its creation.
        let last = row.get::<_, Option<Time>>(5)?.map_or_else(|| row.get(4), Ok)?;
        Ok(Candidate { graph: row.get(0)?, project: row.get(1)?, policy, last })
    })?;
    rows.collect()
}

/// Begins one, unless the graph has left its state of rest: then its turn is still to come.
fn begin(app: &App, one: &Candidate, now: Time) -> Option<Job> {
    let begun = app.db().write(|db| {
        jobs::begin(app, db, &one.project, &one.graph, Operation::Backup, |graph| {
            let backup = note(app, db, graph, Method::Automatic)?;
            took_turn(db, &one.graph, now)?;
            Ok(Work::CreateBackup { backup, user: REQUESTED_BY.into(), keep: Some(one.policy.keep) })
        })
    });
    match begun {
        Ok(job) => Some(job),
        Err(error) if error.code == Code::BackupQuota => {
            tracing::warn!(graph = %one.graph, "no automatic backup: the quota is reached");
            let passed = app.db().write(|db| took_turn(db, &one.graph, now));
            passed.unwrap_or_else(|error| tracing::error!(%error, "a turn could not be noted"));
            None
        }
        Err(error) => {
            tracing::debug!(graph = %one.graph, %error, "no automatic backup in this state");
            None
        }
    }
}

fn took_turn(db: &Connection, graph: &GraphId, now: Time) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO backup_turns VALUES (?1, ?2) ON CONFLICT (graph_id) DO UPDATE SET tried = ?2",
    )?
    .execute(params![graph, now])
    .map(|_| ())
}

/// Deletes automatic backups beyond the newest `keep`, of which the one that was just made is
/// one, and what older turns that failed have left in the list. What is in use goes at the next turn.
pub(super) fn rotate(job: &Job, made: &BackupId, keep: i64) {
    let app = &job.app;
    let old = app.db().read(|db| -> rusqlite::Result<Vec<BackupId>> {
        let mut rows = db.prepare_cached(
            "SELECT id FROM backups WHERE graph_id = ?1 AND method = 'auto' AND id <> ?2 AND
             (status = 'failed' OR status = 'success' AND id NOT IN (
                 SELECT id FROM backups WHERE graph_id = ?1 AND method = 'auto' AND status = 'success'
                 ORDER BY seq DESC LIMIT ?3))",
        )?;
        rows.query_map(params![job.graph.id, made, keep - 1], |row| row.get(0))?.collect()
    });
    let discarded = old.map_err(ApiError::from).and_then(|old| {
        old.iter().try_for_each(|backup| match discard(app, &job.graph.project, &job.graph.id, backup) {
            Err(error) if matches!(error.code, Code::GraphBackingUp | Code::BackupAbsent) => Ok(()),
            discarded => discarded,
        })
    });
    if let Err(error) = discarded {
        tracing::error!(graph = %job.graph.id, %error, "old automatic backups could not be deleted");
    }
}

#[cfg(test)]
mod tests;
