//! The same work on other engines, in the same run: LMDB, whose reads are the quickest of the
//! key-value stores, and fjall, an LSM tree with a log. Adjacency is keys that begin with their
//! source, as graph databases on such stores lay it out.
#![allow(unsafe_code, reason = "LMDB maps its file: nobody else touches this one")]

use std::hint::black_box;
use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::Context;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use heed::types::Bytes;
use heed::{CommitOrAbort, EnvOpenOptions, WithTls};

use crate::commits::clients;
use crate::measure::{rate, row, text};
use crate::world::{Random, Rmat, id};

const VISITS: usize = 500_000;
const LOOKUPS: usize = 500_000;

pub fn run(rmat: Rmat) -> anyhow::Result<()> {
    plain_arrays(rmat);
    let dir = tempfile::tempdir()?;
    lmdb(dir.path(), rmat)?;
    let dir = tempfile::tempdir()?;
    fjall_commits(dir.path())
}

fn edge_key(source: u32, target: u32, nr: u32) -> [u8; 12] {
    let mut key = [0; 12];
    key[..4].copy_from_slice(&source.to_be_bytes());
    key[4..8].copy_from_slice(&target.to_be_bytes());
    key[8..].copy_from_slice(&nr.to_be_bytes());
    key
}

fn sorted_edges(rmat: Rmat) -> Vec<(u32, u32)> {
    let mut edges = Vec::with_capacity(rmat.edges);
    rmat.for_each(|source, target| edges.push((source, target)));
    edges.sort_unstable();
    edges
}

/// What this machine's memory allows: neighbours in two arrays and nothing else.
fn plain_arrays(rmat: Rmat) {
    let edges = sorted_edges(rmat);
    let mut offsets = vec![0usize; rmat.vertices() as usize + 1];
    edges.iter().for_each(|(source, _)| offsets[*source as usize + 1] += 1);
    for at in 1..offsets.len() {
        offsets[at] += offsets[at - 1];
    }
    let targets: Vec<u32> = edges.iter().map(|(_, target)| *target).collect();
    drop(edges);
    let mut rates = Vec::new();
    for seed in 0..5 {
        let mut random = Random(seed);
        let (mut visited, mut sum) = (0, 0u64);
        let start = Instant::now();
        for _ in 0..VISITS * 4 {
            let at = random.below(rmat.vertices()) as usize;
            let others = &targets[offsets[at]..offsets[at + 1]];
            visited += others.len();
            sum += others.iter().map(|other| u64::from(*other)).sum::<u64>();
        }
        black_box(sum);
        rates.push(visited as f64 / start.elapsed().as_secs_f64());
    }
    row("plain arrays: neighbours of random vertices (the limit)", rate(&mut rates, "edges/s"));
}

fn lmdb(dir: &Path, rmat: Rmat) -> anyhow::Result<()> {
    let mut options = EnvOpenOptions::<WithTls>::new();
    // SAFETY: the directory is this process's own.
    let env = unsafe { options.map_size(8 << 30).max_dbs(2).open(dir)? };
    let database = |name| {
        let made = env.create_databases_and_commit(env.write_txn()?, |opener, write| {
            opener.create_database::<Bytes, Bytes>(write, Some(name)).map(CommitOrAbort::<_, ()>::Commit)
        })?;
        anyhow::Ok(made.unwrap_commit())
    };
    let (rows, out) = (database("rows")?, database("out")?);
    let mut write = env.write_txn()?;
    for nr in 0..rmat.vertices() {
        rows.put(&mut write, id(nr).as_bytes(), format!("the name of vertex number {nr}").as_bytes())?;
    }
    for (nr, (source, target)) in sorted_edges(rmat).into_iter().enumerate() {
        out.put(&mut write, &edge_key(source, target, nr as u32), &[])?;
    }
    write.commit()?;
    let read = env.read_txn()?;
    let mut rates = Vec::new();
    for seed in 0..5 {
        let mut random = Random(seed);
        let (mut edges, mut sum) = (0u64, 0u64);
        let start = Instant::now();
        for _ in 0..VISITS {
            let source = random.below(rmat.vertices()).to_be_bytes();
            for entry in out.prefix_iter(&read, &source)? {
                let (key, _) = entry?;
                edges += 1;
                sum += u64::from(u32::from_be_bytes(key[4..8].try_into()?));
            }
        }
        black_box(sum);
        rates.push(edges as f64 / start.elapsed().as_secs_f64());
    }
    row("LMDB: neighbours of random vertices", rate(&mut rates, "edges/s"));
    let mut rates = Vec::new();
    for seed in 0..5 {
        let mut random = Random(seed);
        let ids: Vec<String> = (0..LOOKUPS).map(|_| id(random.below(rmat.vertices()))).collect();
        let start = Instant::now();
        for id in &ids {
            black_box(rows.get(&read, id.as_bytes())?.context("every vertex is found")?.len());
        }
        rates.push(LOOKUPS as f64 / start.elapsed().as_secs_f64());
    }
    row("LMDB: vertex by id, bytes in place", rate(&mut rates, "/s"));
    Ok(())
}

