use std::collections::hash_map::Entry;
use std::ops::Range;

use model::{LabelId, Props, Vid};
use rustc_hash::FxHashMap;

use super::shape::Shape;
use super::{Export, values};
use crate::csv::{Dialect, write_field};
use crate::error::Error;

/// Lines of text, and where each one ends.
#[derive(Default)]
pub(super) struct Rows {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Rows {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The text of some of the lines.
    pub(super) fn bytes(&self, rows: Range<usize>) -> &[u8] {
        let end_of = |row: usize| row.checked_sub(1).map_or(0, |row| self.ends[row]);
        &self.bytes[end_of(rows.start)..end_of(rows.end)]
    }

    fn field(&mut self, text: &str, dialect: &Dialect) {
        write_field(text, dialect, &mut self.bytes);
    }

    fn delimiter(&mut self, dialect: &Dialect) {
        self.bytes.extend_from_slice(dialect.delimiter().as_bytes());
    }

    /// The properties, up to the last one that has a value; then the end of the line.
    fn props(&mut self, props: &Props, labels: &[LabelId], shape: &Shape, dialect: &Dialect) {
        let mut skipped = 1;
        let columns = if props.is_empty() { &[] } else { shape.columns(labels) };
        for (key, cardinality) in columns {
            let text = props.get(*key).and_then(|value| values::text(value, *cardinality));
            if let Some(text) = text {
                (0..skipped).for_each(|_| self.delimiter(dialect));
                self.field(&text, dialect);
                skipped = 0;
            }
            skipped += 1;
        }
        self.bytes.push(b'\n');
        self.ends.push(self.bytes.len());
    }
}

/// The vertices of a chunk: id, label, properties.
pub(super) fn vertex_rows(export: &Export<'_>, shape: &Shape, chunk: u32) -> Result<Rows, Error> {
    let (schema, dialect) = (export.snapshot.schema(), &export.job.dialect);
    let mut rows = Rows::default();
    for (_, vertex) in export.snapshot.chunk_vertices(chunk)? {
        rows.field(&vertex.id, dialect);
        rows.delimiter(dialect);
        // No label at all is an empty field, so it must stay without quotes.
        if !vertex.labels.is_empty() {
            let names: Vec<&str> = vertex.labels.iter().map(|label| schema.label_name(*label)).collect();
            rows.field(&names.join(";"), dialect);
        }
        rows.props(&vertex.props, &vertex.labels, shape, dialect);
    }
    Ok(rows)
}

/// The edges that start in a chunk: source, target, label, properties.
pub(super) fn edge_rows(export: &Export<'_>, shape: &Shape, chunk: u32) -> Result<Rows, Error> {
    let (snapshot, dialect) = (export.snapshot, &export.job.dialect);
    let mut ids: FxHashMap<Vid, Box<str>> = FxHashMap::default();
    let mut rows = Rows::default();
    for (edge, props) in snapshot.chunk_edges(chunk)? {
        for end in [edge.source, edge.target] {
            let id = match ids.entry(end) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    let id = snapshot.vertex_id(end)?;
                    new.insert(id.ok_or(store::Error::NoVertex { vid: end.0 })?)
                }
            };
            rows.field(id, dialect);
            rows.delimiter(dialect);
        }
        rows.field(snapshot.schema().label_name(edge.label), dialect);
        rows.props(&props, &[edge.label], shape, dialect);
    }
    Ok(rows)
}
