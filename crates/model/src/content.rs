//! The content root: what a graph holds, in 16 bytes that do not depend on the order in which
//! it came to be.
//!
//! Every vertex and edge has a 128-bit hash over a canonical encoding that uses names, not the
//! graph's internal numbers. The sum of the hashes modulo 2^128 is a multiset hash (AdHash,
//! Bellare and Micciancio, 1997): adding and removing an element are one addition each. It
//! proves that no accident changed a graph; it is no signature, as somebody who may write
//! billions of chosen elements could look for a collision.
//!
//! Ranks are left out on purpose: they only tell parallel edges apart inside one graph, and an
//! export that is imported again may count them anew.

use std::collections::BTreeMap;
use std::fmt;

use crate::codec::Writer;
use crate::ids::LabelId;
use crate::record::{Props, VertexRecord};
use crate::schema::Schema;

/// The 128-bit hash of one vertex or edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordHash(pub u128);

/// The 128-bit hash of a vertex id, by which edges name their ends in [`RecordHash`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdHash(pub [u8; 16]);

/// Vertices and edges have labels of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ElementKind {
    /// A vertex.
    Vertex,
    /// An edge.
    Edge,
}

/// Count and hash sum of a multiset of records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many records.
    pub count: u64,
    /// Their hashes, summed modulo 2^128.
    pub sum: u128,
}

/// What a graph holds, counted and summed, whole and by label.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content {
    /// All vertices.
    pub vertices: Tally,
    /// All edges.
    pub edges: Tally,
    /// By label; a vertex with several labels counts under each. Labels without elements are
    /// not listed.
    pub labels: BTreeMap<(ElementKind, LabelId), Tally>,
}

/// The root over a whole graph. Equal roots mean equal graphs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentRoot(pub [u8; 16]);

impl IdHash {
    /// Of one vertex id.
    pub fn of(id: &str) -> Self {
        Self(first_16(&blake3::hash(id.as_bytes())))
    }
}

impl RecordHash {
    /// Of a vertex. Label and property names come from `schema`.
    pub fn of_vertex(vertex: &VertexRecord, schema: &Schema) -> Self {
        let mut out = Writer::new();
        out.u8(b'V');
        out.str(&vertex.id);
        let mut labels: Vec<&str> = vertex.labels.iter().map(|l| schema.label_name(*l)).collect();
        labels.sort_unstable();
        out.varint(labels.len() as u64);
        labels.iter().for_each(|label| out.str(label));
        encode_props(&vertex.props, schema, &mut out);
        Self::over(out.as_slice())
    }

    /// Of an edge between two vertices.
    pub fn of_edge(source: IdHash, target: IdHash, label: LabelId, props: &Props, schema: &Schema) -> Self {
        let mut out = Writer::new();
        out.u8(b'E');
        out.raw(&source.0);
        out.raw(&target.0);
        out.str(schema.label_name(label));
        encode_props(props, schema, &mut out);
        Self::over(out.as_slice())
    }

    fn over(bytes: &[u8]) -> Self {
        Self(u128::from_le_bytes(first_16(&blake3::hash(bytes))))
    }
}

/// Property names differ from key numbers in order, so they are sorted here.
fn encode_props(props: &Props, schema: &Schema, out: &mut Writer) {
    out.varint(props.len() as u64);
    if props.is_empty() {
        return;
    }
    let mut pairs: Vec<_> = props.iter().map(|(key, value)| (schema.key_name(*key), value)).collect();
    pairs.sort_unstable_by_key(|(name, _)| *name);
    for (name, value) in pairs {
        out.str(name);
        value.encode(out);
    }
}

impl Tally {
    /// Takes a record in. Counts wrap like sums, so that a tally can also be a difference.
    pub fn add(&mut self, hash: RecordHash) {
        self.count = self.count.wrapping_add(1);
        self.sum = self.sum.wrapping_add(hash.0);
    }

    /// Takes a record out.
    pub fn remove(&mut self, hash: RecordHash) {
        self.count = self.count.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(hash.0);
    }

    /// What is to be added to `earlier` to get `self`; counts wrap like sums.
    pub fn since(&self, earlier: &Self) -> Self {
        Self { count: self.count.wrapping_sub(earlier.count), sum: self.sum.wrapping_sub(earlier.sum) }
    }

