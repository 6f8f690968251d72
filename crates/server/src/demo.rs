//! `gestalt demo`: the main job on a real graph, from import to damage and back, over HTTP like
//! any client, watched by whoever started it.

mod client;
mod screen;

use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::{Value, json};

use self::client::{Client, DemoError};
use self::screen::Screen;

const VERTICES: &[u8] = include_bytes!("../../../data/debian/vertices.csv.gz");
const EDGES: &[u8] = include_bytes!("../../../data/debian/edges.csv.gz");
const SCHEMA: &[u8] = include_bytes!("../../../data/debian/schema.xml");

/// How many packages lose their dependencies, and how many others their version.
const DAMAGED: usize = 1000;
/// A package that everybody knows, to look at closely.
const WITNESS: &str = "bash";

/// What the demonstration can be told.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoOptions {
    /// Exit when everything is proven, instead of serving on
    #[arg(long)]
    pub exit: bool,
    /// Where to listen
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Keep the data here, instead of in a temporary directory
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// What the server said of the graph.
#[derive(Debug, Clone, PartialEq)]
struct Picture {
    summary: Value,
    witness: Value,
}

/// Runs the demonstration against a server that is ready at `url`, with the credentials in `data`.
/// Returns what everybody else needs to try it, too. Blocks.
pub fn run(url: &str, data: &std::path::Path) -> Result<String, DemoError> {
    let screen = Screen::new();
    screen.title("Gestalt: a graph that cannot be lost");
    let client = screen.step("log in", || {
        let client = Client::log_in(url, data)?;
        Ok((client, "a token for project default".into()))
    })?;
    let graph = create(&screen, &client)?;
    let before = import(&screen, &client, &graph)?;
    let backup = add_backup(&screen, &client, &graph)?;
    damage(&screen, &client, &before)?;
    restore(&screen, &client, &graph, &backup)?;
    prove(&screen, &client, &before)?;
    Ok(client.hint(&graph))
}

fn create(screen: &Screen, client: &Client) -> Result<String, DemoError> {
    screen.step("create graph debian", || {
        let body = json!({"graph": {"name": "debian", "graph_size_type_index": "1"}});
        let reply = client.post("/v2/{p}/graphs", &body)?;
        let graph = client::text(&reply, "id")?;
        client.wait_status(&graph, "200")?;
        Ok((graph.clone(), graph))
    })
}

fn import(screen: &Screen, client: &Client, graph: &str) -> Result<Picture, DemoError> {
    screen.step("put three files into bucket demo", || {
        for (name, bytes) in [("schema.xml", SCHEMA), ("vertices.csv.gz", VERTICES), ("edges.csv.gz", EDGES)]
        {
            client.put(&format!("/obs/demo/debian/{name}"), bytes)?;
        }
        let size = (SCHEMA.len() + VERTICES.len() + EDGES.len()) as f64 / 1e6;
        Ok(((), format!("{size:.1} MB, every package of Debian 12")))
    })?;
    screen.step("import them", || {
        let body = json!({
            "schema_path": "demo/debian/schema.xml", "vertexset_path": "demo/debian/vertices.csv.gz",
            "edgeset_path": "demo/debian/edges.csv.gz", "log_dir": "demo/log/",
        });
        client.run(graph, "/import-graph", &body)?;
        let picture = look(client)?;
        let text = counts(&picture.summary);
        Ok((picture, text))
    })
}

fn add_backup(screen: &Screen, client: &Client, graph: &str) -> Result<String, DemoError> {
    screen.note(&format!(
        "$ curl -X POST -H \"X-Auth-Token: $TOKEN\" {}",
        client.url(&format!("/v2/{{p}}/graphs/{graph}/backups"))
    ));
    screen.step("add a backup", || {
        let (backup, job) = client.add_backup(graph)?;
        Ok((backup.clone(), format!("{backup}, job {job}")))
    })
}

