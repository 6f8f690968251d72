//! Random histories against a plain model in memory: transactions, bulk loads, folds,
//! compactions, pins, restores, garbage collections, reopenings and crashes. After every step the
//! whole content of the graph equals the model's, by every way to read it.

mod graph;

use graph::{Change, Model, apply, bulk, check};
use model::{Schema, SchemaMode};
use proptest::prelude::*;
use store::sim::{SimDisk, env_on};
use store::{Graph, ParallelEdges, Pin, PinKind, PinRequest, Pool, Settings, Store};

#[derive(Debug, Clone)]
enum Step {
    Commit(Vec<Change>),
    Bulk { vertices: Vec<(u8, u8)>, edges: Vec<(u8, u8, u8)>, parallel: u8 },
    Clear,
    Fold,
    Maintain,
    Pin,
    RemovePin(prop::sample::Index),
    Restore(prop::sample::Index),
    CollectGarbage,
    Reopen,
    Crash { kept: u8 },
}

fn step() -> impl Strategy<Value = Step> {
    let pick = any::<prop::sample::Index>;
    prop_oneof![
        10 => prop::collection::vec(graph::change(), 1..12).prop_map(Step::Commit),
        2 => (
            prop::collection::vec((0..40u8, any::<u8>()), 0..20),
            prop::collection::vec((0..40u8, 0..40u8, 0..3u8), 0..30),
            0..5u8,
        )
            .prop_map(|(vertices, edges, parallel)| Step::Bulk { vertices, edges, parallel }),
        1 => Just(Step::Clear),
        4 => Just(Step::Fold),
        4 => Just(Step::Maintain),
        2 => Just(Step::Pin),
        1 => pick().prop_map(Step::RemovePin),
        2 => pick().prop_map(Step::Restore),
        2 => Just(Step::CollectGarbage),
        2 => Just(Step::Reopen),
        2 => any::<u8>().prop_map(|kept| Step::Crash { kept }),
    ]
}

/// Everything is due at once, so that small histories reach every path.
fn settings() -> Settings {
    Settings {
        cache_bytes: 4096,
        compact_min_bytes: 0,
        max_deltas: 3,
        compact_min_ids: 4,
        history_us: 0,
        ..Settings::default()
    }
}

struct World {
    disk: SimDisk,
    seed: u64,
    pool: Pool,
    graph: Graph,
    model: Model,
    pins: Vec<(Pin, Model)>,
}

impl World {
    fn new(seed: u64) -> Self {
        let disk = SimDisk::default();
        let pool = Store::new(env_on(&disk, seed), settings()).pool("p").unwrap();
        let graph = pool.create("g", Schema::new(SchemaMode::Open)).unwrap();
        Self { disk, seed, pool, graph, model: Model::default(), pins: Vec::new() }
    }

    /// A new process on the same disk.
    fn restart(&mut self) {
        self.seed += 1;
        self.pool = Store::new(env_on(&self.disk, self.seed), settings()).pool("p").unwrap();
        self.graph = self.pool.open("g").unwrap();
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Commit(changes) => apply(&self.graph, &mut self.model, &changes),
            Step::Bulk { vertices, edges, parallel } => {
                let parallel = match parallel {
                    0 => ParallelEdges::Allow,
                    n => {
                        let by_label = n % 2 == 0;
                        if n > 2 { ParallelEdges::Override { by_label } } else { ParallelEdges::Ignore { by_label } }
                    }
                };
                bulk(&self.graph, &mut self.model, &vertices, &edges, parallel);
            }
            Step::Clear => {
                self.graph.clear(false).unwrap();
                self.model = Model::default();
            }
            Step::Fold => drop(self.graph.fold().unwrap()),
            Step::Maintain => drop(self.graph.maintain().unwrap()),
            Step::Pin => {
                let id = format!("pin-{}", self.pins.len());
                let request =
                    PinRequest { name: id.clone(), id, kind: PinKind::Manual, requested_by: "test".into() };
                self.pins.push((self.graph.add_pin(request).unwrap(), self.model.clone()));
            }
            Step::RemovePin(pick) if !self.pins.is_empty() => {
                let (pin, _) = &self.pins[pick.index(self.pins.len())];
                // Removing one twice is refused, and changes nothing.
                let _ = self.pool.remove_pin("g", &pin.id);
            }
            Step::Restore(pick) if !self.pins.is_empty() => {
                let (pin, model) = &self.pins[pick.index(self.pins.len())];
                if let Ok(pin) = self.pool.pin("g", &pin.id) {
                    self.graph.close().unwrap();
                    self.graph = self.pool.restore("g", &pin).unwrap();
                    self.model = model.clone();
                }
            }
            Step::RemovePin(_) | Step::Restore(_) => {}
            Step::CollectGarbage => drop(self.pool.collect_garbage().unwrap()),
            Step::Reopen => {
                self.graph.close().unwrap();
                self.restart();
            }
            Step::Crash { kept } => {
                self.disk.crash(kept);
                self.restart();
            }
        }
        check(&self.graph.snapshot(), &self.model);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn any_history_gives_what_the_model_holds(steps in prop::collection::vec(step(), 1..40), seed: u32) {
        let mut world = World::new(u64::from(seed));
        let before = world.graph.snapshot();
        for step in steps {
            world.run(step);
        }
        check(&before, &Model::default());
        for (pin, model) in world.pins.clone() {
            if world.pool.pin("g", &pin.id).is_ok() {
                world.graph.close().unwrap();
                world.graph = world.pool.restore("g", &pin).unwrap();
                check(&world.graph.snapshot(), &model);
            }
        }
    }
}
