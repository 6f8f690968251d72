//! A deterministic outside world for tests: a disk in memory that forgets, on a crash, what was
//! not synced, and that can be told to fail; a clock that is set; random numbers from a seed.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::disk::{Clock, Disk, Entropy, Env, File, parent};
use crate::sync::lock;

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct SimClock(AtomicI64);

/// SplitMix64 (Steele, Lea and Flood, 2014) from a seed.
#[derive(Debug)]
pub struct SimEntropy(AtomicU64);

/// A disk in memory.
#[derive(Debug, Default, Clone)]
pub struct SimDisk(Arc<Mutex<Files>>);

#[derive(Debug, Default)]
struct Files {
    /// What programs see: names of files.
    names: BTreeMap<String, usize>,
    /// Names that a crash would leave.
    durable_names: BTreeMap<String, usize>,
    files: Vec<Bytes>,
    faults: Faults,
    /// Changing operations so far.
    operations: u64,
}

#[derive(Debug, Default)]
struct Bytes {
    live: Vec<u8>,
    durable: Vec<u8>,
}

/// What goes wrong.
#[derive(Debug, Default, Clone)]
pub struct Faults {
    /// From this changing operation on, everything fails, as if the machine had stopped.
    pub stop_at: Option<u64>,
    /// This sync fails once; what it should have made durable is lost for good.
    pub fail_sync_at: Option<u64>,
    /// No more than this many bytes fit.
    pub capacity: Option<usize>,
}

/// A simulated world from a seed; its disk is shared by all clones of the result.
pub fn env(seed: u64) -> (Env, SimDisk) {
    let disk = SimDisk::default();
    (env_on(&disk, seed), disk)
}

/// A simulated world around a disk that may hold something already.
pub fn env_on(disk: &SimDisk, seed: u64) -> Env {
    Env {
        disk: Arc::new(disk.clone()),
        clock: Arc::new(SimClock::new(1_700_000_000_000_000)),
        entropy: Arc::new(SimEntropy(AtomicU64::new(seed))),
    }
}

impl SimClock {
    /// A clock at an instant, in microseconds since 1970 UTC.
    pub fn new(now_us: i64) -> Self {
        Self(AtomicI64::new(now_us))
    }

    /// Moves it, forwards or backwards.
    pub fn set(&self, now_us: i64) {
        self.0.store(now_us, Ordering::Relaxed);
    }
}

impl Clock for SimClock {
    fn now_us(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Entropy for SimEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(z ^ (z >> 31)).to_le_bytes()[..chunk.len()]);
        }
    }
}

impl SimDisk {
    /// Changing operations (writes, syncs, names) so far; points at which a crash can be put.
    pub fn operations(&self) -> u64 {
        lock(&self.0).operations
    }

    /// Changes what goes wrong.
    pub fn set_faults(&self, faults: Faults) {
        lock(&self.0).faults = faults;
    }

    /// Loses power: what was not synced is gone, except that of each file some unsynced bytes may
    /// have made it, as `kept` decides (0 none, 255 all). Ends all faults.
    pub fn crash(&self, kept: u8) {
        let mut files = lock(&self.0);
        files.names = files.durable_names.clone();
        files.faults = Faults::default();
        for file in &mut files.files {
            let extra = file.live.len().saturating_sub(file.durable.len()) * usize::from(kept) / 255;
            if file.live.starts_with(&file.durable) {
                file.durable = file.live[..file.durable.len() + extra].to_vec();
            }
            file.live = file.durable.clone();
        }
    }

    /// The names of all files.
    pub fn paths(&self) -> Vec<String> {
        lock(&self.0).names.keys().cloned().collect()
    }

    /// Changes a file behind the store's back, durably. Does nothing if there is no such file.
    pub fn tamper(&self, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut files = lock(&self.0);
        if let Some(nr) = files.names.get(path).copied() {
            change(&mut files.files[nr].live);
            files.files[nr].durable = files.files[nr].live.clone();
        }
    }

