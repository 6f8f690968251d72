//! The elements of a graph, one request at a time.

use harness::{Server, Value, assert_refused, json, sample};

#[test]
fn bad_requests_are_refused_and_change_nothing() {
    let server = Server::start();
    let client = server.admin();
    let graph = sample::people(&client, "people");
    let before = graph.summary();
    assert_refused(&client, &[("{data}", &graph.data_path(""))], include_str!("refusals/data.txt"));
    assert_eq!(graph.summary(), before);
}

#[test]
fn vertices_are_found_by_id() {
    let server = Server::start();
    let graph = sample::people(&server.admin(), "people");
    let reply = graph.data_get("/vertices/detail?vertexIds=ann,bob,nobody").ok();
    let found = reply["data"]["vertices"].as_array().expect("a list");
    assert_eq!(found.len(), 2, "{reply}");
    let ann = found.iter().find(|vertex| vertex["id"] == "ann").expect("ann");
    assert_eq!(ann["label"], "person");
    assert_eq!(ann["properties"]["age"], json!([31]), "values are arrays, one or many");

    let batch = graph
        .data_post("/vertices/action?action_id=batch-query", json!({"vertices": ["dan", "cleo, the elder"]}));
    assert_eq!(batch.ok()["result"], "success");
    assert_eq!(batch.ok()["data"]["vertices"].as_array().map(Vec::len), Some(2), "{batch}");
    assert_eq!(graph.data_get("/vertices/detail?vertexIds=nobody").ok()["data"]["vertices"], json!([]));
}

#[test]
fn edges_are_found_by_their_ends() {
    let server = Server::start();
    let graph = sample::people(&server.admin(), "people");
    let edges = graph.edges("ann", "bob");
    assert_eq!(edges.len(), 2);
    for edge in &edges {
        assert_eq!(
            (&edge["source"], &edge["target"], &edge["label"]),
            (&json!("ann"), &json!("bob"), &json!("knows"))
        );
        let index = edge["index"].as_str().expect("index is text");
        let one = graph.data_get(&format!("/edges/detail?source=ann&target=bob&index={index}")).ok();
        assert_eq!(one["data"]["edges"], json!([edge]));
    }
    assert!(graph.edges("bob", "ann").is_empty(), "edges have a direction");
    assert!(graph.edges("ann", "nobody").is_empty());
    let batch = graph.data_post(
        "/edges/action?action_id=batch-query",
        json!({"edges": [{"source": "ann", "target": "bob"}, {"source": "dan", "target": "dan", "index": "0"}]}),
    );
    assert_eq!(batch.ok()["data"]["edges"].as_array().map(Vec::len), Some(3), "{batch}");
}

#[test]
fn vertices_are_added_in_a_batch() {
    let server = Server::start();
    let graph = sample::people(&server.admin(), "people");
    let add = |body: Value| graph.data_post("/vertices/action?action_id=batch-add", body);
    let age = || graph.vertex("ann").expect("ann")["properties"]["age"].clone();
    let again = json!([
        {"vertex": "ann", "label": "person", "properties": {"age": [99]}},
        {"vertex": "new", "label": "person", "properties": {"tags": ["x", "y", "x"], "nicknames": ["n", "n"]}},
    ]);
    assert_eq!(add(json!({"vertices": again})).ok()["result"], "success");
    assert_eq!((age(), graph.counts().0), (json!([31]), 5), "what exists is left alone");
    let new = graph.vertex("new").expect("new")["properties"].clone();
    assert_eq!((&new["tags"], &new["nicknames"]), (&json!(["x", "y"]), &json!(["n", "n"])));
    add(json!({"vertices": again, "overrideExists": true})).ok();
    assert_eq!((age(), graph.counts().0), (json!([99]), 5));
    add(json!({"vertices": [{"vertex": "plain"}]})).ok();
    assert_eq!(graph.vertex("plain").expect("plain")["label"], "__DEFAULT__");
}

