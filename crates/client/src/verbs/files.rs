//! Import and export of a graph's data.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::{Desk, Waiting};
use crate::connection::Common;
use crate::error::Error;
use crate::find::{self, text};
use crate::output::note;
use crate::table::{Table, grouped};

/// `gestalt import`
#[derive(Debug, Args)]
pub(super) struct ImportOptions {
    #[command(flatten)]
    pub(super) common: Common,
    /// Name or id
    graph: String,
    /// Metadata: `bucket/folder/file.xml`
    #[arg(long, value_name = "PATH")]
    schema: Option<String>,
    /// Vertices: a file or a folder
    #[arg(long, value_name = "PATH", required_unless_present = "edges")]
    vertices: Option<String>,
    /// Edges: a file or a folder
    #[arg(long, value_name = "PATH")]
    edges: Option<String>,
    /// The folder for lines that are refused, with the reasons
    #[arg(long, value_name = "PATH")]
    log_dir: Option<String>,
    /// What becomes of parallel edges: keep all, the first, or the last
    #[arg(long, value_enum, default_value_t = ParallelEdges::Allow)]
    parallel_edges: ParallelEdges,
    /// Edges with the same ends are parallel only if their labels are the same, too
    #[arg(long)]
    by_label: bool,
    /// What stands between fields
    #[arg(long, value_name = "CHARACTER", default_value = ",")]
    delimiter: char,
    #[command(flatten)]
    waiting: Waiting,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ParallelEdges {
    Allow,
    Ignore,
    Override,
}

/// `gestalt export`
#[derive(Debug, Args)]
pub(super) struct ExportOptions {
    #[command(flatten)]
    pub(super) common: Common,
    /// Name or id
    graph: String,
    /// The folder: `bucket/folder/`
    path: String,
    /// What the file of vertices is called
    #[arg(long, value_name = "NAME", default_value = "set_vertex.csv")]
    vertices: String,
    /// What the file of edges is called
    #[arg(long, value_name = "NAME", default_value = "set_edge.csv")]
    edges: String,
    /// What the file of metadata is called
    #[arg(long, value_name = "NAME", default_value = "set_schema.xml")]
    schema: String,
    /// Begin another file after so many rows
    #[arg(long, value_name = "N")]
    rows_per_file: Option<u64>,
    #[command(flatten)]
    waiting: Waiting,
}

pub(super) fn import(options: &ImportOptions, desk: &Desk) -> Result<(), Error> {
    let graph = find::graph(&desk.api, &options.graph)?;
    let reply =
        desk.api.post(&format!("/v2/{{p}}/graphs/{}/import-graph", graph.id), Some(&body(options)))?;
    let Some(job) = desk.follow(&graph.id, &reply, &options.waiting)? else { return Ok(()) };
    let detail = &job.body["job_detail"];
    if let Some(refused) = refused(detail, options.log_dir.as_deref()) {
        note(&refused);
    }
    if desk.out.json { Ok(()) } else { crate::output::print(table(detail).lines().as_bytes()) }
}

fn body(options: &ImportOptions) -> Value {
    let action = match options.parallel_edges {
        ParallelEdges::Allow => "allow",
        ParallelEdges::Ignore => "ignore",
        ParallelEdges::Override => "override",
    };
    let mut body = json!({
        "edgeset_format": "csv",
        "vertexset_format": "csv",
        "parallel_edge": {"action": action, "ignore_label": !options.by_label},
        "delimiter": options.delimiter.to_string(),
    });
    for (name, path) in [
        ("schema_path", &options.schema),
        ("vertexset_path", &options.vertices),
        ("edgeset_path", &options.edges),
        ("log_dir", &options.log_dir),
    ] {
        if let Some(path) = path {
            body[name] = path.as_str().into();
        }
    }
    body
}

const SETS: [&str; 3] = ["schema_path", "vertexset_path", "edgeset_path"];

fn files(detail: &Value) -> impl Iterator<Item = &Value> {
    SETS.iter().filter_map(|set| detail[*set].as_array()).flatten()
}

fn table(detail: &Value) -> Table {
    let mut table = Table::new(["FILE", "STATUS", "LINES", "REFUSED", "REASON"]);
    for file in files(detail) {
        // -1 means that nobody counted.
        let lines = |field: &str| file[field].as_u64().map(grouped).unwrap_or_default();
        table.row([
            text(file, "path"),
            text(file, "status"),
            lines("total_lines"),
            lines("failed_lines"),
            text(file, "cause"),
        ]);
    }
    table
}

/// A success with bad lines is one that somebody should look at.
fn refused(detail: &Value, log_dir: Option<&str>) -> Option<String> {
    let lines: u64 = files(detail).filter_map(|file| file["failed_lines"].as_u64()).sum();
    let where_to_look = match log_dir {
        Some(folder) => format!("{folder} has the lines and the reasons"),
        None => "import with --log-dir to see which and why".into(),
    };
    (lines > 0).then(|| format!("{} lines were refused; {where_to_look}", grouped(lines)))
}

pub(super) fn export(options: &ExportOptions, desk: &Desk) -> Result<(), Error> {
    let graph = find::graph(&desk.api, &options.graph)?;
    let mut paginate = json!({"enable": options.rows_per_file.is_some()});
    if let Some(rows) = options.rows_per_file {
        paginate["row_count_per_file"] = rows.into();
    }
    let body = json!({
        "graph_export_path": options.path,
        "edge_set_name": options.edges,
        "vertex_set_name": options.vertices,
        "schema_name": options.schema,
        "paginate": paginate,
    });
    let reply = desk.api.post(&format!("/v2/{{p}}/graphs/{}/export-graph", graph.id), Some(&body))?;
    let done = format!("graph {} is exported to {}", graph.name, options.path);
    desk.finish(&graph.id, &reply, &options.waiting, &done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_lines_are_counted_over_all_files() {
        let file = |failed: i64| json!({"path": "b/f", "status": "partFailed", "total_lines": 2000, "failed_lines": failed});
        let detail = json!({
            "schema_path": [file(-1)], "vertexset_path": [file(1)], "edgeset_path": [file(0), file(1500)],
        });
        let note = refused(&detail, Some("b/log/")).unwrap();
        assert!(note.starts_with("1,501 lines were refused; b/log/"), "{note}");
        let lines = table(&detail).lines();
        assert!(lines.contains("b/f   partFailed  2,000  1,500"), "{lines}");
        assert_eq!(refused(&json!({"vertexset_path": null, "edgeset_path": [file(0)]}), None), None);
    }
}
