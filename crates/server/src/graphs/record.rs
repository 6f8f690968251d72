//! Graphs in the database, and as clients see them.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde_json::{Map, Value, json};

use crate::graphs::states::Status;
use crate::http::Page;
use crate::ids::{GraphId, ProjectId};
use crate::times::Time;

/// What the engine calls itself: clients show it, and backups remember it.
pub(crate) const ENGINE_VERSION: &str = concat!("2.5.", env!("CARGO_PKG_VERSION_PATCH"));

/// One graph.
#[derive(Debug, Clone)]
pub(crate) struct GraphRow {
    pub(crate) id: GraphId,
    pub(crate) project: ProjectId,
    pub(crate) name: String,
    pub(crate) status: Status,
    pub(crate) size_index: String,
    pub(crate) schema_mode: String,
    pub(crate) created_by: String,
    pub(crate) created: Time,
    pub(crate) updated: Time,
    /// What was asked for at creation and is shown again: network, tags, switches.
    pub(crate) fields: Map<String, Value>,
    /// Which files were imported.
    pub(crate) files: Map<String, Value>,
}

/// The sizes a graph can have, and how many edges each holds.
const SIZES: &[(&str, u64)] = &[
    ("0", 10_000),
    ("1", 1_000_000),
    ("2", 10_000_000),
    ("3", 100_000_000),
    ("4", 1_000_000_000),
    ("401", 2_000_000_000),
    ("5", 10_000_000_000),
    ("6", 100_000_000_000),
];

/// How many edges a graph of this size holds; `None` if there is no such size.
pub(crate) fn edge_limit(size_index: &str) -> Option<u64> {
    SIZES.iter().find(|(index, _)| *index == size_index).map(|(_, edges)| *edges)
}

const COLUMNS: &str =
    "id, project_id, name, status, size_index, schema_mode, created_by, created, updated, fields, files";

impl GraphRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let json = |text: String| serde_json::from_str(&text).unwrap_or_default();
        Ok(Self {
            id: row.get(0)?,
            project: row.get(1)?,
            name: row.get(2)?,
            status: Status::from_number(row.get(3)?).unwrap_or(Status::Faulty),
            size_index: row.get(4)?,
            schema_mode: row.get(5)?,
            created_by: row.get(6)?,
            created: row.get(7)?,
            updated: row.get(8)?,
            fields: json(row.get(9)?),
            files: json(row.get(10)?),
        })
    }

    /// As the management plane shows it. Addresses, networks and zones are labels here: the graph
    /// answers wherever the server listens.
    pub(crate) fn describe(&self) -> Value {
        let mut graph = json!({
            "id": self.id.as_str(),
            "name": self.name,
            "created_by": self.created_by,
            "status": self.status.text(),
            "graph_size_type_index": self.size_index,
            "data_store_version": ENGINE_VERSION,
            "product_type": if self.size_index == "6" { "Persistence" } else { "InMemory" },
            "arch": "x86_64",
            "is_multi_az": "false",
            "region_code": "local-1",
            "az_code": "local-1a",
            "private_ip": "127.0.0.1",
            "traffic_ip_list": ["127.0.0.1"],
            "replication": 1,
            "schema_path": [],
            "edgeset_path": [],
            "vertexset_path": [],
            "edgeset_format": "csv",
            "vertexset_format": "csv",
            "edgeset_default_label": "",
            "vertexset_default_label": "",
            "sys_tags": [],
            "tags": [],
            "created": self.created.text(),
            "updated": self.updated.text(),
            "encrypted": false,
            "enable_rbac": false,
            "enable_full_text_index": false,
            "enable_hyg": false,
            "enable_https": false,
            "enable_multi_label": false,
            "schema_mode": self.schema_mode,
        });
        for (key, value) in self.fields.iter().chain(&self.files) {
            graph[key] = value.clone();
        }
        if self.status == Status::Creating {
            graph["action_progress"] = "0".into();
        }
        graph
    }

    /// Whether a vertex may have several labels.
    pub(crate) fn multi_label(&self) -> bool {
        self.fields.get("enable_multi_label").is_some_and(|flag| flag == true)
    }
}

