//! One graph on a simulated disk, the model of what it must hold, and its backups with theirs.

use std::sync::Arc;

use model::{Kind, Schema, SchemaMode};
use store::sim::{SimClock, SimDisk, SimEntropy};
use store::{Entropy, Env, Error, Graph, ParallelEdges, Pin, PinKind, PinRequest, Pool, Settings, Store};

use super::{Change, Load, Model, apply, bulk, check, holds};

const GRAPH: &str = "g";
const CLONE: &str = "clone";
const START_US: i64 = 1_700_000_000_000_000;
pub(crate) const SECOND_US: i64 = 1_000_000;

/// Something to do with a graph. Numbers pick one of the backups.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Commit(Vec<Change>),
    Bulk(Load),
    Clear,
    Fold,
    Maintain,
    Pin,
    RemovePin(usize),
    Restore(usize),
    /// Restores a backup into another graph, which is removed again.
    Clone(usize),
    CollectGarbage,
    Reopen,
    Crash {
        kept: u8,
    },
}

/// A backup, and what it must hold.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) id: String,
    pub(crate) model: Model,
    pub(crate) listed: Listed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listed {
    Yes,
    No,
    /// Adding or removing it failed.
    Maybe,
}

pub(crate) struct World {
    pub(crate) disk: SimDisk,
    pub(crate) clock: Arc<SimClock>,
    pub(crate) settings: Settings,
    pub(crate) pool: Pool,
    seed: u64,
    now_us: i64,
    graph: Option<Graph>,
    /// What the graph holds.
    pub(crate) model: Model,
    /// What it may hold instead, after a step that would have led there failed.
    pub(crate) instead: Option<Model>,
    pub(crate) pins: Vec<Kept>,
    /// States that a restore replaced or was to replace.
    undone: Vec<Model>,
    /// What the clone may hold.
    cloned: Option<Model>,
}

/// Everything is due at once, so that small histories reach every path.
pub(crate) fn settings() -> Settings {
    Settings {
        cache_bytes: 4096,
        log_room_bytes: 512,
        compact_min_bytes: 0,
        max_deltas: 3,
        compact_min_ids: 4,
        history_us: 0,
        ..Settings::default()
    }
}

impl World {
    /// A new graph on a new disk.
    pub(crate) fn new(seed: u64) -> Self {
        Self::on(&SimDisk::default(), seed, settings()).unwrap()
    }

    /// A new graph on a disk that may fail.
    pub(crate) fn on(disk: &SimDisk, seed: u64, settings: Settings) -> Result<Self, Error> {
        let clock = Arc::new(SimClock::new(START_US));
        let pool = Store::new(env(disk, &clock, seed), settings.clone()).pool("p")?;
        let graph = Some(pool.create(GRAPH, Schema::new(SchemaMode::Open))?);
        Ok(Self {
            disk: disk.clone(),
            clock,
            settings,
            pool,
            seed,
            now_us: START_US,
            graph,
            model: Model::default(),
            instead: None,
            pins: Vec::new(),
            undone: Vec::new(),
            cloned: None,
        })
    }

    /// A new process on another disk, on which the graph was created too.
    pub(crate) fn move_to(&mut self, disk: &SimDisk) {
        self.disk = disk.clone();
        self.restart().unwrap();
    }

    pub(crate) fn close(&mut self) {
        self.graph.take().expect("the graph is open").close().unwrap();
    }

    pub(crate) fn graph(&self) -> &Graph {
        self.graph.as_ref().expect("the graph is open")
    }

    /// Moves the clock by seconds, forwards or backwards.
    pub(crate) fn tick(&mut self, seconds: i64) {
        self.now_us += seconds * SECOND_US;
        self.clock.set(self.now_us);
    }

    /// A new process on the same disk.
    pub(crate) fn restart(&mut self) -> Result<(), Error> {
        self.seed += 1;
        self.graph = None;
        let env = env(&self.disk, &self.clock, self.seed);
        self.pool = Store::new(env, self.settings.clone()).pool("p")?;
        self.graph = Some(self.pool.open(GRAPH)?);
        Ok(())
    }

    /// A new process, which collects garbage before anything else.
    pub(crate) fn restart_collecting(&mut self) -> Result<(), Error> {
        self.seed += 1;
        self.graph = None;
        let env = env(&self.disk, &self.clock, self.seed);
        self.pool = Store::new(env, self.settings.clone()).pool("p")?;
        self.pool.collect_garbage().map(drop)
    }

    /// A new process, which restores a backup before anything else. Does nothing if there is none.
    pub(crate) fn restart_restoring(&mut self, pick: usize) -> Result<(), Error> {
        let env = env(&self.disk, &self.clock, self.seed + 1000);
        self.graph = None;
        self.pool = Store::new(env, self.settings.clone()).pool("p")?;
        let pins = self.pool.pins(GRAPH)?;
        if pins.is_empty() {
            return Ok(());
        }
        let pin = &pins[pick % pins.len()];
        let Some(kept) = self.pins.iter().find(|kept| kept.id == pin.id) else { return Ok(()) };
        self.undone.push(std::mem::replace(&mut self.model, kept.model.clone()));
        self.undone.extend(self.instead.take());
        self.pool.restore(GRAPH, pin)?.close()
    }

