use model::{DecodeError, LabelId, Reader, VertexRecord, Writer};
use rustc_hash::FxHashMap;

use super::columns::{Columns, ColumnsBuilder, offset};
use super::{CHUNK_SLOTS, Part, PartKind};
use crate::buffer::{AlignedBytes, SectionWriter, Sections, check_offsets};

const LABEL_SETS: usize = 0;
const ID_OFFSETS: usize = 1;
const ID_HEAP: usize = 2;
const SET_OFFSETS: usize = 3;
const SET_LABELS: usize = 4;
const COLUMNS: usize = 5;
/// In [`LABEL_SETS`]: no vertex at this place.
const ABSENT: u16 = u16::MAX;

/// The rows of a chunk: ids, labels and properties of its vertices.
#[derive(Debug)]
pub(crate) struct Rows {
    sections: Sections,
    columns: Columns,
}

impl Rows {
    /// How many places it covers; later ones are absent.
    pub(crate) fn slots(&self) -> usize {
        self.sections.slice::<u16>(LABEL_SETS).len()
    }

    /// The id of the vertex at a place.
    pub(crate) fn id(&self, slot: usize) -> Option<&str> {
        std::str::from_utf8(self.id_bytes(slot)?).ok()
    }

    /// The same, not looked at: enough to compare. Ids are never empty, so an empty one tells
    /// that there is no vertex.
    pub(crate) fn id_bytes(&self, slot: usize) -> Option<&[u8]> {
        let [start, end] = self.sections.slice::<u32>(ID_OFFSETS).get(slot..)?.first_chunk()?;
        Some(&self.sections.bytes(ID_HEAP)[*start as usize..*end as usize]).filter(|id| !id.is_empty())
    }

    /// The whole row at a place.
    pub(crate) fn get(&self, slot: usize) -> Option<VertexRecord> {
        let labels = self.label_set(slot)?.iter().map(|label| LabelId(*label)).collect();
        let id = self.id(slot)?.into();
        Some(VertexRecord { id, labels, props: self.columns.props(&self.sections, slot) })
    }

    fn label_set(&self, slot: usize) -> Option<&[u16]> {
        let set = *self.sections.slice::<u16>(LABEL_SETS).get(slot)?;
        if set == ABSENT {
            return None;
        }
        let offsets = self.sections.slice::<u32>(SET_OFFSETS);
        let (from, to) = (offsets[usize::from(set)] as usize, offsets[usize::from(set) + 1] as usize);
        Some(&self.sections.slice::<u16>(SET_LABELS)[from..to])
    }

    /// Builds the bytes of a chunk from its rows; `None` where there is no vertex.
    pub(crate) fn build(rows: &[Option<VertexRecord>]) -> Result<AlignedBytes, DecodeError> {
        let mut sets: FxHashMap<Vec<LabelId>, u16> = FxHashMap::default();
        let (mut set_offsets, mut set_labels) = (vec![0u32], Vec::<u16>::new());
        let (mut label_sets, mut id_offsets, mut heap) = (Vec::new(), vec![0u32], Vec::<u8>::new());
        let mut columns = ColumnsBuilder::default();
        for (slot, row) in rows.iter().enumerate() {
            let Some(row) = row else {
                label_sets.push(ABSENT);
                id_offsets.push(offset(heap.len())?);
                continue;
            };
            let fresh = sets.len() as u16;
            let set = *sets.entry(row.labels.clone()).or_insert(fresh);
            if set == fresh {
                set_labels.extend(row.labels.iter().map(|label| label.0));
                set_offsets.push(offset(set_labels.len())?);
            }
            label_sets.push(set);
            heap.extend_from_slice(row.id.as_bytes());
            id_offsets.push(offset(heap.len())?);
            columns.push(slot, &row.props);
        }
        let mut out = SectionWriter::default();
        out.push(&label_sets);
        out.push(&id_offsets);
        out.push(&heap);
        out.push(&set_offsets);
        out.push(&set_labels);
        columns.finish(rows.len(), &mut out)?;
        Ok(out.finish(PartKind::Rows as u8))
    }

