use model::{
    Content, ContentRoot, DecodeError, ElementKind, LabelId, Props, Reader, Schema, Tally, VertexRecord, Vid,
    Writer,
};

use crate::error::Error;
use crate::object::ObjectRef;
use crate::overlay::Overlay;
use crate::state::{EdgeKey, GraphState};

/// One transaction: what it changed, with full values, and what the graph holds after it.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) lsn: u64,
    pub(crate) time_us: i64,
    pub(crate) ops: Vec<Op>,
    /// To be added to the content before it; counts and sums wrap.
    pub(crate) change: Content,
    pub(crate) root: ContentRoot,
}

/// One change. Physical enough to be replayed without reading the graph.
#[derive(Debug)]
pub(crate) enum Op {
    PutRow { vid: Vid, row: VertexRecord, fresh: bool },
    RemoveRow { vid: Vid, id: Box<str> },
    PutEdge { edge: EdgeKey, props: Props },
    RemoveEdge { edge: EdgeKey },
    Schema { schema: Box<Schema> },
    Tree { tree: ObjectRef },
}

impl Op {
    pub(crate) fn encode(&self, out: &mut Writer) {
        match self {
            Self::PutRow { vid, row, fresh } => {
                out.u8(if *fresh { 1 } else { 2 });
                out.varint(u64::from(vid.0));
                row.encode(out);
            }
            Self::RemoveRow { vid, id } => {
                out.u8(3);
                out.varint(u64::from(vid.0));
                out.str(id);
            }
            Self::PutEdge { edge, props } => {
                out.u8(4);
                encode_edge(*edge, out);
                props.encode(out);
            }
            Self::RemoveEdge { edge } => {
                out.u8(5);
                encode_edge(*edge, out);
            }
            Self::Schema { schema } => {
                out.u8(6);
                // A schema is maps of strings: serialising it cannot fail.
                out.bytes(&serde_json::to_vec(schema).unwrap_or_default());
            }
            Self::Tree { tree } => {
                out.u8(7);
                tree.encode(out);
            }
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let tag = input.u8()?;
        Ok(match tag {
            1 | 2 => {
                Self::PutRow { vid: Vid(input.number()?), row: VertexRecord::decode(input)?, fresh: tag == 1 }
            }
            3 => Self::RemoveRow { vid: Vid(input.number()?), id: input.str()?.into() },
            4 => Self::PutEdge { edge: decode_edge(input)?, props: Props::decode(input)? },
            5 => Self::RemoveEdge { edge: decode_edge(input)? },
            6 => {
                let json = input.bytes()?;
                Self::Schema { schema: serde_json::from_slice(json).map_err(|_| input.error("a schema"))? }
            }
            7 => Self::Tree { tree: ObjectRef::decode(input)? },
            _ => return Err(input.error("a change")),
        })
    }

    /// Takes back what making this change put into `live` for commit `lsn`, which nobody has seen.
    fn forget(self, live: &Overlay, lsn: u64) {
        match self {
            Self::PutRow { vid, row, fresh } => live.forget_row(vid, &row, fresh, lsn),
            Self::RemoveRow { vid, id } => live.forget_removal(vid, &id, lsn),
            Self::PutEdge { edge, props } => live.forget_edge(edge.source, edge.out(), Some(&props), lsn),
            Self::RemoveEdge { edge } => live.forget_edge(edge.source, edge.out(), None, lsn),
            Self::Schema { .. } | Self::Tree { .. } => {}
        }
    }

    fn apply(self, state: &mut GraphState) -> Result<(), Error> {
        match self {
            Self::PutRow { vid, row, fresh } => state.put_row(vid, row, fresh),
            Self::RemoveRow { vid, id } => state.remove_row(vid, &id),
            Self::PutEdge { edge, props } => state.set_edge(edge, Some(props)),
            Self::RemoveEdge { edge } => state.set_edge(edge, None),
            Self::Schema { schema } => state.schema = (*schema).into(),
            Self::Tree { tree } => state.set_tree(tree)?,
        }
        Ok(())
    }
}

/// Takes back the encoded changes of commit `lsn`, which nobody has seen. What was just encoded
/// decodes.
pub(crate) fn forget(ops: &[u8], live: &Overlay, lsn: u64) {
    let mut ops = Reader::new(ops);
    while let (false, Ok(op)) = (ops.is_empty(), Op::decode(&mut ops)) {
        op.forget(live, lsn);
    }
}

impl Record {
    /// The payload of a record whose changes are encoded already.
    pub(crate) fn encode(lsn: u64, time_us: i64, ops: &[u8], change: &Content, root: ContentRoot) -> Vec<u8> {
        let mut out = Writer::onto(Vec::with_capacity(ops.len() + 128));
        out.varint(lsn);
        out.zigzag(time_us);
        out.bytes(ops);
        encode_tally(&change.vertices, &mut out);
        encode_tally(&change.edges, &mut out);
        out.varint(change.labels.len() as u64);
        for ((kind, label), tally) in &change.labels {
            out.u8(u8::from(*kind == ElementKind::Edge));
            out.varint(u64::from(label.0));
            encode_tally(tally, &mut out);
        }
        out.raw(&root.0);
        out.into_bytes()
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(payload);
        let (lsn, time_us) = (input.varint()?, input.zigzag()?);
        let mut encoded = Reader::new(input.bytes()?);
        let mut ops = Vec::new();
        while !encoded.is_empty() {
            ops.push(Op::decode(&mut encoded)?);
        }
        let (vertices, edges) = (decode_tally(&mut input)?, decode_tally(&mut input)?);
        let mut change = Content { vertices, edges, ..Content::default() };
        for _ in 0..input.count(19)? {
            let kind = if input.u8()? == 0 { ElementKind::Vertex } else { ElementKind::Edge };
            let label = LabelId(input.number()?);
            change.labels.insert((kind, label), decode_tally(&mut input)?);
        }
        let root = ContentRoot(input.array()?);
        input.finish()?;
        Ok(Self { lsn, time_us, ops, change, root })
    }