/// A graph that is not deleted.
pub(crate) fn find(db: &Connection, project: &ProjectId, id: &GraphId) -> rusqlite::Result<Option<GraphRow>> {
    Ok(find_any(db, project, id)?.filter(|graph| graph.status != Status::Deleted))
}

/// A graph, deleted or not: its jobs and kept backups can still be asked for.
pub(crate) fn find_any(
    db: &Connection,
    project: &ProjectId,
    id: &GraphId,
) -> rusqlite::Result<Option<GraphRow>> {
    let sql = format!("SELECT {COLUMNS} FROM graphs WHERE id = ?1 AND project_id = ?2");
    db.prepare_cached(&sql)?.query_row(params![id, project], GraphRow::read).optional()
}

/// A graph by name, as the data plane addresses it. Names differ not only in case.
pub(crate) fn find_by_name(
    db: &Connection,
    project: &ProjectId,
    name: &str,
) -> rusqlite::Result<Option<GraphRow>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM graphs WHERE project_id = ?1 AND lower(name) = lower(?2) AND status <> 400"
    );
    db.prepare_cached(&sql)?.query_row(params![project, name], GraphRow::read).optional()
}

/// How many graphs there are, and one page of them, newest first.
pub(crate) fn list(
    db: &Connection,
    project: &ProjectId,
    page: Page,
) -> rusqlite::Result<(i64, Vec<GraphRow>)> {
    let count = db
        .prepare_cached("SELECT count(*) FROM graphs WHERE project_id = ?1 AND status <> 400")?
        .query_row([project], |row| row.get(0))?;
    let sql = format!(
        "SELECT {COLUMNS} FROM graphs WHERE project_id = ?1 AND status <> 400
         ORDER BY created DESC, id LIMIT ?2 OFFSET ?3"
    );
    let mut rows = db.prepare_cached(&sql)?;
    let rows = rows.query_map(params![project, page.limit, page.offset], GraphRow::read)?;
    Ok((count, rows.collect::<Result<_, _>>()?))
}

/// Every graph of every project, deleted ones too.
pub(crate) fn all(db: &Connection) -> rusqlite::Result<Vec<GraphRow>> {
    let mut rows = db.prepare(&format!("SELECT {COLUMNS} FROM graphs ORDER BY created"))?;
    rows.query_map([], GraphRow::read)?.collect()
}

pub(crate) fn insert(db: &Transaction<'_>, graph: &GraphRow) -> rusqlite::Result<()> {
    let sql = format!("INSERT INTO graphs ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)");
    db.execute(
        &sql,
        params![
            graph.id,
            graph.project,
            graph.name,
            graph.status as i64,
            graph.size_index,
            graph.schema_mode,
            graph.created_by,
            graph.created,
            graph.updated,
            Value::Object(graph.fields.clone()).to_string(),
            Value::Object(graph.files.clone()).to_string(),
        ],
    )
    .map(|_| ())
}

pub(crate) fn set_status(
    db: &Transaction<'_>,
    id: &GraphId,
    status: Status,
    now: Time,
) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE graphs SET status = ?2, updated = ?3 WHERE id = ?1")?
        .execute(params![id, status as i64, now])
        .map(|_| ())
}

/// Sets the status unless something else has moved the graph on since it was `from`.
pub(crate) fn move_on(
    db: &Transaction<'_>,
    id: &GraphId,
    from: Status,
    to: Status,
    now: Time,
) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE graphs SET status = ?3, updated = ?4 WHERE id = ?1 AND status = ?2")?
        .execute(params![id, from as i64, to as i64, now])
        .map(|_| ())
}

pub(crate) fn set_files(
    db: &Transaction<'_>,
    id: &GraphId,
    files: &Map<String, Value>,
) -> rusqlite::Result<()> {
    let files = Value::Object(files.clone()).to_string();
    db.execute("UPDATE graphs SET files = ?2 WHERE id = ?1", params![id, files]).map(|_| ())
}
