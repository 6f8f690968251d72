//! What was acknowledged, and whether a graph agrees with it.

use std::collections::{BTreeMap, BTreeSet};

use store::{Graph, GraphState, Pin, PinKind, Pool};

use crate::Random;
use crate::load::{Steps, WRITERS, is_loaded, steps};

/// What a state of the graph may hold, given what was said before and after it was taken.
#[derive(Debug, Clone, Default)]
struct Bounds {
    /// Every writer stands here at least, and at most there.
    least: Steps,
    most: Steps,
    /// Loads that must be there, and further ones that may.
    loaded: BTreeSet<String>,
    loading: BTreeSet<String>,
}

/// A backup and what it may hold.
#[derive(Debug, Clone)]
struct Kept {
    bounds: Bounds,
    /// Whether it must be listed; `None` if its adding or removing was cut short.
    listed: Option<bool>,
}

/// What a child said, and what that means for the graph it left.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// The graph, as far as it was acknowledged.
    present: Bounds,
    pins: BTreeMap<String, Kept>,
    /// Every load that was ever begun.
    loads: BTreeSet<String>,
    /// The backup that is being added.
    pinning: Option<String>,
    /// The backup that a restore is going to.
    restoring: Option<String>,
    /// What has begun and not ended.
    doing: BTreeSet<String>,
}

impl History {
    /// A new child speaks.
    pub(crate) fn begin(&mut self) {
        self.doing.clear();
        self.present.most = self.present.least.map(|step| step + 1);
    }

