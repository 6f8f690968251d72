use model::{Cardinality, DataType, Label, LabelKind, Property, Schema, SchemaMode};
use proptest::prelude::*;
use serde_json::json;

use super::*;

const DOCUMENTED: &str = r#"<?xml version="1.0" encoding="ISO-8859-1"?>
<PMML version="3.0" xmlns="http://www.dmg.org/PMML-3-0" xmlns:xsi="http://www.w3.org/2001/XMLSchema_instance">
  <!-- two labels -->
  <labels>
    <label name="default"> </label>
    <label name="movie">
      <properties>
        <property name="title" cardinality="single" dataType="string"/>
        <property name="code" cardinality="single" dataType="char array" maxDataSize="12"/>
        <property name="genres" cardinality="set" dataType="enum" typeNameCount="2" typeName1="A&amp;B" typeName2=""/>
        <property name="years" cardinality="list" dataType="int"></property>
      </properties>
    </label>
  </labels>
</PMML>"#;

fn property(name: &str, data_type: DataType, cardinality: Cardinality) -> Property {
    Property { name: name.into(), data_type, cardinality }
}

fn documented() -> Vec<Label> {
    let genres = DataType::Enum(vec!["A&B".into(), String::new()]);
    let movie = vec![
        property("title", DataType::String, Cardinality::Single),
        property("code", DataType::CharArray(12), Cardinality::Single),
        property("genres", genres, Cardinality::Set),
        property("years", DataType::Int, Cardinality::List),
    ];
    vec![
        Label { name: "default".into(), kind: LabelKind::All, properties: vec![] },
        Label { name: "movie".into(), kind: LabelKind::All, properties: movie },
    ]
}

#[test]
fn the_documented_file_in_both_forms() {
    assert_eq!(from_xml(DOCUMENTED.as_bytes()).unwrap(), documented());
    let as_json = json!({"labels": [
        {"name": "default", "properties": null},
        {"name": "movie", "properties": [
            {"name": "title", "cardinality": "single", "dataType": "string"},
            {"name": "code", "cardinality": "single", "dataType": "char array", "maxDataSize": "12"},
            {"name": "genres", "cardinality": "set", "dataType": "enum",
             "typeNameCount": "2", "typeName1": "A&B", "typeName2": ""},
            {"name": "years", "cardinality": "list", "dataType": "int"},
        ]},
    ]});
    assert_eq!(to_json(&documented()), as_json);
    assert_eq!(from_json(&as_json).unwrap(), documented());
    assert_eq!(from_xml(to_xml(&documented()).as_bytes()).unwrap(), documented());
}

#[test]
fn latin_1_is_read_where_it_is_declared() {
    let file = |encoding: &str, name: &[u8]| {
        let head = format!("<?xml version='1.0' encoding='{encoding}'?><PMML><labels><label name='");
        [head.as_bytes(), name, b"'/></labels></PMML>"].concat()
    };
    let name =
        |bytes: Vec<u8>| from_xml(&bytes).map(|labels| labels[0].name.clone()).map_err(|e| e.to_string());
    assert_eq!(name(file("ISO-8859-1", b"Stra\xdfe")), Ok("Straße".into()));
    assert_eq!(name(file("ISO-8859-1", "Straße".as_bytes())), Ok("Straße".into()));
    assert!(name(file("UTF-8", b"Stra\xdfe")).unwrap_err().contains("[UTF-8]"));
    assert!(name(file("utf-16", b"\xff\xfe")).unwrap_err().contains("[utf-16]"));
}

