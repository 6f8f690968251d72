//! Backups while commits go on: how long one takes, what it does to writers, what it writes.

use std::path::Path;
use std::time::{Duration, Instant};

use model::{Props, Value};
use store::{Error, Graph, PinKind, PinRequest, Pool};

use crate::commits;
use crate::measure::{Durations, count, row, text};
use crate::world::{self, Random, Rmat, while_maintained};

const BACKUPS: u32 = 100;
const ROUNDS: u32 = 5;
const ROUND: Duration = Duration::from_secs(2);

pub fn run(pool: &Pool, large: &Graph, rmat: Rmat, dir: &Path) -> anyhow::Result<()> {
    for (name, small) in
        [("10^5", Rmat { scale: 14, edges: 100_000 }), ("10^6", Rmat { scale: 17, edges: 1_000_000 })]
    {
        let graph = world::load(pool, &format!("small{}", small.scale), small)?;
        under_load(&graph, small, name)?;
        graph.close()?;
    }
    under_load(large, rmat, "10^7")?;
    no_change(large, dir)?;
    scattered_change(large, rmat, dir)
}

fn request(id: String) -> PinRequest {
    PinRequest { name: id.clone(), id, kind: PinKind::Manual, requested_by: "bench".into() }
}

/// 100 backups under four writers, beside the same writers alone.
fn under_load(graph: &Graph, rmat: Rmat, size: &str) -> anyhow::Result<()> {
    while_maintained(graph, || {
        let (mut alone, mut during, mut times): (Durations, Durations, Durations) = Default::default();
        // In turn, as the disk's own pace drifts.
        for round in 0..ROUNDS {
            commits::load(graph, rmat, 4, ROUND)?.0.pour_into(&mut alone);
            std::thread::scope(|scope| {
                let backups = scope.spawn(|| add_backups(graph, round));
                commits::load(graph, rmat, 4, ROUND)?.0.pour_into(&mut during);
                let added = backups.join().map_err(|_| anyhow::anyhow!("the backups panicked"))??;
                added.pour_into(&mut times);
                anyhow::Ok(())
            })?;
        }
        row(
            &format!("add a backup under 4 writers, {size} edges: p50 / p99 / max"),
            format!("{} / {} / {}", text(times.median()), text(times.percentile(99.0)), text(times.max())),
        );
        row(
            &format!("write latency p99 / max, {size} edges: alone → during backups"),
            format!(
                "{} / {} → {} / {}",
                text(alone.percentile(99.0)),
                text(alone.max()),
                text(during.percentile(99.0)),
                text(during.max())
            ),
        );
        Ok(())
    })
}

/// Adds backups, spread over a round.
fn add_backups(graph: &Graph, round: u32) -> anyhow::Result<Durations> {
    let mut times = Durations::default();
    let start = Instant::now();
    for nr in 0..BACKUPS / ROUNDS {
        let begin = Instant::now();
        graph.add_pin(request(format!("pin-{round}-{nr}")))?;
        times.push(begin.elapsed());
        let next = start + ROUND * nr / (BACKUPS / ROUNDS);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    Ok(times)
}

fn no_change(graph: &Graph, dir: &Path) -> anyhow::Result<()> {
    while graph.fold()? || graph.maintain()? {}
    let before = stored(dir)?;
    graph.add_pin(request("unchanged".into()))?;
    row("bytes written by a backup when nothing changed", count((stored(dir)? - before) as f64));
    Ok(())
}

/// One per cent of the vertices get other properties, one by one.
fn scattered_change(graph: &Graph, rmat: Rmat, dir: &Path) -> anyhow::Result<()> {
    while graph.maintain()? {}
    let before = stored_but_log(dir)?;
    let mut random = Random(99);
    let mut changed = 0;
    for _ in 0..rmat.vertices() / 100 / 50 {
        let vids: Vec<u32> = (0..50).map(|_| random.below(rmat.vertices())).collect();
        changed += graph.write(move |tx| {
            let (name, score) = (tx.key("name")?, tx.key("score")?);
            let mut bytes = 0;
            for vid in vids.into_iter().map(model::Vid) {
                let Some(vertex) = tx.vertex(vid)? else { continue };
                let text = format!("another name of vertex number {}", vid.0);
                bytes += vertex.id.len() + text.len() + 8;
                let pairs = vec![(name, Value::text(text)), (score, Value::Long(1))];
                tx.replace_vertex(vid, vertex.labels, Props::from_pairs(pairs))?;
            }
            Ok::<_, Error>(bytes)
        })?;
    }
    graph.fold()?;
    while graph.maintain()? {}
    let written = stored_but_log(dir)? - before;
    row(
        "1 % of vertices changed at random: bytes on disk beyond the log / bytes changed",
        format!(
            "{} / {} = {:.2}",
            count(written as f64),
            count(changed as f64),
            written as f64 / changed as f64
        ),
    );
    Ok(())
}

fn stored(dir: &Path) -> anyhow::Result<u64> {
    size(dir, &|_| true)
}

fn stored_but_log(dir: &Path) -> anyhow::Result<u64> {
    size(dir, &|name| name != "log")
}

fn size(dir: &Path, wanted: &dyn Fn(&str) -> bool) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            if wanted(&entry.file_name().to_string_lossy()) {
                bytes += size(&entry.path(), wanted)?;
            }
        } else {
            bytes += entry.metadata()?.len();
        }
    }
    Ok(bytes)
}