    /// All rows by place, to be changed and built again.
    pub(crate) fn to_records(&self) -> Vec<Option<VertexRecord>> {
        (0..self.slots()).map(|slot| self.get(slot)).collect()
    }
}

impl Part for Rows {
    fn parse(bytes: AlignedBytes, kind: PartKind) -> Result<Self, DecodeError> {
        let sections = Sections::parse(bytes, kind as u8)?;
        let refuse = |expected| DecodeError { offset: 0, expected };
        let label_sets = sections.slice::<u16>(LABEL_SETS);
        if sections.len() <= COLUMNS || label_sets.len() > CHUNK_SLOTS {
            return Err(refuse("the rows of a chunk"));
        }
        let heap = sections.bytes(ID_HEAP);
        let offsets = sections.slice::<u32>(ID_OFFSETS);
        check_offsets(offsets, label_sets.len(), heap.len())?;
        let ids_are_text = offsets
            .windows(2)
            .all(|pair| std::str::from_utf8(&heap[pair[0] as usize..pair[1] as usize]).is_ok());
        let set_offsets = sections.slice::<u32>(SET_OFFSETS);
        let sets = set_offsets.len().saturating_sub(1);
        check_offsets(set_offsets, sets, sections.slice::<u16>(SET_LABELS).len())?;
        let known = label_sets.iter().all(|set| *set == ABSENT || usize::from(*set) < sets);
        let empty = offsets.windows(2).map(|pair| pair[0] == pair[1]);
        let absent_are_empty = label_sets.iter().zip(empty).all(|(set, empty)| (*set == ABSENT) == empty);
        if !ids_are_text || !known || !absent_are_empty {
            return Err(refuse("ids of UTF-8 and known label sets"));
        }
        let columns = Columns::parse(&sections, COLUMNS, label_sets.len())?;
        Ok(Self { sections, columns })
    }

    fn empty(_chunk: u32, kind: PartKind) -> Result<Self, DecodeError> {
        Self::parse(Self::build(&[])?, kind)
    }

    fn apply(&self, share: &[u8]) -> Result<Self, DecodeError> {
        let mut rows = self.to_records();
        for (slot, change) in decode_rows(share)? {
            if slot >= rows.len() {
                rows.resize(slot + 1, None);
            }
            rows[slot] = change;
        }
        Self::parse(Self::build(&rows)?, PartKind::Rows)
    }

    fn as_bytes(&self) -> &[u8] {
        self.sections.as_slice()
    }
}

/// A share of changed rows: place and new row, or `None` where the vertex was removed.
pub(crate) fn encode_rows<'a>(
    changes: impl ExactSizeIterator<Item = (usize, Option<&'a VertexRecord>)>,
    out: &mut Writer,
) {
    out.varint(changes.len() as u64);
    for (slot, row) in changes {
        out.varint(slot as u64);
        out.u8(u8::from(row.is_some()));
        if let Some(row) = row {
            row.encode(out);
        }
    }
}

/// Reads a share written by [`encode_rows`].
pub(crate) fn decode_rows(share: &[u8]) -> Result<Vec<(usize, Option<VertexRecord>)>, DecodeError> {
    let mut input = Reader::new(share);
    let count = input.count(2)?;
    let mut changes = Vec::with_capacity(count);
    for _ in 0..count {
        let slot: usize = input.number()?;
        if slot >= CHUNK_SLOTS {
            return Err(input.error("a place of the chunk"));
        }
        let row = match input.u8()? {
            0 => None,
            1 => Some(VertexRecord::decode(&mut input)?),
            _ => return Err(input.error("a row or its removal")),
        };
        changes.push((slot, row));
    }
    input.finish()?;
    Ok(changes)
}
