//! The kill test: a store under load in a process of its own, `kill -9` at a random moment, and
//! then the question whether everything that was acknowledged is there, and nothing by halves.
//!
//! `kill [--rounds N] [--seed S]`; the last line is `N passed, N failed`.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod child;
mod history;
mod load;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use store::{Clock, Entropy, Env, LocalDisk, Pool, Settings, Store};

use crate::history::History;

/// Rounds on one data directory before a fresh one.
const ROUNDS_PER_DIR: u64 = 20;
/// Work that kills must have interrupted, if there were rounds enough.
const WORK: [&str; 7] = ["fold", "compaction", "pin", "unpin", "bulk", "restore", "collection"];
const ROUNDS_FOR_ALL: u64 = 100;

/// SplitMix64: a round can be run again from its seed, up to the timing of the kill.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

#[derive(Debug)]
struct Ambient;

impl Clock for Ambient {
    fn now_us(&self) -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_micros() as i64)
    }
}

impl Entropy for Ambient {
    fn fill(&self, bytes: &mut [u8]) {
        let source = std::fs::File::open("/dev/urandom").expect("a source of randomness");
        std::io::Read::read_exact(&mut &source, bytes).expect("random bytes");
    }
}

/// A store that does all its background work early, so that kills land in it.
pub(crate) fn pool(dir: &Path) -> Pool {
    let env =
        Env { disk: Arc::new(LocalDisk::new(dir)), clock: Arc::new(Ambient), entropy: Arc::new(Ambient) };
    let settings = Settings {
        cache_bytes: 1 << 20,
        compact_min_bytes: 1 << 10,
        max_deltas: 4,
        compact_min_ids: 64,
        undo_us: 200_000,
        history_us: 0,
        ..Settings::default()
    };
    Store::new(env, settings).pool("kill").expect("a pool")
}

/// What happened in all rounds.
#[derive(Debug, Default)]
struct Report {
    failed: u64,
    acknowledged: u64,
    proven: u64,
    interrupted: BTreeMap<String, u64>,
    openings: Vec<Duration>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| arguments.iter().position(|a| a == name).map(|at| arguments[at + 1].clone());
    if let Some(dir) = value("--child") {
        child::run(Path::new(&dir), value("--seed").expect("a seed").parse().expect("a number"));
    }
    let rounds: u64 = value("--rounds").map_or(200, |text| text.parse().expect("a number of rounds"));
    let fresh = Ambient.now_us() as u64 / 1000;
    let seed: u64 = value("--seed").map_or(fresh, |text| text.parse().expect("a seed"));
    println!("{rounds} rounds, seed {seed}");
    let start = Instant::now();
    let mut report = Report::default();
    for first in (0..rounds).step_by(ROUNDS_PER_DIR as usize) {
        run_dir(seed, first..rounds.min(first + ROUNDS_PER_DIR), &mut report);
    }
    report.print(start.elapsed());
    let missed =
        WORK.iter().filter(|work| rounds >= ROUNDS_FOR_ALL && !report.interrupted.contains_key(**work));
    for work in missed {
        println!("no kill came during: {work}");
        report.failed += 1;
    }
    println!("{} passed, {} failed", rounds.saturating_sub(report.failed), report.failed);
    ExitCode::from(u8::from(report.failed > 0))
}

/// Rounds that go on from what the one before left.
fn run_dir(seed: u64, rounds: std::ops::Range<u64>, report: &mut Report) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut history = History::default();
    let last = rounds.end - 1;
    for round in rounds {
        let mut random = Random(seed.wrapping_add(round.wrapping_mul(1_000_003)));
        let checked = catch_unwind(AssertUnwindSafe(|| {
            history.begin();
            report.acknowledged += run_child(dir.path(), &mut history, &mut random);
            for work in history.interrupted() {
                *report.interrupted.entry(work).or_default() += 1;
            }
            let start = Instant::now();
            let pool = pool(dir.path());
            let graph = history.check(&pool);
            report.openings.push(start.elapsed());
            report.proven += history.check_pins(&pool, &mut random, round == last);
            drop(graph.filter(|_| random.below(2) == 0).map(|graph| graph.close()));
        }));
        if checked.is_err() {
            report.failed += 1;
            println!("round {round} of seed {seed} failed; its data are kept in {:?}", dir.keep());
            return;
        }
    }
}

impl Report {
    fn print(&mut self, elapsed: Duration) {
        self.openings.sort_unstable();
        let at =
            |share: usize| self.openings.get(self.openings.len() * share / 100).copied().unwrap_or_default();
        let (steps, pins) = (self.acknowledged, self.proven);
        println!("{steps} acknowledged steps, {pins} backups restored, in {:.0} s", elapsed.as_secs_f64());
        println!("reopened and compared in {:.0?}, {:.0?} at most", at(50), at(99));
        println!("killed during (often more than one at once):");
        self.interrupted.iter().for_each(|(what, times)| println!("  {what:<11} {times:>5}"));
    }
}

/// A child that does not outlive its round.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().expect("kill -9");
        self.0.wait().expect("its end");
    }
}

/// Starts a child, kills it, and takes down what it said until then. Half of the kills come 1 to
/// 150 ms after the start, the others within 3 ms of the begin of some work.
fn run_child(dir: &Path, history: &mut History, random: &mut Random) -> u64 {
    let child = Command::new(std::env::current_exe().expect("this program"))
        .arg("--child")
        .arg(dir)
        .args(["--seed", &random.below(u64::MAX).to_string()])
        .stdout(Stdio::piped())
        .spawn();
    let mut child = Running(child.expect("a child"));
    let lines = BufReader::new(child.0.stdout.take().expect("its output")).lines();
    let (said, heard) = channel();
    let reader = std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| said.send(line)));
    assert_eq!(heard.recv().expect("a first line"), "ready");
    let mut count = 0;
    let mut hear = |line: String| {
        history.hear(&line);
        count += u64::from(line.starts_with("step "));
    };
    if random.below(2) == 0 {
        std::thread::sleep(Duration::from_micros(1_000 + random.below(149_000)));
    } else {
        let work = WORK[random.below(WORK.len() as u64) as usize];
        wait_for(&format!("begin {work} "), &heard, &mut hear);
        std::thread::sleep(Duration::from_micros(random.below(3_000)));
    }
    drop(child);
    heard.iter().for_each(&mut hear);
    reader.join().expect("no panic").expect("a listener");
    count
}

/// Listens until some work begins; not for ever, as it may depend on chance.
fn wait_for(begin: &str, heard: &Receiver<String>, hear: &mut impl FnMut(String)) {
    let end = Instant::now() + Duration::from_millis(600);
    while let Ok(line) = heard.recv_timeout(end.saturating_duration_since(Instant::now())) {
        let begun = format!("{line} ").starts_with(begin);
        hear(line);
        if begun {
            return;
        }
    }
}
