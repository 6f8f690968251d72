use clap::{Args, Subcommand};
use serde_json::Value;

use super::{Desk, Paging};
use crate::api::with_query;
use crate::connection::Common;
use crate::error::Error;
use crate::find::{self, text};
use crate::output::{Progress, note};
use crate::table::{Table, facts};

/// `gestalt job`
#[derive(Debug, Args)]
pub(super) struct JobOptions {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(subcommand)]
    pub(super) verb: JobVerb,
}

#[derive(Debug, Subcommand)]
pub(super) enum JobVerb {
    /// List jobs, the newest first
    List {
        /// Only those of the graph of this name
        #[arg(long, value_name = "NAME")]
        graph: Option<String>,
        /// Only those that are pending, running, success or failed
        #[arg(long)]
        status: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Wait until a job ends, and show it
    Wait {
        /// The job's graph: name or id
        graph: String,
        /// The job's id
        job: String,
    },
}

pub(super) fn run(verb: &JobVerb, desk: &Desk) -> Result<(), Error> {
    match verb {
        JobVerb::List { graph, status, paging } => {
            let (mut limit, mut offset) = (String::new(), String::new());
            let mut query = paging.query(&mut limit, &mut offset).to_vec();
            query.extend(graph.as_deref().map(|graph| ("graph_name", graph)));
            query.extend(status.as_deref().map(|status| ("status", status)));
            let reply = desk.api.get(&with_query("/v2/{p}/graphs/jobs", &query))?;
            desk.out.show(&reply, |reply| {
                let rows = reply.list("job_list")?;
                paging.rest(rows.len(), reply.body["job_count"].as_u64()).iter().for_each(|rest| note(rest));
                Ok(table(rows).lines())
            })
        }
        JobVerb::Wait { graph, job } => {
            let graph = find::graph(&desk.api, graph)?;
            let mut progress = Progress::new();
            let ended = desk.api.follow(&graph.id, job, |status| progress.job(status))?;
            drop(progress);
            desk.out.show(&ended, |ended| Ok(describe(&ended.body)))
        }
    }
}

fn table(rows: &[Value]) -> Table {
    let mut table = Table::new(["JOB", "GRAPH", "STATUS", "BEGUN", "ENDED", "ID", "REASON"]);
    for row in rows {
        let status = match (row["status"].as_str(), row["job_progress"].as_f64()) {
            (Some("running"), Some(percent)) if percent > 0.0 => format!("running {percent:.0} %"),
            _ => text(row, "status"),
        };
        table.row([
            text(row, "job_name"),
            text(row, "related_graph"),
            status,
            text(row, "begin_time"),
            text(row, "end_time"),
            text(row, "job_id"),
            text(row, "fail_reason"),
        ]);
    }
    table
}

fn describe(job: &Value) -> String {
    facts(&[
        ("job", text(job, "job_name")),
        ("id", text(job, "job_id")),
        ("graph", text(job, "related_graph")),
        ("status", text(job, "status")),
        ("begun", text(job, "begin_time")),
        ("ended", text(job, "end_time")),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_running_job_says_how_far_it_is() {
        let rows = [
            json!({"job_name": "ImportGraph", "status": "running", "job_progress": 41.6}),
            json!({"job_name": "StopGraph", "status": "failed", "job_progress": 1.0, "fail_reason": "no"}),
        ];
        let lines = table(&rows).lines();
        assert!(lines.contains("running 42 %") && lines.contains("failed "), "{lines}");
        assert!(lines.trim_end().ends_with("no"), "{lines}");
    }
}
