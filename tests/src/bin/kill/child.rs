//! The process that is killed. It says on its standard output what it begins and what has ended;
//! a line that was written is in the pipe, whatever happens to the process.

use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, RwLock};
use std::time::Duration;

use model::{Schema, SchemaMode};
use store::{Error, Graph, PinKind, PinRequest, Pool};

use crate::Random;
use crate::load::{WRITERS, load, step, steps};

/// Backups that the child leaves before it removes some.
const PINS: usize = 6;

static OUTPUT: Mutex<()> = Mutex::new(());

fn say(line: &str) {
    let _turn = OUTPUT.lock().expect("no panic while holding it");
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush()).expect("a reader");
}

/// Work on a graph, until the process is killed.
pub(crate) fn run(dir: &Path, seed: u64) -> ! {
    let pool = crate::pool(dir);
    let graph = match pool.exists("g").expect("a readable pool") {
        true => pool.open("g").expect("a graph that opens"),
        false => pool.create("g", Schema::new(SchemaMode::Open)).expect("a new graph"),
    };
    let child = Child { pool, graph: RwLock::new(graph) };
    say("ready");
    // Whoever panics takes the process along, or the others would go on as if nothing had been.
    std::panic::set_hook(Box::new(|info| {
        eprintln!("the child panicked: {info}");
        std::process::abort();
    }));
    std::thread::scope(|scope| {
        let child = &child;
        for writer in 0..WRITERS {
            scope.spawn(move || child.write(writer));
        }
        scope.spawn(move || child.back_up(&mut Random(seed ^ 1)));
        scope.spawn(move || child.fold(&mut Random(seed ^ 2)));
        child.replace(&mut Random(seed));
    });
    unreachable!("everybody works for ever")
}

struct Child {
    pool: Pool,
    /// All share it; a restore, which replaces it, takes it alone.
    graph: RwLock<Graph>,
}

impl Child {
    fn shared<T>(&self, work: impl FnOnce(&Graph) -> T) -> T {
        work(&self.graph.read().expect("no panic"))
    }

    fn write(&self, writer: usize) {
        loop {
            self.shared(|graph| match graph.write(move |tx| step(tx, writer)) {
                Ok(step) => say(&format!("step {writer} {step}")),
                Err(Error::GraphLoading { .. }) => std::thread::sleep(Duration::from_micros(200)),
                Err(error) => panic!("{error}"),
            });
        }
    }

    fn back_up(&self, random: &mut Random) {
        loop {
            let pins = self.pool.pins("g").expect("readable pins");
            let mine: Vec<_> = pins.iter().filter(|pin| pin.kind == PinKind::Manual).collect();
            if mine.len() >= PINS {
                // Not under a restore that is going to it.
                let _graph = self.graph.read().expect("no panic");
                let id = &mine[random.below(mine.len() as u64) as usize].id;
                during("unpin", id, || self.pool.remove_pin("g", id).expect("a removal"));
            }
            let id = format!("pin-{:08x}", random.below(1 << 32));
            let request = PinRequest {
                name: id.clone(),
                id: id.clone(),
                kind: PinKind::Manual,
                requested_by: "kill".into(),
            };
            self.shared(|graph| during("pin", &id, || drop(graph.add_pin(request).expect("a pin"))));
        }
    }

    fn fold(&self, random: &mut Random) {
        loop {
            self.shared(|graph| during("fold", "", || graph.fold().map(|_| ()).expect("a fold")));
            // Nothing is due for a fold now, so this compacts.
            self.shared(|graph| during("compaction", "", || while graph.maintain().expect("maintenance") {}));
            if random.below(4) == 0 {
                let collect = || self.pool.collect_garbage().map(|_| ()).expect("a collection");
                during("collection", "", collect);
            }
        }
    }

    /// Bulk loads, and now and then a restore.
    fn replace(&self, random: &mut Random) {
        loop {
            let name = format!("load-{:08x}", random.below(1 << 32));
            self.shared(|graph| during("bulk", &name, || load(graph, &name).expect("a load")));
            // Let the writers do something in between.
            std::thread::sleep(Duration::from_millis(random.below(40)));
            if random.below(2) == 0 {
                self.restore(random);
            }
        }
    }

    fn restore(&self, random: &mut Random) {
        let mut graph = self.graph.write().expect("no panic");
        let pins = self.pool.pins("g").expect("readable pins");
        let mine: Vec<_> = pins.iter().filter(|pin| pin.kind == PinKind::Manual).collect();
        if mine.is_empty() {
            return;
        }
        let pin = mine[random.below(mine.len() as u64) as usize];
        say(&format!("begin restore {}", pin.id));
        graph.close().expect("a clean end");
        *graph = self.pool.restore("g", pin).expect("a restore");
        let snapshot = graph.snapshot();
        assert_eq!(snapshot.content().root(), pin.root);
        let steps = steps(&snapshot).expect("counters").map(|steps| steps.to_string());
        say(&format!("end restore {} {}", pin.id, steps.join(" ")));
    }
}

fn during(what: &str, which: &str, work: impl FnOnce()) {
    say(&format!("begin {what} {which}"));
    work();
    say(&format!("end {what} {which}"));
}
