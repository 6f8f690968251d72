//! Small example data.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use crate::client::Client;
use crate::graph::Graph;

/// Metadata of people who know each other.
pub const PEOPLE_XML: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<PMML version="3.0" xmlns="http://www.dmg.org/PMML-3-0">
  <labels>
    <label name="person">
      <properties>
        <property name="age" cardinality="single" dataType="int"/>
        <property name="nicknames" cardinality="list" dataType="string"/>
        <property name="tags" cardinality="set" dataType="string"/>
      </properties>
    </label>
    <label name="knows">
      <properties>
        <property name="since" cardinality="single" dataType="date"/>
        <property name="weight" cardinality="single" dataType="double"/>
      </properties>
    </label>
    <label name="likes"/>
  </labels>
</PMML>
"#;

/// Four people.
pub const PEOPLE_VERTICES: &str = "\
ann,person,31,annie;nan,a;b;a
bob,person,45,,x
\"cleo, the elder\",person,77,\"c;\"\"the\"\"\",
dan,person
";

/// Five edges among them, two of them parallel, one a loop.
pub const PEOPLE_EDGES: &str = "\
ann,bob,knows,2001-02-03,0.5
ann,bob,knows,2004-05-06 07:08:09,1.5
bob,\"cleo, the elder\",likes
\"cleo, the elder\",dan,knows,,2
dan,dan,likes
";

/// An open graph of three people and two edges, written through the data plane.
pub fn trio(client: &Client, name: &str) -> Graph {
    let graph = client.create_open_graph(name);
    graph.add_vertices(
        "person",
        &[("ann", json!({"age": [31]})), ("bob", json!({"age": [45]})), ("cleo", json!({}))],
    );
    graph.add_edges("knows", &[("ann", "bob"), ("bob", "cleo")]);
    graph
}

/// A closed graph with the people imported from files.
pub fn people(client: &Client, name: &str) -> Graph {
    upload_people(client);
    let graph = client.create_graph(name);
    graph.run("/import-graph", people_import());
    graph
}

/// Puts the people's files into the object area.
pub fn upload_people(client: &Client) {
    client.upload("data/people/schema.xml", PEOPLE_XML);
    client.upload("data/people/vertices.csv", PEOPLE_VERTICES);
    client.upload("data/people/edges.csv", PEOPLE_EDGES);
}

/// The body that imports them.
pub fn people_import() -> serde_json::Value {
    json!({
        "schema_path": "data/people/schema.xml",
        "vertexset_path": "data/people/vertices.csv",
        "edgeset_path": "data/people/edges.csv",
        "log_dir": "data/people/log/",
    })
}

/// A ring of vertices `v0`, `v1`, … with label `node` and edges `next`: CSV of both.
pub fn ring(length: usize) -> (String, String) {
    let vertices = (0..length).map(|v| format!("v{v},node,{v}\n")).collect();
    let edges = (0..length).map(|v| format!("v{v},v{},next\n", (v + 1) % length)).collect();
    (vertices, edges)
}

/// Metadata of a ring.
pub const RING_XML: &str = r#"<PMML version="3.0"><labels>
  <label name="node"><properties><property name="at" cardinality="single" dataType="long"/></properties></label>
  <label name="next"/>
</labels></PMML>"#;

/// What `gzip` would make of it.
pub fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).expect("memory takes everything");
    encoder.finish().expect("memory takes everything")
}
