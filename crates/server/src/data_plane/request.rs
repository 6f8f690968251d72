//! Requests about vertices and edges, as types that cannot be wrong. What they say is only checked
//! against the graph when they are carried out.

use serde_json::Value as Json;

use super::body::{Fields, Query};
use super::error::{DataError, ElementList};

/// Property values as they were given, not typed yet: a list a property, also for one value.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Given(pub(crate) Vec<(String, Vec<Json>)>);

/// A vertex to be added.
#[derive(Debug)]
pub(crate) struct NewVertex {
    pub(crate) id: String,
    pub(crate) label: Option<String>,
    pub(crate) properties: Given,
}

/// What to do with a vertex that exists already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    Refuse,
    Ignore,
    Override,
}

/// An edge to be added.
#[derive(Debug)]
pub(crate) struct NewEdge {
    pub(crate) source: String,
    pub(crate) target: String,
    pub(crate) label: Option<String>,
    pub(crate) properties: Given,
}

/// Edges between two vertices: that of an index, those of a label, or all.
#[derive(Debug, Clone)]
pub(crate) struct EdgeRef {
    pub(crate) source: String,
    pub(crate) target: String,
    pub(crate) index: Option<u32>,
    pub(crate) label: Option<String>,
}

/// What to do with an edge whose like exists already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ParallelAction {
    Allow,
    Ignore,
    Override,
}

/// Which edges are alike, and what to do with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parallel {
    pub(crate) action: ParallelAction,
    /// Edges between the same ends are alike whatever their labels.
    pub(crate) ignore_label: bool,
}

/// How properties change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// The given values replace what is there; an empty list removes the property.
    Update,
    /// The given values join those of a list or set; a single value is replaced.
    Add,
    /// The given values leave a list or set; a single value is removed.
    Remove,
}

/// Properties of one vertex to change.
#[derive(Debug)]
pub(crate) struct VertexChange {
    pub(crate) id: String,
    pub(crate) label: Option<String>,
    pub(crate) properties: Given,
}

/// Properties of one edge to change.
#[derive(Debug)]
pub(crate) struct EdgeChange {
    pub(crate) edge: EdgeRef,
    pub(crate) properties: Given,
    /// Label and property by which the edge is picked among its parallels.
    pub(crate) picked_by: Vec<(String, String)>,
}

impl Given {
    /// `{"name": [values]}`; one value may come without brackets.
    fn take(fields: &mut Fields) -> Result<Option<Self>, DataError> {
        let Some(properties) = fields.object("properties")? else { return Ok(None) };
        let list = |value| match value {
            Json::Null => Vec::new(),
            Json::Array(values) => values,
            value => vec![value],
        };
        Ok(Some(Self(properties.into_pairs().map(|(name, value)| (name, list(value))).collect())))
    }

    fn require(fields: &mut Fields) -> Result<Self, DataError> {
        Self::take(fields)?.ok_or_else(|| fields.missing("properties"))
    }
}

impl NewVertex {
    pub(crate) fn parse(mut fields: Fields) -> Result<Self, DataError> {
        Ok(Self {
            id: fields.text("vertex")?,
            label: fields.optional_text("label")?,
            properties: Given::take(&mut fields)?.unwrap_or_default(),
        })
    }
}

impl NewEdge {
    pub(crate) fn parse(mut fields: Fields) -> Result<Self, DataError> {
        Ok(Self {
            source: fields.text("source")?,
            target: fields.text("target")?,
            label: fields.optional_text("label")?,
            properties: Given::take(&mut fields)?.unwrap_or_default(),
        })
    }
}

impl EdgeRef {
    pub(crate) fn parse(fields: &mut Fields) -> Result<Self, DataError> {
        Ok(Self {
            source: fields.text("source")?,
            target: fields.text("target")?,
            index: fields.index("index")?,
            label: fields.optional_text("label")?,
        })
    }

    /// From the parameters after the question mark.
    pub(crate) fn of_query(query: &Query) -> Result<Self, DataError> {
        Ok(Self {
            source: query.text("source")?.into(),
            target: query.text("target")?.into(),
            index: query.index("index")?,
            label: query.get("label").map(str::to_owned),
        })
    }

    /// `source-target-index`, as refusals name edges.
    pub(crate) fn name(&self) -> String {
        let index = self.index.map_or_else(String::new, |index| format!("-{index}"));
        format!("{}-{}{index}", self.source, self.target)
    }
}

impl Parallel {
    pub(crate) fn parse(fields: &mut Fields) -> Result<Self, DataError> {
        let Some(mut parallel) = fields.object("parallelEdge")? else {
            return Ok(Self { action: ParallelAction::Allow, ignore_label: true });
        };
        let action = match parallel.optional_text("action")?.as_deref() {
            None | Some("allow") => ParallelAction::Allow,
            Some("ignore") => ParallelAction::Ignore,
            Some("override") => ParallelAction::Override,
            Some(_) => return Err(parallel.wrong("action", "allow, ignore or override")),
        };
        Ok(Self { action, ignore_label: parallel.flag("ignoreLabel", true)? })
    }
}

impl VertexChange {
    /// One of a batch.
    pub(crate) fn parse(mut fields: Fields) -> Result<Self, DataError> {
        Self::of(fields.text("vertex")?, fields)
    }

    /// A body that is about a vertex named elsewhere.
    pub(crate) fn of(id: String, mut fields: Fields) -> Result<Self, DataError> {
        let label = fields.optional_text("label")?;
        Ok(Self { id, label, properties: Given::require(&mut fields)? })
    }
}

impl EdgeChange {
    /// One of a batch.
    pub(crate) fn parse(mut fields: Fields) -> Result<Self, DataError> {
        Self::of(EdgeRef::parse(&mut fields)?, fields)
    }

    /// A body that is about an edge named elsewhere.
    pub(crate) fn of(mut edge: EdgeRef, mut fields: Fields) -> Result<Self, DataError> {
        edge.label = edge.label.or(fields.optional_text("label")?);
        let properties = Given::require(&mut fields)?;
        let pick = |mut target: Fields| -> Result<Option<(String, String)>, DataError> {
            let label = target.text("label")?;
            let first = target.texts("properties")?.and_then(|names| names.into_iter().next());
            Ok(first.map(|property| (label, property)))
        };
        let targets = fields.objects("targetProperties")?.unwrap_or_default();
        let picked_by = targets.into_iter().filter_map(|target| pick(target).transpose());
        Ok(Self { edge, properties, picked_by: picked_by.collect::<Result<_, _>>()? })
    }
}

/// Every element of a list.
pub(crate) fn all<T>(
    fields: &mut Fields,
    list: ElementList,
    parse: impl FnMut(Fields) -> Result<T, DataError>,
) -> Result<Vec<T>, DataError> {
    fields.elements(list)?.into_iter().map(parse).collect()
}
