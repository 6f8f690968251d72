//! What was acknowledged, and whether a graph agrees with it.

use std::collections::BTreeMap;

use store::{Direction, GraphState, Pin, Pool};

use crate::Random;
use crate::child::{RING, WRITERS, steps};

/// What a child said, and what that means for the graph it left.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// Acknowledged steps of each writer.
    steps: [i64; WRITERS as usize],
    /// Acknowledged backups and their content roots.
    pins: BTreeMap<String, String>,
    /// Loads that must be there, since the last restore.
    loaded: Vec<String>,
    /// A load that was begun.
    loading: Option<String>,
    /// The root of a backup that a restore was going to.
    restoring: Option<String>,
    /// What the housekeeper was doing.
    doing: Option<String>,
}

impl History {
    /// A new child speaks.
    pub(crate) fn begin(&mut self) {
        self.doing = None;
        self.restoring = None;
        self.loading = None;
    }

    pub(crate) fn hear(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["step", writer, step] => {
                let writer: usize = writer.parse().expect("a writer");
                let step = step.parse().expect("a step");
                // Lines of a writer come in order; a restore in between sets it back.
                self.steps[writer] = step;
            }
            ["pinned", id, root] => drop(self.pins.insert((*id).into(), (*root).into())),
            ["loading", name] => self.loading = Some((*name).into()),
            ["loaded", name] => {
                self.loading = None;
                self.loaded.push((*name).into());
            }
            ["restoring", root] => self.restoring = Some((*root).into()),
            ["restored", steps @ ..] => {
                self.restoring = None;
                for (known, step) in self.steps.iter_mut().zip(steps) {
                    *known = step.parse().expect("a step");
                }
                // Which loads a backup holds is left to its content root.
                self.loaded.clear();
            }
            ["begin", what] => self.doing = Some((*what).into()),
            ["end", _] => self.doing = None,
            other => panic!("an unknown line: {other:?}"),
        }
    }

    /// What the kill interrupted.
    pub(crate) fn interrupted(&self) -> Option<String> {
        self.doing.clone()
    }

    /// Opens what the child left and compares. Leaves the graph closed, sometimes restored.
    pub(crate) fn check(&mut self, pool: &Pool, random: &mut Random) {
        if !pool.exists("g").expect("a readable pool") {
            assert_eq!(self.steps, [0; WRITERS as usize], "a graph with commits is gone");
            return;
        }
        let graph = pool.open("g").expect("a graph that opens");
        let snapshot = graph.snapshot();
        assert_eq!(
            snapshot.recount().expect("readable data"),
            *snapshot.content(),
            "the data prove the root"
        );
        let root = snapshot.content().root().to_string();
        let restored = self.restoring.as_ref() == Some(&root);
        for writer in 0..WRITERS {
            let found = steps(&snapshot, writer).expect("a counter");
            let known = self.steps[writer as usize];
            let fits = found == known || found == known + 1;
            assert!(fits || restored, "writer {writer}: {known} acknowledged, {found} found");
            check_steps(&snapshot, writer, found);
            self.steps[writer as usize] = found;
        }
        if restored {
            self.loaded.clear();
        } else {
            self.loaded.iter().for_each(|name| assert_eq!(ring(&snapshot, name), RING, "load {name}"));
            let begun = self.loading.take();
            if let Some(name) = begun.filter(|name| ring(&snapshot, name) > 0) {
                assert_eq!(ring(&snapshot, &name), RING, "load {name} is there by half");
                self.loaded.push(name);
            }
        }
        graph.close().expect("a clean end");
        self.check_pins(pool, random);
    }

    /// Every acknowledged backup is listed with its root; now and then one is restored.
    fn check_pins(&mut self, pool: &Pool, random: &mut Random) {
        let pins = pool.pins("g").expect("readable pins");
        for (id, root) in &self.pins {
            let pin = pins.iter().find(|pin| pin.id == *id).expect("an acknowledged backup is listed");
            assert_eq!(pin.root.to_string(), *root);
        }
        if random.below(3) == 0 && !pins.is_empty() {
            let pin: &Pin = &pins[random.below(pins.len() as u64) as usize];
            let graph = pool.restore("g", pin).expect("a listed backup can be restored");
            let snapshot = graph.snapshot();
            assert_eq!(snapshot.recount().expect("readable data").root(), pin.root);
            for writer in 0..WRITERS {
                let found = steps(&snapshot, writer).expect("a counter");
                check_steps(&snapshot, writer, found);
                self.steps[writer as usize] = found;
            }
            self.loaded.clear();
            graph.close().expect("a clean end");
        }
        pool.collect_garbage().expect("a collection");
    }
}

/// A writer's counter, its vertices and its edges tell of the same steps.
fn check_steps(state: &GraphState, writer: u64, steps: i64) {
    let found = |step: i64| state.vertex_by_id(&format!("w{writer}-{step}")).expect("readable ids");
    for step in 1..=steps {
        assert!(found(step).is_some(), "writer {writer}: step {step} of {steps}");
    }
    assert!(found(steps + 1).is_none(), "writer {writer}: a step beyond {steps}");
    let source = state.vertex_by_id(&format!("w{writer}")).expect("readable ids");
    let edges = source.map_or(0, |vid| state.edges(vid, Direction::Out, None).expect("readable edges").len());
    assert_eq!(edges as i64, steps, "writer {writer}");
}

/// How many vertices of a load are there, each with its edge.
fn ring(state: &GraphState, name: &str) -> u64 {
    let there = |nr: &u64| {
        let vid = state.vertex_by_id(&format!("{name}-{nr}")).expect("readable ids");
        vid.is_some_and(|vid| state.edges(vid, Direction::Out, None).expect("readable edges").len() == 1)
    };
    (0..RING).filter(there).count() as u64
}
