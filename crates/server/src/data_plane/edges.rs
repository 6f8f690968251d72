//! Changing edges, in one transaction.

use model::{DEFAULT_LABEL, LabelId, Props, VertexRecord, Vid};
use serde_json::Value as Json;
use store::{EdgeKey, Transaction};

use super::error::{DataError, End};
use super::properties::{self, Bearer};
use super::read;
use super::request::{Change, EdgeChange, EdgeRef, NewEdge, Parallel, ParallelAction};
use super::values;
use super::view::Added;

/// What holds for all edges of a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AddOptions {
    pub(crate) parallel: Parallel,
    /// Ends that do not exist are made, with the default label.
    pub(crate) create_ends: bool,
    /// How many edges the graph may have afterwards.
    pub(crate) limit: Option<u64>,
}

/// Adds edges, in order, and says where each is to be found.
pub(crate) fn add(
    transaction: &mut Transaction<'_>,
    edges: &[NewEdge],
    options: AddOptions,
) -> Result<Vec<Added>, DataError> {
    let mut count = transaction.content().edges.count;
    let mut added = Vec::with_capacity(edges.len());
    for edge in edges {
        let index = add_one(transaction, edge, options, &mut count)?.rank.to_string();
        added.push(Added { index, source: edge.source.clone(), target: edge.target.clone() });
    }
    match options.limit {
        Some(limit) if count > limit && count > transaction.content().edges.count => {
            Err(DataError::EdgeLimit(limit))
        }
        _ => Ok(added),
    }
}

fn add_one(
    transaction: &mut Transaction<'_>,
    edge: &NewEdge,
    options: AddOptions,
    count: &mut u64,
) -> Result<EdgeKey, DataError> {
    let label = transaction.label(edge.label.as_deref().unwrap_or(DEFAULT_LABEL))?;
    let name = || format!("edge [{}-{}]", edge.source, edge.target);
    let bearer = Bearer { labels: &[label], name: &name };
    let props = properties::fresh(transaction, &bearer, &edge.properties)?;
    let source = end(transaction, End::Source, &edge.source, options.create_ends)?;
    let target = end(transaction, End::Target, &edge.target, options.create_ends)?;
    let alike = alike(transaction, source, target, label, options.parallel)?;
    match (options.parallel.action, alike.first()) {
        (ParallelAction::Ignore, Some(first)) => Ok(*first),
        (ParallelAction::Override, Some(first)) => {
            *count -= alike.len() as u64 - 1;
            override_alike(transaction, *first, &alike, label, props)
        }
        _ => {
            *count += 1;
            Ok(transaction.add_edge(source, target, label, props)?)
        }
    }
}

fn end(transaction: &mut Transaction<'_>, end: End, id: &str, create: bool) -> Result<Vid, DataError> {
    match read::end(transaction, end, id) {
        Err(DataError::NoEnd { .. }) if create => {
            let labels = vec![transaction.label(DEFAULT_LABEL)?];
            Ok(transaction.add_vertex(VertexRecord { id: id.into(), labels, props: Props::new() })?)
        }
        found => found,
    }
}

fn alike(
    transaction: &Transaction<'_>,
    source: Vid,
    target: Vid,
    label: LabelId,
    parallel: Parallel,
) -> Result<Vec<EdgeKey>, DataError> {
    if parallel.action == ParallelAction::Allow {
        return Ok(Vec::new());
    }
    let mut edges = transaction.edges_between(source, target)?;
    edges.retain(|edge| parallel.ignore_label || edge.label == label);
    Ok(edges)
}

/// One edge takes the place of all that are like it, and the index of one that has its label.
fn override_alike(
    transaction: &mut Transaction<'_>,
    first: EdgeKey,
    alike: &[EdgeKey],
    label: LabelId,
    props: Props,
) -> Result<EdgeKey, DataError> {
    let kept = alike.iter().copied().find(|edge| edge.label == label);
    for edge in alike.iter().filter(|edge| Some(**edge) != kept) {
        transaction.remove_edge(*edge)?;
    }
    match kept {
        Some(kept) => Ok(transaction.replace_edge(kept, props).map(|()| kept)?),
        None => Ok(transaction.add_edge(first.source, first.target, label, props)?),
    }
}

