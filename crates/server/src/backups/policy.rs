//! When automatic backups of a graph are due, and how many of them are kept.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::codes::Code;
use crate::graphs::record::{self, GraphRow};
use crate::http::auth::Caller;
use crate::http::blocking;
use crate::http::body::Fields;
use crate::http::error::ApiError;
use crate::ids::GraphId;
use crate::times::Time;

const DAY: i64 = 86_400;
const KEEP: i64 = 7;
/// A year: beyond it a schedule is as good as none.
const MAX_INTERVAL: u64 = 366 * 86_400;
const MAX_KEEP: u64 = 1000;

/// What is asked for a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Policy {
    pub(super) enabled: bool,
    /// In seconds, at least 1.
    pub(super) interval: i64,
    pub(super) keep: i64,
}

impl Policy {
    /// Graphs of the smallest size and of the persistent product have no automatic backups
    /// unless somebody asks for them.
    pub(super) fn default_of(app: &App, size_index: &str, product: Option<&str>) -> Self {
        let interval = app.config().auto_backup_seconds;
        let usual = size_index != "0" && product != Some("Persistence");
        Self {
            enabled: usual && interval > 0,
            interval: if interval > 0 { interval } else { DAY },
            keep: KEEP,
        }
    }

    fn of(app: &App, db: &Connection, graph: &GraphRow) -> rusqlite::Result<Self> {
        let asked = db
            .prepare_cached(
                "SELECT enabled, interval_seconds, keep FROM backup_policies WHERE graph_id = ?1",
            )?
            .query_row([&graph.id], |row| {
                Ok(Self { enabled: row.get(0)?, interval: row.get(1)?, keep: row.get(2)? })
            })
            .optional()?;
        let product = graph.fields.get("product_type").and_then(Value::as_str);
        Ok(asked.unwrap_or_else(|| Self::default_of(app, &graph.size_index, product)))
    }

    /// Seconds after the begin of an interval: each graph has a minute of its own, so that not
    /// all are saved at once.
    fn offset(self, graph: &GraphId) -> i64 {
        let hash = Sha256::digest(graph.as_str());
        let spread = hash.iter().take(4).fold(0, |number, byte| number << 8 | i64::from(*byte));
        match self.interval / 60 {
            0 => 0,
            minutes => spread % minutes * 60,
        }
    }

    /// Intervals since 1970.
    fn turn(self, graph: &GraphId, at: Time) -> i64 {
        (at.0.div_euclid(1_000_000) - self.offset(graph)).div_euclid(self.interval)
    }

    /// Whether a backup is due, if the last was tried at `last`. However many turns were missed, it
    /// is due once. A `last` in the future is of a clock that was wrong; it does not hold backups
    /// up for longer than an interval.
    pub(super) fn is_due(self, graph: &GraphId, last: Time, now: Time) -> bool {
        let wrong = last > now.plus_seconds(self.interval);
        self.enabled && (wrong || self.turn(graph, now) > self.turn(graph, last))
    }

    /// The next turn.
    fn next(self, graph: &GraphId, now: Time) -> Time {
        Time(0).plus_seconds((self.turn(graph, now) + 1) * self.interval + self.offset(graph))
    }

    fn describe(self, graph: &GraphId, now: Time) -> Value {
        json!({
            "enabled": self.enabled,
            "interval_seconds": self.interval,
            "keep": self.keep,
            "next_time": self.enabled.then(|| self.next(graph, now).text()),
        })
    }

    /// With what a request asks for in place of what there is.
    fn changed(self, body: &Fields) -> Result<Self, ApiError> {
        let number = |name: &str, most: u64, now: i64| match body.count(name)? {
            None => Ok(now),
            Some(number) if number <= most => Ok(number as i64),
            Some(_) => Err(ApiError::about(Code::BadParameter, format!("[{name}] must be at most {most}."))),
        };
        Ok(Self {
            enabled: body.flag("enabled")?.unwrap_or(self.enabled),
            interval: number("interval_seconds", MAX_INTERVAL, self.interval)?,
            keep: number("keep", MAX_KEEP, self.keep)?,
        })
    }
}

pub(super) async fn show(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((_, graph)): Path<(String, GraphId)>,
) -> Result<Json<Value>, ApiError> {
    blocking(move || {
        let now = app.now();
        app.db().read(|db| {
            let row = record::find(db, &caller.project, &graph)?;
            let row = row.ok_or_else(|| ApiError::new(Code::GraphAbsent))?;
            Ok(Json(Policy::of(&app, db, &row)?.describe(&graph, now)))
        })
    })
    .await
}

pub(super) async fn change(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((_, graph)): Path<(String, GraphId)>,
    body: Fields,
) -> Result<Json<Value>, ApiError> {
    blocking(move || {
        let now = app.now();
        app.db().write(|db| {
            let row = record::find(db, &caller.project, &graph)?;
            let row = row.ok_or_else(|| ApiError::new(Code::GraphAbsent))?;
            let policy = Policy::of(&app, db, &row)?.changed(&body)?;
            db.execute(
                "INSERT INTO backup_policies VALUES (?1, ?2, ?3, ?4) ON CONFLICT (graph_id)
                 DO UPDATE SET enabled = ?2, interval_seconds = ?3, keep = ?4",
                params![graph, policy.enabled, policy.interval, policy.keep],
            )?;
            Ok(Json(policy.describe(&graph, now)))
        })
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAILY: Policy = Policy { enabled: true, interval: DAY, keep: 7 };

    fn graphs() -> impl Iterator<Item = GraphId> {
        (0..200).map(|nr| GraphId(format!("graph-{nr}")))
    }

    #[test]
    fn every_graph_has_its_minute() {
        let minutes: std::collections::BTreeSet<i64> = graphs().map(|graph| DAILY.offset(&graph)).collect();
        assert!(
            minutes.len() > 150 && minutes.iter().all(|offset| offset % 60 == 0 && (0..DAY).contains(offset))
        );
    }

    #[test]
    fn a_turn_comes_once_a_day_whenever_it_is_looked_for() {
        for graph in graphs() {
            let (mut last, mut runs) = (Time(0).plus_seconds(1_700_000_000), Vec::new());
            for now in (0..10 * DAY).step_by(500).map(|seconds| last_start().plus_seconds(seconds)) {
                let foretold = DAILY.next(&graph, last);
                if DAILY.is_due(&graph, last, now) {
                    assert!((0..500).contains(&now.seconds_since(foretold)) && now >= foretold);
                    runs.push(now);
                    last = now;
                }
            }
            assert_eq!(runs.len(), 10, "{graph}");
        }
    }

    fn last_start() -> Time {
        Time(0).plus_seconds(1_700_000_000)
    }

    #[test]
    fn missed_turns_are_caught_up_with_once() {
        let graph = GraphId("g".into());
        let now = last_start().plus_seconds(30 * DAY);
        assert!(DAILY.is_due(&graph, last_start(), now));
        assert!(!DAILY.is_due(&graph, now, now));
        assert!(!Policy { enabled: false, ..DAILY }.is_due(&graph, last_start(), now));
    }

    #[test]
    fn a_clock_that_was_wrong_holds_nothing_up() {
        let graph = GraphId("g".into());
        let now = last_start();
        assert!(DAILY.is_due(&graph, now.plus_seconds(40 * DAY), now));
        assert!(!DAILY.is_due(&graph, now.plus_seconds(DAY / 2), now), "a small step back changes nothing");
        assert!(!DAILY.is_due(&graph, now, now.plus_seconds(-DAY)));
    }
}
