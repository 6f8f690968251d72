//! A graph as plain maps, random changes to it, and the comparison with the real one.

#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod world;

use std::collections::{BTreeMap, BTreeSet};

use model::{Props, Value, VertexRecord, Vid};
use proptest::prelude::*;
use store::{
    BulkOptions, Direction, EdgeBatch, EdgeKey, Error, Graph, GraphState, ParallelEdges, Snapshot,
    Transaction,
};

/// A change, in small numbers that name vertices, labels and values.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    AddVertex { id: u8, label: u8, value: u8 },
    ReplaceVertex { id: u8, label: u8, value: u8 },
    RemoveVertex { id: u8 },
    AddEdge { source: u8, target: u8, label: u8, value: u8 },
    ReplaceEdge { source: u8, target: u8, nr: u8, value: u8 },
    RemoveEdge { source: u8, target: u8, nr: u8 },
}

pub(crate) fn change() -> impl Strategy<Value = Change> {
    let (id, label, value) = (0..40u8, 0..3u8, any::<u8>());
    prop_oneof![
        6 => (id.clone(), label.clone(), value)
            .prop_map(|(id, label, value)| Change::AddVertex { id, label, value }),
        2 => (id.clone(), label.clone(), value)
            .prop_map(|(id, label, value)| Change::ReplaceVertex { id, label, value }),
        1 => id.clone().prop_map(|id| Change::RemoveVertex { id }),
        8 => (id.clone(), id.clone(), label, value)
            .prop_map(|(source, target, label, value)| Change::AddEdge { source, target, label, value }),
        2 => (id.clone(), id.clone(), 0..4u8, value)
            .prop_map(|(source, target, nr, value)| Change::ReplaceEdge { source, target, nr, value }),
        2 => (id.clone(), id, 0..4u8)
            .prop_map(|(source, target, nr)| Change::RemoveEdge { source, target, nr }),
    ]
}

/// Label and value of a vertex by id; label and value of edges by ends and rank.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Model {
    pub(crate) vertices: BTreeMap<String, (String, Option<u8>)>,
    pub(crate) edges: BTreeMap<(String, String, u32), (String, Option<u8>)>,
}

/// Ids of several lengths, some of them long.
pub(crate) fn id_of(nr: u8) -> String {
    format!("v{nr}{}", "x".repeat(usize::from(nr % 5) * 7))
}

fn label_of(nr: u8) -> String {
    format!("label {nr}")
}

/// A third of all elements has no property; values differ in type.
fn value_of(nr: u8) -> Option<Value> {
    match nr % 6 {
        0 | 1 => None,
        2 => Some(Value::Long(i64::from(nr))),
        3 => Some(Value::text(format!("text {nr}"))),
        4 => Some(Value::List(vec![Value::Int(i32::from(nr)), Value::Bool(true)])),
        _ => Some(Value::Double(f64::from(nr))),
    }
}

fn kept(value: u8) -> Option<u8> {
    value_of(value).map(|_| value)
}

fn props(tx: &mut Transaction<'_>, value: u8) -> Result<Props, Error> {
    let key = tx.key("value")?;
    Ok(Props::from_pairs(value_of(value).map(|value| (key, value)).into_iter().collect()))
}

/// Makes the changes in one transaction. Changes that the graph must refuse are tried too, and
/// change nothing.
pub(crate) fn apply(graph: &Graph, before: &Model, changes: &[Change]) -> Result<(), Error> {
    let wanted = changes.to_vec();
    let done = graph.write(move |tx| {
        Ok::<_, Error>(wanted.iter().map(|change| change_graph(tx, change).is_ok()).collect::<Vec<_>>())
    })?;
    let mut model = before.clone();
    for (change, done) in changes.iter().zip(done) {
        assert_eq!(done, model.change(change), "{change:?}");
    }
    Ok(())
}

