//! Pools: all graphs, backups and objects of one project under one prefix, and the roots that
//! keep objects alive.

use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex, RwLock};

use arc_swap::ArcSwap;
use model::{Content, Kind, Schema};
use rustc_hash::FxHashSet;

use crate::cache::Cache;
use crate::commit::Waiting;
use crate::disk::Env;
use crate::error::{Doing, Error};
use crate::fold::Folding;
use crate::generation::{Generation, InUse, Stock};
use crate::graph::{Folded, Graph, GraphShared, Mode, Writer};
use crate::log::group::Log;
use crate::log::timeline::{Tail, Timeline};
use crate::log::{LogRange, LogStart};
use crate::manifest::{FORMAT, Manifest, Manifests};
use crate::object::Objects;
use crate::pin::{self, Pin, PinKind, PinRequest, Pins};
use crate::state::GraphState;
use crate::sync::{lock, read};

/// How much memory to use, and when to do background work.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Memory for parts of all graphs together.
    pub cache_bytes: usize,
    /// A fold is due when the log since the last one is this long: it bounds recovery time.
    pub fold_log_bytes: u64,
    /// How much room the log reserves at once, so that a sync does not have to change its size.
    pub log_room_bytes: u64,
    /// A fold is due when the commits since the last one hold this much memory.
    pub fold_overlay_bytes: usize,
    /// A fold is due when there are commits and the last one is this long ago.
    pub fold_after_us: i64,
    /// Shares lighter than this are left on their part, however small it is.
    pub compact_min_bytes: u64,
    /// More deltas than this are merged into one: each costs a look-up when a part is loaded.
    pub max_deltas: usize,
    /// Changed ids are folded into the pages of ids when they are more than this, and more than
    /// a quarter of all.
    pub compact_min_ids: usize,
    /// How long the state before a restore is kept.
    pub undo_us: i64,
    /// How long log segments that no state needs are kept, for a return to any instant.
    pub history_us: i64,
}

impl Default for Settings {
    fn default() -> Self {
        const DAY: i64 = 86_400_000_000;
        Self {
            cache_bytes: 1 << 30,
            fold_log_bytes: 16 << 20,
            log_room_bytes: 1 << 20,
            fold_overlay_bytes: 64 << 20,
            fold_after_us: 600_000_000,
            compact_min_bytes: 64 << 10,
            max_deltas: 16,
            compact_min_ids: 1 << 14,
            undo_us: DAY,
            history_us: 7 * DAY,
        }
    }
}

/// The store of one data directory. Clones are the same store.
#[derive(Debug, Clone)]
pub struct Store {
    env: Env,
    settings: Settings,
    cache: Arc<Cache>,
}

/// All graphs, backups and objects of one project. Clones are the same pool.
#[derive(Debug, Clone)]
pub struct Pool {
    pub(crate) shared: Arc<PoolShared>,
}

#[derive(Debug)]
pub(crate) struct PoolShared {
    pub(crate) env: Env,
    pub(crate) settings: Settings,
    pub(crate) prefix: String,
    pub(crate) stock: Stock,
    /// Held for reading from the first new object to the manifest or pin that names it; for
    /// writing while a batch of garbage is removed.
    pub(crate) sweeping: RwLock<()>,
    /// Held by the one garbage collection that runs.
    pub(crate) collecting: Mutex<()>,
    /// Bulk loads under way. Nothing names the objects that they write before they are committed.
    pub(crate) loads: AtomicUsize,
    pub(crate) open: Mutex<FxHashSet<String>>,
}

impl Store {
    /// A store in `env`. Reads nothing yet.
    pub fn new(env: Env, settings: Settings) -> Self {
        let cache = Cache::new(settings.cache_bytes);
        Self { env, settings, cache }
    }

    /// The pool of a project. To be made once per project and process: two pools of one project
    /// would not know of each other's open graphs.
    pub fn pool(&self, project: &str) -> Result<Pool, Error> {
        check_name(project)?;
        let prefix = format!("pool/{project}");
        let stock = Stock {
            chunks: Objects::new(self.env.clone(), &prefix, "chunk"),
            deltas: Objects::new(self.env.clone(), &prefix, "delta"),
            cache: Arc::clone(&self.cache),
            in_use: InUse::default(),
        };
        let shared = PoolShared {
            env: self.env.clone(),
            settings: self.settings.clone(),
            prefix,
            stock,
            sweeping: RwLock::new(()),
            collecting: Mutex::new(()),
            loads: AtomicUsize::new(0),
            open: Mutex::default(),
        };
        shared.remove_leftovers()?;
        Ok(Pool { shared: Arc::new(shared) })
    }