    /// Does one step. After an error the graph may hold `instead`.
    pub(crate) fn run(&mut self, step: &Step) -> Result<(), Error> {
        self.tick(1);
        match step {
            Step::Commit(changes) => {
                let before = self.model.clone();
                self.lead_to(before.after(changes), |graph| apply(graph, &before, changes))
            }
            Step::Bulk(load) => self.lead_to(self.model.after_load(load), |graph| bulk(graph, load)),
            Step::Clear => self.lead_to(Model::default(), |graph| graph.clear(false)),
            Step::Fold => self.graph().fold().map(drop),
            Step::Maintain => self.graph().maintain().map(drop),
            Step::Pin => self.add_pin(),
            Step::RemovePin(pick) => self.remove_pin(*pick),
            Step::Restore(pick) => self.restore(*pick),
            Step::Clone(pick) => self.clone_graph(*pick),
            Step::CollectGarbage => self.pool.collect_garbage().map(drop),
            Step::Reopen => {
                self.graph().close()?;
                self.restart()
            }
            Step::Crash { kept } => {
                self.disk.crash(*kept);
                self.restart()
            }
        }
    }

    fn lead_to(&mut self, after: Model, step: impl FnOnce(&Graph) -> Result<(), Error>) -> Result<(), Error> {
        self.instead = Some(after);
        step(self.graph())?;
        self.model = self.instead.take().unwrap_or_default();
        Ok(())
    }

    fn add_pin(&mut self) -> Result<(), Error> {
        let id = format!("pin-{}", self.pins.len());
        self.pins.push(Kept { id: id.clone(), model: self.model.clone(), listed: Listed::Maybe });
        self.graph().add_pin(request(&id))?;
        self.pins.last_mut().unwrap().listed = Listed::Yes;
        Ok(())
    }

    /// A backup that is there.
    fn pick(&self, pick: usize) -> Option<usize> {
        let there = self.pins.iter().enumerate().filter(|(_, kept)| kept.listed == Listed::Yes);
        let there: Vec<usize> = there.map(|(nr, _)| nr).collect();
        (!there.is_empty()).then(|| there[pick % there.len()])
    }

    fn remove_pin(&mut self, pick: usize) -> Result<(), Error> {
        let Some(nr) = self.pick(pick) else { return Ok(()) };
        self.pins[nr].listed = Listed::Maybe;
        self.pool.remove_pin(GRAPH, &self.pins[nr].id)?;
        self.pins[nr].listed = Listed::No;
        let again = self.pool.remove_pin(GRAPH, &self.pins[nr].id).unwrap_err();
        // Unavailable if the disk has stopped meanwhile.
        assert!(matches!(again.kind(), Kind::NotFound | Kind::Unavailable));
        Ok(())
    }

    fn restore(&mut self, pick: usize) -> Result<(), Error> {
        let Some(nr) = self.pick(pick) else { return Ok(()) };
        let Kept { id, model, .. } = self.pins[nr].clone();
        let pin = self.pool.pin(GRAPH, &id)?;
        let undos = self.undos()?;
        self.graph().close()?;
        self.graph = None;
        self.undone.push(self.model.clone());
        self.instead = Some(model);
        self.graph = Some(self.pool.restore(GRAPH, &pin)?);
        self.model = self.instead.take().unwrap_or_default();
        assert!(self.undos()? > undos, "what was replaced is kept");
        Ok(())
    }

    fn undos(&self) -> Result<usize, Error> {
        Ok(self.pool.pins(GRAPH)?.iter().filter(|pin| pin.kind == PinKind::Undo).count())
    }

    fn clone_graph(&mut self, pick: usize) -> Result<(), Error> {
        let Some(nr) = self.pick(pick) else { return Ok(()) };
        let pin = self.pool.pin(GRAPH, &self.pins[nr].id)?;
        self.cloned = Some(self.pins[nr].model.clone());
        let clone = self.pool.restore(CLONE, &pin)?;
        check(&clone.snapshot(), &self.pins[nr].model);
        clone.close()?;
        self.pool.remove_graph(CLONE)?;
        self.cloned = None;
        Ok(())
    }

    /// Finds out which of the two states the graph is in, and compares all of it.
    pub(crate) fn settle(&mut self) {
        let snapshot = self.graph().snapshot();
        if let Some(instead) = self.instead.take().filter(|instead| holds(&snapshot, instead)) {
            self.model = instead;
        }
        check(&snapshot, &self.model);
    }

    /// Compares the list of backups with what was acknowledged, and each entry with its proof.
    pub(crate) fn check_list(&mut self) {
        let listed = self.pool.pins(GRAPH).unwrap();
        for kept in &mut self.pins {
            let found = listed.iter().any(|pin| pin.id == kept.id);
            match kept.listed {
                Listed::Yes => assert!(found, "{} was acknowledged and is gone", kept.id),
                Listed::No => assert!(!found, "{} was removed and is back", kept.id),
                Listed::Maybe if found => kept.listed = Listed::Yes,
                Listed::Maybe => kept.listed = Listed::No,
            }
        }
        for pin in listed {
            let known = self.pins.iter().any(|kept| kept.id == pin.id);
            assert!(known || pin.kind == PinKind::Undo, "{} was never asked for", pin.id);
        }
    }

