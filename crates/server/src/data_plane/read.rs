//! Reading one state of a graph.

use model::SchemaError;
use store::{EdgeKey, GraphState};

use super::error::{DataError, End};
use super::request::EdgeRef;
use super::view::{self, Edge, LabelView, OneLabelView, Summary, Vertex};

/// Counts and content root.
pub(crate) fn summary(state: &GraphState, label_details: bool) -> Summary {
    Summary::of(state.content(), state.schema(), label_details)
}

/// All labels.
pub(crate) fn schema(state: &GraphState) -> Vec<LabelView> {
    state.schema().labels().iter().map(LabelView::of).collect()
}

/// One label.
pub(crate) fn label(state: &GraphState, name: &str) -> Result<OneLabelView, DataError> {
    let unknown = || SchemaError::UnknownLabel { label: name.into() };
    let id = state.schema().label_id(name).ok_or_else(unknown)?;
    let label = state.schema().label(id).ok_or_else(unknown)?;
    Ok(OneLabelView::of(label))
}

/// The vertices of these ids. Those that do not exist are left out.
pub(crate) fn vertices<'a>(
    state: &GraphState,
    ids: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<Vertex>, DataError> {
    let mut found = Vec::new();
    for id in ids {
        let Some(vid) = state.vertex_by_id(id)? else { continue };
        found.extend(state.vertex(vid)?.map(|record| Vertex::of(record, state.schema())));
    }
    Ok(found)
}

/// The edges that are meant. Those that do not exist are left out.
pub(crate) fn edges(state: &GraphState, wanted: &[EdgeRef]) -> Result<Vec<Edge>, DataError> {
    let mut found = Vec::new();
    for edge in wanted {
        let keys = match find(state, edge) {
            Err(DataError::NoEnd { .. }) => continue,
            keys => keys?,
        };
        for key in keys {
            let Some(props) = state.edge_props(key)? else { continue };
            found.push(Edge {
                source: edge.source.clone(),
                target: edge.target.clone(),
                index: key.rank.to_string(),
                label: state.schema().label_name(key.label).into(),
                properties: view::properties(&props, state.schema()),
            });
        }
    }
    Ok(found)
}

/// The edges that are meant, by index. An index is enough to name one; a label besides it does
/// not count.
pub(crate) fn find(state: &GraphState, edge: &EdgeRef) -> Result<Vec<EdgeKey>, DataError> {
    let source = end(state, End::Source, &edge.source)?;
    let target = end(state, End::Target, &edge.target)?;
    let mut keys = state.edges_between(source, target)?;
    match (edge.index, &edge.label) {
        (Some(index), _) => keys.retain(|key| key.rank == index),
        (None, Some(label)) => {
            let label = state.schema().label_id(label);
            keys.retain(|key| Some(key.label) == label);
        }
        (None, None) => {}
    }
    Ok(keys)
}

/// One end of an edge.
pub(crate) fn end(state: &GraphState, end: End, id: &str) -> Result<model::Vid, DataError> {
    state.vertex_by_id(id)?.ok_or_else(|| DataError::NoEnd { end, id: id.into() })
}
