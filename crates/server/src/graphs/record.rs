//! Graphs in the database, and as clients see them.

use model::SchemaMode;
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
    /// The size it was created with.
    pub(crate) origin_size_index: String,
    pub(crate) resized: Option<Time>,
    pub(crate) replicas: u32,
    pub(crate) expanded: Option<Time>,
    pub(crate) schema_mode: String,
    pub(crate) created_by: String,
    pub(crate) created: Time,
    pub(crate) updated: Time,
    /// What was asked for at creation and is shown again: network, tags, switches.
    pub(crate) fields: Map<String, Value>,
    /// Which files were imported.
    pub(crate) files: Map<String, Value>,
}

const COLUMNS: &str = "id, project_id, name, status, size_index, schema_mode, created_by, created, updated, fields, files, \
     origin_size_index, resized, replicas, expanded";

impl GraphRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let json = |text: String| serde_json::from_str(&text).unwrap_or_default();
        let size_index: String = row.get(4)?;
        Ok(Self {
            id: row.get(0)?,
            project: row.get(1)?,
            name: row.get(2)?,
            status: Status::from_number(row.get(3)?).unwrap_or(Status::Faulty),
            origin_size_index: row.get::<_, Option<String>>(11)?.unwrap_or_else(|| size_index.clone()),
            size_index,
            resized: row.get(12)?,
            replicas: row.get(13)?,
            expanded: row.get(14)?,
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
            "origin_graph_size_type_index": self.origin_size_index,
            "data_store_version": ENGINE_VERSION,
            "product_type": if self.size_index == "6" { "Persistence" } else { "InMemory" },
            "arch": "x86_64",
            "is_multi_az": "false",
            "region_code": "local-1",
            "az_code": "local-1a",
            "private_ip": "127.0.0.1",
            "traffic_ip_list": ["127.0.0.1"],
            "replication": self.replicas,
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
            "enable_lts": false,
            "schema_mode": self.schema_mode,
        });
        for (key, value) in self.fields.iter().chain(&self.files) {
            graph[key] = value.clone();
        }
        for (key, time) in [("resize_time", self.resized), ("expand_time", self.expanded)] {
            if let Some(time) = time {
                graph[key] = time.text().into();
            }
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
    let sql = format!(
        "INSERT INTO graphs ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
    );
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
            graph.origin_size_index,
            graph.resized,
            graph.replicas,
            graph.expanded,
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

pub(crate) fn set_fields(
    db: &Transaction<'_>,
    id: &GraphId,
    fields: &Map<String, Value>,
    now: Time,
) -> rusqlite::Result<()> {
    let fields = Value::Object(fields.clone()).to_string();
    db.execute("UPDATE graphs SET fields = ?2, updated = ?3 WHERE id = ?1", params![id, fields, now])
        .map(|_| ())
}

pub(crate) fn set_size(db: &Transaction<'_>, id: &GraphId, index: &str, now: Time) -> rusqlite::Result<()> {
    db.execute("UPDATE graphs SET size_index = ?2, resized = ?3 WHERE id = ?1", params![id, index, now])
        .map(|_| ())
}

pub(crate) fn set_replicas(
    db: &Transaction<'_>,
    id: &GraphId,
    replicas: u32,
    now: Time,
) -> rusqlite::Result<()> {
    db.execute("UPDATE graphs SET replicas = ?2, expanded = ?3 WHERE id = ?1", params![id, replicas, now])
        .map(|_| ())
}

/// What a start finds in the store: after a restore it is the schema of the backup's graph.
pub(crate) fn set_schema_mode(db: &Transaction<'_>, id: &GraphId, mode: SchemaMode) -> rusqlite::Result<()> {
    db.execute("UPDATE graphs SET schema_mode = ?2 WHERE id = ?1", params![id, mode_name(mode)]).map(|_| ())
}

/// A schema mode as clients name it.
pub(crate) fn mode_name(mode: SchemaMode) -> &'static str {
    match mode {
        SchemaMode::Closed => "closed",
        SchemaMode::Open => "open",
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A running graph of a size.
    pub(crate) fn graph(size_index: &str, replicas: u32) -> GraphRow {
        GraphRow {
            id: GraphId("f1529b88-c958-493e-8452-fccfe932cde1".into()),
            project: ProjectId("project".into()),
            name: "people".into(),
            status: Status::Running,
            size_index: size_index.into(),
            origin_size_index: size_index.into(),
            resized: None,
            replicas,
            expanded: None,
            schema_mode: "closed".into(),
            created_by: "ann".into(),
            created: Time(0),
            updated: Time(0),
            fields: Map::new(),
            files: Map::new(),
        }
    }

    #[test]
    fn times_are_shown_once_there_are_any() {
        let mut graph = graph("2", 3);
        let shown = graph.describe();
        assert!(shown.get("resize_time").is_none() && shown.get("expand_time").is_none());
        graph.resized = Some(Time(1_623_160_513_000_000));
        let shown = graph.describe();
        assert_eq!(shown["resize_time"], "2021-06-08T13:55:13");
        assert_eq!((&shown["replication"], &shown["origin_graph_size_type_index"]), (&json!(3), &json!("2")));
    }
}