    /// Bytes of graphs in memory.
    pub fn resident_bytes(&self) -> usize {
        self.cache.resident()
    }
}

impl PoolShared {
    /// Files that a crash left before they got their name.
    fn remove_leftovers(&self) -> Result<(), Error> {
        let dir = format!("{}/tmp", self.prefix);
        for name in self.env.disk.list(&dir).doing("listed", &dir)? {
            let path = format!("{dir}/{name}");
            self.env.disk.remove(&path).doing("removed", &path)?;
        }
        Ok(())
    }

    pub(crate) fn forget(&self, graph: &str) {
        lock(&self.open).remove(graph);
    }

    pub(crate) fn manifests(&self, graph: &str) -> Manifests {
        Manifests::new(self.env.clone(), &self.prefix, graph)
    }

    pub(crate) fn pins(&self, graph: &str) -> Pins {
        Pins::new(self.env.clone(), &self.prefix, graph)
    }

    pub(crate) fn timeline(&self, name: &str) -> Timeline {
        Timeline::new(self.env.clone(), &self.prefix, name, self.settings.log_room_bytes)
    }

    /// The state a manifest stands for, with all records that follow it up to `last_lsn`.
    pub(crate) fn recover(
        &self,
        manifest: &Manifest,
        last_lsn: Option<u64>,
    ) -> Result<(GraphState, Option<Tail>), Error> {
        let generation = Generation::open(self.stock.clone(), manifest.tree, &manifest.deltas)?;
        let mut state = GraphState::empty(generation.publish(), manifest.schema.clone());
        state.lsn = manifest.lsn;
        state.time_us = manifest.time_us;
        state.next_vid = manifest.next_vid;
        state.content = Content::from(&manifest.content);
        let mut apply = |record: crate::log::record::Record, path: &str| record.replay(&mut state, path);
        for range in &manifest.replay {
            self.timeline(&range.timeline).replay(range.after_lsn, Some(range.last_lsn), &mut apply)?;
        }
        let timeline = self.timeline(&manifest.log.timeline);
        let tail = timeline.replay(manifest.log.first_lsn - 1, last_lsn, &mut apply)?;
        Ok((state, tail))
    }
}

impl Pool {
    /// A new graph without anything in it.
    pub fn create(&self, graph: &str, schema: Schema) -> Result<Graph, Error> {
        check_name(graph)?;
        if pin::owner_of(graph) != graph {
            return Err(Error::Name { name: graph.into() });
        }
        let manifests = self.shared.manifests(graph);
        let before = manifests.newest()?;
        if before.as_ref().is_some_and(|manifest| !manifest.removed) {
            return Err(Error::GraphExists { graph: graph.into() });
        }
        let timeline = self.shared.env.fresh_name();
        let kept = read(&self.shared.sweeping);
        self.shared.timeline(&timeline).start_fresh(1, [0; 32])?;
        manifests.write(&Manifest {
            format: FORMAT,
            graph: graph.into(),
            number: before.map_or(1, |manifest| manifest.number + 1),
            removed: false,
            lsn: 0,
            time_us: 0,
            tree: None,
            deltas: Vec::new(),
            replay: Vec::new(),
            log: LogStart { timeline, first_lsn: 1 },
            next_vid: 0,
            schema,
            content: (&Content::default()).into(),
        })?;
        drop(kept);
        self.open(graph)
    }

    /// Opens a graph: its newest manifest, and the log after it. Data is read when it is needed.
    pub fn open(&self, graph: &str) -> Result<Graph, Error> {
        check_name(graph)?;
        if !lock(&self.shared.open).insert(graph.into()) {
            return Err(Error::GraphOpen { graph: graph.into() });
        }
        let opened = self.open_exclusively(graph);
        if opened.is_err() {
            self.shared.forget(graph);
        }
        opened
    }

    fn open_exclusively(&self, graph: &str) -> Result<Graph, Error> {
        // A bulk load that is in the log and not in a manifest: its objects must get a manifest
        // before the collector looks.
        let _kept = read(&self.shared.sweeping);
        self.open_kept(graph)
    }