    /// Bytes of all files.
    pub fn size(&self) -> usize {
        let files = lock(&self.0);
        files.names.values().map(|nr| files.files[*nr].live.len()).sum()
    }
}

impl Files {
    /// Counts a changing operation; fails if the machine has stopped.
    fn operate(&mut self) -> io::Result<()> {
        self.operations += 1;
        if self.faults.stop_at.is_some_and(|at| self.operations >= at) {
            return Err(io::Error::other("the machine has stopped"));
        }
        Ok(())
    }

    fn find(&self, path: &str) -> io::Result<usize> {
        self.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn used(&self) -> usize {
        self.names.values().map(|nr| self.files[*nr].live.len()).sum()
    }
}

impl Disk for SimDisk {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let files = lock(&self.0);
        Ok(files.files[files.find(path)?].live.clone())
    }

    fn read_at(&self, path: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let files = lock(&self.0);
        let bytes = &files.files[files.find(path)?].live;
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let stretch = bytes.get(start..start.saturating_add(len));
        stretch.map(<[u8]>::to_vec).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        let files = lock(&self.0);
        let mut names: Vec<String> = files
            .names
            .keys()
            .filter_map(|path| path.strip_prefix(dir)?.strip_prefix('/'))
            .filter_map(|rest| rest.split('/').next().map(String::from))
            .collect();
        names.dedup();
        Ok(names)
    }

    fn create(&self, path: &str) -> io::Result<Box<dyn File>> {
        let mut files = lock(&self.0);
        files.operate()?;
        if files.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let nr = files.files.len();
        files.files.push(Bytes::default());
        files.names.insert(path.into(), nr);
        Ok(Box::new(SimFile { disk: self.clone(), nr }))
    }

    fn append(&self, path: &str) -> io::Result<Box<dyn File>> {
        let nr = lock(&self.0).find(path)?;
        Ok(Box::new(SimFile { disk: self.clone(), nr }))
    }

    fn publish(&self, from: &str, to: &str) -> io::Result<()> {
        let mut files = lock(&self.0);
        files.operate()?;
        let nr = files.find(from)?;
        if files.names.contains_key(to) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        files.names.remove(from);
        files.names.insert(to.into(), nr);
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut files = lock(&self.0);
        files.operate()?;
        files.find(path)?;
        files.names.remove(path);
        Ok(())
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        let mut files = lock(&self.0);
        files.operate()?;
        let Files { names, durable_names, .. } = &mut *files;
        durable_names.retain(|path, _| parent(path) != dir || names.contains_key(path));
        let here = names.iter().filter(|(path, _)| parent(path) == dir);
        durable_names.extend(here.map(|(path, nr)| (path.clone(), *nr)));
        Ok(())
    }

    fn len(&self, path: &str) -> io::Result<u64> {
        let files = lock(&self.0);
        Ok(files.files[files.find(path)?].live.len() as u64)
    }
}

struct SimFile {
    disk: SimDisk,
    nr: usize,
}

impl File for SimFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut files = lock(&self.disk.0);
        files.operate()?;
        if files.faults.capacity.is_some_and(|capacity| files.used() + bytes.len() > capacity) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        files.files[self.nr].live.extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut files = lock(&self.disk.0);
        files.operate()?;
        if files.faults.fail_sync_at.is_some_and(|at| files.operations >= at) {
            files.faults.fail_sync_at = None;
            // As Linux does: the dirty pages are dropped and marked clean.
            let file = &mut files.files[self.nr];
            file.live = file.durable.clone();
            return Err(io::Error::other("the disk could not sync"));
        }
        let file = &mut files.files[self.nr];
        file.durable = file.live.clone();
        Ok(())
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        let mut files = lock(&self.disk.0);
        files.operate()?;
        files.files[self.nr].live.truncate(usize::try_from(len).unwrap_or(usize::MAX));
        Ok(())
    }
}
