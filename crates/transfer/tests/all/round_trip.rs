//! What is exported and imported again is the same graph, or the report says why not.

use std::num::NonZeroU64;

use model::{
    Cardinality, ContentRoot, DataType, Date, DateTime, Label, LabelKind, Property, Props, Schema,
    SchemaMode, Value, VertexRecord,
};
use proptest::prelude::*;
use store::{BulkOptions, EdgeBatch, Graph};
use transfer::{Dialect, Difference, ExportJob, ExportReport, ImportJob};

use crate::bucket::{Bucket, graph, import};

/// An element before it has numbers: labels and properties by name.
type Element = (Vec<String>, Vec<(String, Value)>);
/// Vertices, and edges between their positions.
type Elements = (Vec<(String, Element)>, Vec<(usize, usize, Element)>);

fn fill(graph: &Graph, (vertices, edges): &Elements) {
    let mut load = graph.bulk_load(BulkOptions::default()).unwrap();
    let record = |schema: &mut Schema, (labels, props): &Element| {
        let labels: Vec<_> = labels.iter().map(|label| schema.intern_label(label).unwrap()).collect();
        let pairs = props.iter().map(|(key, value)| (schema.intern_key(key).unwrap(), value.clone()));
        (labels, Props::from_pairs(pairs.collect()))
    };
    for (id, element) in vertices {
        let (labels, props) = record(load.schema_mut(), element);
        load.add_vertices(vec![VertexRecord { id: id.as_str().into(), labels, props }]).unwrap();
    }
    let mut batch = EdgeBatch::new();
    for (source, target, element) in edges {
        let (labels, props) = record(load.schema_mut(), element);
        let end = |at: &usize| load.find(&vertices[*at % vertices.len()].0).unwrap().unwrap();
        batch.push(end(source), end(target), labels[0], &props);
    }
    load.add_edges(&batch).unwrap();
    load.commit().unwrap();
}

fn root(graph: &Graph) -> ContentRoot {
    let snapshot = graph.snapshot();
    snapshot.recount().unwrap().root()
}

/// Exports a graph and imports the files into a new one.
fn there_and_back(
    first: &Graph,
    dialect: Dialect,
    rows: Option<NonZeroU64>,
    end: &str,
) -> (ExportReport, Graph) {
    let bucket = Bucket::default();
    let job = ExportJob {
        path: "out".into(),
        edge_set_name: format!("edges{end}"),
        vertex_set_name: format!("vertices{end}"),
        schema_name: "schema.xml".into(),
        rows_per_file: rows,
        dialect: dialect.clone(),
    };
    let report = transfer::export(&first.snapshot(), &job, &bucket, &()).unwrap();
    let second = graph(first.snapshot().schema().mode(), &[]);
    let job = ImportJob {
        schema_path: Some("out/schema.xml".into()),
        vertexset_path: Some(format!("out/vertices{end}")),
        edgeset_path: Some(format!("out/edges{end}")),
        log_dir: Some("log".into()),
        multi_label: true,
        dialect,
        ..ImportJob::default()
    };
    let imported = import(&second, &bucket, &job).unwrap();
    let files = imported.vertexset.iter().chain(&imported.edgeset);
    files.for_each(|file| assert_eq!(file.cause, None, "every exported line is good"));
    (report, second)
}

fn dialects() -> impl Strategy<Value = Dialect> {
    let characters = prop_oneof![Just((',', '"')), Just((';', '\'')), Just(('\\', '，')), Just(('\t', ';'))];
    characters.prop_map(|(delimiter, quote)| Dialect::new(delimiter, quote).unwrap())
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "([a,;\"'\\\\，\t\u{feff}\u{0}]|é|\n|\r){0,6}",
        Just(String::new()),
        Just("\\;".into()),
        Just("NaN".into())
    ]
}

fn id() -> impl Strategy<Value = String> {
    "([ab,;\"'，\t\u{feff}]|\n|\r| ){1,5}"
}

