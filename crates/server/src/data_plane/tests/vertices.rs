use super::super::request::VertexChange;
use super::*;

fn change(graph: &Graph, how: Change, changes: Json, ignore: bool) -> Result<(), DataError> {
    let changes =
        request::all(&mut body(json!({"vertices": changes})), ElementList::Vertices, VertexChange::parse)?;
    graph.write(move |transaction| vertex_calls::change(transaction, &changes, how, ignore))
}

#[test]
fn a_vertex_comes_back_as_it_went_in() {
    let graph = people();
    let expected = json!({"id": "ann", "label": "person",
        "properties": {"age": [31], "nicknames": ["annie", "nan"], "tags": ["a", "b"]}});
    assert_eq!(vertex(&graph, "ann"), Some(expected));
    assert_eq!(vertex(&graph, "nobody"), None);
    let several = read::vertices(&graph.snapshot(), ["bob", "nobody", "ann"]).unwrap();
    assert_eq!(several.len(), 2);
}

#[test]
fn an_existing_vertex_is_refused_ignored_or_overridden() {
    let graph = people();
    let again = json!([{"vertex": "ann", "label": "person", "properties": {"age": [99]}}, {"vertex": "new"}]);
    assert!(said(add_vertices(&graph, again.clone(), Existing::Refuse)).contains("[ann] already exists"));
    assert_eq!(vertex(&graph, "new"), None, "a batch is one transaction");
    add_vertices(&graph, again.clone(), Existing::Ignore).unwrap();
    assert_eq!(property(&graph, "ann", "age"), json!([31]));
    assert_eq!(vertex(&graph, "new").unwrap()["label"], "__DEFAULT__");
    add_vertices(&graph, again, Existing::Override).unwrap();
    assert_eq!(vertex(&graph, "ann").unwrap()["properties"], json!({"age": [99]}));
}

#[test]
fn refusals_name_what_is_wrong_and_change_nothing() {
    let graph = people();
    let before = summary(&graph);
    let cases = [
        (json!({}), "vertex"),
        (json!({"vertex": ""}), "vertices[0].vertex"),
        (json!({"vertex": 7}), "vertices[0].vertex"),
        (json!({"vertex": "x".repeat(4097)}), "4096"),
        (json!({"vertex": "x", "label": 5}), "vertices[0].label"),
        (json!({"vertex": "x", "label": "robot"}), "[robot]"),
        (json!({"vertex": "x", "label": "worker", "properties": []}), "vertices[0].properties"),
        (json!({"vertex": "x", "label": "likes", "properties": {"age": [1]}}), "[age]"),
        (json!({"vertex": "x", "label": "person", "properties": {"age": [1, 2]}}), "[age]"),
        (
            json!({"vertex": "x", "label": "person", "properties": {"age": ["old"]}}),
            "vertex [x], property [age]: \"old\" is no int",
        ),
    ];
    for (vertex, words) in cases {
        let said = said(add_vertices(&graph, json!([vertex.clone()]), Existing::Ignore));
        assert!(said.contains(words), "{vertex}: {said}");
        let with_a_good_one = json!([{"vertex": "good", "label": "person"}, vertex]);
        assert!(add_vertices(&graph, with_a_good_one, Existing::Ignore).is_err());
    }
    assert_eq!(summary(&graph), before);
}

/// What is there, the change, what is given, and what is there afterwards.
#[test]
fn properties_are_updated_added_and_removed() {
    use Change::{Add, Remove, Update};
    let cases = [
        (Update, json!({"age": [32]}), "age", json!([32])),
        (Update, json!({"age": 33}), "age", json!([33])),
        (Update, json!({"age": []}), "age", json!(null)),
        (Update, json!({"age": null}), "age", json!(null)),
        (Update, json!({"tags": ["z"]}), "tags", json!(["z"])),
        (Add, json!({"age": [32]}), "age", json!([32])),
        (Add, json!({"nicknames": ["nan"]}), "nicknames", json!(["annie", "nan", "nan"])),
        (Add, json!({"tags": ["c", "a"]}), "tags", json!(["a", "b", "c"])),
        (Add, json!({"tags": []}), "tags", json!(["a", "b"])),
        (Remove, json!({"age": ["whatever it was"]}), "age", json!(null)),
        (Remove, json!({"nicknames": ["annie"]}), "nicknames", json!(["nan"])),
        (Remove, json!({"tags": ["a", "b", "c"]}), "tags", json!(null)),
        (Remove, json!({"tags": []}), "tags", json!(null)),
    ];
    for (how, given, name, after) in cases {
        let graph = people();
        change(&graph, how, json!([{"vertex": "ann", "label": "person", "properties": given}]), false)
            .unwrap();
        assert_eq!(property(&graph, "ann", name), after, "{how:?} {given}");
    }
}

