//! How vertices, edges, labels and counts look to clients.

use model::{Content, DataType, ElementKind, Label, LabelKind, Property, Props, Schema, VertexRecord};
use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::values;

/// A vertex with its properties.
#[derive(Debug, Serialize)]
pub(crate) struct Vertex {
    id: Box<str>,
    label: String,
    /// All labels, if there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    labels: Vec<String>,
    properties: Map<String, Json>,
}

/// An edge with its properties.
#[derive(Debug, Serialize)]
pub(crate) struct Edge {
    pub(crate) source: String,
    pub(crate) target: String,
    pub(crate) index: String,
    pub(crate) label: String,
    pub(crate) properties: Map<String, Json>,
}

/// Where an added edge is to be found.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub(crate) struct Added {
    pub(crate) index: String,
    pub(crate) source: String,
    pub(crate) target: String,
}

/// What a graph holds.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Summary {
    vertex_num: u64,
    edge_num: u64,
    /// Equal for equal contents, whatever their history.
    content_root: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    label_details: Option<LabelDetails>,
}

/// Counts of the labels that have elements.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LabelDetails {
    label_in_vertex: Map<String, Json>,
    label_in_edge: Map<String, Json>,
}

/// A label in the list of all.
#[derive(Debug, Serialize)]
pub(crate) struct LabelView {
    label: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    properties: Vec<PropertyView>,
}

/// One label.
#[derive(Debug, Serialize)]
pub(crate) struct OneLabelView {
    #[serde(rename = "type")]
    kind: &'static str,
    properties: Vec<PropertyView>,
}

#[derive(Debug, Serialize)]
struct PropertyView {
    name: String,
    #[serde(rename = "type")]
    data_type: &'static str,
    cardinality: &'static str,
    #[serde(rename = "probableValue", skip_serializing_if = "Option::is_none")]
    probable_value: Option<Vec<String>>,
    #[serde(rename = "maxDataSize", skip_serializing_if = "Option::is_none")]
    max_data_size: Option<u32>,
}

impl Vertex {
    pub(crate) fn of(record: VertexRecord, schema: &Schema) -> Self {
        let mut labels: Vec<String> = record.labels.iter().map(|id| schema.label_name(*id).into()).collect();
        let label = labels.first().map_or_else(|| model::DEFAULT_LABEL.into(), String::clone);
        if labels.len() == 1 {
            labels.clear();
        }
        Self { id: record.id, label, labels, properties: properties(&record.props, schema) }
    }
}

pub(crate) fn properties(props: &Props, schema: &Schema) -> Map<String, Json> {
    props.iter().map(|(key, value)| (schema.key_name(*key).to_owned(), values::write(value))).collect()
}

impl Summary {
    pub(crate) fn of(content: &Content, schema: &Schema, label_details: bool) -> Self {
        let counts = |wanted: ElementKind| {
            let labels =
                content.labels.iter().filter(|((kind, _), tally)| *kind == wanted && tally.count > 0);
            labels.map(|((_, id), tally)| (schema.label_name(*id).to_owned(), tally.count.into())).collect()
        };
        let label_details = label_details.then(|| LabelDetails {
            label_in_vertex: counts(ElementKind::Vertex),
            label_in_edge: counts(ElementKind::Edge),
        });
        let content_root = content.root().to_string();
        Self {
            vertex_num: content.vertices.count,
            edge_num: content.edges.count,
            content_root,
            label_details,
        }
    }
}

impl LabelView {
    pub(crate) fn of(label: &Label) -> Self {
        Self {
            label: label.name.clone(),
            properties: label.properties.iter().map(PropertyView::of).collect(),
        }
    }
}

impl OneLabelView {
    pub(crate) fn of(label: &Label) -> Self {
        let kind = match label.kind {
            LabelKind::Vertex => "vertex",
            LabelKind::Edge => "edge",
            LabelKind::All => "all",
        };
        Self { kind, properties: label.properties.iter().map(PropertyView::of).collect() }
    }
}

impl PropertyView {
    fn of(property: &Property) -> Self {
        let (probable_value, max_data_size) = match &property.data_type {
            DataType::Enum(names) => (Some(names.clone()), None),
            DataType::CharArray(max) => (None, Some(*max)),
            _ => (None, None),
        };
        Self {
            name: property.name.clone(),
            data_type: values::type_name(&property.data_type),
            cardinality: values::cardinality_name(property.cardinality),
            probable_value,
            max_data_size,
        }
    }
}