fn scalar(data_type: &DataType) -> BoxedStrategy<Value> {
    match data_type {
        DataType::Char => any::<char>().prop_map(Value::Char).boxed(),
        DataType::CharArray(max) => {
            let max = *max as usize;
            text().prop_map(move |t| Value::text(t.chars().take(max).collect::<String>())).boxed()
        }
        DataType::String => text().prop_map(Value::text).boxed(),
        DataType::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        DataType::Int => any::<i32>().prop_map(Value::Int).boxed(),
        DataType::Long => any::<i64>().prop_map(Value::Long).boxed(),
        DataType::Float => any::<f32>().prop_map(Value::Float).boxed(),
        DataType::Double => any::<f64>().prop_map(Value::Double).boxed(),
        DataType::Date => prop_oneof![
            (-719_528..=2_932_896i32).prop_map(|day| Value::Date(Date(day))),
            (-719_528 * 86_400..2_932_897 * 86_400i64).prop_map(|second| Value::DateTime(DateTime(second))),
        ]
        .boxed(),
        DataType::Enum(names) => prop::sample::select(names.clone()).prop_map(Value::text).boxed(),
    }
}

fn value(property: &Property) -> BoxedStrategy<Value> {
    let items = |least| prop::collection::vec(scalar(&property.data_type), least..4);
    match property.cardinality {
        Cardinality::Single => scalar(&property.data_type),
        Cardinality::List => items(1).prop_map(Value::List).boxed(),
        Cardinality::Set => items(1).prop_map(Value::set).boxed(),
    }
}

/// Three labels that between them have every type in every cardinality.
fn labels() -> Vec<Label> {
    let types = [
        DataType::Char,
        DataType::String,
        DataType::Bool,
        DataType::Int,
        DataType::Long,
        DataType::Float,
        DataType::Double,
        DataType::Date,
        DataType::Enum(vec!["x".into(), String::new(), "a;b,\"\\".into()]),
    ];
    let label = |(name, cardinality): (&str, Cardinality)| {
        let property = |(at, data_type): (usize, &DataType)| Property {
            name: format!("{name}{at}"),
            data_type: data_type.clone(),
            cardinality,
        };
        let mut properties: Vec<_> = types.iter().enumerate().map(property).collect();
        if cardinality == Cardinality::Single {
            properties.push(Property { name: "ca".into(), data_type: DataType::CharArray(3), cardinality });
        }
        Label { name: name.into(), kind: LabelKind::All, properties }
    };
    let names = [("one", Cardinality::Single), ("list", Cardinality::List), ("set", Cardinality::Set)];
    names.into_iter().map(label).collect()
}

/// An element that fits the labels it is given.
fn declared_element(at: Vec<usize>) -> BoxedStrategy<Element> {
    let labels: Vec<Label> = at.iter().map(|at| labels()[*at].clone()).collect();
    let names = labels.iter().map(|label| label.name.clone()).collect::<Vec<_>>();
    let properties: Vec<_> = labels.into_iter().flat_map(|label| label.properties).collect();
    let some = properties.into_iter().map(|property| {
        let name = property.name.clone();
        prop::option::of(value(&property)).prop_map(move |value| value.map(|value| (name.clone(), value)))
    });
    let props = some.collect::<Vec<_>>().prop_map(|props| props.into_iter().flatten().collect());
    props.prop_map(move |props| (names.clone(), props)).boxed()
}

fn closed_elements() -> impl Strategy<Value = Elements> {
    let several = prop::sample::subsequence(vec![0, 1, 2], 1..=3).prop_flat_map(declared_element);
    let one = (0..3usize).prop_flat_map(|at| declared_element(vec![at]));
    elements(several, one)
}

