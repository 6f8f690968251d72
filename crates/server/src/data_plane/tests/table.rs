use model::SchemaError;

use super::super::error::{End, Operation};
use super::*;

#[test]
fn every_refusal_has_its_code() {
    use Operation::{AddVertexLabel, ChangeEdges, ChangeSchema, EdgeDetail, EdgeProperties, QueryVertices};
    use Operation::{ReadSchema, RemoveVertexLabel, Summary, VertexProperties};
    let no_graph = || DataError::NoGraph("g".into());
    let exists = || SchemaError::LabelExists { label: "l".into() };
    let corrupt = || store::Error::Corrupt { path: "p".into(), reason: "r".into() };
    let cases = [
        (Summary, DataError::NotObject, (400, "GES.8000")),
        (Summary, no_graph(), (400, "GES.8001")),
        (ReadSchema, no_graph(), (400, "GES.8003")),
        (QueryVertices, no_graph(), (400, "GES.8204")),
        (QueryVertices, DataError::NoList(ElementList::Vertices), (400, "GES.8214")),
        (ChangeEdges, DataError::NoList(ElementList::Edges), (400, "GES.8110")),
        (ChangeEdges, DataError::NoEnd { end: End::Source, id: "v".into() }, (400, "GES.8000")),
        (EdgeDetail, DataError::Missing("target".into()), (400, "GES.8000")),
        (EdgeDetail, no_graph(), (400, "GES.8107")),
        (EdgeProperties, DataError::NoEdge("a-b".into()), (400, "GES.8221")),
        (VertexProperties, DataError::NoVertex("v".into()), (400, "GES.8220")),
        (AddVertexLabel, DataError::SameLabel("l".into()), (400, "GES.8213")),
        (RemoveVertexLabel, DataError::NoVertex("v".into()), (400, "GES.8212")),
        (RemoveVertexLabel, DataError::NotLabelled { id: "v".into(), label: "l".into() }, (400, "GES.8182")),
        (ChangeSchema, DataError::Field { field: "f".into(), expected: "x" }, (400, "GES.8005")),
        (ChangeSchema, exists().into(), (400, "GES.8801")),
        (ChangeSchema, store::Error::from(exists()).into(), (400, "GES.8801")),
        (ChangeEdges, DataError::EdgeLimit(7), (400, "GES.7018")),
        (Summary, store::Error::GraphClosed { graph: "g".into() }.into(), (400, "GES.8601")),
        (Summary, store::Error::LogFailed { reason: "r".into() }.into(), (503, "GES.8602")),
        (Summary, corrupt().into(), (500, "GES.8006")),
    ];
    for (operation, error, code) in cases {
        assert_eq!(error.code(operation), code, "{operation:?}: {error}");
    }
}

#[test]
fn a_body_is_an_object_or_nothing() {
    assert!(Fields::parse(b"").is_ok());
    assert!(matches!(Fields::parse(b"[]"), Err(DataError::NotObject)));
    assert!(matches!(Fields::parse(b"{\n\"a\""), Err(DataError::NotJson { line: 2, .. })));
    assert!(Fields::parse("[".repeat(100_000).as_bytes()).is_err(), "deep nesting is refused, not followed");
    assert!(Fields::parse(b"\xff").is_err());
}

#[test]
fn a_summary_counts_what_is_there() {
    let graph = people();
    graph.write(|transaction| transaction.add_label(label("empty")).map_err(DataError::from)).unwrap();
    let summary = summary(&graph);
    assert_eq!(summary["labelDetails"], json!({"labelInVertex": {"person": 3}, "labelInEdge": {"knows": 2}}));
    assert_eq!(summary["contentRoot"], graph.snapshot().recount().unwrap().root().to_string());
    let short = serde_json::to_value(read::summary(&graph.snapshot(), false)).unwrap();
    assert_eq!(short.as_object().unwrap().len(), 3);
}
