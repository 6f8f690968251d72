use axum::Json;
use axum::extract::Path;
use model::{Cardinality, DataType, Label, LabelKind, Property, SchemaError};
use serde_json::{Value, json};

use super::{Body, DataError, Target, success};
use crate::http::Parameters;
use crate::http::body::Fields;

/// A label is there already, or cannot be made.
const LABEL_EXISTS: &str = "GES.8801";

/// All labels, or the one that is asked for.
pub(super) async fn read(target: Target, parameters: Parameters) -> Result<Json<Value>, DataError> {
    let wanted = parameters.get("label").cloned();
    target
        .read(move |snapshot| match wanted {
            None => {
                let labels: Vec<Value> = snapshot.schema().labels().iter().map(show).collect();
                Ok(json!({"data": {"schema": labels}, "result": "success"}))
            }
            Some(name) => {
                let id = snapshot.schema().label_id(&name);
                let label = id.and_then(|id| snapshot.schema().label(id));
                let label = label
                    .ok_or_else(|| DataError::new("GES.8003", format!("label [{name}] does not exist")))?;
                let kind = serde_json::to_value(label.kind).unwrap_or_default();
                let properties: Vec<Value> = label.properties.iter().map(show_property).collect();
                Ok(json!({"data": {"type": kind, "properties": properties}, "result": "success"}))
            }
        })
        .await
}

fn show(label: &Label) -> Value {
    let properties: Vec<Value> = label.properties.iter().map(show_property).collect();
    json!({"label": label.name, "properties": properties})
}

fn show_property(property: &Property) -> Value {
    let cardinality = match property.cardinality {
        Cardinality::Single => "single",
        Cardinality::List => "list",
        Cardinality::Set => "set",
    };
    let name = match &property.data_type {
        DataType::Char => "char",
        DataType::CharArray(_) => "char array",
        DataType::String => "string",
        DataType::Bool => "bool",
        DataType::Int => "int",
        DataType::Long => "long",
        DataType::Float => "float",
        DataType::Double => "double",
        DataType::Date => "date",
        DataType::Enum(_) => "enum",
    };
    let mut shown = json!({"name": property.name, "type": name, "cardinality": cardinality});
    match &property.data_type {
        DataType::Enum(names) => shown["probableValue"] = json!(names),
        DataType::CharArray(max) => shown["maxDataSize"] = json!(max),
        _ => {}
    }
    shown
}

pub(super) async fn add(target: Target, Body(body): Body) -> Result<Json<Value>, DataError> {
    let name = body.text("name")?;
    let kind = match body.optional_text("type")?.as_deref() {
        None | Some("all") => LabelKind::All,
        Some("vertex") => LabelKind::Vertex,
        Some("edge") => LabelKind::Edge,
        Some(_) => return Err(DataError::parameter("[type] must be vertex, edge or all")),
    };
    let properties = properties(&name, &body)?;
    target
        .writable()?
        .run(move |target| {
            target.graph.write(move |tx| match tx.add_label(Label { name, kind, properties }) {
                Ok(_) => Ok(Json(success())),
                Err(store::Error::Schema(error @ SchemaError::LabelExists { .. })) => {
                    Err(DataError::new(LABEL_EXISTS, error))
                }
                Err(error) => Err(error.into()),
            })
        })
        .await
}

pub(super) async fn set_properties(
    target: Target,
    Path(path): Path<serde_json::Map<String, Value>>,
    Body(body): Body,
) -> Result<Json<Value>, DataError> {
    let label = path.get("label").and_then(Value::as_str).unwrap_or_default().to_owned();
    let replace = body.flag("override")?.unwrap_or(false);
    let properties = properties(&label, &body)?;
    target
        .writable()?
        .run(move |target| {
            target.graph.write(move |tx| {
                tx.set_properties(&label, properties, replace)?;
                Ok(Json(success()))
            })
        })
        .await
}

/// `[{"property": {…}}]`: the inside is what metadata files have.
fn properties(label: &str, body: &Fields) -> Result<Vec<Property>, DataError> {
    let wrapped = body.list("properties")?.unwrap_or_default();
    let inner = |item: Value| item.get("property").cloned().unwrap_or(item);
    let inner: Vec<Value> = wrapped.into_iter().map(inner).collect();
    let metadata = json!({"labels": [{"name": label, "properties": inner}]});
    let labels = transfer::metadata::from_json(&metadata).map_err(DataError::parameter)?;
    Ok(labels.into_iter().next().map(|label| label.properties).unwrap_or_default())
}
