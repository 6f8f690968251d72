use model::Label;
use serde_json::{Map, Value};

use super::definition::{self, Attributes};
use super::{Labels, MetadataError, Place, Problem};

/// Reads `{"labels": [{"name": …, "properties": null | [{…}]}]}`. Values are text; numbers and
/// booleans count as their text.
pub fn from_json(metadata: &Value) -> Result<Vec<Label>, MetadataError> {
    let mut labels = Labels::new();
    let list = metadata.get("labels").ok_or_else(|| at("labels", missing("labels")))?;
    for (number, value) in array(list, "labels")?.iter().enumerate() {
        let path = format!("labels[{number}]");
        let object = object(value, &path)?;
        let mut label = definition::label(&attributes(object, &path)?).map_err(|e| at(&path, e))?;
        label.properties = properties(object.get("properties").unwrap_or(&Value::Null), &path)?;
        labels.push(label).map_err(|problem| at(&path, problem))?;
    }
    Ok(labels.accepted)
}

fn properties(list: &Value, label: &str) -> Result<Vec<model::Property>, MetadataError> {
    if list.is_null() {
        return Ok(Vec::new());
    }
    let path = format!("{label}.properties");
    let read = |(number, value): (usize, &Value)| {
        let path = format!("{path}[{number}]");
        let attributes = attributes(object(value, &path)?, &path)?;
        definition::property(&attributes).map_err(|problem| at(&path, problem))
    };
    array(list, &path)?.iter().enumerate().map(read).collect()
}

fn attributes(object: &Map<String, Value>, path: &str) -> Result<Attributes, MetadataError> {
    let mut attributes = Attributes::default();
    for (name, value) in object.iter().filter(|(name, _)| *name != "properties") {
        let text = match value {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            _ => return Err(at(&format!("{path}.{name}"), unexpected(value, "text"))),
        };
        attributes.insert(name.clone(), text);
    }
    Ok(attributes)
}

/// Writes the form that [`from_json`] reads: every value is a string, as GES clients expect.
pub fn to_json(labels: &[Label]) -> Value {
    let object = |attributes: Vec<(String, String)>| -> Map<String, Value> {
        attributes.into_iter().map(|(name, value)| (name, Value::String(value))).collect()
    };
    let label = |label: &Label| {
        let of_property = |property| Value::Object(object(definition::of_property(property)));
        let properties: Vec<Value> = label.properties.iter().map(of_property).collect();
        let mut members = object(definition::of_label(label));
        let properties = if properties.is_empty() { Value::Null } else { Value::Array(properties) };
        members.insert("properties".into(), properties);
        Value::Object(members)
    };
    let labels: Vec<Value> = labels.iter().map(label).collect();
    serde_json::json!({ "labels": labels })
}

fn array<'a>(value: &'a Value, path: &str) -> Result<&'a [Value], MetadataError> {
    let array = value.as_array().ok_or_else(|| at(path, unexpected(value, "a list")))?;
    Ok(array)
}

fn object<'a>(value: &'a Value, path: &str) -> Result<&'a Map<String, Value>, MetadataError> {
    value.as_object().ok_or_else(|| at(path, unexpected(value, "an object")))
}

fn unexpected(value: &Value, expected: &'static str) -> Problem {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    Problem::Unexpected { found: found.into(), expected }
}

fn missing(name: &str) -> Problem {
    Problem::Missing { name: name.into() }
}

fn at(path: &str, problem: Problem) -> MetadataError {
    MetadataError::At { place: Place::Path(path.into()), problem }
}
