use std::cmp::Ordering;
use std::ops::Range;

use model::{DecodeError, LabelId, Props, Reader, Vid, Writer};

use super::columns::{Columns, ColumnsBuilder, offset};
use super::{CHUNK_SLOTS, Part, PartKind};
use crate::buffer::{AlignedBytes, SectionWriter, Sections, check_offsets};

const OFFSETS: usize = 0;
const OTHERS: usize = 1;
/// Empty if all edges have the label in [`UNIFORM_LABEL`].
const LABELS: usize = 2;
const UNIFORM_LABEL: usize = 3;
/// Ranks are nearly always 0: only the others are listed, by position.
const RANKED: usize = 4;
const RANKS: usize = 5;
const COLUMNS: usize = 6;

/// An edge as seen from one of its ends; the order of an adjacency list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Neighbour {
    pub(crate) label: LabelId,
    pub(crate) other: Vid,
    pub(crate) rank: u32,
}

/// A changed edge in a share: place of the end it is listed at, the edge, and its properties or
/// `None` where it was removed.
pub(crate) type EdgeChange = (usize, Neighbour, Option<Props>);

/// The edges of a chunk in one direction, in compressed sparse rows: offsets per vertex into
/// neighbours sorted by label, neighbour and rank. Out-edges carry the properties.
#[derive(Debug)]
pub(crate) struct Adjacency {
    kind: PartKind,
    sections: Sections,
    columns: Columns,
}

impl Adjacency {
    fn offsets(&self) -> &[u32] {
        self.sections.slice(OFFSETS)
    }

    fn others(&self) -> &[u32] {
        self.sections.slice(OTHERS)
    }

    fn slots(&self) -> usize {
        self.offsets().len().saturating_sub(1)
    }

    /// The positions of a vertex's edges.
    pub(crate) fn range(&self, slot: usize) -> Range<usize> {
        match self.offsets().get(slot..slot + 2) {
            Some(pair) => pair[0] as usize..pair[1] as usize,
            None => 0..0,
        }
    }

    /// The positions of a vertex's edges of one label.
    pub(crate) fn labelled(&self, slot: usize, label: LabelId) -> Range<usize> {
        let range = self.range(slot);
        let labels = self.sections.slice::<u16>(LABELS);
        if labels.is_empty() {
            let same = self.uniform_label() == label;
            return if same { range } else { range.start..range.start };
        }
        let run = &labels[range.clone()];
        let start = range.start + run.partition_point(|l| *l < label.0);
        start..range.start + run.partition_point(|l| *l <= label.0)
    }

    /// The neighbours at positions, as numbers of vertices.
    pub(crate) fn neighbours(&self, positions: Range<usize>) -> &[u32] {
        &self.others()[positions]
    }

    /// The edge at a position.
    pub(crate) fn edge(&self, position: usize) -> Neighbour {
        Neighbour {
            label: self.label(position),
            other: Vid(self.others()[position]),
            rank: self.rank(position),
        }
    }

    /// The properties at a position.
    pub(crate) fn props(&self, position: usize) -> Props {
        self.columns.props(&self.sections, position)
    }

    /// Whether edges here carry properties at all.
    pub(crate) fn has_props(&self) -> bool {
        !self.columns.is_empty()
    }

    /// Where an edge stands.
    pub(crate) fn find(&self, slot: usize, edge: &Neighbour) -> Option<usize> {
        let range = self.labelled(slot, edge.label);
        let run = &self.others()[range.clone()];
        let first = range.start + run.partition_point(|other| *other < edge.other.0);
        let same = |position: &usize| self.others()[*position] == edge.other.0;
        (first..range.end).take_while(same).find(|position| self.rank(*position) == edge.rank)
    }