/// Elements of an open graph: every property may have any type.
fn open_elements() -> impl Strategy<Value = Elements> {
    let any_type =
        prop::sample::select(labels()).prop_flat_map(|label| prop::sample::select(label.properties));
    let negative_nan = Value::Double(f64::from_bits(f64::NAN.to_bits() | 1 << 63));
    let any_value = prop_oneof![
        8 => any_type.prop_flat_map(|property| value(&property)),
        1 => Just(Value::List(vec![])),
        1 => Just(Value::List(vec![Value::Long(1), Value::text("x;y")])),
        1 => Just(Value::List(vec![Value::List(vec![Value::Bool(true)])])),
        1 => Just(Value::Date(Date(i32::MAX))),
        1 => Just(negative_nan.clone()),
        1 => Just(Value::List(vec![Value::Double(0.5), negative_nan])),
    ];
    let props = || prop::collection::vec((prop::sample::select(vec!["p", "q"]), any_value.clone()), 0..3);
    let named =
        |props: Vec<(&str, Value)>| props.into_iter().map(|(name, value)| (name.into(), value)).collect();
    let vertex = (prop::sample::subsequence(vec!["a", "b", "c"], 0..=3), props());
    let vertex = vertex
        .prop_map(move |(labels, props)| (labels.into_iter().map(String::from).collect(), named(props)));
    let edge = (prop::sample::select(vec!["a", "r"]), props());
    let edge = edge.prop_map(move |(label, props)| (vec![label.to_owned()], named(props)));
    elements(vertex, edge)
}

fn elements(
    vertex: impl Strategy<Value = Element>,
    edge: impl Strategy<Value = Element>,
) -> impl Strategy<Value = Elements> {
    let vertices = prop::collection::btree_map(id(), vertex, 1..8);
    let edges = prop::collection::vec((0..8usize, 0..8usize, edge), 0..12);
    (vertices, edges).prop_map(|(vertices, edges)| (vertices.into_iter().collect(), edges))
}