pub(crate) fn change_graph(tx: &mut Transaction<'_>, change: &Change) -> Result<(), Error> {
    let find = |tx: &Transaction<'_>, nr: u8| tx.vertex_by_id(&id_of(nr))?.ok_or(Error::NoVertex { vid: 0 });
    match *change {
        Change::AddVertex { id, label, value } => {
            let labels = vec![tx.label(&label_of(label))?];
            let props = props(tx, value)?;
            tx.add_vertex(VertexRecord { id: id_of(id).into(), labels, props })?;
        }
        Change::ReplaceVertex { id, label, value } => {
            let labels = vec![tx.label(&label_of(label))?];
            let props = props(tx, value)?;
            tx.replace_vertex(find(tx, id)?, labels, props)?;
        }
        Change::RemoveVertex { id } => {
            tx.remove_vertex(find(tx, id)?)?;
        }
        Change::AddEdge { source, target, label, value } => {
            let label = tx.label(&label_of(label))?;
            let props = props(tx, value)?;
            tx.add_edge(find(tx, source)?, find(tx, target)?, label, props)?;
        }
        Change::ReplaceEdge { source, target, nr, value } => {
            let edge = nth_edge(tx, find(tx, source)?, find(tx, target)?, nr)?;
            let props = props(tx, value)?;
            tx.replace_edge(edge, props)?;
        }
        Change::RemoveEdge { source, target, nr } => {
            let edge = nth_edge(tx, find(tx, source)?, find(tx, target)?, nr)?;
            tx.remove_edge(edge)?;
        }
    }
    Ok(())
}

fn nth_edge(state: &GraphState, source: Vid, target: Vid, nr: u8) -> Result<EdgeKey, Error> {
    let missing = Error::NoEdge { edge_source: source.0, edge_target: target.0, rank: u32::from(nr) };
    state.edges_between(source, target)?.get(usize::from(nr)).copied().ok_or(missing)
}

fn change_model(model: &mut Model, change: &Change) -> bool {
    match *change {
        Change::AddVertex { id, label, value } => {
            let fresh = !model.vertices.contains_key(&id_of(id));
            if fresh {
                model.vertices.insert(id_of(id), (label_of(label), kept(value)));
            }
            fresh
        }
        Change::ReplaceVertex { id, label, value } => match model.vertices.get_mut(&id_of(id)) {
            Some(vertex) => {
                *vertex = (label_of(label), kept(value));
                true
            }
            None => false,
        },
        Change::RemoveVertex { id } => {
            let id = id_of(id);
            model.edges.retain(|(source, target, _), _| *source != id && *target != id);
            model.vertices.remove(&id).is_some()
        }
        Change::AddEdge { source, target, label, value } => {
            let (source, target) = (id_of(source), id_of(target));
            let both = model.vertices.contains_key(&source) && model.vertices.contains_key(&target);
            if both {
                let rank = model.ranks(&source, &target).last().map_or(0, |rank| rank + 1);
                model.edges.insert((source, target, rank), (label_of(label), kept(value)));
            }
            both
        }
        Change::ReplaceEdge { source, target, nr, value } => {
            match model.ranks(&id_of(source), &id_of(target)).get(usize::from(nr)) {
                Some(rank) => {
                    let key = (id_of(source), id_of(target), *rank);
                    model.edges.entry(key).and_modify(|(_, edge)| *edge = kept(value));
                    true
                }
                None => false,
            }
        }
        Change::RemoveEdge { source, target, nr } => {
            match model.ranks(&id_of(source), &id_of(target)).get(usize::from(nr)) {
                Some(rank) => model.edges.remove(&(id_of(source), id_of(target), *rank)).is_some(),
                None => false,
            }
        }
    }
}

impl Model {
    /// Whether the change is possible; makes it if so.
    fn change(&mut self, change: &Change) -> bool {
        let before = self.clone();
        let done = change_model(self, change);
        if !done {
            *self = before;
        }
        done
    }

    /// What it holds after a transaction.
    pub(crate) fn after(&self, changes: &[Change]) -> Self {
        let mut model = self.clone();
        for change in changes {
            model.change(change);
        }
        model
    }