    /// All edges between the vertex at `slot` and `other`, whatever their label.
    pub(crate) fn between(&self, slot: usize, other: Vid) -> Vec<Neighbour> {
        let range = self.range(slot);
        let (mut found, mut start) = (Vec::new(), range.start);
        while start < range.end {
            let run = self.labelled(slot, self.label(start));
            let others = &self.others()[run.clone()];
            let from = run.start + others.partition_point(|o| *o < other.0);
            let to = run.start + others.partition_point(|o| *o <= other.0);
            found.extend((from..to).map(|position| self.edge(position)));
            start = run.end;
        }
        found
    }

    fn uniform_label(&self) -> LabelId {
        LabelId(self.sections.slice::<u16>(UNIFORM_LABEL)[0])
    }

    fn label(&self, position: usize) -> LabelId {
        match self.sections.slice::<u16>(LABELS) {
            [] => self.uniform_label(),
            labels => LabelId(labels[position]),
        }
    }

    fn rank(&self, position: usize) -> u32 {
        let ranked = self.sections.slice::<u32>(RANKED);
        if ranked.is_empty() {
            return 0;
        }
        let at = ranked.binary_search(&(position as u32));
        at.map_or(0, |at| self.sections.slice::<u32>(RANKS)[at])
    }

    fn copy_slot(&self, slot: usize, out: &mut AdjacencyBuilder) {
        for position in self.range(slot) {
            let props = if self.has_props() { self.props(position) } else { Props::new() };
            out.push(self.edge(position), &props);
        }
    }

    /// The edges at `slot` with `changes`, which are sorted, applied.
    fn merge_slot(&self, slot: usize, changes: &[EdgeChange], out: &mut AdjacencyBuilder) {
        let mut positions = self.range(slot).peekable();
        let mut changes = changes.iter().peekable();
        loop {
            let stored = positions.peek().map(|position| self.edge(*position));
            let order = match (stored, changes.peek()) {
                (None, None) => return,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(stored), Some((_, changed, _))) => stored.cmp(changed),
            };
            if order.is_le()
                && let (Some(position), Some(stored)) = (positions.next(), stored)
                && order.is_lt()
            {
                out.push(stored, &self.props(position));
            }
            if order.is_ge()
                && let Some((_, edge, Some(props))) = changes.next()
            {
                out.push(*edge, props);
            }
        }
    }
}

impl Part for Adjacency {
    fn parse(bytes: AlignedBytes, kind: PartKind) -> Result<Self, DecodeError> {
        let sections = Sections::parse(bytes, kind as u8)?;
        let refuse = |expected| DecodeError { offset: 0, expected };
        let edges = sections.slice::<u32>(OTHERS).len();
        let offsets = sections.slice::<u32>(OFFSETS);
        let slots = offsets.len().saturating_sub(1);
        if sections.len() <= COLUMNS || slots > CHUNK_SLOTS {
            return Err(refuse("the adjacency of a chunk"));
        }
        check_offsets(offsets, slots, edges)?;
        let labels = sections.slice::<u16>(LABELS).len();
        let uniform = sections.slice::<u16>(UNIFORM_LABEL).len();
        if (labels != edges && labels != 0) || uniform != 1 {
            return Err(refuse("a label for every edge"));
        }
        let ranked = sections.slice::<u32>(RANKED);
        let ascending = ranked.windows(2).all(|pair| pair[0] < pair[1]);
        if !ascending || ranked.len() != sections.slice::<u32>(RANKS).len() {
            return Err(refuse("a rank for every ranked edge"));
        }
        let columns = Columns::parse(&sections, COLUMNS, edges)?;
        Ok(Self { kind, sections, columns })
    }

    fn empty(_chunk: u32, kind: PartKind) -> Result<Self, DecodeError> {
        Self::parse(AdjacencyBuilder::default().finish(kind)?, kind)
    }

    fn apply(&self, share: &[u8]) -> Result<Self, DecodeError> {
        let changes = decode_edges(share, self.kind)?;
        let slots = changes.last().map_or(0, |(slot, ..)| slot + 1).max(self.slots());
        let mut out = AdjacencyBuilder::default();
        let mut rest = changes.as_slice();
        for slot in 0..slots {
            let count = rest.iter().take_while(|(at, ..)| *at == slot).count();
            let (here, later) = rest.split_at(count);
            if here.is_empty() {
                self.copy_slot(slot, &mut out)
            } else {
                self.merge_slot(slot, here, &mut out)
            }
            out.end_slot()?;
            rest = later;
        }
        Self::parse(out.finish(self.kind)?, self.kind)
    }