    /// Adds a difference made by [`Tally::since`], or another multiset.
    pub fn merge(&mut self, other: &Self) {
        self.count = self.count.wrapping_add(other.count);
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

impl Content {
    /// Takes a vertex in.
    pub fn add_vertex(&mut self, labels: &[LabelId], hash: RecordHash) {
        self.vertices.add(hash);
        for label in labels {
            self.change_label(ElementKind::Vertex, *label, |tally| tally.add(hash));
        }
    }

    /// Takes a vertex out.
    pub fn remove_vertex(&mut self, labels: &[LabelId], hash: RecordHash) {
        self.vertices.remove(hash);
        labels.iter().for_each(|label| self.take_out(ElementKind::Vertex, *label, hash));
    }

    /// Takes an edge in.
    pub fn add_edge(&mut self, label: LabelId, hash: RecordHash) {
        self.edges.add(hash);
        self.change_label(ElementKind::Edge, label, |tally| tally.add(hash));
    }

    /// Takes an edge out.
    pub fn remove_edge(&mut self, label: LabelId, hash: RecordHash) {
        self.edges.remove(hash);
        self.take_out(ElementKind::Edge, label, hash);
    }

    fn take_out(&mut self, kind: ElementKind, label: LabelId, hash: RecordHash) {
        self.change_label(kind, label, |tally| tally.remove(hash));
    }

    /// Keeps labels without elements out of the list.
    fn change_label(&mut self, kind: ElementKind, label: LabelId, change: impl FnOnce(&mut Tally)) {
        let tally = self.labels.entry((kind, label)).or_default();
        change(tally);
        if *tally == Tally::default() {
            self.labels.remove(&(kind, label));
        }
    }

    /// Adds everything `other` counts.
    pub fn merge(&mut self, other: &Self) {
        self.vertices.merge(&other.vertices);
        self.edges.merge(&other.edges);
        for ((kind, label), tally) in &other.labels {
            self.change_label(*kind, *label, |sum| sum.merge(tally));
        }
    }

    /// The tally of one label; zero if nothing has it.
    pub fn label(&self, kind: ElementKind, label: LabelId) -> Tally {
        self.labels.get(&(kind, label)).copied().unwrap_or_default()
    }

    /// The root over the whole graph.
    pub fn root(&self) -> ContentRoot {
        let mut out = Writer::new();
        for tally in [&self.vertices, &self.edges] {
            out.raw(&tally.count.to_le_bytes());
            out.raw(&tally.sum.to_le_bytes());
        }
        ContentRoot(first_16(&blake3::hash(out.as_slice())))
    }
}

impl fmt::Display for ContentRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::str::FromStr for ContentRoot {
    type Err = std::num::ParseIntError;

    /// Reads the 32 hex digits that `Display` writes.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(text, 16).map(|number| Self(number.to_be_bytes()))
    }
}

fn first_16(hash: &blake3::Hash) -> [u8; 16] {
    let mut first = [0; 16];
    first.copy_from_slice(&hash.as_bytes()[..16]);
    first
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::KeyId;
    use crate::schema::SchemaMode;
    use crate::value::Value;

    fn vertex(id: &str, labels: &[LabelId], props: Props) -> VertexRecord {
        VertexRecord { id: id.into(), labels: labels.to_vec(), props }
    }

    #[test]
    fn the_root_knows_names_not_numbers_and_no_order() {
        let mut one = Schema::new(SchemaMode::Open);
        let (a, b) = (one.intern_label("a").unwrap(), one.intern_label("b").unwrap());
        let (x, y) = (one.intern_key("x").unwrap(), one.intern_key("y").unwrap());
        let mut two = Schema::new(SchemaMode::Open);
        let (b2, a2) = (two.intern_label("b").unwrap(), two.intern_label("a").unwrap());
        let (y2, x2) = (two.intern_key("y").unwrap(), two.intern_key("x").unwrap());
        let props = |x: KeyId, y: KeyId| Props::from_pairs(vec![(x, Value::Int(1)), (y, Value::Int(2))]);
        let mut first = Content::default();
        for v in [vertex("p", &[a, b], props(x, y)), vertex("q", &[a], Props::new())] {
            first.add_vertex(&v.labels, RecordHash::of_vertex(&v, &one));
        }
        let mut second = Content::default();
        for v in [vertex("q", &[a2], Props::new()), vertex("p", &[b2, a2], props(x2, y2))] {
            second.add_vertex(&v.labels, RecordHash::of_vertex(&v, &two));
        }
        assert_eq!(first.root(), second.root());
        assert_eq!(first.root().to_string().parse(), Ok(first.root()));
        assert_eq!(first.label(ElementKind::Vertex, a).count, 2);
    }

    #[test]
    fn taking_out_what_was_put_in_leaves_nothing() {
        let mut schema = Schema::new(SchemaMode::Open);
        let label = schema.intern_label("knows").unwrap();
        let hash = RecordHash::of_edge(IdHash::of("a"), IdHash::of("b"), label, &Props::new(), &schema);
        let back = RecordHash::of_edge(IdHash::of("b"), IdHash::of("a"), label, &Props::new(), &schema);
        assert_ne!(hash, back);
        let mut content = Content::default();
        content.add_edge(label, hash);
        let one = content.root();
        content.add_edge(label, hash);
        assert_ne!(content.root(), one, "parallel edges count");
        content.remove_edge(label, hash);
        content.remove_edge(label, hash);
        assert_eq!(content, Content::default());
    }
}
