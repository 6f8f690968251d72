use std::borrow::Cow;

use model::{DEFAULT_LABEL, LabelId, LabelKind, Props, Vid};
use store::{BulkLoad, EdgeBatch};

use super::Elements;
use super::block::{Fault, LineResult, Missing, Pass};
use super::reject::Reject;
use crate::csv::Row;

/// Lines of edge files: source, target, label, properties.
pub(super) struct Edges;

const LABEL: usize = 2;
const FIRST_PROPERTY: usize = 3;

impl Elements for Edges {
    type Batch = EdgeBatch;
    const SET: &'static str = "edges";

    fn line(pass: &Pass<'_>, row: &Row<'_, '_>, out: &mut EdgeBatch) -> LineResult {
        if row.len() <= LABEL {
            let needed = "3: source, target, label";
            return Err(Reject::TooFewColumns { found: row.len(), needed }.into());
        }
        let (source, target) = (pass.id(row, 0)?, pass.id(row, 1)?);
        let name = row.value(LABEL).filter(|name| !name.is_empty()).unwrap_or(Cow::Borrowed(DEFAULT_LABEL));
        let label = pass.label(LABEL, &name, LabelKind::Edge)?;
        let props = props(pass, row, label, &name)?;
        let ends = (end(pass, 0, &source)?, end(pass, 1, &target)?);
        if let (Some(label), (Some(source), Some(target))) = (label, ends) {
            out.push(source, target, label, &props);
            return Ok(());
        }
        let mut missing = Missing::default();
        if label.is_none() {
            missing.label(&name);
        }
        if ends.0.is_none() {
            missing.vertex(&source);
        }
        if ends.1.is_none() {
            missing.vertex(&target);
        }
        Err(Fault::Incomplete(missing))
    }

    fn add(load: &mut BulkLoad, batch: EdgeBatch) -> Result<(), store::Error> {
        load.add_edges(&batch)
    }
}

fn props(pass: &Pass<'_>, row: &Row<'_, '_>, label: Option<LabelId>, name: &str) -> Result<Props, Reject> {
    // A label that is about to be added declares nothing.
    pass.layout.props(row, FIRST_PROPERTY, label.as_slice(), name)
}

/// The vertex at one end; `None` if it must be supplied first.
fn end(pass: &Pass<'_>, at: usize, id: &str) -> Result<Option<Vid>, Fault> {
    match pass.load.find(id)? {
        None if !pass.new_vertices => Err(Reject::NoVertex { column: at + 1, id: shown(id) }.into()),
        found => Ok(found),
    }
}

/// Enough of an id to recognise it; the whole line is in the log anyway.
fn shown(id: &str) -> String {
    id.chars().take(64).collect()
}