#[test]
fn every_kind_of_value_comes_back_as_it_went_in() {
    let server = Server::start();
    let graph = server.admin().create_graph("values");
    let types = [
        ("char", json!(["é"])),
        ("string", json!(["多行\n\"text\" 🦀"])),
        ("bool", json!([true])),
        ("int", json!([-2_147_483_648])),
        ("long", json!([9_223_372_036_854_775_807_i64])),
        ("float", json!([0.5])),
        ("double", json!([1.0e300])),
        ("date", json!(["2024-02-29 23:59:59"])),
    ];
    let declared = types.iter().flat_map(|(name, _)| {
        ["single", "list", "set"].map(|cardinality| {
            json!({"property": {"name": format!("{name}_{cardinality}"), "dataType": name, "cardinality": cardinality}})
        })
    });
    let mut declared: Vec<Value> = declared.collect();
    declared.push(json!({"property": {"name": "mood", "dataType": "enum", "cardinality": "single",
        "typeNameCount": "2", "typeName1": "good", "typeName2": "bad"}}));
    declared.push(json!({"property": {"name": "code", "dataType": "char array", "cardinality": "single", "maxDataSize": "3"}}));
    graph.data_post("/schema/labels", json!({"name": "all", "type": "vertex", "properties": declared})).ok();

    let mut properties = json!({"mood": ["bad"], "code": ["abc"]});
    for (name, value) in &types {
        for cardinality in ["single", "list", "set"] {
            properties[format!("{name}_{cardinality}")] = value.clone();
        }
    }
    graph.add_vertices("all", &[("v", properties.clone())]);
    assert_eq!(graph.vertex("v").expect("v")["properties"], properties);
    graph.stop();
    graph.start();
    assert_eq!(graph.vertex("v").expect("v")["properties"], properties);
}

#[test]
fn ids_are_any_text() {
    let server = Server::start();
    let graph = server.admin().create_open_graph("ids_of_all");
    let longest = "é".repeat(2_048);
    let ids = ["with-hyphen", "with space", "多", "a\u{0}b", "🦀", "'\"\\", "../..", &longest];
    let vertices: Vec<(&str, Value)> = ids.iter().map(|id| (*id, json!({}))).collect();
    graph.add_vertices("x", &vertices);
    assert_eq!(graph.vertices(&ids).len(), ids.len());
    let too_long = "x".repeat(4_097);
    let body = json!({"vertices": [{"vertex": too_long, "label": "x"}]});
    let refusal = graph.data_post("/vertices/action?action_id=batch-add", body);
    assert_eq!(refusal.status, 400, "{refusal}");
}

#[test]
fn edges_are_added_in_a_batch() {
    let server = Server::start();
    let graph = sample::people(&server.admin(), "people");
    let add = |edges: Value, more: Value| {
        let mut body = more;
        body["edges"] = edges;
        graph.data_post("/edges/action?action_id=batch-add", body)
    };
    let edge = |weight: f64| json!([{"source": "bob", "target": "dan", "label": "knows", "properties": {"weight": [weight]}}]);
    let weights = || {
        let edges = graph.edges("bob", "dan");
        edges
            .iter()
            .map(|edge| edge["properties"]["weight"][0].as_f64().expect("a weight"))
            .collect::<Vec<_>>()
    };
    let reply = add(edge(1.0), json!({})).ok();
    let key = &reply["data"]["edges"][0];
    assert_eq!((&key["source"], &key["target"]), (&json!("bob"), &json!("dan")), "{reply}");
    assert!(key["index"].is_string(), "{reply}");
    add(edge(2.0), json!({})).ok();
    assert_eq!(weights(), [1.0, 2.0], "parallel edges are allowed by default");
    add(edge(3.0), json!({"parallelEdge": {"action": "ignore"}})).ok();
    assert_eq!(weights(), [1.0, 2.0]);
    add(edge(4.0), json!({"parallelEdge": {"action": "override"}})).ok();
    assert_eq!(weights(), [4.0]);

    let new_end = json!([{"source": "bob", "target": "new", "label": "likes"}]);
    assert_eq!(add(new_end.clone(), json!({})).status, 400);
    add(new_end, json!({"createNotExists": true})).ok();
    assert_eq!(graph.vertex("new").expect("new")["label"], "__DEFAULT__");
}

#[test]
fn deleting_takes_the_edges_along() {
    let server = Server::start();
    let graph = sample::people(&server.admin(), "people");
    graph
        .data_post(
            "/edges/action?action_id=batch-delete",
            json!({"edges": [{"source": "ann", "target": "bob", "index": "0"}]}),
        )
        .ok();
    assert_eq!((graph.edges("ann", "bob").len(), graph.counts()), (1, (4, 4)));
    graph
        .data_post(
            "/edges/action?action_id=batch-delete",
            json!({"edges": [{"source": "dan", "target": "dan"}]}),
        )
        .ok();
    assert_eq!(graph.counts(), (4, 3));
    graph.delete_vertices(&["bob"]);
    assert_eq!(graph.counts(), (3, 1), "both of bob's edges went with him");
    assert!(graph.edges("ann", "bob").is_empty());
}

