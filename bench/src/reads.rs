//! Reading a graph that is in memory, one thread.

use std::hint::black_box;
use std::time::Instant;

use model::Vid;
use store::{Direction, Graph};

use crate::measure::{Durations, rate, row};
use crate::world::{Random, Rmat, id};

const VISITS: usize = 2_000_000;
const LOOKUPS: usize = 1_000_000;

pub fn run(graph: &Graph, rmat: Rmat) -> anyhow::Result<()> {
    let snapshot = graph.snapshot();
    snapshot.recount()?;
    let mut rates = Vec::new();
    for seed in 0..5 {
        let mut random = Random(seed);
        let (mut edges, mut sum) = (0u64, 0u64);
        let start = Instant::now();
        for _ in 0..VISITS {
            let vid = Vid(random.below(rmat.vertices()));
            snapshot.neighbours(vid, Direction::Out, None, |others| {
                edges += others.len() as u64;
                sum += others.iter().map(|other| u64::from(*other)).sum::<u64>();
            })?;
        }
        black_box(sum);
        rates.push(edges as f64 / start.elapsed().as_secs_f64());
    }
    row("neighbours of random vertices, hot, one thread", rate(&mut rates, "edges/s"));

    let mut rates = Vec::new();
    for seed in 0..5 {
        let mut random = Random(seed);
        let ids: Vec<String> = (0..LOOKUPS).map(|_| id(random.below(rmat.vertices()))).collect();
        let mut found = 0;
        let times = Durations::of(1, || {
            for id in &ids {
                let vid = snapshot.vertex_by_id(id)?;
                found += usize::from(black_box(vid).is_some());
            }
            Ok(())
        })?;
        anyhow::ensure!(found == LOOKUPS, "every vertex is found");
        rates.push(LOOKUPS as f64 / times.median().as_secs_f64());
    }
    row("vertex by id, number only", rate(&mut rates, "/s"));

    let mut rates = Vec::new();
    for seed in 0..5 {
        let mut random = Random(seed);
        let ids: Vec<String> = (0..LOOKUPS).map(|_| id(random.below(rmat.vertices()))).collect();
        let times = Durations::of(1, || {
            for id in &ids {
                if let Some(vid) = snapshot.vertex_by_id(id)? {
                    black_box(snapshot.vertex(vid)?);
                }
            }
            Ok(())
        })?;
        rates.push(LOOKUPS as f64 / times.median().as_secs_f64());
    }
    row("vertex by id, with labels and properties", rate(&mut rates, "/s"));
    Ok(())
}
