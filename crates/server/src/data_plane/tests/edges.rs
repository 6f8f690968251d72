use super::super::request::EdgeChange;
use super::*;

fn change(graph: &Graph, how: Change, changes: Json, ignore: bool) -> Result<(), DataError> {
    let changes = request::all(&mut body(json!({"edges": changes})), ElementList::Edges, EdgeChange::parse)?;
    graph.write(move |transaction| edge_calls::change(transaction, &changes, how, ignore))
}

fn delete(graph: &Graph, gone: Json, ignore: bool) -> Result<(), DataError> {
    let parse = |mut fields| EdgeRef::parse(&mut fields);
    let gone = request::all(&mut body(json!({"edges": gone})), ElementList::Edges, parse)?;
    graph.write(move |transaction| edge_calls::delete(transaction, &gone, ignore))
}

#[test]
fn edges_are_found_by_ends_index_and_label() {
    let graph = people();
    add_edges(&graph, json!({"edges": [{"source": "ann", "target": "bob", "label": "likes"}]})).unwrap();
    let count = |more: Json| {
        let mut edge = json!({"source": "ann", "target": "bob"});
        edge.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        edges(&graph, edge).len()
    };
    let cases = [
        (json!({}), 3),
        (json!({"index": "1"}), 1),
        (json!({"index": 2, "label": "knows"}), 1),
        (json!({"index": "9"}), 0),
        (json!({"label": "knows"}), 2),
        (json!({"label": "unheard of"}), 0),
        (json!({"source": "nobody"}), 0),
        (json!({"source": "bob", "target": "ann"}), 0),
    ];
    for (more, expected) in cases {
        assert_eq!(count(more.clone()), expected, "{more}");
    }
    let first = json!({"source": "ann", "target": "bob", "index": "0", "label": "knows", "properties": {"weight": [0.5]}});
    assert_eq!(edges(&graph, json!({"source": "ann", "target": "bob", "index": "0"})), [first]);
}

/// Weights from ann to bob after one more edge, which is alike by ends or by ends and label.
#[test]
fn parallel_edges_are_allowed_ignored_or_overridden() {
    let cases = [
        ("knows", json!({}), vec![json!(0.5), json!(1.5), json!(9.0)], "2"),
        ("knows", json!({"action": "allow"}), vec![json!(0.5), json!(1.5), json!(9.0)], "2"),
        ("knows", json!({"action": "ignore"}), vec![json!(0.5), json!(1.5)], "0"),
        ("knows", json!({"action": "override"}), vec![json!(9.0)], "0"),
        ("likes", json!({"action": "ignore"}), vec![json!(0.5), json!(1.5)], "0"),
        (
            "likes",
            json!({"action": "ignore", "ignoreLabel": false}),
            vec![json!(0.5), json!(1.5), json!(null)],
            "2",
        ),
        ("likes", json!({"action": "override", "ignoreLabel": true}), vec![json!(null)], "0"),
        (
            "likes",
            json!({"action": "override", "ignoreLabel": "false"}),
            vec![json!(0.5), json!(1.5), json!(null)],
            "2",
        ),
    ];
    for (label, parallel, after, index) in cases {
        let graph = people();
        let properties = if label == "knows" { json!({"weight": [9]}) } else { json!({}) };
        let edge = json!({"source": "ann", "target": "bob", "label": label, "properties": properties});
        let added = add_edges(&graph, json!({"edges": [edge], "parallelEdge": parallel})).unwrap();
        assert_eq!(
            (weights(&graph, "ann", "bob"), added),
            (after, vec![index.to_owned()]),
            "{label} {parallel}"
        );
    }
}

#[test]
fn missing_ends_are_refused_or_made() {
    let graph = people();
    let edge = json!({"source": "ann", "target": "new", "label": "likes"});
    let refused = add_edges(&graph, json!({"edges": [edge]}));
    assert_eq!(said(refused), "edge target vertex [new] does not exist");
    let loops = json!({"source": "fresh", "target": "fresh"});
    add_edges(&graph, json!({"edges": [edge, loops], "createNotExists": true})).unwrap();
    assert_eq!(vertex(&graph, "new").unwrap()["label"], "__DEFAULT__");
    assert_eq!(edges(&graph, json!({"source": "fresh", "target": "fresh"}))[0]["label"], "__DEFAULT__");
}

