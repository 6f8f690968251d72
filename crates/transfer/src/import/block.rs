use std::borrow::Cow;
use std::ops::Range;

use model::{LabelId, LabelKind, MAX_ID_BYTES, SchemaError};
use rustc_hash::FxHashMap;
use store::BulkLoad;

use super::Elements;
use super::columns::{Layout, unknown_label};
use super::reject::Reject;
use crate::csv::{Block, Dialect, Records, Row};
use crate::error::Error;

/// What parsing may look at. It changes nothing, so blocks can be parsed at the same time.
pub(super) struct Pass<'a> {
    pub(super) load: &'a BulkLoad,
    pub(super) layout: &'a Layout,
    pub(super) dialect: &'a Dialect,
    pub(super) multi_label: bool,
    /// Whether unknown labels can be supplied; if not, they make a line bad.
    pub(super) new_labels: bool,
    /// The same for unknown ends of edges.
    pub(super) new_vertices: bool,
}

/// What a line gave.
pub(super) type LineResult = Result<(), Fault>;

/// Why a line gave nothing.
pub(super) enum Fault {
    /// It is bad.
    Bad(Reject),
    /// It is good, but what it names must be supplied first.
    Incomplete(Missing),
    /// The graph could not be asked.
    Store(store::Error),
}

/// Labels and vertices that lines need, each with its place in the order of first use.
#[derive(Debug, Default)]
pub(super) struct Missing {
    pub(super) labels: FxHashMap<Box<str>, usize>,
    pub(super) vertices: FxHashMap<Box<str>, usize>,
}

/// A block's share of the import.
pub(super) struct Parsed<B> {
    pub(super) batch: B,
    pub(super) good: u64,
    pub(super) bad: Vec<BadLine>,
    pub(super) missing: Missing,
    /// Set if lines were left out for want of what is missing.
    pub(super) incomplete: bool,
    /// Line breaks in the block.
    pub(super) lines: u64,
}

/// A line that is left out.
pub(super) struct BadLine {
    /// Line of the block, from 0.
    pub(super) number: u64,
    /// Where it stands in the block.
    pub(super) span: Range<usize>,
    pub(super) reason: Reject,
}

/// Parses one block.
pub(super) fn parse<E: Elements>(pass: &Pass<'_>, block: &Block) -> Result<Parsed<E::Batch>, Error> {
    let mut parsed = Parsed {
        batch: E::Batch::default(),
        good: 0,
        bad: Vec::new(),
        missing: Missing::default(),
        incomplete: false,
        lines: 0,
    };
    if let Some(defect) = &block.defect {
        let reason = Reject::Shape(defect.clone());
        parsed.bad.push(BadLine { number: 0, span: 0..block.bytes.len(), reason });
        parsed.lines = 1;
        return Ok(parsed);
    }
    let mut records = Records::new(&block.bytes, pass.dialect);
    while let Some(line) = records.next() {
        let row = line.row.map_err(|defect| Fault::Bad(defect.into()));
        match row.and_then(|row| E::line(pass, &row, &mut parsed.batch)) {
            Ok(()) => parsed.good += 1,
            Err(Fault::Bad(reason)) => {
                parsed.bad.push(BadLine { number: line.number, span: line.span, reason });
            }
            Err(Fault::Incomplete(mut missing)) => {
                parsed.incomplete = true;
                parsed.missing.merge(&mut missing);
            }
            Err(Fault::Store(error)) => return Err(error.into()),
        }
    }
    parsed.lines = records.lines();
    Ok(parsed)
}

impl Pass<'_> {
    /// A vertex id in a column, counted from 0.
    pub(super) fn id<'t>(&self, row: &Row<'t, '_>, at: usize) -> Result<Cow<'t, str>, Reject> {
        let column = at + 1;
        let id = row.value(at).filter(|id| !id.is_empty()).ok_or(Reject::NoId { column })?;
        if id.len() > MAX_ID_BYTES {
            return Err(Reject::IdTooLong { column, bytes: id.len() });
        }
        Ok(id)
    }

    /// The number of a label named in a column; `None` if it must be supplied first.
    pub(super) fn label(&self, at: usize, name: &str, kind: LabelKind) -> Result<Option<LabelId>, Reject> {
        let schema = self.load.schema();
        let error = match schema.label_id(name) {
            Some(label) if self.layout.allows(label, kind) => return Ok(Some(label)),
            Some(label) => {
                let kind = schema.label(label).map_or(LabelKind::All, |label| label.kind);
                SchemaError::WrongKind { label: name.into(), kind }
            }
            None if self.new_labels => return Ok(None),
            None => unknown_label(schema, name),
        };
        Err(Reject::Label { column: at + 1, error })
    }
}

impl Missing {
    pub(super) fn label(&mut self, name: &str) {
        note(&mut self.labels, name.into());
    }

    pub(super) fn vertex(&mut self, id: &str) {
        note(&mut self.vertices, id.into());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.vertices.is_empty()
    }

    /// Takes over what another one notes, after what is here.
    pub(super) fn merge(&mut self, other: &mut Self) {
        in_order(std::mem::take(&mut other.labels)).for_each(|name| note(&mut self.labels, name));
        in_order(std::mem::take(&mut other.vertices)).for_each(|id| note(&mut self.vertices, id));
    }

    /// Labels, then vertices, each in the order of first use.
    pub(super) fn into_lists(self) -> (Vec<Box<str>>, Vec<Box<str>>) {
        (in_order(self.labels).collect(), in_order(self.vertices).collect())
    }
}

fn note(names: &mut FxHashMap<Box<str>, usize>, name: Box<str>) {
    let place = names.len();
    names.entry(name).or_insert(place);
}

fn in_order(names: FxHashMap<Box<str>, usize>) -> impl Iterator<Item = Box<str>> {
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort_unstable_by_key(|(_, place)| *place);
    names.into_iter().map(|(name, _)| name)
}

impl From<Reject> for Fault {
    fn from(reason: Reject) -> Self {
        Self::Bad(reason)
    }
}

impl From<store::Error> for Fault {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}
