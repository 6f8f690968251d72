use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::{Desk, Paging, Waiting};
use crate::api::{Reply, with_query};
use crate::connection::Common;
use crate::error::Error;
use crate::find::{self, text};
use crate::output::{Progress, confirm, note};
use crate::table::{Table, facts};

/// `gestalt graph`
#[derive(Debug, Args)]
pub(super) struct GraphOptions {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(subcommand)]
    pub(super) verb: GraphVerb,
}

#[derive(Debug, Subcommand)]
pub(super) enum GraphVerb {
    /// List the graphs of the project
    List(#[command(flatten)] Paging),
    /// Create a graph
    Create(Create),
    /// Show what is known about a graph
    Show {
        /// Name or id
        graph: String,
    },
    /// Delete a graph
    Delete {
        /// Name or id
        graph: String,
        /// Keep the newest automatic and the two newest other backups
        #[arg(long)]
        keep_backups: bool,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Start a stopped graph as it was, or from a backup with `gestalt backup restore`
    Start {
        /// Name or id
        graph: String,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Stop a graph
    Stop {
        /// Name or id
        graph: String,
        #[command(flatten)]
        waiting: Waiting,
    },
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// 4 to 50 letters, digits and underscores, the first a letter
    name: String,
    /// Size index, by edges: 0 ten thousand, 1 a million, 2 ten million, 3 a hundred million, 4 a
    /// billion, 401 two billion, 5 ten billion
    #[arg(long, value_name = "INDEX", default_value = "1")]
    size: String,
    /// Where labels and properties come from: from metadata, or as they are used
    #[arg(long, value_enum, default_value_t = SchemaMode::Closed)]
    schema_mode: SchemaMode,
    /// Let a vertex have several labels
    #[arg(long)]
    multi_label: bool,
    #[command(flatten)]
    waiting: Waiting,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SchemaMode {
    Closed,
    Open,
}

pub(super) fn run(verb: &GraphVerb, desk: &Desk) -> Result<(), Error> {
    match verb {
        GraphVerb::List(paging) => list(paging, desk),
        GraphVerb::Create(create) => self::create(create, desk),
        GraphVerb::Show { graph } => {
            let graph = find::graph(&desk.api, graph)?;
            let reply = desk.api.get(&format!("/v2/{{p}}/graphs/{}", graph.id))?;
            desk.out.show(&reply, |reply| Ok(describe(&reply.body["graph"])))
        }
        GraphVerb::Delete { graph, keep_backups, yes, waiting } => {
            let graph = find::graph(&desk.api, graph)?;
            let backups = if *keep_backups { "" } else { " and its backups" };
            confirm(*yes, &format!("This deletes the graph [{}]{backups}.", graph.name))?;
            let keep = keep_backups.to_string();
            let path = with_query(&format!("/v2/{{p}}/graphs/{}", graph.id), &[("keep_backup", &keep)]);
            let reply = desk.api.delete(&path)?;
            desk.finish(&graph.id, &reply, waiting, &format!("graph {} is deleted", graph.name))
        }
        GraphVerb::Start { graph, waiting } => operate(desk, graph, "start", "runs", waiting),
        GraphVerb::Stop { graph, waiting } => operate(desk, graph, "stop", "is stopped", waiting),
    }
}

fn operate(desk: &Desk, graph: &str, operation: &str, end: &str, waiting: &Waiting) -> Result<(), Error> {
    let graph = find::graph(&desk.api, graph)?;
    let reply = desk.api.post(&format!("/v2/{{p}}/graphs/{}/{operation}", graph.id), None)?;
    desk.finish(&graph.id, &reply, waiting, &format!("graph {} {end}", graph.name))
}

fn list(paging: &Paging, desk: &Desk) -> Result<(), Error> {
    let (mut limit, mut offset) = (String::new(), String::new());
    let reply = desk.api.get(&with_query("/v2/{p}/graphs", &paging.query(&mut limit, &mut offset)))?;
    desk.out.show(&reply, |reply| {
        let rows = reply.list("graphs")?;
        let mut table = Table::new(["NAME", "STATE", "SIZE", "CREATED", "ID"]);
        for row in rows {
            table.row([
                text(row, "name"),
                state(row),
                text(row, "graph_size_type_index"),
                text(row, "created"),
                text(row, "id"),
            ]);
        }
        paging.rest(rows.len(), reply.body["graph_count"].as_u64()).iter().for_each(|rest| note(rest));
        Ok(table.lines())
    })
}

/// Creating has a job that its answer does not name, so the graph itself is watched.
fn create(create: &Create, desk: &Desk) -> Result<(), Error> {
    let mode = if matches!(create.schema_mode, SchemaMode::Open) { "open" } else { "closed" };
    let mut graph = json!({"name": create.name, "graph_size_type_index": create.size, "schema_mode": mode});
    if create.multi_label {
        graph["enable_multi_label"] = true.into();
    }
    let reply = desk.api.post("/v2/{p}/graphs", Some(&json!({"graph": graph})))?;
    let id = reply.text("id")?;
    desk.out.raw(&reply)?;
    if create.waiting.no_wait {
        return desk.out.say(&format!("graph {} is being created, with id {id}", create.name));
    }
    let mut progress = Progress::new();
    let shown = desk.api.wait(&format!("/v2/{{p}}/graphs/{id}"), |shown| {
        progress.job(&json!({"job_name": "CreateGraph", "status": "running"}));
        Ok(status(shown)? != "100")
    })?;
    drop(progress);
    match status(&shown)? {
        "200" => desk.out.say(&format!("graph {} runs, with id {id}", create.name)),
        other => Err(Error::Strange {
            asked: format!("the creation of [{}]", create.name),
            why: format!("the graph is {}", state_name(other)),
        }),
    }
}

fn status(shown: &Reply) -> Result<&str, Error> {
    shown.body["graph"]["status"].as_str().ok_or_else(|| shown.lacks("graph.status"))
}

fn describe(graph: &Value) -> String {
    let mut pairs = vec![
        ("name", text(graph, "name")),
        ("id", text(graph, "id")),
        ("state", state(graph)),
        ("size index", text(graph, "graph_size_type_index")),
        ("schema", text(graph, "schema_mode")),
        ("engine", text(graph, "data_store_version")),
        ("created", format!("{} by {}", text(graph, "created"), text(graph, "created_by"))),
        ("updated", text(graph, "updated")),
    ];
    for (name, field) in
        [("metadata", "schema_path"), ("vertices", "vertexset_path"), ("edges", "edgeset_path")]
    {
        for file in graph[field].as_array().into_iter().flatten() {
            pairs.push((name, format!("{}  {}", text(file, "path"), text(file, "status"))));
        }
    }
    facts(&pairs)
}

fn state(graph: &Value) -> String {
    state_name(graph["status"].as_str().unwrap_or_default())
}

/// GES's numbers in words.
pub(super) fn state_name(status: &str) -> String {
    let word = match status {
        "100" => "being created",
        "200" => "running",
        "202" => "importing",
        "203" => "being rolled back",
        "204" => "exporting",
        "205" => "being cleared",
        "300" => "faulty",
        "303" => "creation failed",
        "400" => "deleted",
        "800" => "frozen",
        "900" => "stopped",
        "901" => "stopping",
        "903" => "being backed up",
        "920" => "starting",
        _ => return format!("status {status}"),
    };
    word.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graph_is_described_with_its_files() {
        let graph = json!({
            "name": "mine", "id": "1", "status": "200", "created": "2026-01-02T03:04:05", "created_by": "ann",
            "vertexset_path": [{"path": "b/v.csv", "status": "success"}],
        });
        let text = describe(&graph);
        assert!(text.contains("state       running\n"), "{text}");
        assert!(text.ends_with("vertices    b/v.csv  success\n"), "{text}");
        assert_eq!(state_name("999"), "status 999");
    }
}
