use std::hash::Hasher;

use hashbrown::HashTable;
use model::{IdHash, Vid};
use rayon::prelude::*;
use rustc_hash::FxHasher;

use crate::error::Error;

/// The ids of the vertices that a load adds: one arena, and a table of numbers into it.
#[derive(Debug)]
pub(super) struct NewIds {
    first: Vid,
    table: HashTable<u32>,
    ends: Vec<usize>,
    arena: Vec<u8>,
}

impl Default for NewIds {
    fn default() -> Self {
        Self { first: Vid(0), table: HashTable::new(), ends: vec![0], arena: Vec::new() }
    }
}

impl NewIds {
    /// The number of the first new vertex. To be set before any is added.
    pub(super) fn start_at(&mut self, first: Vid) {
        self.first = first;
    }

    pub(super) fn first(&self) -> Vid {
        self.first
    }

    /// The number the next one gets.
    pub(super) fn next(&self) -> Vid {
        Vid(self.first.0 + self.len() as u32)
    }

    fn len(&self) -> usize {
        self.ends.len() - 1
    }

    fn get(&self, nr: usize) -> &[u8] {
        &self.arena[self.ends[nr]..self.ends[nr + 1]]
    }

    pub(super) fn find(&self, id: &str) -> Option<Vid> {
        let nr = self.table.find(hash(id.as_bytes()), |nr| self.get(*nr as usize) == id.as_bytes())?;
        Some(Vid(self.first.0 + nr))
    }

    /// Gives an id that is new a number.
    pub(super) fn push(&mut self, id: &str) -> Result<Vid, Error> {
        let vid = self.next();
        if vid.0 == u32::MAX {
            return Err(Error::TooMany { what: "vertices in its life", limit: u64::from(u32::MAX) });
        }
        let nr = self.len() as u32;
        self.arena.extend_from_slice(id.as_bytes());
        self.ends.push(self.arena.len());
        let Self { table, arena, ends, .. } = self;
        let rehash = |nr: &u32| hash(&arena[ends[*nr as usize]..ends[*nr as usize + 1]]);
        table.insert_unique(hash(id.as_bytes()), nr, rehash);
        Ok(vid)
    }

    fn id(&self, nr: usize) -> &str {
        // Only whole strings go in.
        std::str::from_utf8(self.get(nr)).unwrap_or_default()
    }

    /// All of them, by number.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Vid, &str)> {
        (0..self.len()).map(|nr| (Vid(self.first.0 + nr as u32), self.id(nr)))
    }

    /// The hashes of all of them, by number.
    pub(super) fn par_hashes(&self) -> impl IndexedParallelIterator<Item = IdHash> + '_ {
        (0..self.len()).into_par_iter().map(|nr| IdHash::of(self.id(nr)))
    }
}

fn hash(id: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(id);
    hasher.finish()
}
