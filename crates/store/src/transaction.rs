use std::ops::Deref;
use std::sync::Arc;

use model::{
    Content, IdHash, KeyId, Label, LabelId, LabelKind, MAX_ID_BYTES, Property, Props, RecordHash, Schema,
    SchemaMode, VertexRecord, Vid, Writer,
};

use crate::error::Error;
use crate::log::record::{Op, Record, forget};
use crate::state::{Direction, EdgeKey, GraphState};

/// Any set of changes, made in order, seen by nobody else until all of them are durable. Reads
/// see the transaction's own changes.
///
/// Dropped without being finished, it takes back everything it did.
#[derive(Debug)]
pub struct Transaction<'a> {
    state: &'a mut GraphState,
    ops: Writer,
    change: Content,
    before: Before,
    finished: bool,
}

/// What a transaction changes outside of the overlay.
#[derive(Debug)]
struct Before {
    schema: Arc<Schema>,
    next_vid: u32,
}

impl Deref for Transaction<'_> {
    type Target = GraphState;

    fn deref(&self) -> &GraphState {
        self.state
    }
}

impl<'a> Transaction<'a> {
    pub(crate) fn new(state: &'a mut GraphState) -> Self {
        let before = Before { schema: Arc::clone(&state.schema), next_vid: state.next_vid };
        state.seen = state.lsn + 1;
        Self { state, ops: Writer::new(), change: Content::default(), before, finished: false }
    }

    /// The number of a label: in an open schema a new one if need be.
    pub fn label(&mut self, name: &str) -> Result<LabelId, Error> {
        if let Some(id) = self.state.schema.label_id(name) {
            return Ok(id);
        }
        if self.state.schema.mode() == SchemaMode::Closed {
            return Err(model::SchemaError::UnknownLabel { label: name.into() }.into());
        }
        Ok(self.schema_mut().intern_label(name)?)
    }

    /// The number of a property key, a new one if need be.
    pub fn key(&mut self, name: &str) -> Result<KeyId, Error> {
        match self.state.schema.key_id(name) {
            Some(id) => Ok(id),
            None => Ok(self.schema_mut().intern_key(name)?),
        }
    }

    /// Declares a label.
    pub fn add_label(&mut self, label: Label) -> Result<LabelId, Error> {
        Ok(self.schema_mut().add_label(label)?)
    }

    /// Appends properties to a label, or replaces all it has. Stored values stay as they are.
    pub fn set_properties(
        &mut self,
        label: &str,
        properties: Vec<Property>,
        replace: bool,
    ) -> Result<(), Error> {
        Ok(self.schema_mut().set_properties(label, properties, replace)?)
    }

    fn schema_mut(&mut self) -> &mut Schema {
        // Copies it, as the one before is kept.
        Arc::make_mut(&mut self.state.schema)
    }

    /// Adds a vertex whose id is new.
    pub fn add_vertex(&mut self, mut vertex: VertexRecord) -> Result<Vid, Error> {
        if vertex.id.is_empty() || vertex.id.len() > MAX_ID_BYTES {
            return Err(Error::IdLength { len: vertex.id.len() });
        }
        normalise(&mut vertex.labels);
        self.state.schema.check(LabelKind::Vertex, &vertex.labels, &vertex.props)?;
        if self.state.vertex_by_id(&vertex.id)?.is_some() {
            return Err(Error::VertexExists { id: vertex.id.into() });
        }
        let vid = Vid(self.state.next_vid);
        if vid.0 == u32::MAX {
            return Err(Error::TooMany { what: "vertices in its life", limit: u64::from(u32::MAX) });
        }
        self.put_row(vid, vertex, true);
        Ok(vid)
    }

    /// Gives a vertex other labels and properties.
    pub fn replace_vertex(&mut self, vid: Vid, mut labels: Vec<LabelId>, props: Props) -> Result<(), Error> {
        normalise(&mut labels);
        self.state.schema.check(LabelKind::Vertex, &labels, &props)?;
        let before = self.state.vertex(vid)?.ok_or(Error::NoVertex { vid: vid.0 })?;
        let hash = RecordHash::of_vertex(&before, &self.state.schema);
        self.change.remove_vertex(&before.labels, hash);
        self.put_row(vid, VertexRecord { id: before.id, labels, props }, false);
        Ok(())
    }

    fn put_row(&mut self, vid: Vid, row: VertexRecord, fresh: bool) {
        self.change.add_vertex(&row.labels, RecordHash::of_vertex(&row, &self.state.schema));
        let op = Op::PutRow { vid, row, fresh };
        op.encode(&mut self.ops);
        if let Op::PutRow { row, .. } = op {
            self.state.put_row(vid, row, fresh);
        }
    }

    /// Takes a vertex out, with its edges. Returns how many edges went.
    pub fn remove_vertex(&mut self, vid: Vid) -> Result<u64, Error> {
        let vertex = self.state.vertex(vid)?.ok_or(Error::NoVertex { vid: vid.0 })?;
        let mut removed = 0;
        for direction in [Direction::Out, Direction::In] {
            for edge in self.state.edges(vid, direction, None)? {
                self.remove_edge(edge)?;
                removed += 1;
            }
        }
        let hash = RecordHash::of_vertex(&vertex, &self.state.schema);
        self.change.remove_vertex(&vertex.labels, hash);
        self.state.remove_row(vid, &vertex.id);
        Op::RemoveRow { vid, id: vertex.id }.encode(&mut self.ops);
        Ok(removed)
    }

