//! Changing vertices, in one transaction.

use model::{DEFAULT_LABEL, LabelId, SchemaMode, VertexRecord, Vid};
use store::{GraphState, Transaction};

use super::error::DataError;
use super::properties::{self, Bearer};
use super::request::{Change, Existing, NewVertex, VertexChange};

/// Adds vertices, in order.
pub(crate) fn add(
    transaction: &mut Transaction<'_>,
    vertices: &[NewVertex],
    existing: Existing,
) -> Result<(), DataError> {
    vertices.iter().try_for_each(|vertex| add_one(transaction, vertex, existing))
}

fn add_one(
    transaction: &mut Transaction<'_>,
    vertex: &NewVertex,
    existing: Existing,
) -> Result<(), DataError> {
    // Typed even if it is ignored, so that a batch is refused or not whatever the graph holds.
    let label = transaction.label(vertex.label.as_deref().unwrap_or(DEFAULT_LABEL))?;
    let name = || format!("vertex [{}]", vertex.id);
    let bearer = Bearer { labels: &[label], name: &name };
    let props = properties::fresh(transaction, &bearer, &vertex.properties)?;
    match (transaction.vertex_by_id(&vertex.id)?, existing) {
        (Some(_), Existing::Ignore) => {}
        (Some(vid), Existing::Override) => transaction.replace_vertex(vid, vec![label], props)?,
        (None, _) | (Some(_), Existing::Refuse) => {
            let id = vertex.id.as_str().into();
            transaction.add_vertex(VertexRecord { id, labels: vec![label], props })?;
        }
    }
    Ok(())
}

/// Deletes one vertex, which must exist, with its edges.
pub(crate) fn delete(transaction: &mut Transaction<'_>, id: &str) -> Result<(), DataError> {
    let (vid, _) = find(transaction, id)?;
    transaction.remove_vertex(vid)?;
    Ok(())
}

/// Deletes vertices with their edges. Afterwards none of them is there, whether it was or not.
pub(crate) fn delete_all(transaction: &mut Transaction<'_>, ids: &[String]) -> Result<(), DataError> {
    for id in ids {
        if let Some(vid) = transaction.vertex_by_id(id)? {
            transaction.remove_vertex(vid)?;
        }
    }
    Ok(())
}

/// Changes properties. With `ignore_errors`, vertices that cannot be changed are left alone.
pub(crate) fn change(
    transaction: &mut Transaction<'_>,
    changes: &[VertexChange],
    how: Change,
    ignore_errors: bool,
) -> Result<(), DataError> {
    for vertex in changes {
        match change_one(transaction, vertex, how) {
            Err(error) if ignore_errors && error.is_about_an_element() => {}
            changed => changed?,
        }
    }
    Ok(())
}

fn change_one(
    transaction: &mut Transaction<'_>,
    vertex: &VertexChange,
    how: Change,
) -> Result<(), DataError> {
    let (vid, mut record) = find(transaction, &vertex.id)?;
    if let Some(label) = &vertex.label {
        labelled(transaction, &record, label)?;
    }
    let name = || format!("vertex [{}]", vertex.id);
    let bearer = Bearer { labels: &record.labels, name: &name };
    properties::change(transaction, &bearer, how, &vertex.properties, &mut record.props)?;
    Ok(transaction.replace_vertex(vid, record.labels, record.props)?)
}

/// Gives a vertex one more label. A vertex that had none of its own loses the default label.
pub(crate) fn add_label(
    transaction: &mut Transaction<'_>,
    id: &str,
    label: &str,
    multi_label: bool,
) -> Result<(), DataError> {
    let (vid, mut record) = find(transaction, id)?;
    let default = transaction.label(DEFAULT_LABEL)?;
    let new = transaction.label(label)?;
    if record.labels.contains(&new) {
        return Err(DataError::SameLabel(label.into()));
    }
    // What the default label declares stays with the properties that need it.
    let bare = record.props.is_empty() || transaction.schema().mode() == SchemaMode::Open;
    record.labels.retain(|label| *label != default || !bare);
    let several = multi_label || transaction.schema().mode() == SchemaMode::Open;
    if !record.labels.is_empty() && !several {
        return Err(DataError::OneLabelOnly(id.into()));
    }
    record.labels.push(new);
    Ok(transaction.replace_vertex(vid, record.labels, record.props)?)
}

/// Takes a label from a vertex, and the properties that only it declares. A vertex always has a
/// label: the last one gives way to the default label.
pub(crate) fn remove_label(
    transaction: &mut Transaction<'_>,
    id: &str,
    label: &str,
) -> Result<(), DataError> {
    let (vid, mut record) = find(transaction, id)?;
    let gone = labelled(transaction, &record, label)?;
    record.labels.retain(|label| *label != gone);
    if record.labels.is_empty() {
        record.labels.push(transaction.label(DEFAULT_LABEL)?);
    }
    let schema = transaction.schema();
    if schema.mode() == SchemaMode::Closed {
        let declared = |key| schema.property(&record.labels, schema.key_name(key)).is_some();
        let orphans: Vec<_> =
            record.props.iter().map(|(key, _)| *key).filter(|key| !declared(*key)).collect();
        for key in orphans {
            record.props.remove(key);
        }
    }
    Ok(transaction.replace_vertex(vid, record.labels, record.props)?)
}

fn find(state: &GraphState, id: &str) -> Result<(Vid, VertexRecord), DataError> {
    let missing = || DataError::NoVertex(id.into());
    let vid = state.vertex_by_id(id)?.ok_or_else(missing)?;
    let record = state.vertex(vid)?.ok_or_else(missing)?;
    Ok((vid, record))
}

fn labelled(state: &GraphState, record: &VertexRecord, label: &str) -> Result<LabelId, DataError> {
    let id = state.schema().label_id(label).filter(|id| record.labels.contains(id));
    id.ok_or_else(|| DataError::NotLabelled { id: record.id.clone().into(), label: label.into() })
}
