use std::borrow::Cow;

use model::{DEFAULT_LABEL, LabelId, LabelKind, SchemaMode, VertexRecord};
use store::BulkLoad;

use super::Elements;
use super::block::{Fault, LineResult, Missing, Pass};
use super::reject::Reject;
use crate::csv::Row;

/// Lines of vertex files: id, label, properties.
pub(super) struct Vertices;

const LABEL: usize = 1;
const FIRST_PROPERTY: usize = 2;

impl Elements for Vertices {
    type Batch = Vec<VertexRecord>;
    const SET: &'static str = "vertices";

    fn line(pass: &Pass<'_>, row: &Row<'_, '_>, out: &mut Vec<VertexRecord>) -> LineResult {
        if row.len() <= LABEL {
            let needed = "2: id, label";
            return Err(Reject::TooFewColumns { found: row.len(), needed }.into());
        }
        let id = pass.id(row, 0)?;
        let given = row.value(LABEL).filter(|text| !text.is_empty());
        // An open graph has vertices without labels; their columns are those of the default label.
        let unlabelled = given.is_none() && pass.load.schema().mode() == SchemaMode::Open;
        let text = given.unwrap_or(Cow::Borrowed(DEFAULT_LABEL));
        let (labels, missing) = labels(pass, &text)?;
        let props = pass.layout.props(row, FIRST_PROPERTY, &labels, &text)?;
        if !missing.is_empty() {
            return Err(Fault::Incomplete(missing));
        }
        let mut labels = if unlabelled { Vec::new() } else { labels };
        labels.sort_unstable();
        labels.dedup();
        out.push(VertexRecord { id: id.into(), labels, props });
        Ok(())
    }

    fn add(load: &mut BulkLoad, batch: Vec<VertexRecord>) -> Result<(), store::Error> {
        load.add_vertices(batch)
    }
}

/// Known labels in the order of the line, and those to be supplied.
fn labels(pass: &Pass<'_>, text: &str) -> Result<(Vec<LabelId>, Missing), Reject> {
    let (mut known, mut missing) = (Vec::with_capacity(1), Missing::default());
    let mut take = |name| -> Result<(), Reject> {
        match pass.label(LABEL, name, LabelKind::Vertex)? {
            Some(label) => known.push(label),
            None => missing.label(name),
        }
        Ok(())
    };
    if pass.multi_label {
        text.split(';').try_for_each(take)?;
    } else {
        take(text)?;
    }
    Ok((known, missing))
}