/// Two graphs out of three different NaNs would differ in bits that no text carries.
fn plain_nans((vertices, edges): Elements) -> Elements {
    let plain = |value: Value| match value {
        Value::Float(value) if value.is_nan() => Value::Float(f32::NAN),
        Value::Double(value) if value.is_nan() => Value::Double(f64::NAN),
        other => other,
    };
    let all = |value: Value| match value {
        Value::List(items) => Value::List(items.into_iter().map(plain).collect()),
        Value::Set(items) => Value::set(items.into_iter().map(plain).collect()),
        single => plain(single),
    };
    let element = |(labels, props): Element| -> Element {
        (labels, props.into_iter().map(|(name, value)| (name, all(value))).collect())
    };
    let vertices = vertices.into_iter().map(|(id, one)| (id, element(one))).collect();
    (vertices, edges.into_iter().map(|(source, target, one)| (source, target, element(one))).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_closed_graph_comes_back_whole(
        elements in closed_elements().prop_map(plain_nans),
        dialect in dialects(),
        rows in prop::option::of(1..4u64),
        end in prop::sample::select(vec!["", ".csv", ".csv.gz"]),
    ) {
        let first = graph(SchemaMode::Closed, &labels());
        fill(&first, &elements);
        let (report, second) = there_and_back(&first, dialect, rows.and_then(NonZeroU64::new), end);
        prop_assert_eq!(report.differences, vec![]);
        prop_assert_eq!(root(&second), root(&first));
    }

    #[test]
    fn an_open_graph_comes_back_whole_or_the_report_says_why_not(
        elements in open_elements(),
        dialect in dialects(),
    ) {
        let first = graph(SchemaMode::Open, &[]);
        fill(&first, &elements);
        let (report, second) = there_and_back(&first, dialect, None, ".csv");
        prop_assert_eq!(root(&second) == root(&first), report.differences.is_empty(), "{:?}", report.differences);
        let counts = |graph: &Graph| {
            let content = graph.snapshot().content().clone();
            (content.vertices.count, content.edges.count)
        };
        prop_assert_eq!(counts(&second), counts(&first));
    }
}

#[test]
fn differences_name_label_property_and_type() {
    let element = |labels: &[&str], name: &str, value| -> Element {
        (labels.iter().map(|label| (*label).into()).collect(), vec![(name.into(), value)])
    };
    let first = graph(SchemaMode::Open, &[]);
    let vertices = vec![
        ("1".into(), element(&["a"], "n", Value::Int(1))),
        ("2".into(), element(&["a"], "n", Value::Double(0.5))),
        ("3".into(), element(&[], "t", Value::Bool(true))),
        ("4".into(), element(&["a", "b"], "l", Value::List(vec![]))),
        ("5".into(), element(&["b"], "n", Value::Long(5))),
    ];
    fill(&first, &(vertices, vec![]));
    let (report, second) = there_and_back(&first, Dialect::default(), None, ".csv");
    let retyped =
        Difference::Retyped { label: "a".into(), property: "n".into(), written_as: DataType::Double };
    let empty = Difference::EmptyLists { label: "a".into(), property: "l".into(), count: 1 };
    assert_eq!(report.differences, [retyped, empty]);
    assert_eq!(
        crate::bucket::contents(&second),
        ["(1:a n=1)", "(2:a n=0.5)", "(3: t=true)", "(4:a:b)", "(5:b n=5)",]
    );
}

#[test]
fn a_shorter_export_leaves_no_pages_of_a_longer_one() {
    let bucket = Bucket::default();
    let export = |count: usize, rows| {
        let graph = graph(SchemaMode::Open, &[]);
        let vertices = (0..count).map(|nr| (format!("v{nr}"), (vec![], vec![]))).collect();
        fill(&graph, &(vertices, vec![]));
        let job = ExportJob {
            path: "out/".into(),
            edge_set_name: "e".into(),
            vertex_set_name: "v".into(),
            schema_name: "s".into(),
            rows_per_file: NonZeroU64::new(rows),
            dialect: Dialect::default(),
        };
        let report = transfer::export(&graph.snapshot(), &job, &bucket, &()).unwrap();
        let written: Vec<_> = report.files.into_iter().map(|file| file.path).collect();
        let mut sorted = written.clone();
        sorted.sort();
        assert_eq!(bucket.paths(), sorted);
        written
    };
    let page = |nr| format!("out/v/page-0000000{nr}.csv");
    let rest = ["out/e".to_owned(), "out/s".into()];
    assert_eq!(export(5, 2), [&[page(1), page(2), page(3)][..], &rest].concat());
    assert_eq!(export(4, 2), [&[page(1), page(2)][..], &rest].concat());
    assert_eq!(export(2, 2), [&["out/v".to_owned()][..], &rest].concat());
    assert_eq!(export(3, 2), [&[page(1), page(2)][..], &rest].concat());
    assert_eq!(export(0, 0), [&["out/v".to_owned()][..], &rest].concat());
}

#[test]
fn names_of_an_export_must_be_there_and_differ() {
    let graph = graph(SchemaMode::Open, &[]);
    for (names, expected) in [
        (["", "e", "v", "s"], "[graph_export_path] is empty"),
        (["p", " ", "v", "s"], "[edge_set_name] is empty"),
        (["p", "e", "", "s"], "[vertex_set_name] is empty"),
        (["p", "e", "v", ""], "[schema_name] is empty"),
        (["p", "e", "e", "s"], "must differ: [e]"),
        (["p", "e", "s", "s"], "must differ: [s]"),
        (["p", "s", "v", "s"], "must differ: [s]"),
    ] {
        let [path, edges, vertices, schema] = names.map(String::from);
        let job = ExportJob {
            path,
            edge_set_name: edges,
            vertex_set_name: vertices,
            schema_name: schema,
            rows_per_file: None,
            dialect: Dialect::default(),
        };
        let error = transfer::export(&graph.snapshot(), &job, &Bucket::default(), &()).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}
