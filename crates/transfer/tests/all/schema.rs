//! Metadata that comes with the files, and labels in several numbers.

use model::{Cardinality, DataType, Kind, Label, LabelKind, Property, SchemaMode};
use transfer::{FileStatus, ImportJob, metadata};

use crate::bucket::{Bucket, both, contents, graph, import};

fn label(name: &str, properties: &[(&str, DataType)]) -> Label {
    let property = |(name, data_type): &(&str, DataType)| Property {
        name: (*name).into(),
        data_type: data_type.clone(),
        cardinality: Cardinality::Single,
    };
    Label { name: name.into(), kind: LabelKind::All, properties: properties.iter().map(property).collect() }
}

#[test]
fn columns_are_in_the_order_of_the_metadata_that_comes_along() {
    let graph = graph(SchemaMode::Closed, &[label("p", &[("a", DataType::Int), ("b", DataType::String)])]);
    let with_files = [label("p", &[("c", DataType::Bool), ("b", DataType::String)])];
    let bucket = Bucket::with(&[
        ("schema.xml", &metadata::to_xml(&with_files)),
        ("vertices.csv", "x,p,1,text\n"),
        ("more.csv", "y,p,7,text,0\n"),
    ]);
    let job = ImportJob { schema_path: Some("schema.xml".into()), edgeset_path: None, ..both() };
    let report = import(&graph, &bucket, &job).unwrap();
    assert_eq!(report.schema[0].status, FileStatus::Success);
    let job = ImportJob { vertexset_path: Some("more.csv".into()), edgeset_path: None, ..both() };
    import(&graph, &bucket, &job).unwrap();
    assert_eq!(contents(&graph), ["(x:p b=text c=true)", "(y:p a=7 b=text c=false)"]);
    let names: Vec<_> =
        graph.snapshot().schema().labels()[1].properties.iter().map(|p| p.name.clone()).collect();
    assert_eq!(names, ["a", "b", "c"]);
}

#[test]
fn metadata_that_cannot_be_used_ends_the_import() {
    let cases = [
        (
            metadata::to_xml(&[label("p", &[("a", DataType::Long)])]),
            "property [a] of label [p] has another type",
        ),
        (
            "<PMML><labels><label/></labels></PMML>".into(),
            "[schema.xml]: line 1, column 15: [name] is missing",
        ),
    ];
    for (xml, message) in cases {
        let graph = graph(SchemaMode::Closed, &[label("p", &[("a", DataType::Int)])]);
        let before = graph.snapshot().schema().clone();
        let bucket = Bucket::with(&[("schema.xml", &xml), ("vertices.csv", "x,p\n")]);
        let job = ImportJob { schema_path: Some("schema.xml".into()), edgeset_path: None, ..both() };
        let failure = import(&graph, &bucket, &job).unwrap_err();
        assert!(failure.to_string().contains(message), "{failure}");
        assert_eq!(failure.error.kind(), Kind::Invalid);
        assert_eq!(failure.report.schema[0].status, FileStatus::Failed);
        assert_eq!(graph.snapshot().schema(), &before);
    }
}

#[test]
fn metadata_may_come_alone() {
    let graph = graph(SchemaMode::Closed, &[]);
    let bucket = Bucket::with(&[("schema.xml", &metadata::to_xml(&[label("p", &[])]))]);
    let job = ImportJob { schema_path: Some("schema.xml".into()), ..ImportJob::default() };
    import(&graph, &bucket, &job).unwrap();
    assert!(graph.snapshot().schema().label_id("p").is_some());
}

#[test]
fn a_vertex_with_several_labels_has_the_columns_of_all() {
    let a = label("a", &[("x", DataType::Int), ("y", DataType::Int)]);
    let b = label("b", &[("y", DataType::Int), ("z", DataType::Int)]);
    let bucket = Bucket::with(&[("vertices.csv", "1,a;b,1,2,3\n2,b;a,2,3,1\n3,a;a,1\n4,a;c\n")]);
    let job = ImportJob { edgeset_path: None, multi_label: true, ..both() };
    let closed = graph(SchemaMode::Closed, &[a.clone(), b.clone()]);
    let report = import(&closed, &bucket, &job).unwrap();
    assert_eq!(contents(&closed), ["(1:a:b x=1 y=2 z=3)", "(2:a:b x=1 y=2 z=3)", "(3:a x=1)"]);
    assert_eq!(report.vertexset[0].cause.as_deref(), Some("line 4: column 2: label [c] does not exist"));
    let open = graph(SchemaMode::Open, &[a, b]);
    import(&open, &bucket, &job).unwrap();
    assert_eq!(contents(&open)[3], "(4:a:c)");
}
