use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::graph::state_name;
use super::{Desk, Paging, Waiting};
use crate::api::with_query;
use crate::connection::Common;
use crate::error::Error;
use crate::find::{self, text};
use crate::output::{confirm, note};
use crate::table::Table;

/// `gestalt backup`
#[derive(Debug, Args)]
pub(super) struct BackupOptions {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(subcommand)]
    pub(super) verb: BackupVerb,
}

#[derive(Debug, Subcommand)]
pub(super) enum BackupVerb {
    /// Add a backup of a graph
    Add {
        /// Name or id
        graph: String,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// List the backups of a graph, or of all
    List {
        /// Name or id; a deleted graph is known by its id only
        graph: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Delete a backup
    Delete {
        /// Name or id
        backup: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Bring a graph back to what a backup holds: stop it if it runs, and start it from the backup
    Restore {
        /// Name or id
        backup: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Copy a backup to a folder of the object area
    Export {
        /// Name or id
        backup: String,
        /// `bucket/folder/`
        path: String,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Make a copy in the object area a backup of a graph
    Import {
        /// Name or id
        graph: String,
        /// `bucket/folder/`
        path: String,
        #[command(flatten)]
        waiting: Waiting,
    },
}

pub(super) fn run(verb: &BackupVerb, desk: &Desk) -> Result<(), Error> {
    match verb {
        BackupVerb::Add { graph, waiting } => add(desk, graph, waiting),
        BackupVerb::List { graph, paging } => list(desk, graph.as_deref(), paging),
        BackupVerb::Delete { backup, yes } => {
            let backup = find::backup(&desk.api, backup)?;
            confirm(*yes, &format!("This deletes the backup [{}].", backup.name))?;
            let reply =
                desk.api.delete(&format!("/v2/{{p}}/graphs/{}/backups/{}", backup.graph_id, backup.id))?;
            desk.out.raw(&reply)?;
            desk.out.say(&format!("backup {} is deleted", backup.name))
        }
        BackupVerb::Restore { backup, yes, waiting } => restore(desk, backup, *yes, waiting),
        BackupVerb::Export { backup, path, waiting } => {
            let backup = find::backup(&desk.api, backup)?;
            let url = format!("/v2/{{p}}/graphs/{}/backups/export", backup.graph_id);
            let body = json!({"backup_id": backup.id, "export_path": path});
            let reply = desk.api.post(&url, Some(&body))?;
            let done = format!("backup {} is exported to {path}", backup.name);
            desk.finish(&backup.graph_id, &reply, waiting, &done)
        }
        BackupVerb::Import { graph, path, waiting } => {
            let graph = find::graph(&desk.api, graph)?;
            let url = format!("/v2/{{p}}/graphs/{}/backups/import", graph.id);
            let reply = desk.api.post(&url, Some(&json!({"import_path": path})))?;
            let done = format!("{path} is a backup of graph {}", graph.name);
            desk.finish(&graph.id, &reply, waiting, &done)
        }
    }
}

fn add(desk: &Desk, graph: &str, waiting: &Waiting) -> Result<(), Error> {
    let graph = find::graph(&desk.api, graph)?;
    let reply = desk.api.post(&format!("/v2/{{p}}/graphs/{}/backups", graph.id), None)?;
    if desk.follow(&graph.id, &reply, waiting)?.is_none() || desk.out.json {
        return Ok(());
    }
    let id = reply.text("backup_id")?;
    let backup = find::backup(&desk.api, &id)?;
    desk.out.say(&format!("backup {} of graph {} is complete, with id {id}", backup.name, backup.graph_name))
}

fn list(desk: &Desk, graph: Option<&str>, paging: &Paging) -> Result<(), Error> {
    let path = match graph {
        Some(graph) => format!("/v2/{{p}}/graphs/{}/backups", find::graph(&desk.api, graph)?.id),
        None => "/v2/{p}/graphs/backups".into(),
    };
    let (mut limit, mut offset) = (String::new(), String::new());
    let reply = desk.api.get(&with_query(&path, &paging.query(&mut limit, &mut offset)))?;
    desk.out.show(&reply, |reply| {
        let rows = reply.list("backup_list")?;
        paging.rest(rows.len(), reply.body["backup_count"].as_u64()).iter().for_each(|rest| note(rest));
        Ok(table(rows).lines())
    })
}

fn table(rows: &[Value]) -> Table {
    let mut table = Table::new(["NAME", "GRAPH", "METHOD", "STATUS", "BEGUN", "MB", "ID"]);
    for row in rows {
        let graph = match row["graph_status"].as_str() {
            Some("400") => format!("{} ({})", text(row, "graph_name"), state_name("400")),
            _ => text(row, "graph_name"),
        };
        table.row([
            text(row, "name"),
            graph,
            text(row, "backup_method"),
            text(row, "status"),
            text(row, "start_time"),
            row["size"].as_u64().map(|size| size.to_string()).unwrap_or_default(),
            text(row, "id"),
        ]);
    }
    table
}

/// A graph can be started from a backup when it is stopped. Whatever else it is, the server says
/// so itself.
fn restore(desk: &Desk, backup: &str, yes: bool, waiting: &Waiting) -> Result<(), Error> {
    let backup = find::backup(&desk.api, backup)?;
    let question =
        format!("This replaces what graph [{}] holds with its backup [{}].", backup.graph_name, backup.name);
    confirm(yes, &question)?;
    let graph = format!("/v2/{{p}}/graphs/{}", backup.graph_id);
    let shown = desk.api.get(&graph)?;
    if shown.body["graph"]["status"] == "200" {
        let reply = desk.api.post(&format!("{graph}/stop"), None)?;
        // The start has to wait for it, whoever else does not.
        desk.api.follow(&backup.graph_id, &reply.text("job_id")?, |_| {})?;
    }
    let reply = desk.api.post(&format!("{graph}/start"), Some(&json!({"graph_backup_id": backup.id})))?;
    let done = format!("graph {} runs as in backup {}", backup.graph_name, backup.name);
    desk.finish(&backup.graph_id, &reply, waiting, &done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_of_a_deleted_graph_says_so() {
        let row = json!({
            "name": "b-1", "graph_name": "mine", "graph_status": "400", "backup_method": "manual",
            "status": "success", "start_time": "2026-01-02T03:04:05", "size": 12, "id": "1",
        });
        let lines = table(&[row]).lines();
        assert!(
            lines.ends_with("b-1   mine (deleted)  manual  success  2026-01-02T03:04:05  12  1\n"),
            "{lines}"
        );
    }
}
