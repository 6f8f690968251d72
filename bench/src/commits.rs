//! Durable commits of one vertex and five edges, beside a plain append and fdatasync.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use model::{Props, Value, VertexRecord, Vid};
use store::{Error, Graph};

use crate::measure::{Durations, rate, row, text};
use crate::world::{Random, Rmat, while_maintained};

static NEXT: AtomicU64 = AtomicU64::new(0);

/// One transaction: a new vertex and five edges to vertices that exist.
pub fn commit(graph: &Graph, random: &mut Random, rmat: Rmat) -> Result<(), Error> {
    let nr = NEXT.fetch_add(1, Ordering::Relaxed);
    let stamp = random.next();
    let targets: [u32; 5] = std::array::from_fn(|_| random.below(rmat.vertices()));
    graph.write(move |tx| {
        let label = tx.label("vertex")?;
        let knows = tx.label("edge")?;
        let key = tx.key("score")?;
        let vertex = VertexRecord {
            id: format!("new{stamp:x}-{nr}").into(),
            labels: vec![label],
            props: Props::from_pairs(vec![(key, Value::Long(nr as i64))]),
        };
        let source = tx.add_vertex(vertex)?;
        for target in targets {
            tx.add_edge(source, Vid(target), knows, Props::new())?;
        }
        Ok(())
    })
}

/// Commits from `clients` threads for `time`; every latency, and the rate.
pub fn load(graph: &Graph, rmat: Rmat, clients: u64, time: Duration) -> anyhow::Result<(Durations, f64)> {
    self::clients(clients, time, |random| Ok(commit(graph, random, rmat)?))
}

/// Runs `work` from `count` threads for `time`; every latency, and the rate.
pub fn clients(
    count: u64,
    time: Duration,
    work: impl Fn(&mut Random) -> anyhow::Result<()> + Sync,
) -> anyhow::Result<(Durations, f64)> {
    let stop = AtomicBool::new(false);
    let start = Instant::now();
    let client = |client: u64| {
        let mut random = Random(client << 32 | 7);
        let mut times = Durations::default();
        while !stop.load(Ordering::Relaxed) {
            let start = Instant::now();
            work(&mut random)?;
            times.push(start.elapsed());
        }
        anyhow::Ok(times)
    };
    let client = &client;
    let all = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|nr| scope.spawn(move || client(nr))).collect();
        std::thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
        let mut all = Durations::default();
        for thread in threads {
            all.extend(thread.join().map_err(|_| anyhow::anyhow!("a client panicked"))??);
        }
        anyhow::Ok(all)
    })?;
    let rate = all.len() as f64 / start.elapsed().as_secs_f64();
    Ok((all, rate))
}

/// Plain appends of a record's size, each synced.
pub fn plain_append(dir: &Path, count: usize) -> anyhow::Result<Durations> {
    let mut file = OpenOptions::new().append(true).create(true).open(dir.join("plain"))?;
    Durations::of(count, || {
        file.write_all(&[7; 260])?;
        Ok(file.sync_data()?)
    })
}

pub fn run(graph: &Graph, rmat: Rmat, dir: &Path) -> anyhow::Result<()> {
    while_maintained(graph, || {
        let (mut alone, mut plain, mut grouped) = (Vec::new(), Vec::new(), Vec::new());
        let mut tail = Durations::default();
        for _ in 0..5 {
            plain.push(plain_append(dir, 2_000)?.median().as_secs_f64());
            let (times, _) = load(graph, rmat, 1, Duration::from_secs(2))?;
            alone.push(times.median().as_secs_f64());
            let (times, rate) = load(graph, rmat, 32, Duration::from_secs(3))?;
            grouped.push(rate);
            tail.extend(times);
        }
        let median = |values: &mut Vec<f64>| {
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        let mut ratios: Vec<f64> = alone.iter().zip(&plain).map(|(a, p)| a / p).collect();
        row("plain append + fdatasync, median", text(Duration::from_secs_f64(median(&mut plain))));
        row("durable commit, 1 client, median", text(Duration::from_secs_f64(median(&mut alone))));
        let ratio = median(&mut ratios);
        row("ratio of the two, pair by pair", format!("{ratio:.2} ({:.2}–{:.2})", ratios[0], ratios[4]));
        row("durable commits, 32 clients", rate(&mut grouped, "/s"));
        row(
            "their latency p50 / p99 / max",
            format!("{} / {} / {}", text(tail.median()), text(tail.percentile(99.0)), text(tail.max())),
        );
        Ok(())
    })
}