    /// Restores every backup in the list and compares all of it.
    pub(crate) fn restore_all(&mut self) {
        for pin in self.pool.pins(GRAPH).unwrap() {
            self.restore_one(&pin);
        }
    }

    fn restore_one(&mut self, pin: &Pin) {
        self.graph().close().unwrap();
        let graph = self.pool.restore(GRAPH, pin).unwrap();
        let snapshot = graph.snapshot();
        self.graph = Some(graph);
        assert_eq!(snapshot.recount().unwrap().root(), pin.root);
        assert_eq!((snapshot.content().vertices.count, snapshot.lsn()), (pin.vertices, pin.lsn));
        let mut models = self.pins.iter().filter(|kept| kept.id == pin.id).map(|kept| &kept.model);
        let model = match pin.kind {
            PinKind::Undo => self.undone.iter().find(|model| holds(&snapshot, model)),
            _ => models.next_back(),
        };
        let model = model.expect("a state that the graph was in").clone();
        check(&snapshot, &model);
        self.undone.push(std::mem::replace(&mut self.model, model));
    }

    /// A clone that a crash left is whole, and one that was removed stays so.
    pub(crate) fn check_clone(&self) {
        if self.pool.exists(CLONE).unwrap() {
            let clone = self.pool.open(CLONE).unwrap();
            check(&clone.snapshot(), self.cloned.as_ref().expect("it was asked for and not removed"));
            clone.close().unwrap();
        }
    }
}

fn env(disk: &SimDisk, clock: &Arc<SimClock>, seed: u64) -> Env {
    let (disk, entropy) = (Arc::new(disk.clone()), Arc::new(SimEntropy::new(seed)));
    Env { disk, clock: Arc::clone(clock) as Arc<_>, entropy }
}

pub(crate) fn request(id: &str) -> PinRequest {
    PinRequest { id: id.into(), name: id.into(), kind: PinKind::Manual, requested_by: "test".into() }
}

/// A short history of everything a graph goes through.
pub(crate) fn history(dice: &Dice) -> Vec<Step> {
    let commit = || Step::Commit(dice.changes(6));
    let bulk = || Step::Bulk(dice.load());
    let pick = || usize::from(dice.below(8));
    vec![
        commit(),
        Step::Fold,
        commit(),
        Step::Pin,
        Step::Fold,
        Step::Maintain,
        bulk(),
        Step::Pin,
        commit(),
        Step::CollectGarbage,
        Step::Reopen,
        commit(),
        Step::Fold,
        Step::Maintain,
        Step::Maintain,
        Step::Restore(0),
        commit(),
        Step::Pin,
        Step::Clone(pick()),
        Step::CollectGarbage,
        Step::Clear,
        commit(),
        Step::Restore(pick()),
        bulk(),
        Step::RemovePin(pick()),
        Step::CollectGarbage,
        commit(),
        Step::Fold,
        commit(),
        bulk(),
        commit(),
        Step::Fold,
        commit(),
        Step::Clear,
        bulk(),
        Step::Reopen,
        commit(),
    ]
}

/// Random numbers below a bound.
pub(crate) struct Dice(SimEntropy);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(SimEntropy::new(seed))
    }

    pub(crate) fn below(&self, bound: u8) -> u8 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        (u64::from_le_bytes(bytes) % u64::from(bound)) as u8
    }

    pub(crate) fn changes(&self, count: usize) -> Vec<Change> {
        (0..count).map(|_| self.change()).collect()
    }

    fn change(&self) -> Change {
        let (id, other, nr) = (self.below(20), self.below(20), self.below(3));
        let value = self.below(255);
        match self.below(10) {
            0..3 => Change::AddVertex { id, label: nr, value },
            3 => Change::ReplaceVertex { id, label: nr, value },
            4 => Change::RemoveVertex { id },
            5..8 => Change::AddEdge { source: id, target: other, label: nr, value },
            8 => Change::ReplaceEdge { source: id, target: other, nr, value },
            _ => Change::RemoveEdge { source: id, target: other, nr },
        }
    }

    pub(crate) fn load(&self) -> Load {
        let vertices = (0..12).map(|_| (self.below(40), self.below(255))).collect();
        let edges = (0..25).map(|_| (self.below(40), self.below(40), self.below(3))).collect();
        Load { vertices, edges, parallel: parallel(self.below(5)) }
    }
}

/// One of the five ways to treat parallel edges.
pub(crate) fn parallel(nr: u8) -> ParallelEdges {
    let by_label = nr.is_multiple_of(2);
    match nr {
        0 => ParallelEdges::Allow,
        1 | 2 => ParallelEdges::Ignore { by_label },
        _ => ParallelEdges::Override { by_label },
    }
}