#[test]
fn properties_are_updated_in_place() {
    let server = Server::start();
    let graph = sample::people(&server.admin(), "people");
    let update = |body: Value| graph.data_post("/vertices/ann/properties/action?action_id=update", body);
    assert_eq!(update(json!({"properties": {"age": [32], "tags": ["z"]}})).ok()["result"], "success");
    let properties = graph.vertex("ann").expect("ann")["properties"].clone();
    assert_eq!(properties, json!({"age": [32], "nicknames": ["annie", "nan"], "tags": ["z"]}));

    let index = graph.edges("ann", "bob")[1]["index"].as_str().expect("an index").to_owned();
    let path = format!("/edges/properties/action?action_id=update&source=ann&target=bob&index={index}");
    graph.data_post(&path, json!({"properties": {"weight": [9.5]}})).ok();
    let edges = graph.edges("ann", "bob");
    assert_eq!(edges[1]["properties"]["weight"], json!([9.5]));
    assert_ne!(edges[0]["properties"]["weight"], json!([9.5]));
}

#[test]
fn labels_are_added_and_read() {
    let server = Server::start();
    let graph = sample::people(&server.admin(), "people");
    let body = json!({"name": "place", "type": "vertex", "properties": [
        {"property": {"name": "kind", "dataType": "enum", "cardinality": "single",
                      "typeNameCount": "2", "typeName1": "town", "typeName2": "hill"}}]});
    assert_eq!(graph.data_post("/schema/labels", body).ok()["result"], "success");
    let schema = graph.data_get("/schema").ok()["data"]["schema"].clone();
    let label = |name: &str| {
        let labels = schema.as_array().expect("a list");
        labels
            .iter()
            .find(|label| label["label"] == name)
            .unwrap_or_else(|| panic!("no {name}: {schema}"))
            .clone()
    };
    assert_eq!(
        label("person")["properties"][0],
        json!({"name": "age", "type": "int", "cardinality": "single"})
    );
    assert_eq!(label("place")["properties"][0]["probableValue"], json!(["town", "hill"]));
    label("__DEFAULT__");
    graph.add_vertices("place", &[("rome", json!({"kind": ["town"]}))]);
    assert_eq!(graph.summary()["labelDetails"]["labelInVertex"]["place"], 1);
    let wrong = json!({"vertices": [{"vertex": "x", "label": "place", "properties": {"kind": ["sea"]}}]});
    assert_eq!(graph.data_post("/vertices/action?action_id=batch-add", wrong).status, 400);
}

#[test]
fn a_batch_of_ten_thousand_is_one_change() {
    let server = Server::start();
    let graph = server.admin().create_open_graph("large");
    let ids: Vec<String> = (0..10_000).map(|number| format!("v{number}")).collect();
    let vertices: Vec<(&str, Value)> = ids.iter().map(|id| (id.as_str(), json!({"n": [1]}))).collect();
    graph.add_vertices("node", &vertices);
    let edges: Vec<(&str, &str)> = ids.iter().zip(&ids[1..]).map(|(a, b)| (a.as_str(), b.as_str())).collect();
    graph.add_edges("next", &edges);
    assert_eq!(graph.counts(), (10_000, 9_999));
    let keys: Vec<&str> = ids.iter().map(String::as_str).collect();
    graph.delete_vertices(&keys);
    assert_eq!(graph.counts(), (0, 0));
    assert_eq!(graph.content_root(), server.admin().create_open_graph("empty").content_root());
}

/// The root is of the content: not of the order, the history, or the graph that holds it.
#[test]
fn equal_contents_have_equal_roots() {
    let server = Server::start();
    let client = server.admin();
    let (one, other) = (client.create_open_graph("one_graph"), client.create_open_graph("other_graph"));
    one.add_vertices("a", &[("x", json!({"n": [1]})), ("y", json!({}))]);
    one.add_edges("e", &[("x", "y"), ("y", "x")]);
    other.add_vertices("b", &[("gone", json!({}))]);
    other.add_vertices("a", &[("y", json!({}))]);
    other.add_vertices("a", &[("x", json!({"n": [2]}))]);
    other.add_edges("e", &[("y", "x"), ("x", "y"), ("gone", "x")]);
    assert_ne!(one.content_root(), other.content_root());
    other.delete_vertices(&["gone"]);
    other.data_post("/vertices/x/properties/action?action_id=update", json!({"properties": {"n": [1]}})).ok();
    assert_eq!(one.content_root(), other.content_root());
}

/// Each acknowledged change is there after the process is killed at once.
#[test]
fn what_was_acknowledged_survives_a_crash() {
    let mut server = Server::start();
    let graph = sample::trio(&server.admin(), "trio");
    for round in 0..10 {
        let ids: Vec<String> = (0..5).map(|number| format!("r{round}n{number}")).collect();
        for id in &ids {
            graph.add_vertices("person", &[(id, json!({"age": [round]}))]);
            graph.add_edges("knows", &[("ann", id)]);
        }
        let before = graph.summary();
        server.crash();
        assert_eq!(graph.summary(), before, "round {round}");
        assert_eq!(graph.edges("ann", &ids[4]).len(), 1);
    }
}