    /// What it holds after a load.
    pub(crate) fn after_load(&self, load: &Load) -> Self {
        let mut model = self.clone();
        for (id, value) in &load.vertices {
            model.vertices.insert(id_of(*id), (label_of(value % 3), kept(*value)));
        }
        for (source, target, label) in &load.edges {
            let ends = (id_of(*source), id_of(*target));
            if model.vertices.contains_key(&ends.0) && model.vertices.contains_key(&ends.1) {
                let edge = (label_of(*label), kept(source.wrapping_add(*target)));
                model.load_edge(ends, edge, load.parallel);
            }
        }
        model
    }

    fn ranks(&self, source: &str, target: &str) -> Vec<u32> {
        let between = self.edges.keys().filter(|(s, t, _)| s == source && t == target);
        between.map(|(.., rank)| *rank).collect()
    }
}

/// A bulk load: id and value of vertices; ends and label of edges.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    pub(crate) vertices: Vec<(u8, u8)>,
    pub(crate) edges: Vec<(u8, u8, u8)>,
    pub(crate) parallel: ParallelEdges,
}

/// Loads vertices and edges in bulk; edges with an end that is nowhere are left out, as an
/// importer would. Small memory, so that staging spills.
pub(crate) fn bulk(graph: &Graph, wanted: &Load) -> Result<(), Error> {
    let mut load = graph.bulk_load(BulkOptions { parallel: wanted.parallel, memory_bytes: 100 })?;
    let key = load.schema_mut().intern_key("value")?;
    let mut rows = Vec::new();
    for (id, value) in &wanted.vertices {
        let labels = vec![load.schema_mut().intern_label(&label_of(value % 3))?];
        let props = value_of(*value).map(|value| (key, value)).into_iter().collect();
        rows.push(VertexRecord { id: id_of(*id).into(), labels, props: Props::from_pairs(props) });
    }
    load.add_vertices(rows)?;
    let mut batch = EdgeBatch::new();
    for (source, target, label) in &wanted.edges {
        let label = load.schema_mut().intern_label(&label_of(*label))?;
        let (Some(from), Some(to)) = (load.find(&id_of(*source))?, load.find(&id_of(*target))?) else {
            continue;
        };
        let value = value_of(source.wrapping_add(*target));
        let props = value.map(|value| (key, value)).into_iter().collect();
        batch.push(from, to, label, &Props::from_pairs(props));
        if batch.len() == 7 {
            load.add_edges(&batch)?;
            batch.clear();
        }
    }
    load.add_edges(&batch)?;
    load.commit().map(drop)
}

impl Model {
    /// One more edge of a load: ranks count on even if the edge before gives way, so they are
    /// only compared between edges of one history.
    fn load_edge(&mut self, ends: (String, String), edge: (String, Option<u8>), parallel: ParallelEdges) {
        let rivals = |by_label: bool| {
            let same = |(key, other): (&(String, String, u32), &(String, Option<u8>))| {
                let same_ends = key.0 == ends.0 && key.1 == ends.1;
                (same_ends && (!by_label || other.0 == edge.0)).then(|| key.clone())
            };
            self.edges.iter().filter_map(same).collect::<Vec<_>>()
        };
        match parallel {
            ParallelEdges::Allow => {}
            ParallelEdges::Ignore { by_label } if !rivals(by_label).is_empty() => return,
            ParallelEdges::Ignore { .. } => {}
            ParallelEdges::Override { by_label } => {
                for rival in rivals(by_label) {
                    self.edges.remove(&rival);
                }
            }
        }
        let rank = self.ranks(&ends.0, &ends.1).last().map_or(0, |rank| rank + 1);
        self.edges.insert((ends.0, ends.1, rank), edge);
    }
}

/// Whether a graph holds what a model holds. Cheap: enough to tell two models apart.
pub(crate) fn holds(snapshot: &Snapshot, model: &Model) -> bool {
    read(snapshot).unwrap() == flatten(model)
}

/// Compares everything there is to read.
pub(crate) fn check(snapshot: &Snapshot, model: &Model) {
    assert_eq!(read_proven(snapshot).unwrap(), flatten(model));
}

