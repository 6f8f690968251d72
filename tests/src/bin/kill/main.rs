//! The kill test: a store under load in a process of its own, `kill -9` at a random moment, and
//! then the question whether everything that was acknowledged is there, and nothing by halves.
//!
//! `kill [--rounds N] [--seed S]`; the last line is `N passed, N failed`.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod child;
mod history;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use store::{Clock, Entropy, Env, LocalDisk, Pool, Settings, Store};

use crate::history::History;

/// Rounds on one data directory before a fresh one.
const ROUNDS_PER_DIR: u64 = 25;

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
        fold_log_bytes: 16 << 10,
        compact_min_bytes: 1 << 10,
        max_deltas: 4,
        compact_min_ids: 64,
        history_us: 0,
        ..Settings::default()
    };
    Store::new(env, settings).pool("kill").expect("a pool")
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| arguments.iter().position(|a| a == name).map(|at| arguments[at + 1].clone());
    if let Some(dir) = value("--child") {
        return child::run(Path::new(&dir), value("--seed").expect("a seed").parse().expect("a number"));
    }
    let rounds: u64 = value("--rounds").map_or(200, |text| text.parse().expect("a number of rounds"));
    let fresh = Ambient.now_us() as u64 / 1000;
    let seed: u64 = value("--seed").map_or(fresh, |text| text.parse().expect("a seed"));
    println!("{rounds} rounds, seed {seed}");
    let start = Instant::now();
    let (mut acknowledged, mut failed) = (0u64, 0u64);
    let mut interrupted: BTreeMap<String, u64> = BTreeMap::new();
    for first in (0..rounds).step_by(ROUNDS_PER_DIR as usize) {
        let dir = tempfile::tempdir().expect("a directory");
        let mut history = History::default();
        for round in first..rounds.min(first + ROUNDS_PER_DIR) {
            let mut random = Random(seed.wrapping_add(round));
            acknowledged += run_child(dir.path(), &mut history, &mut random);
            if let Some(what) = history.interrupted() {
                *interrupted.entry(what).or_default() += 1;
            }
            let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                history.check(&pool(dir.path()), &mut random);
            }));
            if checked.is_err() {
                failed += 1;
                println!("round {round} of seed {seed} failed; its data are kept in {:?}", dir.keep());
                break;
            }
        }
    }
    println!("{acknowledged} acknowledged steps in {:.0} s; kills during:", start.elapsed().as_secs_f64());
    interrupted.iter().for_each(|(what, times)| println!("  {what:<10} {times}"));
    println!("{} passed, {failed} failed", rounds - failed);
    std::process::exit(i32::from(failed > 0));
}

/// Starts a child, kills it after 1 to 150 ms, and takes down what it said until then.
fn run_child(dir: &Path, history: &mut History, random: &mut Random) -> u64 {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .arg("--child")
        .arg(dir)
        .args(["--seed", &random.below(u64::MAX).to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let ready = lines.next().expect("a line").expect("text");
    assert_eq!(ready, "ready");
    let reader = std::thread::spawn(move || lines.map_while(Result::ok).collect::<Vec<_>>());
    std::thread::sleep(Duration::from_micros(1_000 + random.below(149_000)));
    child.kill().expect("kill -9");
    child.wait().expect("its end");
    let said = reader.join().expect("its last words");
    history.begin();
    said.iter().for_each(|line| history.hear(line));
    said.len() as u64
}