/// A transaction's keys and values, and whom to answer.
type Job = (Vec<(Vec<u8>, Vec<u8>)>, Sender<()>);

/// One vertex and five edges in both directions, as keys.
fn keys(random: &mut Random) -> Vec<(Vec<u8>, Vec<u8>)> {
    let source = random.next() as u32;
    let row = (format!("new{source:x}").into_bytes(), vec![7; 40]);
    let edges = (0..5).flat_map(|nr| {
        let target = random.next() as u32;
        [(source, target), (target, source)].map(|(a, b)| (edge_key(a, b, nr).to_vec(), vec![7; 12]))
    });
    std::iter::once(row).chain(edges).collect()
}

/// One thread commits for all: fjall's own commits by 32 threads are several times slower.
fn fjall_commits(dir: &Path) -> anyhow::Result<()> {
    let db = Database::builder(dir).open()?;
    let space = db.keyspace("graph", KeyspaceCreateOptions::default)?;
    let mut alone = Vec::new();
    let mut random = Random(1);
    for _ in 0..5_000 {
        let start = Instant::now();
        commit(&db, &space, [keys(&mut random)])?;
        alone.push(start.elapsed());
    }
    alone.sort_unstable();
    row("fjall: durable commit, 1 client, median", text(alone[alone.len() / 2]));
    let mut rates = Vec::new();
    for _ in 0..5 {
        let (send, jobs) = channel::<Job>();
        let send = Mutex::new(send);
        let (_, rate) = std::thread::scope(|scope| {
            scope.spawn(|| commit_all(&db, &space, jobs));
            let result = clients(32, Duration::from_secs(3), |random| {
                let (answer, answered) = channel();
                let queue = send.lock().map_err(|_| anyhow::anyhow!("a client panicked"))?.clone();
                queue.send((keys(random), answer))?;
                Ok(answered.recv()?)
            });
            drop(send);
            result
        })?;
        rates.push(rate);
    }
    row("fjall: durable commits, 32 clients, grouped", rate(&mut rates, "/s"));
    Ok(())
}

fn commit(
    db: &Database,
    space: &Keyspace,
    transactions: impl IntoIterator<Item = Vec<(Vec<u8>, Vec<u8>)>>,
) -> anyhow::Result<()> {
    let mut batch = db.batch().durability(Some(PersistMode::SyncData));
    for (key, value) in transactions.into_iter().flatten() {
        batch.insert(space, key, value);
    }
    Ok(batch.commit()?)
}

fn commit_all(db: &Database, space: &Keyspace, jobs: Receiver<Job>) -> anyhow::Result<()> {
    while let Ok(first) = jobs.recv() {
        let (transactions, answers): (Vec<_>, Vec<_>) = std::iter::once(first).chain(jobs.try_iter()).unzip();
        commit(db, space, transactions)?;
        // A client that has gone does not wait.
        answers.into_iter().for_each(|answer| _ = answer.send(()));
    }
    Ok(())
}