    /// Adds an edge, parallel to those that are there. Both ends must exist.
    pub fn add_edge(
        &mut self,
        source: Vid,
        target: Vid,
        label: LabelId,
        props: Props,
    ) -> Result<EdgeKey, Error> {
        self.state.schema.check(LabelKind::Edge, &[label], &props)?;
        let between = self.state.edges_between(source, target)?;
        let rank = between.last().map_or(Some(0), |edge| edge.rank.checked_add(1));
        let too_many = Error::TooMany { what: "edges between two vertices", limit: u64::from(u32::MAX) };
        let edge = EdgeKey { source, target, label, rank: rank.ok_or(too_many)? };
        let hash = self.hash_edge(edge, &props)?;
        self.put_edge(edge, props, hash);
        Ok(edge)
    }

    /// Gives an edge other properties.
    pub fn replace_edge(&mut self, edge: EdgeKey, props: Props) -> Result<(), Error> {
        self.state.schema.check(LabelKind::Edge, &[edge.label], &props)?;
        let before = self.existing(edge)?;
        self.change.remove_edge(edge.label, before);
        let hash = self.hash_edge(edge, &props)?;
        self.put_edge(edge, props, hash);
        Ok(())
    }

    fn put_edge(&mut self, edge: EdgeKey, props: Props, hash: RecordHash) {
        self.change.add_edge(edge.label, hash);
        let op = Op::PutEdge { edge, props };
        op.encode(&mut self.ops);
        if let Op::PutEdge { props, .. } = op {
            self.state.set_edge(edge, Some(props));
        }
    }

    /// Takes an edge out.
    pub fn remove_edge(&mut self, edge: EdgeKey) -> Result<(), Error> {
        let hash = self.existing(edge)?;
        self.change.remove_edge(edge.label, hash);
        self.state.set_edge(edge, None);
        Op::RemoveEdge { edge }.encode(&mut self.ops);
        Ok(())
    }

    fn existing(&self, edge: EdgeKey) -> Result<RecordHash, Error> {
        let EdgeKey { source, target, rank, .. } = edge;
        let missing = Error::NoEdge { edge_source: source.0, edge_target: target.0, rank };
        let props = self.state.edge_props(edge)?.ok_or(missing)?;
        self.hash_edge(edge, &props)
    }

    fn hash_edge(&self, edge: EdgeKey, props: &Props) -> Result<RecordHash, Error> {
        let id = |vid: Vid| self.state.vertex_id(vid)?.ok_or(Error::NoVertex { vid: vid.0 });
        let (source, target) = (IdHash::of(&id(edge.source)?), IdHash::of(&id(edge.target)?));
        Ok(RecordHash::of_edge(source, target, edge.label, props, &self.state.schema))
    }

    /// Replaces everything by a tree and what it holds.
    pub(crate) fn set_tree(
        &mut self,
        tree: crate::object::ObjectRef,
        content: &Content,
        schema: Schema,
    ) -> Result<(), Error> {
        *self.schema_mut() = schema;
        self.change = difference(&self.state.content, content);
        self.state.set_tree(tree)?;
        Op::Tree { tree }.encode(&mut self.ops);
        Ok(())
    }

    fn schema_changed(&self) -> bool {
        !Arc::ptr_eq(&self.before.schema, &self.state.schema)
    }

    /// Closes the transaction: brings number, time and content of the state forward and gives the
    /// record to be logged, or `None` if nothing changed.
    pub(crate) fn finish(mut self, now_us: i64) -> Option<Vec<u8>> {
        if self.ops.is_empty() && !self.schema_changed() {
            return None;
        }
        self.finished = true;
        let mut ops = Writer::new();
        if self.schema_changed() {
            // First, so that a replay knows the names before it meets their numbers.
            Op::Schema { schema: Box::new(Schema::clone(&self.state.schema)) }.encode(&mut ops);
            ops.raw(self.ops.as_slice());
            std::mem::swap(&mut self.ops, &mut ops);
        }
        self.state.lsn = self.state.seen;
        self.state.time_us = self.state.time_us.max(now_us);
        self.state.content.merge(&self.change);
        let root = self.state.content.root();
        let payload =
            Record::encode(self.state.lsn, self.state.time_us, self.ops.as_slice(), &self.change, root);
        Some(payload)
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if !self.finished {
            forget(self.ops.as_slice(), &self.state.live, self.state.seen);
            self.state.schema = Arc::clone(&self.before.schema);
            self.state.next_vid = self.before.next_vid;
            self.state.seen = self.state.lsn;
        }
    }
}

fn normalise(labels: &mut Vec<LabelId>) {
    labels.sort_unstable();
    labels.dedup();
}

/// What is to be added to `before` to get `after`.
fn difference(before: &Content, after: &Content) -> Content {
    let mut change = Content {
        vertices: after.vertices.since(&before.vertices),
        edges: after.edges.since(&before.edges),
        ..Content::default()
    };
    for (kind, label) in before.labels.keys().chain(after.labels.keys()) {
        let tally = after.label(*kind, *label).since(&before.label(*kind, *label));
        if tally != model::Tally::default() {
            change.labels.insert((*kind, *label), tally);
        }
    }
    change
}