/// Everything there is to read, if it adds up to the content root.
pub(crate) fn read_proven(snapshot: &Snapshot) -> Result<Flat, Error> {
    let recounted = snapshot.recount()?;
    assert_eq!(recounted, *snapshot.content(), "the data add up to the content root");
    read(snapshot)
}

/// Vertices with label and value; edges with ends, label and value.
pub(crate) type Flat =
    (BTreeMap<String, (String, Option<String>)>, Vec<(String, String, String, Option<String>)>);

/// A model without ranks: overridden edges leave gaps in them that an import may fill.
pub(crate) fn flatten(model: &Model) -> Flat {
    let show = |value: &Option<u8>| value.and_then(value_of).map(|value| format!("{value:?}"));
    let vertices = model.vertices.iter().map(|(id, (label, v))| (id.clone(), (label.clone(), show(v))));
    let edges = model.edges.iter();
    let edges = edges.map(|((s, t, _), (label, v))| (s.clone(), t.clone(), label.clone(), show(v)));
    let mut edges: Vec<_> = edges.collect();
    edges.sort();
    (vertices.collect(), edges)
}

/// Reads in every way there is, and compares them.
fn read(snapshot: &Snapshot) -> Result<Flat, Error> {
    let schema = snapshot.schema();
    let show = |props: &Props| {
        assert!(props.len() <= 1);
        props.iter().next().map(|(_, value)| format!("{value:?}"))
    };
    let (mut vertices, mut edges) = (BTreeMap::new(), Vec::new());
    let (mut seen_out, mut seen_in) = (BTreeSet::new(), BTreeSet::new());
    for chunk in 0..snapshot.chunks() {
        for (vid, vertex) in snapshot.chunk_vertices(chunk)? {
            assert_eq!(snapshot.vertex_by_id(&vertex.id)?, Some(vid), "found by its id");
            assert_eq!(snapshot.vertex_id(vid)?.as_deref(), Some(&*vertex.id));
            seen_in.extend(snapshot.edges(vid, Direction::In, None)?);
            check_neighbours(snapshot, vid)?;
            let label = schema.label_name(vertex.labels[0]).to_owned();
            vertices.insert(vertex.id.to_string(), (label, show(&vertex.props)));
        }
        for (edge, props) in snapshot.chunk_edges(chunk)? {
            assert!(seen_out.insert(edge), "no edge is listed twice");
            assert!(snapshot.edges_between(edge.source, edge.target)?.contains(&edge));
            let id = |vid| Ok::<_, Error>(snapshot.vertex_id(vid)?.expect("both ends exist").to_string());
            let label = schema.label_name(edge.label).to_owned();
            edges.push((id(edge.source)?, id(edge.target)?, label, show(&props)));
        }
    }
    assert_eq!(seen_out, seen_in, "both directions list the same edges");
    for nr in 0..40 {
        let found = snapshot.vertex_by_id(&id_of(nr))?.is_some();
        assert_eq!(found, vertices.contains_key(&id_of(nr)), "{}", id_of(nr));
    }
    edges.sort();
    Ok((vertices, edges))
}

/// The fast way to walk, all labels and each, gives what the slow way gives.
fn check_neighbours(snapshot: &Snapshot, vid: Vid) -> Result<(), Error> {
    for direction in [Direction::Out, Direction::In] {
        let edges = snapshot.edges(vid, direction, None)?;
        let labels = edges.iter().map(|edge| Some(edge.label)).chain([None]);
        for label in labels {
            let wanted = edges.iter().filter(|edge| label.is_none_or(|label| label == edge.label));
            let slow: Vec<u32> = wanted
                .map(|edge| if direction == Direction::Out { edge.target.0 } else { edge.source.0 })
                .collect();
            let mut fast = Vec::new();
            snapshot.neighbours(vid, direction, label, |others| fast.extend_from_slice(others))?;
            assert_eq!(fast, slow);
        }
    }
    Ok(())
}