#[test]
fn an_open_schema_types_by_what_it_is_given() {
    let graph = open_graph();
    let given = json!({"n": [1], "x": [0.5], "on": [true], "s": ["7"], "many": [1, "a"], "none": []});
    add_vertices(&graph, json!([{"vertex": "v", "label": "thing", "properties": given}]), Existing::Refuse)
        .unwrap();
    let shown = json!({"n": [1], "x": [0.5], "on": [true], "s": ["7"], "many": [1, "a"]});
    assert_eq!(vertex(&graph, "v").unwrap()["properties"], shown);
    assert_eq!(graph.snapshot().schema().key_id("none"), None, "names appear when they are used");
    change(&graph, Change::Add, json!([{"vertex": "v", "properties": {"n": [2]}}]), false).unwrap();
    assert_eq!(property(&graph, "v", "n"), json!([1, 2]));
    change(
        &graph,
        Change::Remove,
        json!([{"vertex": "v", "properties": {"n": [1], "x": [], "gone": [1]}}]),
        false,
    )
    .unwrap();
    assert_eq!((property(&graph, "v", "n"), property(&graph, "v", "x")), (json!([2]), json!(null)));
}

#[test]
fn a_batch_of_changes_is_all_or_nothing_unless_errors_are_ignored() {
    let graph = people();
    let changes = json!([
        {"vertex": "ann", "properties": {"age": [1]}},
        {"vertex": "nobody", "properties": {"age": [1]}},
        {"vertex": "bob", "properties": {"age": ["old"]}},
        {"vertex": "bob", "label": "worker", "properties": {}},
        {"vertex": "cleo", "properties": {"age": [2]}},
    ]);
    assert_eq!(
        said(change(&graph, Change::Update, changes.clone(), false)),
        "vertex [nobody] does not exist"
    );
    assert_eq!(property(&graph, "ann", "age"), json!([31]));
    change(&graph, Change::Update, changes, true).unwrap();
    let ages = ["ann", "bob", "cleo"].map(|id| property(&graph, id, "age"));
    assert_eq!(ages, [json!([1]), json!(null), json!([2])]);
    let no_properties = json!([{"vertex": "ann"}]);
    assert!(said(change(&graph, Change::Update, no_properties, true)).contains("'vertices[0].properties'"));
}

#[test]
fn deleting_takes_the_edges_along() {
    let graph = people();
    graph.write(|transaction| vertex_calls::delete(transaction, "bob")).unwrap();
    assert_eq!((&summary(&graph)["vertexNum"], &summary(&graph)["edgeNum"]), (&json!(2), &json!(0)));
    assert_eq!(
        said(graph.write(|transaction| vertex_calls::delete(transaction, "bob"))),
        "vertex [bob] does not exist"
    );
    let ids = ["ann", "bob", "ann", "cleo"].map(String::from);
    graph.write(move |transaction| vertex_calls::delete_all(transaction, &ids)).unwrap();
    assert_eq!(summary(&graph)["contentRoot"], summary(&open_graph())["contentRoot"]);
}

#[test]
fn labels_come_and_go_with_their_properties() {
    let graph = people();
    let add = |id: &'static str, label: &'static str, several| {
        graph.write(move |transaction| vertex_calls::add_label(transaction, id, label, several))
    };
    let remove = |label: &'static str| {
        graph.write(move |transaction| vertex_calls::remove_label(transaction, "ann", label))
    };
    assert!(said(add("ann", "worker", false)).contains("[ann]"), "only graphs with multiple labels");
    assert_eq!(said(add("ann", "person", true)), "Same label [person] already exists");
    assert!(said(add("ann", "robot", true)).contains("[robot]"));
    assert!(said(add("nobody", "worker", true)).contains("[nobody]"));
    add("ann", "worker", true).unwrap();
    change(&graph, Change::Update, json!([{"vertex": "ann", "properties": {"wage": [9]}}]), false).unwrap();
    assert_eq!(vertex(&graph, "ann").unwrap()["labels"], json!(["person", "worker"]));
    assert_eq!(said(remove("likes")), "Vertex [ann] does not have label [likes]");
    remove("person").unwrap();
    let ann = vertex(&graph, "ann").unwrap();
    assert_eq!((&ann["label"], &ann["properties"]), (&json!("worker"), &json!({"wage": [9.0]})));
    remove("worker").unwrap();
    assert_eq!(
        vertex(&graph, "ann").unwrap(),
        json!({"id": "ann", "label": "__DEFAULT__", "properties": {}})
    );
    add("ann", "person", false).unwrap();
    assert_eq!(vertex(&graph, "ann").unwrap()["label"], "person");
}