#[test]
fn broken_xml_is_refused_with_its_place() {
    let label = |inside: &str| format!("<PMML><labels>\n<label name='a'>{inside}</label></labels></PMML>");
    let property = |inside: &str| label(&format!("<properties>\n <property {inside}/></properties>"));
    let cases = [
        (String::new(), "line 1, column 1: found the end where PMML belongs"),
        ("<PMML>".into(), "line 1, column 7: found the end where labels belongs"),
        ("<PMML></labels>".into(), "line 1, column 7: the XML is broken"),
        ("<html/>".into(), "line 1, column 1: found the element [html] where PMML belongs"),
        ("<!DOCTYPE a [<!ENTITY x 'xx'>]><PMML/>".into(), "line 1, column 1: found a document type"),
        (label("text"), "line 2, column 17: found the text [text] where properties belongs"),
        (label("<property name='p'/>"), "line 2, column 17: found the element [property]"),
        (label("<label name='b'/>"), "line 2, column 17: found the element [label]"),
        (label("&x;"), "line 2, column 17: found an entity"),
        (property("dataType='int'"), "line 3, column 2: [name] is missing"),
        (property("name='p'"), "line 3, column 2: [dataType] is missing"),
        (property("name='p' name='q'"), "line 3, column 2: the XML is broken"),
        (property("name='&x;' dataType='int'"), "[name] cannot be [&x;]"),
        (property("name='p' dataType='integer'"), "[dataType] cannot be [integer]"),
        (property("name='p' dataType='int' cardinality='many'"), "[cardinality] cannot be [many]"),
        (property("name='p' dataType='char array'"), "[maxDataSize] is missing"),
        (property("name='p' dataType='char array' maxDataSize='0'"), "[maxDataSize] cannot be [0]"),
        (
            property("name='p' dataType='char array' maxDataSize='2' cardinality='set'"),
            "[cardinality] cannot be [set]",
        ),
        (property("name='p' dataType='enum' typeNameCount='9'"), "[typeName1] is missing"),
        (
            property("name='p' dataType='enum' typeNameCount='4000000000' typeName1='a'"),
            "[typeNameCount] cannot be [4000000000]",
        ),
        (property("name='&lt;' dataType='int'"), "property name [<] is not legal"),
        (
            "<PMML><labels><label name='a'/>\n<label name='a'/></labels></PMML>".into(),
            "line 2, column 1: label [a] already exists",
        ),
        ("<PMML><labels><label name='a;b'/></labels></PMML>".into(), "label name [a;b] is not legal"),
        ("<PMML><labels><label name='a' labelType='x'/></labels></PMML>".into(), "[labelType] cannot be [x]"),
    ];
    for (xml, expected) in cases {
        let error = from_xml(xml.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(expected), "{xml}\n{error}\n{expected}");
        assert_eq!(error.kind(), Kind::Invalid);
    }
    assert!(matches!(from_xml(&vec![b' '; MAX_BYTES + 1]), Err(MetadataError::TooLarge { .. })));
}

#[test]
fn more_properties_than_a_graph_can_name_are_refused_at_once() {
    let many = "<property name='p' dataType='int'/>".repeat(200_000);
    let xml =
        format!("<PMML><labels><label name='a'><properties>{many}</properties></label></labels></PMML>");
    let error = from_xml(xml.as_bytes()).unwrap_err();
    assert_eq!(error.kind(), Kind::Quota);
    assert!(error.to_string().contains("a graph has at most 65,535 property keys"), "{error}");
}

#[test]
fn broken_json_is_refused_with_its_place() {
    let cases = [
        (json!(null), "labels: [labels] is missing"),
        (json!({"labels": {}}), "labels: found an object where a list belongs"),
        (json!({"labels": [1]}), "labels[0]: found a number where an object belongs"),
        (json!({"labels": [{"name": ["a"]}]}), "labels[0].name: found a list where text belongs"),
        (json!({"labels": [{"properties": null}]}), "labels[0]: [name] is missing"),
        (json!({"labels": [{"name": "a", "properties": "b"}]}), "labels[0].properties: found text"),
        (
            json!({"labels": [{"name": "a", "properties": [{"name": "p", "dataType": null}]}]}),
            "labels[0].properties[0]: [dataType] is missing",
        ),
        (
            json!({"labels": [{"name": "__DEFAULT__"}, {"name": "__DEFAULT__"}]}),
            "labels[1]: label [__DEFAULT__] already exists",
        ),
    ];
    for (value, expected) in cases {
        let error = from_json(&value).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{value}\n{error}\n{expected}");
    }
    let number = json!({"labels": [{"name": "a", "properties":
        [{"name": "p", "dataType": "char array", "maxDataSize": 12}]}]});
    assert_eq!(from_json(&number).unwrap()[0].properties[0].data_type, DataType::CharArray(12));
}