    /// Opens a graph; the caller keeps the garbage collector and other users of the graph out.
    fn open_kept(&self, graph: &str) -> Result<Graph, Error> {
        let shared = &self.shared;
        let manifests = shared.manifests(graph);
        let newest = manifests.newest()?.filter(|manifest| !manifest.removed);
        let manifest = newest.ok_or_else(|| Error::NoGraph { graph: graph.into() })?;
        let (state, tail) = shared.recover(&manifest, None)?;
        let timeline = shared.timeline(&manifest.log.timeline);
        let (active, framer) = match &tail {
            Some(tail) => timeline.go_on(tail)?,
            None => timeline.start_fresh(state.lsn + 1, [0; 32])?,
        };
        let folded = Folded {
            manifest: manifest.number,
            timeline: manifest.log.timeline.clone(),
            delta_bytes: state.generation.deltas.iter().map(|delta| delta.stored_bytes()).sum(),
            behind: state.generation.tree_object != manifest.tree,
        };
        let log = Log::new(timeline, active, framer, state.lsn);
        let state = Arc::new(state);
        let last_us = shared.env.clock.now_us();
        let graph = GraphShared {
            pool: Arc::clone(shared),
            id: graph.into(),
            published: ArcSwap::new(Arc::clone(&state)),
            writer: Mutex::new(Writer { head: state, mode: Mode::Open }),
            waiting: Waiting::default(),
            log,
            manifests,
            pins: shared.pins(graph),
            folding: Mutex::new(Folding { manifest, frozen: None, last_us }),
            folded: Mutex::new(folded.clone()),
            closed: AtomicBool::new(false),
        };
        let graph = Graph { shared: Arc::new(graph) };
        if folded.behind {
            graph.fold_kept()?;
        }
        Ok(graph)
    }

    /// Whether there is a graph of that id.
    pub fn exists(&self, graph: &str) -> Result<bool, Error> {
        check_name(graph)?;
        Ok(self.shared.manifests(graph).newest()?.is_some_and(|manifest| !manifest.removed))
    }

    /// The ids of all graphs that exist or have backups.
    pub fn graphs(&self) -> Result<Vec<String>, Error> {
        let dir = format!("{}/graph", self.shared.prefix);
        let mut graphs = self.shared.env.disk.list(&dir).doing("listed", &dir)?;
        graphs.retain(|name| check_name(name).is_ok());
        let mut graphs: Vec<String> = graphs.iter().map(|name| pin::owner_of(name).into()).collect();
        graphs.sort_unstable();
        graphs.dedup();
        let mut alive = Vec::new();
        for graph in graphs {
            if self.exists(&graph)? || !self.pins(&graph)?.is_empty() {
                alive.push(graph);
            }
        }
        Ok(alive)
    }

    /// All complete backups of a graph, oldest first. A graph that was removed may have some.
    pub fn pins(&self, graph: &str) -> Result<Vec<Pin>, Error> {
        check_name(graph)?;
        let mut pins = Vec::new();
        for dir in self.homes(graph)? {
            pins.extend(self.shared.pins(&dir).all()?);
        }
        pin::sort(&mut pins);
        Ok(pins)
    }

    /// The directories with backups of a graph: its own, and one of each imported backup.
    fn homes(&self, graph: &str) -> Result<Vec<String>, Error> {
        let dir = format!("{}/graph", self.shared.prefix);
        let mut homes = self.shared.env.disk.list(&dir).doing("listed", &dir)?;
        homes.retain(|name| check_name(name).is_ok() && (name == graph || pin::owner_of(name) == graph));
        Ok(homes)
    }

    /// One backup.
    pub fn pin(&self, graph: &str, pin: &str) -> Result<Pin, Error> {
        check_name(graph)?;
        check_name(pin)?;
        match self.shared.pins(graph).read(pin) {
            Err(Error::NoPin { .. }) => self.shared.pins(&pin::import_home(graph, pin)).read(pin),
            found => found,
        }
    }

    /// Removes a backup. What only it needed goes with the next garbage collection.
    pub fn remove_pin(&self, graph: &str, pin: &str) -> Result<(), Error> {
        check_name(graph)?;
        check_name(pin)?;
        match self.shared.pins(graph).remove(pin) {
            Err(Error::NoPin { .. }) => self.shared.pins(&pin::import_home(graph, pin)).remove(pin),
            removed => removed,
        }
    }

    /// Removes a graph, which must not be open. Its backups stay. What nothing needs any more
    /// goes with the next garbage collection.
    pub fn remove_graph(&self, graph: &str) -> Result<(), Error> {
        check_name(graph)?;
        if lock(&self.shared.open).contains(graph) {
            return Err(Error::GraphOpen { graph: graph.into() });
        }
        let manifests = self.shared.manifests(graph);
        let newest = manifests.newest()?.filter(|manifest| !manifest.removed);
        let newest = newest.ok_or_else(|| Error::NoGraph { graph: graph.into() })?;
        manifests.write(&Manifest { number: newest.number + 1, removed: true, ..newest })
    }

