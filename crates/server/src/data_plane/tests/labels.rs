use super::super::labels::{self, NewLabel};
use super::*;

fn add(graph: &Graph, label: Json) -> Result<(), DataError> {
    let label = NewLabel::parse(body(label))?;
    graph.write(move |transaction| labels::add(transaction, label))
}

fn schema(graph: &Graph) -> Json {
    serde_json::to_value(read::schema(&graph.snapshot())).unwrap()
}

const TOWN: &str = r#"{"name": "place", "type": "vertex", "properties": [
    {"property": {"name": "kind", "dataType": "enum", "cardinality": "single",
                  "typeNameCount": "2", "typeName1": "town", "typeName2": "hill"}},
    {"property": {"name": "code", "dataType": "char array", "cardinality": "single", "maxDataSize": "3"}},
    {"name": "years", "dataType": "int", "cardinality": "set"}]}"#;

#[test]
fn labels_are_added_and_read() {
    let graph = people();
    add(&graph, serde_json::from_str(TOWN).unwrap()).unwrap();
    let place = json!([
        {"name": "kind", "type": "enum", "cardinality": "single", "probableValue": ["town", "hill"]},
        {"name": "code", "type": "char array", "cardinality": "single", "maxDataSize": 3},
        {"name": "years", "type": "int", "cardinality": "set"}]);
    let all = schema(&graph);
    assert_eq!(all[0], json!({"label": "__DEFAULT__"}));
    assert_eq!(all[5], json!({"label": "place", "properties": place}));
    let one = read::label(&graph.snapshot(), "place").unwrap();
    assert_eq!(serde_json::to_value(one).unwrap(), json!({"type": "vertex", "properties": place}));
    assert_eq!(said(read::label(&graph.snapshot(), "nowhere")), "label [nowhere] does not exist");
}

#[test]
fn refusals_name_what_is_wrong() {
    let graph = people();
    let before = schema(&graph);
    let property = |property: Json| json!({"name": "place", "properties": [{"property": property}]});
    let cases = [
        (json!({}), "'name'"),
        (json!({"name": "person"}), "label [person] already exists"),
        (json!({"name": "__DEFAULT__"}), "already exists"),
        (json!({"name": "a<b"}), "a<b"),
        (json!({"name": "place", "type": "thing"}), "[type]"),
        (json!({"name": "place", "properties": 7}), "[properties]"),
        (property(json!(7)), "properties[0]"),
        (
            property(json!({"name": "size", "dataType": "number"})),
            "properties[0]: [dataType] cannot be [number]",
        ),
        (property(json!({"name": "size"})), "dataType"),
        (property(json!({"dataType": "int"})), "name"),
        (property(json!({"name": "a<b", "dataType": "int"})), "a<b"),
        (
            property(json!({"name": "size", "dataType": "enum", "typeNameCount": "3", "typeName1": "a"})),
            "typeNameCount",
        ),
    ];
    for (label, words) in cases {
        let said = said(add(&graph, label.clone()));
        assert!(said.contains(words), "{label}: {said}");
    }
    assert_eq!(schema(&graph), before);
}

#[test]
fn a_batch_tells_which_labels_failed() {
    let graph = people();
    let add_all = |labels: Json| {
        let new = body(json!({"labels": labels})).objects("labels")?.unwrap_or_default();
        let new = new.into_iter().map(NewLabel::parse).collect::<Result<Vec<_>, _>>()?;
        graph.write(move |transaction| labels::add_all(transaction, new))
    };
    let failed = add_all(
        json!([{"name": "book"}, {"name": "book<"}, {"name": "person"}, {"name": "film", "type": "x"}]),
    );
    let failed = serde_json::to_value(failed.unwrap()).unwrap();
    let names: Vec<&Json> = failed.as_array().unwrap().iter().map(|failed| &failed["labelName"]).collect();
    assert_eq!(names, ["book<", "person", "film"]);
    assert!(failed[0]["cause"].as_str().unwrap().contains("book<"));
    assert!(graph.snapshot().schema().label_id("book").is_some());
    assert_eq!(said(add_all(json!([{"name": "book"}]))), "label [book] already exists");
    assert!(said(add_all(json!([{"name": "new"}, {}]))).contains("'labels[1].name'"));
    assert!(graph.snapshot().schema().label_id("new").is_none());
}

#[test]
fn properties_are_appended_or_replaced() {
    let graph = people();
    let set = |fields: Json, label: &'static str, replace| {
        let properties = labels::properties(&mut body(fields))?;
        graph.write(move |transaction| Ok(transaction.set_properties(label, properties, replace)?))
    };
    let pet =
        json!({"properties": [{"property": {"name": "pet", "dataType": "string", "cardinality": "single"}}]});
    set(pet.clone(), "person", false).unwrap();
    let names = || {
        let one = serde_json::to_value(read::label(&graph.snapshot(), "person").unwrap()).unwrap();
        one["properties"]
            .as_array()
            .unwrap()
            .iter()
            .map(|property| property["name"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(), ["age", "nicknames", "tags", "pet"]);
    assert!(said(set(pet.clone(), "person", false)).contains("[pet]"), "a property has one declaration");
    assert!(said(set(pet.clone(), "nobody", false)).contains("[nobody]"));
    assert!(said(set(json!({}), "person", false)).contains("'properties'"));
    set(pet, "person", true).unwrap();
    assert_eq!(names(), ["pet"]);
}