    /// Takes down what a child said.
    pub(crate) fn hear(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["step", writer, step] => self.acknowledge(writer.parse().unwrap(), step.parse().unwrap()),
            ["begin", what, ref which @ ..] => {
                self.doing.insert(what.into());
                which.iter().for_each(|which| self.hear_begin(what, which));
            }
            ["end", what, ref which @ ..] => {
                self.doing.remove(what);
                if let [which, steps @ ..] = which {
                    self.hear_end(what, which, steps);
                }
            }
            _ => panic!("an unknown line: {line:?}"),
        }
    }

    fn acknowledge(&mut self, writer: usize, step: i64) {
        self.present.least[writer] = step;
        // The next one may be under way.
        self.present.most[writer] = step + 1;
    }

    fn hear_begin(&mut self, what: &str, which: &str) {
        match what {
            "bulk" => {
                self.loads.insert(which.into());
                self.present.loading.insert(which.into());
            }
            "pin" => {
                let kept = Kept { bounds: self.present.clone(), listed: None };
                self.pins.insert(which.into(), kept);
                self.pinning = Some(which.into());
            }
            "unpin" => self.pin(which).listed = None,
            "restore" => self.restoring = Some(which.into()),
            other => panic!("unknown work: {other}"),
        }
    }

    fn hear_end(&mut self, what: &str, which: &str, steps: &[&str]) {
        match what {
            "bulk" => {
                self.present.loading.remove(which);
                self.present.loaded.insert(which.into());
            }
            "pin" => {
                self.pinning = None;
                self.close_bounds(which);
                self.pin(which).listed = Some(true);
            }
            "unpin" => self.pin(which).listed = Some(false),
            "restore" => {
                self.restoring = None;
                let mut restored = self.pin(which).bounds.clone();
                let steps: Vec<i64> = steps.iter().map(|steps| steps.parse().unwrap()).collect();
                let steps = steps.try_into().expect("a number for each writer");
                restored.assert_holds(&steps);
                restored.least = steps;
                restored.most = steps.map(|steps| steps + 1);
                self.present = restored;
            }
            other => panic!("unknown work: {other}"),
        }
    }

    fn pin(&mut self, id: &str) -> &mut Kept {
        self.pins.get_mut(id).unwrap_or_else(|| panic!("{id} is no backup"))
    }

    /// What was acknowledged or begun by now may be in the backup too.
    fn close_bounds(&mut self, id: &str) {
        let Bounds { most, loaded, loading, .. } = self.present.clone();
        let bounds = &mut self.pin(id).bounds;
        bounds.most = most;
        let since = loaded.into_iter().chain(loading).filter(|load| !bounds.loaded.contains(load));
        bounds.loading = since.collect();
    }

    /// What the kill interrupted.
    pub(crate) fn interrupted(&self) -> Vec<String> {
        self.doing.iter().cloned().collect()
    }

    /// Opens what the child left and compares. `None` if there is no graph yet.
    pub(crate) fn check(&mut self, pool: &Pool) -> Option<Graph> {
        if let Some(id) = self.pinning.take() {
            self.close_bounds(&id);
        }
        if !pool.exists("g").expect("a readable pool") {
            assert_eq!(self.present.least, [0; WRITERS], "a graph with commits is gone");
            return None;
        }
        let graph = pool.open("g").expect("a graph that opens");
        let snapshot = graph.snapshot();
        let found = self.read(&snapshot);
        let restored = self.restoring.take().map(|id| self.pins[&id].bounds.clone());
        if !restored.is_some_and(|bounds| bounds.holds(&found)) {
            self.present.assert_holds(&found.least);
            assert!(self.present.holds(&found), "{found:?} is not within {:?}", self.present);
        }
        self.present = found;
        Some(graph)
    }

    /// What a state holds, as bounds that leave no room.
    fn read(&self, state: &store::Snapshot) -> Bounds {
        let recounted = state.recount().expect("readable data");
        assert_eq!(recounted, *state.content(), "the data prove the root");
        self.read_parts(state)
    }

    fn read_parts(&self, state: &GraphState) -> Bounds {
        let steps = steps(state).expect("readable counters");
        let loaded = self.loads.iter().filter(|load| is_loaded(state, load).expect("readable loads"));
        Bounds { least: steps, most: steps, loaded: loaded.cloned().collect(), loading: BTreeSet::new() }
    }

    /// Compares the list of backups with what was acknowledged, and restores one of them, or all,
    /// into another graph. Returns how many were.
    pub(crate) fn check_pins(&mut self, pool: &Pool, random: &mut Random, all: bool) -> u64 {
        let listed = pool.pins("g").expect("readable pins");
        let is_listed = |id: &str| listed.iter().any(|pin| pin.id == id);
        for (id, kept) in &mut self.pins {
            let found = is_listed(id);
            assert_eq!(kept.listed.unwrap_or(found), found, "whether {id} is listed");
            kept.listed = Some(found);
        }
        self.pins.retain(|id, _| is_listed(id));
        let one = random.below(listed.len().max(1) as u64) as usize;
        let wanted = listed.iter().enumerate().filter(|(nr, _)| all || *nr == one);
        let proven = wanted.map(|(_, pin)| self.check_pin(pool, pin)).count() as u64;
        pool.collect_garbage().expect("a collection");
        proven
    }

    fn check_pin(&self, pool: &Pool, pin: &Pin) {
        let graph = pool.restore("copy", pin).expect("a listed backup can be restored");
        let snapshot = graph.snapshot();
        let found = self.read(&snapshot);
        assert_eq!(snapshot.content().root(), pin.root);
        match self.pins.get(&pin.id) {
            Some(kept) => {
                let bounds = &kept.bounds;
                assert!(bounds.holds(&found), "{}: {found:?} is not within {bounds:?}", pin.id);
            }
            None => assert_eq!(pin.kind, PinKind::Undo, "{} was never asked for", pin.id),
        }
        graph.close().expect("a clean end");
        pool.remove_graph("copy").expect("a removal");
    }
}

impl Bounds {
    fn holds(&self, found: &Self) -> bool {
        let steps = (0..WRITERS).all(|w| (self.least[w]..=self.most[w]).contains(&found.least[w]));
        let more: BTreeSet<_> = found.loaded.difference(&self.loaded).cloned().collect();
        steps && self.loaded.is_subset(&found.loaded) && more.is_subset(&self.loading)
    }

    fn assert_holds(&self, steps: &Steps) {
        for (writer, found) in steps.iter().enumerate() {
            let (least, most) = (self.least[writer], self.most[writer]);
            assert!((least..=most).contains(found), "writer {writer}: {least} acknowledged, {found} found");
        }
    }
}