    /// Takes back what the record's transaction put into `live`; nobody has seen it.
    pub(crate) fn forget(self, live: &Overlay) {
        self.ops.into_iter().for_each(|op| op.forget(live, self.lsn));
    }

    /// Number and time alone, for finding a place in a log.
    pub(crate) fn peek(payload: &[u8]) -> Result<(u64, i64), DecodeError> {
        let mut input = Reader::new(payload);
        Ok((input.varint()?, input.zigzag()?))
    }

    /// Brings `state` forward by this record, which must be the next one, and proves the result
    /// by the content root that was written with it.
    pub(crate) fn replay(self, state: &mut GraphState, path: &str) -> Result<(), Error> {
        if self.lsn != state.lsn + 1 {
            let reason = format!("record {} follows record {}", self.lsn, state.lsn);
            return Err(Error::corrupt(path, reason));
        }
        state.seen = self.lsn;
        self.ops.into_iter().try_for_each(|op| op.apply(state))?;
        state.content.merge(&self.change);
        state.lsn = self.lsn;
        state.time_us = self.time_us;
        if state.content.root() == self.root {
            return Ok(());
        }
        let reason = format!("record {} leads to another content root than it was written with", self.lsn);
        Err(Error::corrupt(path, reason))
    }
}

fn encode_edge(edge: EdgeKey, out: &mut Writer) {
    out.varint(u64::from(edge.source.0));
    out.varint(u64::from(edge.target.0));
    out.varint(u64::from(edge.label.0));
    out.varint(u64::from(edge.rank));
}

fn decode_edge(input: &mut Reader<'_>) -> Result<EdgeKey, DecodeError> {
    Ok(EdgeKey {
        source: Vid(input.number()?),
        target: Vid(input.number()?),
        label: LabelId(input.number()?),
        rank: input.number()?,
    })
}

fn encode_tally(tally: &Tally, out: &mut Writer) {
    out.zigzag(tally.count as i64);
    out.raw(&tally.sum.to_le_bytes());
}

fn decode_tally(input: &mut Reader<'_>) -> Result<Tally, DecodeError> {
    Ok(Tally { count: input.zigzag()? as u64, sum: u128::from_le_bytes(input.array()?) })
}
