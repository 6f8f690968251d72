//! What the child writes, and what can be read of it afterwards.

use model::{LabelId, Props, Value, VertexRecord, Vid};
use store::{BulkOptions, Direction, EdgeBatch, Error, Graph, GraphState, Transaction};

/// Writers, each with vertices of its own.
pub(crate) const WRITERS: usize = 4;
/// Steps of a writer that have a vertex; older ones are removed.
const REMEMBERED: i64 = 20;
/// Vertices of one bulk load, in a ring.
const RING: usize = 30;

/// Where each writer stands.
pub(crate) type Steps = [i64; WRITERS];

fn hub(writer: usize) -> String {
    format!("w{writer}")
}

fn spoke(writer: usize, step: i64) -> String {
    format!("w{writer}-{step}")
}

/// One step of a writer: its counter goes up, a vertex with the new number appears at the end of
/// an edge, and an old one goes. All or nothing. Returns the number.
pub(crate) fn step(tx: &mut Transaction<'_>, writer: usize) -> Result<i64, Error> {
    let step = counter(tx, writer)? + 1;
    let (label, key) = (tx.label("step")?, tx.key("steps")?);
    let props = Props::from_pairs(vec![(key, Value::Long(step))]);
    let row = |id: String| VertexRecord { id: id.into(), labels: vec![label], props: props.clone() };
    let source = match tx.vertex_by_id(&hub(writer))? {
        None => tx.add_vertex(row(hub(writer)))?,
        Some(vid) => {
            tx.replace_vertex(vid, vec![label], props.clone())?;
            vid
        }
    };
    let target = tx.add_vertex(row(spoke(writer, step)))?;
    tx.add_edge(source, target, label, props)?;
    if let Some(old) = tx.vertex_by_id(&spoke(writer, step - REMEMBERED))? {
        tx.remove_vertex(old)?;
    }
    Ok(step)
}

fn counter(state: &GraphState, writer: usize) -> Result<i64, Error> {
    let Some(vid) = state.vertex_by_id(&hub(writer))? else { return Ok(0) };
    number(state, &state.vertex(vid)?.expect("a row").props)
}

fn number(state: &GraphState, props: &Props) -> Result<i64, Error> {
    match state.schema().key_id("steps").and_then(|key| props.get(key)) {
        Some(Value::Long(number)) => Ok(*number),
        other => panic!("a number, not {other:?}"),
    }
}

/// Where the writers stand, if all that belongs to their steps is there and nothing else.
pub(crate) fn steps(state: &GraphState) -> Result<Steps, Error> {
    let mut steps = [0; WRITERS];
    for (writer, steps) in steps.iter_mut().enumerate() {
        *steps = counter(state, writer)?;
        let remembered = (*steps - REMEMBERED).max(0) + 1..=*steps;
        for step in [remembered.start() - 1, steps.saturating_add(1)] {
            assert_eq!(state.vertex_by_id(&spoke(writer, step))?, None, "writer {writer} is at {steps}");
        }
        let mut expected = Vec::new();
        for step in remembered {
            let vid = state.vertex_by_id(&spoke(writer, step))?;
            expected.push((vid.unwrap_or_else(|| panic!("{step} of {steps} of writer {writer}")), step));
        }
        let Some(source) = state.vertex_by_id(&hub(writer))? else { continue };
        let mut found: Vec<(Vid, i64)> = Vec::new();
        for edge in state.edges(source, Direction::Out, None)? {
            let props = state.edge_props(edge)?.expect("an edge that was listed");
            found.push((edge.target, number(state, &props)?));
        }
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected, "edges of writer {writer}");
    }
    Ok(steps)
}

/// Loads a ring of vertices in bulk, spilling to disk.
pub(crate) fn load(graph: &Graph, name: &str) -> Result<(), Error> {
    let mut load = graph.bulk_load(BulkOptions { memory_bytes: 200, ..BulkOptions::default() })?;
    let label: LabelId = load.schema_mut().intern_label("ring")?;
    let id = |nr: usize| format!("{name}-{}", nr % RING);
    let row = |nr| VertexRecord { id: id(nr).into(), labels: vec![label], props: Props::new() };
    load.add_vertices((0..RING).map(row).collect())?;
    let mut batch = EdgeBatch::new();
    for nr in 0..RING {
        let end = |nr| load.find(&id(nr)).map(|vid| vid.expect("a row of this load"));
        batch.push(end(nr)?, end(nr + 1)?, label, &Props::new());
    }
    load.add_edges(&batch)?;
    load.commit().map(drop)
}

/// Whether a load is there. It must be so wholly or not at all.
pub(crate) fn is_loaded(state: &GraphState, name: &str) -> Result<bool, Error> {
    let mut found = Vec::new();
    for nr in 0..RING {
        found.extend(state.vertex_by_id(&format!("{name}-{nr}"))?);
    }
    assert!(found.is_empty() || found.len() == RING, "load {name}: {} of {RING} vertices", found.len());
    for (nr, vid) in found.iter().enumerate() {
        let edges = state.edges(*vid, Direction::Out, None)?;
        let targets: Vec<Vid> = edges.iter().map(|edge| edge.target).collect();
        assert_eq!(targets, [found[(nr + 1) % RING]], "load {name}");
    }
    Ok(!found.is_empty())
}
