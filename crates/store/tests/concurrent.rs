//! Everything at once, from many threads: writers, readers with snapshots that must not change,
//! backups, folds, compactions, bulk loads, restores into other graphs, two garbage collectors,
//! and a close in the middle. Afterwards the graph holds exactly what was acknowledged.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at a surprise")]

mod graph;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use graph::world::{request, settings};
use model::{ContentRoot, Kind, Props, Schema, SchemaMode, Value, VertexRecord};
use store::sim::{SimDisk, env_on};
use store::{BulkOptions, Error, Graph, GraphState, Pool, Settings, Snapshot, Store, Transaction};

const WRITERS: usize = 4;
/// Vertices of one writer, all of the same version.
const OWNED: usize = 3;
const VERSIONS: i64 = 120;

fn id(writer: usize, nr: usize) -> String {
    format!("writer {writer}, vertex {nr}")
}

/// Puts every vertex of a writer at `version`, linked in a ring of edges of that version.
fn put(tx: &mut Transaction<'_>, writer: usize, version: i64) -> Result<(), Error> {
    let (label, key) = (tx.label("owned")?, tx.key("version")?);
    let props = Props::from_pairs(vec![(key, Value::Long(version))]);
    let mut ring = Vec::new();
    for nr in 0..OWNED {
        let id = id(writer, nr);
        let vid = match tx.vertex_by_id(&id)? {
            // Now and then a vertex is a new one of the same id.
            Some(vid) if version % 7 == nr as i64 => {
                tx.remove_vertex(vid)?;
                None
            }
            found => found,
        };
        ring.push(match vid {
            Some(vid) => {
                tx.replace_vertex(vid, vec![label], props.clone())?;
                vid
            }
            None => {
                tx.add_vertex(VertexRecord { id: id.into(), labels: vec![label], props: props.clone() })?
            }
        });
    }
    for (nr, source) in ring.iter().enumerate() {
        let target = ring[(nr + 1) % OWNED];
        for edge in tx.edges_between(*source, target)? {
            tx.remove_edge(edge)?;
        }
        tx.add_edge(*source, target, label, props.clone())?;
    }
    Ok(())
}

/// The version that a writer's vertices and edges are at; they must all be at the same.
fn version(state: &GraphState, writer: usize) -> Result<i64, Error> {
    let Some(key) = state.schema().key_id("version") else { return Ok(0) };
    let read = |props: &Props| match props.get(key) {
        Some(Value::Long(version)) => *version,
        other => panic!("{other:?} instead of a version"),
    };
    let (mut versions, mut ring) = (Vec::new(), Vec::new());
    for nr in 0..OWNED {
        let Some(vid) = state.vertex_by_id(&id(writer, nr))? else { continue };
        versions.push(read(&state.vertex(vid)?.unwrap().props));
        ring.push(vid);
    }
    for (nr, source) in ring.iter().enumerate() {
        let between = state.edges_between(*source, ring[(nr + 1) % OWNED])?;
        assert_eq!(between.len(), 1);
        versions.push(read(&state.edge_props(between[0])?.unwrap()));
    }
    assert!(versions.is_empty() || versions.len() == 2 * OWNED, "all or none: {versions:?}");
    assert!(versions.windows(2).all(|pair| pair[0] == pair[1]), "one transaction, one version: {versions:?}");
    Ok(versions.first().copied().unwrap_or(0))
}

/// What all threads share.
struct Bench {
    pool: Pool,
    graph: Graph,
    acknowledged: [AtomicU64; WRITERS],
    done: AtomicBool,
    kept: Mutex<Vec<(Snapshot, ContentRoot)>>,
}

impl Bench {
    fn new(disk: &SimDisk) -> Self {
        let settings = Settings { cache_bytes: 1 << 16, fold_overlay_bytes: 4096, ..settings() };
        let pool = Store::new(env_on(disk, 1), settings).pool("p").unwrap();
        let graph = pool.create("g", Schema::new(SchemaMode::Open)).unwrap();
        let acknowledged = std::array::from_fn(|_| AtomicU64::new(0));
        Self { pool, graph, acknowledged, done: AtomicBool::new(false), kept: Mutex::default() }
    }

    fn write(&self, writer: usize) {
        let mut version = 0;
        while version < VERSIONS {
            self.fail(writer, version);
            match self.graph.write(move |tx| put(tx, writer, version + 1)) {
                Ok(()) => version += 1,
                // A bulk load keeps writers out.
                Err(Error::GraphLoading { .. }) => {
                    std::thread::yield_now();
                    continue;
                }
                Err(Error::GraphClosed { .. }) => return,
                Err(error) => panic!("{error}"),
            }
            self.acknowledged[writer].store(version as u64, SeqCst);
        }
    }