#[test]
fn metadata_adds_to_a_schema_but_never_changes_it() {
    let mut schema = Schema::new(SchemaMode::Closed);
    merge_labels(&mut schema, documented()).unwrap();
    let before = schema.clone();
    merge_labels(&mut schema, documented()).unwrap();
    assert_eq!(schema, before);

    let label = |name: &str, kind, properties| vec![Label { name: name.into(), kind, properties }];
    let more = property("rating", DataType::Float, Cardinality::Single);
    merge_labels(&mut schema, label("movie", LabelKind::All, vec![more.clone()])).unwrap();
    assert_eq!(schema.labels()[2].properties.last(), Some(&more));

    let other = property("title", DataType::Int, Cardinality::Single);
    let before = schema.clone();
    for (labels, expected) in [
        (label("movie", LabelKind::All, vec![other]), "property [title] of label [movie]"),
        (label("movie", LabelKind::Edge, vec![]), "label [movie] is for All"),
    ] {
        let labels = [label("new", LabelKind::All, vec![]), labels].concat();
        let error = merge_labels(&mut schema, labels).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(schema, before);
    }
}

fn any_labels() -> impl Strategy<Value = Vec<Label>> {
    let name = "[a-zé %@#$:?*.+_-]{1,6}";
    let data_type = prop_oneof![
        Just(DataType::Char),
        Just(DataType::String),
        Just(DataType::Bool),
        Just(DataType::Int),
        Just(DataType::Long),
        Just(DataType::Float),
        Just(DataType::Double),
        Just(DataType::Date),
        prop::collection::vec(any::<String>(), 1..4).prop_map(DataType::Enum),
    ];
    let cardinality = prop_oneof![Just(Cardinality::Single), Just(Cardinality::List), Just(Cardinality::Set)];
    let shape = prop_oneof![
        (data_type, cardinality),
        (1..100u32).prop_map(|max| (DataType::CharArray(max), Cardinality::Single)),
    ];
    let property_name = "([^<>&\u{e}\u{f}\u{1e}]|\u{0}|\n|\"|'){1,6}";
    let properties = prop::collection::btree_map(property_name, shape, 0..4).prop_map(|properties| {
        let property = |(name, (data_type, cardinality))| Property { name, data_type, cardinality };
        properties.into_iter().map(property).collect::<Vec<_>>()
    });
    let kind = prop_oneof![Just(LabelKind::Vertex), Just(LabelKind::Edge), Just(LabelKind::All)];
    prop::collection::btree_map(name, (kind, properties), 0..4).prop_map(|labels| {
        labels.into_iter().map(|(name, (kind, properties))| Label { name, kind, properties }).collect()
    })
}

proptest! {
    #[test]
    fn nothing_is_lost_in_either_form(labels in any_labels()) {
        prop_assert_eq!(&from_xml(to_xml(&labels).as_bytes()).unwrap(), &labels);
        prop_assert_eq!(&from_json(&to_json(&labels)).unwrap(), &labels);
    }

    #[test]
    fn damaged_files_are_read_or_refused(at in 0..DOCUMENTED.len(), byte: u8) {
        let mut bytes = DOCUMENTED.as_bytes().to_vec();
        bytes[at] = byte;
        let _ = from_xml(&bytes);
        let _ = from_xml(&bytes[..at]);
    }
}