/// What a bad day looks like.
fn damage(screen: &Screen, client: &Client, before: &Picture) -> Result<(), DemoError> {
    let edges = client::table(EDGES)?;
    let mut packages: Vec<&str> = Vec::new();
    let mut doomed: Vec<Value> = Vec::new();
    for edge in edges.iter().filter(|edge| edge.get(2).is_some_and(|label| label == "Depends")) {
        if packages.last() != Some(&edge[0].as_str()) {
            if packages.len() > DAMAGED {
                break;
            }
            packages.push(&edge[0]);
        }
        doomed.push(json!({"source": edge[0], "target": edge[1], "label": "Depends"}));
    }
    packages.pop();
    doomed.retain(|edge| {
        packages.iter().any(|package| edge["source"] == *package) || edge["source"] == WITNESS
    });
    doomed.extend(edges.iter().filter(|e| e[0] == WITNESS).map(|e| json!({"source": e[0], "target": e[1]})));
    screen.step(&format!("damage it: delete the dependencies of {} packages", packages.len()), || {
        for batch in doomed.chunks(5_000) {
            client.data("/edges/action?action_id=batch-delete", &json!({"edges": batch}))?;
        }
        Ok(((), format!("{} edges named", doomed.len())))
    })?;
    screen.step("and overwrite properties of others", || {
        let vertices = client::table(VERTICES)?;
        let chosen = vertices.iter().rev().filter(|row| row.get(1).is_some_and(|label| label == "package"));
        let names = chosen.map(|row| row[0].clone()).take(DAMAGED).chain([WITNESS.to_owned()]);
        let item = |name: String| json!({"vertex": name, "label": "package", "properties": {"version": ["0.0-broken"]}});
        let vertices: Vec<Value> = names.map(item).collect();
        let count = vertices.len();
        let body = json!({"vertices": vertices, "overrideExists": true});
        client.data("/vertices/action?action_id=batch-add", &body)?;
        Ok(((), format!("{count} packages are now version 0.0-broken")))
    })?;
    let after = look(client)?;
    screen.difference("vertices", &before.summary["vertexNum"], &after.summary["vertexNum"]);
    screen.difference("edges", &before.summary["edgeNum"], &after.summary["edgeNum"]);
    let depends = |picture: &Picture| picture.summary["labelDetails"]["labelInEdge"]["Depends"].clone();
    screen.difference("  of them Depends", &depends(before), &depends(&after));
    screen.difference("content root", &before.summary["contentRoot"], &after.summary["contentRoot"]);
    screen.difference(&format!("version of {WITNESS}"), &version(before), &version(&after));
    if after.summary["contentRoot"] == before.summary["contentRoot"] {
        return Err(DemoError::Unproven("the damage did not show in the content root".into()));
    }
    Ok(())
}

fn restore(screen: &Screen, client: &Client, graph: &str, backup: &str) -> Result<(), DemoError> {
    screen.step("stop the graph", || {
        client.run(graph, "/stop", &json!({}))?;
        Ok(((), String::new()))
    })?;
    screen.step("start it from the backup", || {
        client.run(graph, "/start", &json!({"graph_backup_id": backup}))?;
        Ok(((), "it answers".into()))
    })
}

fn prove(screen: &Screen, client: &Client, before: &Picture) -> Result<(), DemoError> {
    let after = look(client)?;
    let proofs = [
        ("vertices", "vertexNum"),
        ("edges", "edgeNum"),
        ("counts of every label", "labelDetails"),
        ("content root", "contentRoot"),
    ];
    for (what, key) in proofs {
        screen.proof(what, &shown(&after.summary[key]), before.summary[key] == after.summary[key]);
    }
    let same = before.witness == after.witness;
    screen.proof(&format!("version and dependencies of {WITNESS}"), &shown(&version(&after)), same);
    if after == *before {
        screen.done("Everything is back.");
        return Ok(());
    }
    Err(DemoError::Unproven("the restored graph is not the one that was backed up".into()))
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(_) => "all equal".into(),
        other => other.to_string(),
    }
}

fn version(picture: &Picture) -> Value {
    picture.witness["vertex"]["properties"]["version"][0].clone()
}

fn counts(summary: &Value) -> String {
    let root = summary["contentRoot"].as_str().unwrap_or_default();
    format!("{} vertices, {} edges, content root {root}", summary["vertexNum"], summary["edgeNum"])
}

fn look(client: &Client) -> Result<Picture, DemoError> {
    let summary = client.data_get("/summary?label_details=true")?["data"].clone();
    let vertices = client.data("/vertices/action?action_id=batch-query", &json!({"vertices": [WITNESS]}))?;
    let libc = client.data_get(&format!("/edges/detail?source={WITNESS}&target=libc6"))?;
    let base = client.data_get(&format!("/edges/detail?source={WITNESS}&target=base-files"))?;
    let witness = json!({
        "vertex": vertices["data"]["vertices"][0], "libc6": libc["data"], "base-files": base["data"],
    });
    Ok(Picture { summary, witness })
}