/// Deletes edges. With `ignore_errors`, those that do not exist are passed over.
pub(crate) fn delete(
    transaction: &mut Transaction<'_>,
    edges: &[EdgeRef],
    ignore_errors: bool,
) -> Result<(), DataError> {
    for edge in edges {
        match delete_one(transaction, edge) {
            Err(error) if ignore_errors && error.is_about_an_element() => {}
            deleted => deleted?,
        }
    }
    Ok(())
}

/// An index means one edge, a label the first that has it, if any; neither means all.
fn delete_one(transaction: &mut Transaction<'_>, edge: &EdgeRef) -> Result<(), DataError> {
    let mut keys = read::find(transaction, edge)?;
    match (edge.index, &edge.label) {
        (None, Some(_)) => keys.truncate(1),
        _ if keys.is_empty() => return Err(DataError::NoEdge(edge.name())),
        _ => {}
    }
    keys.into_iter().try_for_each(|key| Ok(transaction.remove_edge(key)?))
}

/// Deletes the edges between two vertices that have a value.
pub(crate) fn delete_by_value(
    transaction: &mut Transaction<'_>,
    edge: &EdgeRef,
    property: &str,
    value: &str,
) -> Result<(), DataError> {
    let given = [Json::String(value.into())];
    let mut deleted = false;
    for key in read::find(transaction, &EdgeRef { index: None, ..edge.clone() })? {
        if has_value(transaction, key, property, &given)? {
            transaction.remove_edge(key)?;
            deleted = true;
        }
    }
    if deleted { Ok(()) } else { Err(DataError::NoEdge(edge.name())) }
}

/// Whether an edge has a property of the given value. In an open schema, where `"7"` may mean a
/// number, equal text is enough.
fn has_value(
    transaction: &Transaction<'_>,
    key: EdgeKey,
    property: &str,
    given: &[Json],
) -> Result<bool, DataError> {
    let schema = transaction.schema();
    let props = transaction.edge_props(key)?.unwrap_or_default();
    let Some(present) = schema.key_id(property).and_then(|id| props.get(id)) else { return Ok(false) };
    let declared = schema.property(&[key.label], property);
    let wanted = values::read(declared, given).ok().flatten();
    let same_text = |text: &Json| text.as_str().is_some_and(|text| model::to_text(present) == text);
    let loosely = declared.is_none() && given.len() == 1 && given.iter().all(same_text);
    Ok(loosely || wanted.is_some_and(|wanted| wanted.total_cmp(present).is_eq()))
}

/// Changes properties. With `ignore_errors`, edges that cannot be changed are left alone.
pub(crate) fn change(
    transaction: &mut Transaction<'_>,
    changes: &[EdgeChange],
    how: Change,
    ignore_errors: bool,
) -> Result<(), DataError> {
    for edge in changes {
        match change_one(transaction, edge, how) {
            Err(error) if ignore_errors && error.is_about_an_element() => {}
            changed => changed?,
        }
    }
    Ok(())
}

fn change_one(transaction: &mut Transaction<'_>, edge: &EdgeChange, how: Change) -> Result<(), DataError> {
    let key = pick(transaction, edge)?.ok_or_else(|| DataError::NoEdge(edge.edge.name()))?;
    let mut props = transaction.edge_props(key)?.unwrap_or_default();
    let name = || format!("edge [{}]", edge.edge.name());
    let bearer = Bearer { labels: &[key.label], name: &name };
    properties::change(transaction, &bearer, how, &edge.properties, &mut props)?;
    Ok(transaction.replace_edge(key, props)?)
}

/// The first edge that is meant: of those that have the same value of the property that tells
/// them apart, if the request names one and gives it.
fn pick(transaction: &Transaction<'_>, edge: &EdgeChange) -> Result<Option<EdgeKey>, DataError> {
    let keys = read::find(transaction, &edge.edge)?;
    for (label, property) in &edge.picked_by {
        let Some((_, given)) = edge.properties.0.iter().find(|(name, _)| name == property) else { continue };
        let label = transaction.schema().label_id(label);
        for key in keys.iter().filter(|key| Some(key.label) == label) {
            if has_value(transaction, *key, property, given)? {
                return Ok(Some(*key));
            }
        }
        return Ok(None);
    }
    Ok(keys.first().copied())
}
