//! A deterministic outside world for tests: a disk in memory that forgets, on a crash, what was
//! not synced, and that can be told to fail; a clock that is set; random numbers from a seed.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
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

/// Of overwritten bytes a crash keeps or loses stretches of this size: smaller than any real
/// sector, so that also records of a few bytes are torn.
const SECTOR: usize = 64;

#[derive(Debug, Default)]
struct Bytes {
    live: Vec<u8>,
    durable: Vec<u8>,
    /// Stretches written since the last sync.
    dirty: Vec<Range<usize>>,
    /// Stretches that a failed sync marked clean without writing them: no later sync writes them
    /// either, unless they are cut off first.
    lost: Vec<Range<usize>>,
}

/// What goes wrong.
#[derive(Debug, Default, Clone)]
pub struct Faults {
    /// From this changing operation on, everything fails, as if the machine had stopped.
    pub stop_at: Option<u64>,
    /// The first sync from this operation on fails, once; what it should have made durable is
    /// lost for good.
    pub fail_sync_at: Option<u64>,
    /// Whether bytes that a failed sync lost can still be read until the next crash, as from the
    /// page cache of Linux, or are gone at once.
    pub lost_is_readable: bool,
    /// No more than this many bytes fit; of the write that reaches the limit, the first part does.
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
        entropy: Arc::new(SimEntropy::new(seed)),
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

impl SimEntropy {
    /// Random numbers that depend on `seed` alone.
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
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

    /// Loses power: what was not synced is gone, except that of each file some unsynced bytes, and
    /// of each directory some unsynced names, may have made it, as `kept` decides (0 none, 255
    /// all, else each name and each sector by itself). Ends all faults.
    pub fn crash(&self, kept: u8) {
        let mut files = lock(&self.0);
        files.faults = Faults::default();
        let Files { names, durable_names, .. } = &mut *files;
        let changed: Vec<String> = names
            .iter()
            .chain(durable_names.iter())
            .filter(|(path, _)| names.get(*path) != durable_names.get(*path))
            .filter(|(path, _)| fate(path, kept) < u32::from(kept))
            .map(|(path, _)| path.clone())
            .collect();
        for path in changed {
            match names.get(&path) {
                Some(nr) => durable_names.insert(path, *nr),
                None => durable_names.remove(&path),
            };
        }
        *names = durable_names.clone();
        for file in &mut files.files {
            file.lose_power(kept);
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
            let file = &mut files.files[nr];
            file.durable = file.live.clone();
            file.dirty.clear();
            file.lost.clear();
        }
    }

    /// Bytes of all files.
    pub fn size(&self) -> usize {
        let files = lock(&self.0);
        files.names.values().map(|nr| files.files[*nr].live.len()).sum()
    }
}

/// A number below 255 for a name: whether an unsynced change of it survives.
fn fate(path: &str, kept: u8) -> u32 {
    crc32c::crc32c_append(u32::from(kept), path.as_bytes()) % 255
}

impl Bytes {
    /// What is on the disk if everything that can be synced is.
    fn synced(&self) -> Vec<u8> {
        let mut bytes = self.live.clone();
        for at in self.lost.iter().cloned().flatten() {
            bytes[at] = self.durable.get(at).copied().unwrap_or(0);
        }
        bytes
    }

    /// Bytes behind the durable ones survive up to a point, overwritten ones sector by sector.
    fn lose_power(&mut self, kept: u8) {
        let all = self.synced();
        if all.len() >= self.durable.len() {
            let sectors = self.durable.chunks_mut(SECTOR).zip(all.chunks(SECTOR)).enumerate();
            for (nr, (durable, written)) in sectors {
                let survives = fate(&format!("{nr} of {}", all.len()), kept) < u32::from(kept);
                if survives {
                    durable.copy_from_slice(&written[..durable.len()]);
                }
            }
            let old = self.durable.len();
            let extra = (all.len() - old) * usize::from(kept) / 255;
            self.durable.extend_from_slice(&all[old..old + extra]);
        }
        self.live = self.durable.clone();
        self.dirty.clear();
        self.lost.clear();
    }

    /// As Linux does: the dirty pages are dropped, or stay readable, but are marked clean.
    fn lose_unsynced(&mut self, readable: bool) {
        let dirty = std::mem::take(&mut self.dirty);
        if readable {
            self.lost.extend(dirty);
        } else {
            self.live = self.durable.clone();
        }
    }

    fn write_at(&mut self, at: usize, bytes: &[u8]) {
        let end = at + bytes.len();
        if self.live.len() < end {
            self.live.resize(end, 0);
        }
        self.live[at..end].copy_from_slice(bytes);
        self.dirty.push(at..end);
    }

    fn truncate(&mut self, len: usize) {
        self.live.truncate(len);
        for ranges in [&mut self.lost, &mut self.dirty] {
            ranges.iter_mut().for_each(|range| range.end = range.end.min(len));
            ranges.retain(|range| !range.is_empty());
        }
    }
}

impl Files {
    /// Fails if this sync is the one to fail.
    fn fail_sync(&mut self) -> io::Result<()> {
        if self.faults.fail_sync_at.is_some_and(|at| self.operations >= at) {
            self.faults.fail_sync_at = None;
            return Err(io::Error::other("the disk could not sync"));
        }
        Ok(())
    }

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
        Ok(Box::new(SimFile { disk: self.clone(), nr, end: 0 }))
    }

    fn append(&self, path: &str) -> io::Result<Box<dyn File>> {
        let files = lock(&self.0);
        let nr = files.find(path)?;
        Ok(Box::new(SimFile { disk: self.clone(), nr, end: files.files[nr].live.len() }))
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
        files.fail_sync()?;
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
    end: usize,
}

impl SimFile {
    /// Writes as much as the disk has room for.
    fn write_at(&self, at: usize, bytes: &[u8]) -> io::Result<()> {
        let mut files = lock(&self.disk.0);
        files.operate()?;
        let room = files.faults.capacity.map_or(usize::MAX, |capacity| capacity.saturating_sub(files.used()));
        let file = &mut files.files[self.nr];
        let fits = bytes.len().min(room.saturating_add(file.live.len().saturating_sub(at)));
        file.write_at(at, &bytes[..fits]);
        if fits == bytes.len() { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }
}

impl File for SimFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_at(self.end, bytes)?;
        self.end += bytes.len();
        Ok(())
    }

    fn reserve(&mut self, len: u64) -> io::Result<()> {
        let present = lock(&self.disk.0).files[self.nr].live.len();
        let room = usize::try_from(len).unwrap_or(usize::MAX).saturating_sub(present);
        self.write_at(present, &vec![0; room])?;
        self.sync()
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut files = lock(&self.disk.0);
        files.operate()?;
        let synced = files.fail_sync();
        let readable = files.faults.lost_is_readable;
        let file = &mut files.files[self.nr];
        match &synced {
            Ok(()) => {
                file.durable = file.synced();
                file.dirty.clear();
            }
            Err(_) => file.lose_unsynced(readable),
        }
        synced
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        let mut files = lock(&self.disk.0);
        files.operate()?;
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        files.files[self.nr].truncate(len);
        self.end = self.end.min(len);
        Ok(())
    }
}
