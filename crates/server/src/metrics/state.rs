//! What is true at the moment of asking: of the database, the open graphs and the process.

use std::fs;

use rusqlite::Connection;

use super::page::{Kind, Page};
use crate::app::App;
use crate::http::error::ApiError;
use crate::times::Time;

/// Graphs that have a line of their own: those whose newest backup is oldest.
const GRAPHS_SHOWN: usize = 100;

pub(super) fn write(app: &App, page: &mut Page) -> Result<(), ApiError> {
    let now = app.now();
    let state = app.db().read(|db| State::read(db).map_err(ApiError::from))?;
    state.write(page, now);
    write_graphs(app, page);
    write_process(page);
    page.gauge("gestalt_ready", "Whether requests are accepted.", f64::from(u8::from(app.is_ready())));
    page.family("gestalt_build_info", Kind::Gauge, "The version that runs.");
    page.sample("", &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    Ok(())
}

/// What the database knows.
struct State {
    jobs: Vec<(String, String, i64)>,
    graphs: Vec<(i64, i64)>,
    /// Graphs with backups, and the end of the newest, oldest first.
    backed_up: Vec<(String, Time)>,
    never_backed_up: i64,
}

impl State {
    fn read(db: &Connection) -> rusqlite::Result<Self> {
        let jobs = db
            .prepare_cached(
                "SELECT name, status, count(*) FROM jobs GROUP BY name, status ORDER BY name, status",
            )?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<Result<_, _>>()?;
        let graphs = db
            .prepare_cached(
                "SELECT status, count(*) FROM graphs WHERE status <> 400 GROUP BY status ORDER BY status",
            )?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        let backed_up = db
            .prepare_cached(
                "SELECT g.id, max(b.ended) AS newest FROM graphs g JOIN backups b ON b.graph_id = g.id
                 WHERE g.status <> 400 AND b.status = 'success' AND b.ended IS NOT NULL
                 GROUP BY g.id ORDER BY newest LIMIT ?1",
            )?
            .query_map([GRAPHS_SHOWN as i64], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        let never_backed_up = db
            .prepare_cached(
                "SELECT count(*) FROM graphs g WHERE g.status <> 400
                 AND NOT EXISTS (SELECT 1 FROM backups b WHERE b.graph_id = g.id AND b.status = 'success')",
            )?
            .query_row([], |row| row.get(0))?;
        Ok(Self { jobs, graphs, backed_up, never_backed_up })
    }

    fn write(&self, page: &mut Page, now: Time) {
        page.family("gestalt_jobs", Kind::Gauge, "Jobs in the task centre.");
        for (name, status, count) in &self.jobs {
            page.sample("", &[("name", name), ("status", status)], *count as f64);
        }
        page.family("gestalt_graphs", Kind::Gauge, "Graphs by status.");
        for (status, count) in &self.graphs {
            page.sample("", &[("status", &status.to_string())], *count as f64);
        }
        let help = "Seconds since the newest backup of a graph; of the hundred graphs where it is oldest.";
        page.family("gestalt_newest_backup_age_seconds", Kind::Gauge, help);
        for (graph, newest) in &self.backed_up {
            page.sample("", &[("graph", graph)], now.seconds_since(*newest) as f64);
        }
        let help = "Graphs without a backup.";
        page.gauge("gestalt_graphs_without_backup", help, self.never_backed_up as f64);
    }
}

fn write_graphs(app: &App, page: &mut Page) {
    let open = app.open_graphs();
    let health: Vec<_> = open.iter().map(|(_, graph)| graph.health()).collect();
    let sum = |of: fn(&store::Health) -> u64| health.iter().map(of).sum::<u64>() as f64;
    page.gauge("gestalt_graphs_open", "Graphs that are open.", open.len() as f64);
    let failed = sum(|health| u64::from(health.log_failed.is_some()));
    page.gauge("gestalt_graphs_log_failed", "Open graphs that take no more writes.", failed);
    page.gauge(
        "gestalt_log_bytes",
        "Bytes of log that recovery would replay.",
        sum(|health| health.log_bytes),
    );
    page.gauge(
        "gestalt_overlay_bytes",
        "Bytes of commits not folded yet.",
        sum(|health| health.overlay_bytes),
    );
    page.gauge("gestalt_deltas", "Deltas on top of base trees.", sum(|health| health.deltas));
    page.gauge("gestalt_cache_bytes", "Bytes of graph data in memory.", app.cache_bytes() as f64);
    let budget = app.config().cache_bytes as f64;
    page.gauge("gestalt_cache_budget_bytes", "Bytes that graph data may take.", budget);
}

/// As the kernel tells; where it does not, the lines are missing.
fn write_process(page: &mut Page) {
    if let Some(bytes) = fs::read_to_string("/proc/self/status").ok().and_then(|status| resident(&status)) {
        page.gauge("process_resident_memory_bytes", "Memory of the process.", bytes);
    }
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        page.gauge("process_open_fds", "Open files of the process.", files.count() as f64);
    }
}

fn resident(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<f64>().ok().map(|kib| kib * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_from_the_kernels_words() {
        assert_eq!(resident("VmPeak:\t  9 kB\nVmRSS:\t   1234 kB\nThreads: 3\n"), Some(1234.0 * 1024.0));
        assert_eq!(resident("nothing"), None);
    }
}
