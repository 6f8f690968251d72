//! The data plane without HTTP, on a simulated disk: JSON in, JSON out.

mod edges;
mod labels;
mod table;
mod vertices;

use model::{Label, LabelKind, Schema, SchemaMode};
use serde_json::{Value as Json, json};
use store::{Graph, Settings, Store, sim};

use super::body::Fields;
use super::error::{DataError, ElementList};
use super::request::{self, Change, EdgeRef, Existing, NewEdge, NewVertex, Parallel};
use super::{edges as edge_calls, read, vertices as vertex_calls};

/// A graph of people: a closed schema, ann, bob and cleo, and two parallel edges.
fn people() -> Graph {
    let mut schema = Schema::new(SchemaMode::Closed);
    let metadata = json!({"labels": [
        {"name": "person", "labelType": "vertex", "properties": [
            {"name": "age", "dataType": "int", "cardinality": "single"},
            {"name": "nicknames", "dataType": "string", "cardinality": "list"},
            {"name": "tags", "dataType": "string", "cardinality": "set"}]},
        {"name": "worker", "properties": [{"name": "wage", "dataType": "double", "cardinality": "single"}]},
        {"name": "knows", "properties": [
            {"name": "since", "dataType": "date", "cardinality": "single"},
            {"name": "weight", "dataType": "double", "cardinality": "single"}]},
        {"name": "likes"}]});
    for label in transfer::metadata::from_json(&metadata).unwrap() {
        schema.add_label(label).unwrap();
    }
    let graph = graph(schema);
    let properties = json!({"age": [31], "nicknames": ["annie", "nan"], "tags": ["b", "a"]});
    add_vertices(
        &graph,
        json!([{"vertex": "ann", "label": "person", "properties": properties},
        {"vertex": "bob", "label": "person"}, {"vertex": "cleo", "label": "person"}]),
        Existing::Refuse,
    )
    .unwrap();
    let knows = |weight| json!({"source": "ann", "target": "bob", "label": "knows", "properties": {"weight": [weight]}});
    add_edges(&graph, json!({"edges": [knows(0.5), knows(1.5)]})).unwrap();
    graph
}

fn open_graph() -> Graph {
    graph(Schema::new(SchemaMode::Open))
}

fn graph(schema: Schema) -> Graph {
    let (env, _) = sim::env(7);
    let pool = Store::new(env, Settings::default()).pool("project").unwrap();
    pool.create("people", schema).unwrap()
}

fn body(json: Json) -> Fields {
    Fields::parse(json.to_string().as_bytes()).unwrap()
}

fn add_vertices(graph: &Graph, vertices: Json, existing: Existing) -> Result<(), DataError> {
    let new =
        request::all(&mut body(json!({"vertices": vertices})), ElementList::Vertices, NewVertex::parse)?;
    graph.write(move |transaction| vertex_calls::add(transaction, &new, existing))
}

/// A whole batch; gives the indexes.
fn add_edges(graph: &Graph, batch: Json) -> Result<Vec<String>, DataError> {
    let mut fields = body(batch);
    let new = request::all(&mut fields, ElementList::Edges, NewEdge::parse)?;
    let options = edge_calls::AddOptions {
        parallel: Parallel::parse(&mut fields)?,
        create_ends: fields.flag("createNotExists", false)?,
        limit: fields.index("limit")?.map(u64::from),
    };
    let added = graph.write(move |transaction| edge_calls::add(transaction, &new, options))?;
    Ok(added.into_iter().map(|added| added.index).collect())
}

fn vertex(graph: &Graph, id: &str) -> Option<Json> {
    let mut found = read::vertices(&graph.snapshot(), [id]).unwrap();
    found.pop().map(|vertex| serde_json::to_value(vertex).unwrap())
}

fn property(graph: &Graph, id: &str, name: &str) -> Json {
    vertex(graph, id).expect("the vertex")["properties"][name].clone()
}

fn edge_ref(edge: Json) -> EdgeRef {
    EdgeRef::parse(&mut body(edge)).unwrap()
}

fn edges(graph: &Graph, edge: Json) -> Vec<Json> {
    let found = read::edges(&graph.snapshot(), &[edge_ref(edge)]).unwrap();
    found.into_iter().map(|edge| serde_json::to_value(edge).unwrap()).collect()
}

fn weights(graph: &Graph, source: &str, target: &str) -> Vec<Json> {
    let edges = edges(graph, json!({"source": source, "target": target}));
    edges.iter().map(|edge| edge["properties"]["weight"][0].clone()).collect()
}

fn summary(graph: &Graph) -> Json {
    serde_json::to_value(read::summary(&graph.snapshot(), true)).unwrap()
}

fn said<T: std::fmt::Debug>(result: Result<T, DataError>) -> String {
    result.unwrap_err().to_string()
}

fn label(name: &str) -> Label {
    Label { name: name.into(), kind: LabelKind::All, properties: Vec::new() }
}
