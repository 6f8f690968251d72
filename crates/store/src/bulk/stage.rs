//! Entries on their way into parts, by the chunk they belong to: in memory while they fit, in
//! files of `tmp/` when they don't.

use std::sync::Arc;

use model::{LabelId, Props, Vid, Writer};

use crate::error::{Doing, Error};
use crate::part::{CHUNK_BITS, chunk_of};
use crate::pool::PoolShared;

/// No properties.
pub(super) const NO_PROPS: u32 = u32::MAX;
/// A batch or a chunk's share of the memory holds less than this of properties; more is spilled.
const MAX_PROPS_BYTES: usize = 1 << 30;

/// Four numbers. Of an edge: source, target, label, and where its properties start.
pub(super) type Entry = [u32; 4];

/// Edges in the order in which they come. Cheap to build in parallel, to be added in order.
#[derive(Debug, Clone, Default)]
pub struct EdgeBatch {
    entries: Vec<Entry>,
    props: Writer,
}

impl EdgeBatch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an edge between two vertices that exist. Label and properties must fit the schema.
    pub fn push(&mut self, source: Vid, target: Vid, label: LabelId, props: &Props) {
        let mut at = NO_PROPS;
        if !props.is_empty() {
            at = self.props.len() as u32;
            props.encode(&mut self.props);
        }
        self.entries.push([source.0, target.0, u32::from(label.0), at]);
    }

    /// How many edges it holds.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of properties; a batch must stay below 4 GiB of them.
    pub fn props_bytes(&self) -> usize {
        self.props.len()
    }

    /// Empties it, keeping its memory.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.props.clear();
    }
}

/// Entries by chunk.
#[derive(Debug)]
pub(super) struct Stage {
    pool: Arc<PoolShared>,
    budget: usize,
    held: usize,
    partitions: Vec<Partition>,
}

/// One chunk's entries, oldest first: files, then memory.
#[derive(Debug, Default)]
pub(super) struct Partition {
    files: Vec<StagedFile>,
    run: Run,
}

/// A file of so many entries, which goes with this value.
#[derive(Debug)]
struct StagedFile {
    pool: Arc<PoolShared>,
    path: String,
    count: usize,
}

/// Entries with the properties that they point into.
#[derive(Debug, Default, Clone)]
pub(super) struct Run {
    pub(super) entries: Vec<Entry>,
    pub(super) props: Vec<u8>,
}

impl Stage {
    pub(super) fn new(pool: &Arc<PoolShared>, budget: usize) -> Self {
        Self { pool: Arc::clone(pool), budget, held: 0, partitions: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.partitions.is_empty()
    }

    /// Stages a batch of edges by source.
    pub(super) fn add(&mut self, batch: &EdgeBatch) -> Result<(), Error> {
        for (nr, entry) in batch.entries.iter().enumerate() {
            let mut entry = *entry;
            let mut grown = size_of::<Entry>();
            let partition = self.partition(chunk_of(Vid(entry[0])));
            if entry[3] != NO_PROPS {
                let later = batch.entries[nr + 1..].iter().map(|next| next[3]).find(|at| *at != NO_PROPS);
                let end = later.map_or(batch.props.len(), |at| at as usize);
                let bytes = &batch.props.as_slice()[entry[3] as usize..end];
                entry[3] = partition.run.props.len() as u32;
                partition.run.props.extend_from_slice(bytes);
                grown += bytes.len();
            }
            partition.run.entries.push(entry);
            let full = partition.run.props.len() > MAX_PROPS_BYTES;
            self.held += grown;
            if full || self.held > self.budget {
                self.spill()?;
            }
        }
        Ok(())
    }

    /// Stages entries that have no properties, by their first number.
    pub(super) fn extend(&mut self, entries: &[Entry]) -> Result<(), Error> {
        for entry in entries {
            self.partition(entry[0] >> CHUNK_BITS).run.entries.push(*entry);
        }
        self.held += size_of_val(entries);
        if self.held > self.budget { self.spill() } else { Ok(()) }
    }

    fn partition(&mut self, chunk: u32) -> &mut Partition {
        let chunk = chunk as usize;
        if self.partitions.len() <= chunk {
            self.partitions.resize_with(chunk + 1, Partition::default);
        }
        &mut self.partitions[chunk]
    }

    /// Moves everything from memory to files.
    fn spill(&mut self) -> Result<(), Error> {
        for partition in self.partitions.iter_mut().filter(|p| !p.run.entries.is_empty()) {
            let run = std::mem::take(&mut partition.run);
            let path = format!("{}/tmp/{}", self.pool.prefix, self.pool.env.fresh_name());
            let mut file = self.pool.env.disk.create(&path).doing("created", &path)?;
            let staged =
                StagedFile { pool: Arc::clone(&self.pool), path: path.clone(), count: run.entries.len() };
            partition.files.push(staged);
            file.write_all(bytemuck::cast_slice(&run.entries)).doing("written", &path)?;
            file.write_all(&run.props).doing("written", &path)?;
        }
        self.held = 0;
        Ok(())
    }

    /// The chunks that have entries, and their entries.
    pub(super) fn take(&mut self) -> Vec<(u32, Partition)> {
        let partitions = std::mem::take(&mut self.partitions).into_iter().enumerate();
        let filled = partitions.filter(|(_, p)| !p.run.entries.is_empty() || !p.files.is_empty());
        filled.map(|(chunk, partition)| (chunk as u32, partition)).collect()
    }
}

impl Partition {
    /// All runs, oldest first. Removes the files.
    pub(super) fn into_runs(self) -> Result<Vec<Run>, Error> {
        let mut runs = self.files.into_iter().map(|file| file.read()).collect::<Result<Vec<_>, _>>()?;
        runs.push(self.run);
        Ok(runs)
    }
}

impl StagedFile {
    fn read(&self) -> Result<Run, Error> {
        let path = &self.path;
        let bytes = self.pool.env.disk.read(path).doing("read", path)?;
        let cut = || Error::corrupt(path, "a staged file is cut short");
        let (entries, props) = bytes.split_at_checked(self.count * size_of::<Entry>()).ok_or_else(cut)?;
        Ok(Run { entries: bytemuck::pod_collect_to_vec(entries), props: props.to_vec() })
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        // Best effort: what stays is removed when the pool is opened next.
        let _ = self.pool.env.disk.remove(&self.path);
    }
}
