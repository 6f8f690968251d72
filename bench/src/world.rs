//! Graphs to measure on, and the store they live in.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use model::{LabelId, Props, Schema, SchemaMode, Value, VertexRecord, Vid};
use store::{BulkOptions, Clock, EdgeBatch, Entropy, Env, Error, Graph, LocalDisk, Pool, Settings, Store};

/// SplitMix64: the same numbers in every run.
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: u32) -> u32 {
        (((self.next() >> 32) * u64::from(limit)) >> 32) as u32
    }
}

/// An RMAT graph (Chakrabarti, Zhan and Faloutsos, 2004) with the parameters of Graph500.
#[derive(Debug, Clone, Copy)]
pub struct Rmat {
    pub scale: u32,
    pub edges: usize,
}

impl Rmat {
    pub fn vertices(&self) -> u32 {
        1 << self.scale
    }

    /// Calls `visit` with every edge.
    pub fn for_each(&self, mut visit: impl FnMut(u32, u32)) {
        let mut random = Random(42);
        for _ in 0..self.edges {
            let (mut source, mut target) = (0u32, 0u32);
            let mut bits = 0u64;
            for level in 0..self.scale {
                if level % 4 == 0 {
                    bits = random.next();
                }
                let dice = (bits & 0xffff) as u32;
                bits >>= 16;
                // 0.57, 0.19, 0.19, 0.05 of 65,536.
                let quadrant =
                    u32::from(dice >= 37_356) + u32::from(dice >= 49_808) + u32::from(dice >= 62_260);
                source = source << 1 | quadrant >> 1;
                target = target << 1 | quadrant & 1;
            }
            visit(source, target);
        }
    }
}

#[derive(Debug)]
struct System;

impl Clock for System {
    fn now_us(&self) -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros() as i64)
    }
}

#[derive(Debug)]
struct Names(std::sync::Mutex<Random>);

impl Entropy for Names {
    fn fill(&self, bytes: &mut [u8]) {
        if let Ok(mut random) = self.0.lock() {
            bytes.chunks_mut(8).for_each(|c| c.copy_from_slice(&random.next().to_le_bytes()[..c.len()]));
        }
    }
}

/// A store in a directory.
pub fn pool(dir: &Path) -> anyhow::Result<Pool> {
    let seed = System.now_us() as u64;
    let env = Env {
        disk: Arc::new(LocalDisk::new(dir)),
        clock: Arc::new(System),
        entropy: Arc::new(Names(Random(seed).into())),
    };
    Ok(Store::new(env, Settings { cache_bytes: 4 << 30, ..Settings::default() }).pool("bench")?)
}

/// The id of a vertex.
pub fn id(nr: u32) -> String {
    format!("v{nr}")
}

/// Loads an RMAT graph through the store's API; each vertex has a name and a number.
pub fn load(pool: &Pool, name: &str, rmat: Rmat) -> anyhow::Result<Graph> {
    let graph = pool.create(name, Schema::new(SchemaMode::Open))?;
    let mut load = graph.bulk_load(BulkOptions::default())?;
    let vertex = load.schema_mut().intern_label("vertex")?;
    let edge = load.schema_mut().intern_label("edge")?;
    let name_key = load.schema_mut().intern_key("name")?;
    let score = load.schema_mut().intern_key("score")?;
    for first in (0..rmat.vertices()).step_by(10_000) {
        let rows = (first..rmat.vertices().min(first + 10_000)).map(|nr| VertexRecord {
            id: id(nr).into(),
            labels: vec![vertex],
            props: Props::from_pairs(vec![
                (name_key, Value::text(format!("the name of vertex number {nr}"))),
                (score, Value::Long(i64::from(nr) * 7)),
            ]),
        });
        load.add_vertices(rows.collect())?;
    }
    let mut batch = EdgeBatch::new();
    let mut result = Ok(());
    rmat.for_each(|source, target| {
        push(&mut batch, source, target, edge);
        if batch.len() == 100_000 && result.is_ok() {
            result = load.add_edges(&batch);
            batch.clear();
        }
    });
    result?;
    load.add_edges(&batch)?;
    load.commit()?;
    Ok(graph)
}

fn push(batch: &mut EdgeBatch, source: u32, target: u32, label: LabelId) {
    batch.push(Vid(source), Vid(target), label, &Props::new());
}

/// Runs `work` while a background thread folds and compacts, as in the server.
pub fn while_maintained<T>(graph: &Graph, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let maintenance = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                while graph.maintain()? {}
                std::thread::sleep(Duration::from_millis(50));
            }
            Ok::<_, Error>(())
        });
        let result = work();
        stop.store(true, Ordering::Relaxed);
        maintenance.join().map_err(|_| anyhow::anyhow!("the maintenance panicked"))??;
        result
    })
}
