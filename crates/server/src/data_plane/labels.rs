//! Changing the schema, in one transaction.

use model::{Label, Property};
use serde::Serialize;
use serde_json::{Value as Json, json};
use store::Transaction;
use transfer::metadata::{self, MetadataError, Place};

use super::body::Fields;
use super::error::DataError;

/// A label of a batch that was not added.
#[derive(Debug, Serialize)]
pub(crate) struct Failed {
    #[serde(rename = "labelName")]
    label: String,
    cause: String,
}

/// A label to be added: its name, and its definition or what is wrong with it.
#[derive(Debug)]
pub(crate) struct NewLabel {
    name: String,
    definition: Result<Label, DataError>,
}

impl NewLabel {
    /// Only a label without a name is refused at once: everything else can be told by name.
    pub(crate) fn parse(mut fields: Fields) -> Result<Self, DataError> {
        let name = fields.text("name")?;
        let definition = definition(&name, &mut fields);
        Ok(Self { name, definition })
    }
}

fn definition(name: &str, fields: &mut Fields) -> Result<Label, DataError> {
    let kind = fields.optional_text("type")?.unwrap_or_else(|| "all".into());
    if !["vertex", "edge", "all"].contains(&kind.as_str()) {
        return Err(fields.wrong("type", "vertex, edge or all"));
    }
    one_label(json!({"name": name, "labelType": kind, "properties": unwrapped(fields)?}))
}

/// The properties of a body that is about a label named elsewhere.
pub(crate) fn properties(fields: &mut Fields) -> Result<Vec<Property>, DataError> {
    let properties = unwrapped(fields)?;
    if properties.is_null() {
        return Err(fields.missing("properties"));
    }
    Ok(one_label(json!({"name": model::DEFAULT_LABEL, "properties": properties}))?.properties)
}

/// `[{"property": {…}}]` as metadata files have it: `[{…}]`, which is taken as well.
fn unwrapped(fields: &mut Fields) -> Result<Json, DataError> {
    let Some(list) = fields.objects("properties")? else { return Ok(Json::Null) };
    let inner = |mut item: Fields| match item.take("property") {
        Some(property) => property,
        None => Json::Object(item.into_pairs().collect()),
    };
    Ok(list.into_iter().map(inner).collect())
}

/// Reads one label as metadata files have it; refusals name the field from the label on.
fn one_label(label: Json) -> Result<Label, DataError> {
    let mut labels = metadata::from_json(&json!({ "labels": [label] })).map_err(|error| match error {
        MetadataError::At { place: Place::Path(path), problem } => {
            let path = path.trim_start_matches("labels[0]").trim_start_matches('.');
            let path = if path.is_empty() { "label" } else { path };
            MetadataError::At { place: Place::Path(path.into()), problem }
        }
        error => error,
    })?;
    labels.pop().ok_or_else(|| DataError::Missing("label".into()))
}

/// Adds one label.
pub(crate) fn add(transaction: &mut Transaction<'_>, label: NewLabel) -> Result<(), DataError> {
    transaction.add_label(label.definition?)?;
    Ok(())
}

/// Adds labels; those that cannot be added are told, unless it is all of them.
pub(crate) fn add_all(
    transaction: &mut Transaction<'_>,
    labels: Vec<NewLabel>,
) -> Result<Vec<Failed>, DataError> {
    let asked = labels.len();
    let mut failed = Vec::new();
    let mut last = None;
    for label in labels {
        let name = label.name.clone();
        match add(transaction, label) {
            Err(error) if error.is_about_an_element() => {
                failed.push(Failed { label: name, cause: error.to_string() });
                last = Some(error);
            }
            added => added?,
        }
    }
    match last {
        Some(error) if failed.len() == asked => Err(error),
        _ => Ok(failed),
    }
}
