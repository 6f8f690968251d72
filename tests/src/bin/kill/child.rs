//! The process that is killed. It says each acknowledged step on its standard output, after the
//! step returned; a line that was written is in the pipe, whatever happens to the process.

use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, RwLock};

use model::{Props, Schema, SchemaMode, Value, VertexRecord};
use store::{BulkOptions, EdgeBatch, Error, Graph, GraphState, PinKind, PinRequest, Pool, Transaction};

use crate::Random;

/// Writers, each with vertices of its own.
pub(crate) const WRITERS: u64 = 4;
/// Vertices of one bulk load, in a ring.
pub(crate) const RING: u64 = 50;

static OUTPUT: Mutex<()> = Mutex::new(());

fn say(line: &str) {
    let _turn = OUTPUT.lock().expect("no panic while holding it");
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush()).expect("a reader");
}

pub(crate) fn run(dir: &Path, seed: u64) {
    let pool = crate::pool(dir);
    let graph = match pool.exists("g").expect("a readable pool") {
        true => pool.open("g").expect("a graph that opens"),
        false => pool.create("g", Schema::new(SchemaMode::Open)).expect("a new graph"),
    };
    // Writers share it; whoever replaces the graph takes it alone.
    let graph = RwLock::new(graph);
    say("ready");
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let graph = &graph;
            scope.spawn(move || {
                loop {
                    write(&graph.read().expect("no panic"), writer);
                }
            });
        }
        keep_house(&pool, &graph, &mut Random(seed));
    });
}

/// How many steps a writer has done, as the graph says.
pub(crate) fn steps(state: &GraphState, writer: u64) -> Result<i64, Error> {
    let Some(vid) = state.vertex_by_id(&format!("w{writer}"))? else { return Ok(0) };
    let key = state.schema().key_id("steps");
    let vertex = state.vertex(vid)?;
    match key.and_then(|key| vertex.as_ref()?.props.get(key)) {
        Some(Value::Long(steps)) => Ok(*steps),
        other => panic!("a counter, not {other:?}"),
    }
}

/// One step: the counter goes up, and a vertex with its number appears at the end of an edge. All
/// or nothing.
fn write(graph: &Graph, writer: u64) {
    let done = graph.write(move |tx| {
        let step = steps(tx, writer)? + 1;
        let labels = vec![tx.label("step")?];
        let key = tx.key("steps")?;
        let props = Props::from_pairs(vec![(key, Value::Long(step))]);
        let id = format!("w{writer}");
        let source = match tx.vertex_by_id(&id)? {
            None => tx.add_vertex(VertexRecord { id: id.into(), labels: labels.clone(), props })?,
            Some(vid) => {
                tx.replace_vertex(vid, labels.clone(), props)?;
                vid
            }
        };
        let id = format!("w{writer}-{step}").into();
        let target = tx.add_vertex(VertexRecord { id, labels: labels.clone(), props: Props::new() })?;
        connect(tx, source, target)?;
        Ok::<_, Error>(step)
    });
    match done {
        Ok(step) => say(&format!("step {writer} {step}")),
        Err(Error::GraphLoading { .. }) => std::thread::yield_now(),
        Err(error) => panic!("{error}"),
    }
}

fn connect(tx: &mut Transaction<'_>, source: model::Vid, target: model::Vid) -> Result<(), Error> {
    let label = tx.label("next")?;
    tx.add_edge(source, target, label, Props::new()).map(|_| ())
}

fn keep_house(pool: &Pool, graph: &RwLock<Graph>, random: &mut Random) {
    for nr in 0.. {
        let name = format!("{}-{nr}", random.below(1 << 32));
        let shared = || graph.read().expect("no panic");
        match random.below(10) {
            0 | 1 => during("fold", || {
                shared().fold().expect("a fold");
            }),
            2 | 3 => during("maintain", || while shared().maintain().expect("maintenance") {}),
            4 | 5 => during("pin", || {
                let id = format!("pin-{name}");
                let request =
                    PinRequest { name: id.clone(), id, kind: PinKind::Manual, requested_by: "kill".into() };
                let pin = shared().add_pin(request).expect("a pin");
                say(&format!("pinned {} {}", pin.id, pin.root));
            }),
            6 => during("collect", || {
                pool.collect_garbage().expect("a collection");
            }),
            7 | 8 => {
                say(&format!("loading {name}"));
                during("bulk", || load(&shared(), &name));
                say(&format!("loaded {name}"));
            }
            _ => during("restore", || restore(pool, graph, random)),
        }
    }
}

fn during(what: &str, work: impl FnOnce()) {
    say(&format!("begin {what}"));
    work();
    say(&format!("end {what}"));
}

fn load(graph: &Graph, name: &str) {
    let mut load = graph.bulk_load(BulkOptions::default()).expect("a load");
    let label = load.schema_mut().intern_label("ring").expect("a label");
    let row =
        |nr| VertexRecord { id: format!("{name}-{nr}").into(), labels: vec![label], props: Props::new() };
    load.add_vertices((0..RING).map(row).collect()).expect("rows");
    let vids: Vec<_> =
        (0..RING).map(|nr| load.find(&format!("{name}-{nr}")).expect("ids").expect("a row")).collect();
    let mut batch = EdgeBatch::new();
    for (nr, vid) in vids.iter().enumerate() {
        batch.push(*vid, vids[(nr + 1) % vids.len()], label, &Props::new());
    }
    load.add_edges(&batch).expect("edges");
    load.commit().expect("a commit");
}

/// Goes back to one of the last backups. Says to which before, and where the writers stand after.
fn restore(pool: &Pool, graph: &RwLock<Graph>, random: &mut Random) {
    let pins = pool.pins("g").expect("readable pins");
    let recent = pins.len().min(5) as u64;
    if recent == 0 {
        return;
    }
    let pin = &pins[pins.len() - 1 - random.below(recent) as usize];
    let mut alone = graph.write().expect("no panic");
    say(&format!("restoring {}", pin.root));
    alone.close().expect("a clean end");
    *alone = pool.restore("g", pin).expect("a restore");
    let snapshot = alone.snapshot();
    assert_eq!(snapshot.content().root(), pin.root);
    let steps: Vec<String> =
        (0..WRITERS).map(|w| steps(&snapshot, w).expect("a counter").to_string()).collect();
    say(&format!("restored {}", steps.join(" ")));
}