#[test]
fn refusals_name_what_is_wrong_and_change_nothing() {
    let graph = people();
    let before = summary(&graph);
    let good = json!({"source": "ann", "target": "bob", "label": "likes"});
    let with = |name: &str, value: Json| {
        let mut edge = good.clone();
        edge[name] = value;
        json!({"edges": [good, edge]})
    };
    let cases = [
        (json!({}), "parameter edges cannot be null"),
        (json!({"edges": [{"source": "ann"}]}), "'edges[0].target'"),
        (json!({"edges": vec![good.clone(); 10_001]}), "10000"),
        (with("source", json!("nobody")), "source vertex [nobody]"),
        (with("label", json!("hates")), "[hates]"),
        (with("label", json!("person")), "[person]"),
        (with("properties", json!({"weight": [1]})), "[weight]"),
        (json!({"edges": [good], "parallelEdge": {"action": "toss"}}), "parallelEdge.action"),
        (json!({"edges": [good], "createNotExists": 7}), "createNotExists"),
        (json!({"edges": [good, good], "limit": 3}), "at most 3 edges"),
    ];
    for (batch, words) in cases {
        let said = said(add_edges(&graph, batch.clone()));
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(summary(&graph), before);
    add_edges(&graph, json!({"edges": [good], "limit": 3})).unwrap();
    let instead = json!({"edges": [good], "limit": 1, "parallelEdge": {"action": "override"}});
    add_edges(&graph, instead).unwrap();
    assert_eq!(summary(&graph)["edgeNum"], 1);
}

#[test]
fn edges_are_deleted_by_index_by_label_or_all() {
    let cases = [
        (json!([{"source": "ann", "target": "bob"}]), 1),
        (json!([{"source": "ann", "target": "bob", "index": "0"}]), 2),
        (json!([{"source": "ann", "target": "bob", "label": "knows"}]), 2),
        (json!([{"source": "ann", "target": "bob", "label": "unheard of"}]), 3),
    ];
    for (gone, left) in cases {
        let graph = people();
        add_edges(&graph, json!({"edges": [{"source": "bob", "target": "ann", "label": "likes"}]})).unwrap();
        delete(&graph, gone.clone(), false).unwrap();
        assert_eq!(summary(&graph)["edgeNum"], left, "{gone}");
    }
    let graph = people();
    let gone = json!([
        {"source": "ann", "target": "bob", "index": "0"},
        {"source": "ann", "target": "bob", "index": "7"},
        {"source": "bob", "target": "ann"},
        {"source": "ann", "target": "nobody"},
        {"source": "ann", "target": "bob", "index": "1"},
    ]);
    assert_eq!(said(delete(&graph, gone.clone(), false)), "edge [ann-bob-7] does not exist");
    assert_eq!(summary(&graph)["edgeNum"], 2);
    delete(&graph, gone, true).unwrap();
    assert_eq!(summary(&graph)["edgeNum"], 0);
}

#[test]
fn edges_are_deleted_by_value() {
    let graph = people();
    let delete = |property: &'static str, value: &'static str| {
        let edge = edge_ref(json!({"source": "ann", "target": "bob", "index": "0"}));
        graph.write(move |transaction| edge_calls::delete_by_value(transaction, &edge, property, value))
    };
    assert!(delete("weight", "7").is_err());
    assert!(delete("since", "1.5").is_err());
    assert!(delete("weight", "heavy").is_err());
    delete("weight", "1.5").unwrap();
    assert_eq!(weights(&graph, "ann", "bob"), [json!(0.5)], "the value counts, not the index");

    let open = open_graph();
    let edge = json!({"source": "a", "target": "b", "properties": {"weight": [7]}});
    add_edges(&open, json!({"edges": [edge], "createNotExists": true})).unwrap();
    let edge = edge_ref(json!({"source": "a", "target": "b"}));
    open.write(move |transaction| edge_calls::delete_by_value(transaction, &edge, "weight", "7")).unwrap();
    assert_eq!(summary(&open)["edgeNum"], 0);
}

#[test]
fn properties_of_one_edge_change() {
    let graph = people();
    let one = |more: Json, properties: Json| {
        let mut edge = json!({"source": "ann", "target": "bob", "properties": properties});
        edge.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([edge])
    };
    let weights = || weights(&graph, "ann", "bob");
    change(&graph, Change::Update, one(json!({}), json!({"weight": [2]})), false).unwrap();
    assert_eq!(weights(), [json!(2.0), json!(1.5)], "without an index the first one");
    change(&graph, Change::Update, one(json!({"index": "1"}), json!({"weight": ["3.5"]})), false).unwrap();
    assert_eq!(weights(), [json!(2.0), json!(3.5)]);
    let pick = json!({"targetProperties": [{"label": "knows", "properties": ["weight"]}]});
    let given = json!({"weight": [3.5], "since": ["2001-02-03"]});
    change(&graph, Change::Update, one(pick.clone(), given), false).unwrap();
    let edges = edges(&graph, json!({"source": "ann", "target": "bob"}));
    let since: Vec<&Json> = edges.iter().map(|edge| &edge["properties"]["since"]).collect();
    assert_eq!(since, [&json!(null), &json!(["2001-02-03"])]);
    change(&graph, Change::Remove, one(json!({"index": 0}), json!({"weight": []})), false).unwrap();
    assert_eq!(weights(), [json!(null), json!(3.5)]);

    let cases = [
        (one(json!({"index": "9"}), json!({"weight": [1]})), "edge [ann-bob-9] does not exist"),
        (one(pick, json!({"weight": [8]})), "edge [ann-bob] does not exist"),
        (
            one(json!({"source": "nobody"}), json!({"weight": [1]})),
            "edge source vertex [nobody] does not exist",
        ),
        (one(json!({}), json!({"height": [1]})), "[height]"),
        (one(json!({}), json!({"since": ["soon"]})), "edge [ann-bob], property [since]: \"soon\" is no date"),
        (json!([{"source": "ann", "target": "bob"}]), "'edges[0].properties'"),
    ];
    let before = summary(&graph);
    for (changes, words) in cases {
        let said = said(change(&graph, Change::Update, changes.clone(), false));
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(summary(&graph), before);
    let mixed = json!([{"source": "bob", "target": "ann", "properties": {}},
        {"source": "ann", "target": "bob", "properties": {"weight": [4]}}]);
    change(&graph, Change::Add, mixed, true).unwrap();
    assert_eq!(weights(), [json!(4.0), json!(3.5)]);
}