    /// Changes everything and then fails, or even panics: it must be as if nothing had happened,
    /// to others in the same batch too.
    fn fail(&self, writer: usize, version: i64) {
        let failed = move |tx: &mut Transaction<'_>| {
            put(tx, writer, version + 1000)?;
            tx.label(&format!("never {version}"))?;
            Err::<(), _>(Error::NoVertex { vid: 0 })
        };
        if version % 3 == 0 {
            assert!(self.graph.write(move |tx| failed(tx)).is_err());
        }
        if version % 10 == 0 {
            let panics = || {
                self.graph.write(move |tx| {
                    let _ = put(tx, writer, version + 1000);
                    // Without the message that a panic prints.
                    std::panic::resume_unwind(Box::new("as told"));
                    #[allow(unreachable_code, reason = "says the type")]
                    Ok::<(), Error>(())
                })
            };
            // A writer that the graph's mode keeps out does not get to its change.
            match std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)) {
                Ok(result) => assert_eq!(result.unwrap_err().kind(), Kind::WrongState),
                Err(payload) => assert_eq!(payload.downcast_ref(), Some(&"as told")),
            }
        }
    }

    /// Repeats `work` until the writers are done. It may be refused by a graph that is closed or
    /// being loaded, nothing else.
    fn repeat(&self, work: impl Fn(u64) -> Result<(), Error>) {
        for round in 0.. {
            if self.done.load(SeqCst) {
                return;
            }
            match work(round) {
                Err(error) if error.kind() == Kind::WrongState => {}
                result => result.unwrap(),
            }
        }
    }

    fn read(&self, round: u64) -> Result<(), Error> {
        let before = self.acknowledged.each_ref().map(|version| version.load(SeqCst) as i64);
        let snapshot = self.graph.snapshot();
        for (writer, acknowledged) in before.into_iter().enumerate() {
            assert!(version(&snapshot, writer)? >= acknowledged, "what was acknowledged can be read");
        }
        let root = snapshot.content().root();
        assert_eq!(snapshot.recount()?.root(), root);
        if round.is_multiple_of(8) {
            self.kept.lock().unwrap().push((snapshot, root));
        }
        Ok(())
    }

    fn back_up(&self, round: u64) -> Result<(), Error> {
        let pin = self.graph.add_pin(request(&format!("pin-{round}")))?;
        assert!(self.pool.pins("g")?.iter().any(|listed| listed.id == pin.id));
        if round.is_multiple_of(5) {
            let copy = self.pool.restore("copy", &pin)?;
            assert_eq!(copy.snapshot().recount()?.root(), pin.root);
            (0..WRITERS).try_for_each(|writer| version(&copy.snapshot(), writer).map(drop))?;
            copy.write(|tx| tx.label("a life of its own").map(drop))?;
            copy.close()?;
        }
        if round >= 3 {
            self.pool.remove_pin("g", &format!("pin-{}", round - 3))?;
        }
        Ok(())
    }

    fn load(&self, round: u64) -> Result<(), Error> {
        let mut load = self.graph.bulk_load(BulkOptions { memory_bytes: 64, ..BulkOptions::default() })?;
        let id = format!("loaded {round}").into();
        load.add_vertices(vec![VertexRecord { id, labels: vec![], props: Props::new() }])?;
        if round.is_multiple_of(3) {
            return Ok(());
        }
        load.commit().map(drop)
    }

    fn look(&self) -> Result<(), Error> {
        assert!(self.pool.exists("g")?);
        self.pool.pins("g")?;
        assert!(self.pool.graphs()?.contains(&"g".to_owned()));
        assert_eq!(self.graph.health().log_failed, None);
        Ok(())
    }

    fn check_kept(&self) {
        for (snapshot, root) in self.kept.lock().unwrap().drain(..) {
            assert_eq!(snapshot.content().root(), root);
            assert_eq!(snapshot.recount().unwrap().root(), root, "a snapshot does not change");
        }
    }

    /// Runs everything; `closing` when the first writer has come that far.
    fn run(&self, closing: Option<u64>) {
        std::thread::scope(|scope| {
            let writers: Vec<_> =
                (0..WRITERS).map(|writer| scope.spawn(move || self.write(writer))).collect();
            scope.spawn(|| self.repeat(|round| self.read(round)));
            scope.spawn(|| self.repeat(|round| self.back_up(round)));
            scope.spawn(|| self.repeat(|_| self.graph.maintain().map(drop)));
            scope.spawn(|| self.repeat(|_| self.graph.fold().map(drop)));
            scope.spawn(|| self.repeat(|round| self.load(round)));
            scope.spawn(|| self.repeat(|_| self.look()));
            for _ in 0..2 {
                scope.spawn(|| self.repeat(|_| self.pool.collect_garbage().map(drop)));
            }
            if let Some(version) = closing {
                while self.acknowledged[0].load(SeqCst) < version {
                    std::thread::yield_now();
                }
                self.graph.close().unwrap();
            }
            let joined: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
            self.done.store(true, SeqCst);
            joined.into_iter().for_each(|writer| writer.unwrap());
        });
    }

    /// What every writer was told, no more and no less.
    fn check_exactly(&self, state: &GraphState) {
        for (writer, acknowledged) in self.acknowledged.iter().enumerate() {
            assert_eq!(version(state, writer).unwrap() as u64, acknowledged.load(SeqCst));
        }
    }
}

#[test]
fn everything_at_once() {
    let disk = SimDisk::default();
    let bench = Bench::new(&disk);
    bench.run(None);
    bench.check_exactly(&bench.graph.snapshot());
    bench.check_kept();
    // A crash instead of a close: everything acknowledged is durable.
    disk.crash(0);
    let pool = Store::new(env_on(&disk, 2), settings()).pool("p").unwrap();
    let graph = pool.open("g").unwrap();
    bench.check_exactly(&graph.snapshot());
    assert_eq!(graph.snapshot().recount().unwrap(), *graph.snapshot().content());
    for pin in pool.pins("g").unwrap() {
        let copy = pool.restore(&format!("of-{}", pin.id), &pin).unwrap();
        assert_eq!(copy.snapshot().recount().unwrap().root(), pin.root);
    }
}

#[test]
fn closing_in_the_middle_of_everything() {
    for closing in [1, 10, 30] {
        let bench = Bench::new(&SimDisk::default());
        bench.run(Some(closing));
        bench.check_exactly(&bench.graph.snapshot());
        bench.check_kept();
        let graph = bench.pool.open("g").unwrap();
        bench.check_exactly(&graph.snapshot());
        assert_eq!(graph.snapshot().recount().unwrap(), *graph.snapshot().content());
    }
}