    fn as_bytes(&self) -> &[u8] {
        self.sections.as_slice()
    }
}

/// Collects edges slot by slot, in the order of [`Neighbour`].
#[derive(Debug, Default)]
pub(crate) struct AdjacencyBuilder {
    ends: Vec<u32>,
    others: Vec<u32>,
    labels: Vec<u16>,
    ranked: Vec<u32>,
    ranks: Vec<u32>,
    columns: ColumnsBuilder,
}

impl AdjacencyBuilder {
    pub(crate) fn push(&mut self, edge: Neighbour, props: &Props) {
        let position = self.others.len();
        self.others.push(edge.other.0);
        self.labels.push(edge.label.0);
        if edge.rank != 0 {
            self.ranked.push(position as u32);
            self.ranks.push(edge.rank);
        }
        self.columns.push(position, props);
    }

    /// The next edges belong to the next place.
    pub(crate) fn end_slot(&mut self) -> Result<(), DecodeError> {
        self.ends.push(offset(self.others.len())?);
        Ok(())
    }

    pub(crate) fn finish(self, kind: PartKind) -> Result<AlignedBytes, DecodeError> {
        let first = self.labels.first().copied().unwrap_or(0);
        let uniform = self.labels.iter().all(|label| *label == first);
        let mut offsets = Vec::with_capacity(self.ends.len() + 1);
        offsets.push(0);
        offsets.extend(self.ends);
        let mut out = SectionWriter::default();
        out.push(&offsets);
        out.push(&self.others);
        out.push::<u16>(if uniform { &[] } else { &self.labels });
        out.push(&[first]);
        out.push(&self.ranked);
        out.push(&self.ranks);
        self.columns.finish(self.others.len(), &mut out)?;
        Ok(out.finish(kind as u8))
    }
}

/// A share of changed edges, sorted by place and [`Neighbour`]. In-edges leave the properties out.
pub(crate) fn encode_edges<'a>(
    changes: impl ExactSizeIterator<Item = (usize, Neighbour, Option<&'a Props>)>,
    kind: PartKind,
    out: &mut Writer,
) {
    out.varint(changes.len() as u64);
    for (slot, edge, props) in changes {
        out.varint(slot as u64);
        out.varint(u64::from(edge.label.0));
        out.varint(u64::from(edge.other.0));
        out.varint(u64::from(edge.rank));
        out.u8(u8::from(props.is_some()));
        if let Some(props) = props
            && kind == PartKind::Out
        {
            props.encode(out);
        }
    }
}

/// Reads a share written by [`encode_edges`].
pub(crate) fn decode_edges(share: &[u8], kind: PartKind) -> Result<Vec<EdgeChange>, DecodeError> {
    let mut input = Reader::new(share);
    let count = input.count(5)?;
    let mut changes: Vec<EdgeChange> = Vec::with_capacity(count);
    for _ in 0..count {
        let slot: usize = input.number()?;
        let edge =
            Neighbour { label: LabelId(input.number()?), other: Vid(input.number()?), rank: input.number()? };
        let ascending = changes.last().is_none_or(|(at, last, _)| (*at, *last) < (slot, edge));
        if slot >= CHUNK_SLOTS || !ascending {
            return Err(input.error("ascending edges of the chunk"));
        }
        let props = match (input.u8()?, kind) {
            (0, _) => None,
            (1, PartKind::Out) => Some(Props::decode(&mut input)?),
            (1, _) => Some(Props::new()),
            _ => return Err(input.error("an edge or its removal")),
        };
        changes.push((slot, edge, props));
    }
    input.finish()?;
    Ok(changes)
}