    /// Brings a graph, which must not be open, back to a backup of it, and opens it.
    ///
    /// # Order
    /// The present state is pinned for [`Settings::undo_us`]; then one new manifest, on a new
    /// timeline, names the backup's objects and log. A crash before leaves the graph as it was,
    /// one after leaves it restored. No data moves. The restored content root is compared with
    /// the backup's before anybody can use the graph.
    pub fn restore(&self, graph: &str, pin: &Pin) -> Result<Graph, Error> {
        if !lock(&self.shared.open).insert(graph.into()) {
            return Err(Error::GraphOpen { graph: graph.into() });
        }
        let restored = self.restore_exclusively(graph, pin);
        self.shared.forget(graph);
        restored?;
        self.open(graph)
    }

    fn restore_exclusively(&self, graph: &str, pin: &Pin) -> Result<(), Error> {
        let shared = &self.shared;
        let _kept = read(&shared.sweeping);
        let (source, _) = self.pinned_state(pin)?;
        self.keep_replaced(graph)?;
        let mut replay = source.replay.clone();
        if pin.lsn > source.lsn.max(replay.last().map_or(0, |range| range.last_lsn)) {
            let after_lsn = source.log.first_lsn - 1;
            let timeline = source.log.timeline.clone();
            replay.push(LogRange { timeline, after_lsn, last_lsn: pin.lsn });
        }
        let log = LogStart { timeline: shared.env.fresh_name(), first_lsn: pin.lsn + 1 };
        shared.timeline(&log.timeline).start_fresh(log.first_lsn, [0; 32])?;
        let manifests = shared.manifests(graph);
        let newest = manifests.numbers()?.last().copied();
        let number = newest.map_or(1, |newest| newest + 1);
        let former = newest.and_then(|newest| manifests.read(newest).ok());
        manifests.write(&Manifest { graph: graph.into(), number, removed: false, replay, log, ..source })?;
        if let Some(former) = former {
            // Only to save space: the graph is restored, and the former log may be damaged.
            let _ = shared.timeline(&former.log.timeline).seal_finished(None);
        }
        Ok(())
    }

    /// The state of a backup, proven by its content root, and the manifest that it starts from. The
    /// caller keeps the garbage collector out.
    pub(crate) fn pinned_state(&self, pin: &Pin) -> Result<(Manifest, GraphState), Error> {
        let source = self.shared.manifests(&pin.graph).read(pin.manifest)?;
        let (state, _) = self.shared.recover(&source, Some(pin.lsn))?;
        if state.content.root() != pin.root || state.lsn != pin.lsn {
            let (expected, found) = (pin.root.to_string(), state.content.root().to_string());
            return Err(Error::RootMismatch { expected, found });
        }
        Ok((source, state))
    }

    /// Pins the state that a restore replaces, if there is one.
    fn keep_replaced(&self, graph: &str) -> Result<(), Error> {
        let shared = &self.shared;
        let Some((state, manifest)) = self.replaced(graph)? else { return Ok(()) };
        let id = format!("undo-{}", shared.env.fresh_name());
        let request =
            PinRequest { name: id.clone(), id, kind: PinKind::Undo, requested_by: "restore".into() };
        let place = (manifest.number, manifest.log.timeline.as_str());
        let mut pin = Pin::of(&state, request, graph, place, 0);
        pin.time_us = shared.env.clock.now_us();
        pin.expires_us = Some(pin.time_us.saturating_add(shared.settings.undo_us));
        shared.pins(graph).write(&pin)
    }

    /// The state that a restore replaces, and the manifest it starts from. If its log is damaged,
    /// its last folded state: a restore must be possible exactly then.
    fn replaced(&self, graph: &str) -> Result<Option<(Arc<GraphState>, Manifest)>, Error> {
        let newest = undamaged(self.shared.manifests(graph).newest())?.flatten();
        let Some(manifest) = newest.filter(|manifest| !manifest.removed) else { return Ok(None) };
        // Opening gives a bulk load that so far only the log knows its manifest: a pin keeps
        // what its manifest names.
        if let Some(graph) = undamaged(self.open_kept(graph))? {
            let manifest = lock(&graph.shared.folding).manifest.clone();
            return Ok(Some((graph.shared.published.load_full(), manifest)));
        }
        let folded = undamaged(self.shared.recover(&manifest, Some(manifest.lsn)))?;
        Ok(folded.map(|(state, _)| (Arc::new(state), manifest)))
    }
}

/// Nothing where there is damage. Other failures may pass, so they must not count as absence.
fn undamaged<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Err(error) if error.kind() == Kind::Corrupt => Ok(None),
        result => result.map(Some),
    }
}

/// Names become file names: letters, digits, `-` and `_` only.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if (1..=128).contains(&name.len()) && name.chars().all(legal) {
        return Ok(());
    }
    Err(Error::Name { name: name.chars().take(128).collect() })
}
