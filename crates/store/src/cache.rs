//! Parts in memory: loaded when first needed, forgotten when the budget is short.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use arc_swap::ArcSwapOption;

use crate::delta::ShareRef;
use crate::error::{At, Error};
use crate::object::{ObjectRef, Objects};
use crate::part::{Part, PartKind};
use crate::sync::lock;

/// The memory budget that all graphs of a store share.
#[derive(Debug)]
pub(crate) struct Cache {
    budget: usize,
    resident: AtomicUsize,
    /// A clock (second-chance) over everything resident.
    clock: Mutex<VecDeque<Weak<dyn Evict>>>,
}

/// Something resident that can be let go.
trait Evict: Send + Sync + std::fmt::Debug {
    /// Whether it was used since the last round.
    fn take_used(&self) -> bool;
    /// Lets go; returns the bytes that this frees for the budget.
    fn evict(&self) -> usize;
}

impl Cache {
    pub(crate) fn new(budget: usize) -> Arc<Self> {
        Arc::new(Self { budget, resident: AtomicUsize::new(0), clock: Mutex::default() })
    }

    /// Bytes of parts in memory.
    pub(crate) fn resident(&self) -> usize {
        self.resident.load(Ordering::Relaxed)
    }

    fn admit(&self, newcomer: Weak<dyn Evict>, bytes: usize) {
        let mut clock = lock(&self.clock);
        self.resident.fetch_add(bytes, Ordering::Relaxed);
        // Two rounds at most: the first may only take the marks away.
        for _ in 0..2 * clock.len() {
            if self.resident() <= self.budget {
                break;
            }
            let Some(weak) = clock.pop_front() else { break };
            match weak.upgrade() {
                Some(slot) if slot.take_used() => clock.push_back(weak),
                Some(slot) => {
                    self.resident.fetch_sub(slot.evict(), Ordering::Relaxed);
                }
                None => {}
            }
        }
        clock.push_back(newcomer);
    }
}

/// Where a part comes from: a base object, and shares of deltas on top of it, oldest first.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) kind: PartKind,
    pub(crate) chunk: u32,
    pub(crate) base: Option<ObjectRef>,
    pub(crate) shares: Vec<ShareRef>,
}

/// One part of a chunk, resident or not.
pub(crate) struct Slot<P: Part> {
    source: Source,
    image: ArcSwapOption<P>,
    used: AtomicBool,
    bytes: AtomicUsize,
    /// An image from before the last shares, if it was in memory: cheaper to bring forward than
    /// to load. Its lock also makes threads that want the same part load it once.
    prior: Mutex<Option<(Arc<P>, usize)>>,
    cache: Arc<Cache>,
    me: Weak<Self>,
}

impl<P: Part> Slot<P> {
    pub(crate) fn new(source: Source, cache: &Arc<Cache>) -> Arc<Self> {
        Self::after(source, cache, None)
    }

    fn after(source: Source, cache: &Arc<Cache>, prior: Option<(Arc<P>, usize)>) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            source,
            image: ArcSwapOption::empty(),
            used: AtomicBool::new(false),
            bytes: AtomicUsize::new(0),
            prior: Mutex::new(prior),
            cache: Arc::clone(cache),
            me: Weak::clone(me),
        })
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// The same part with one more share on top; what is in memory is brought forward when it
    /// is next read.
    pub(crate) fn with_share(&self, share: ShareRef) -> Arc<Self> {
        let known = self.source.shares.len();
        let prior = self.image.load_full().map(|image| (image, known));
        let prior = prior.or_else(|| lock(&self.prior).clone());
        let mut source = self.source.clone();
        source.shares.push(share);
        Self::after(source, &self.cache, prior)
    }

    /// The same image under a new source (after a compaction wrote it down).
    pub(crate) fn moved_to(&self, source: Source) -> Arc<Self> {
        let known = source.shares.len();
        let prior = self.image.load_full().map(|image| (image, known));
        Self::after(source, &self.cache, prior)
    }

    /// The image; loads it if it is not in memory.
    pub(crate) fn get(&self, objects: &Objects) -> Result<arc_swap::Guard<Option<Arc<P>>>, Error> {
        let image = self.image.load();
        if image.is_some() {
            if !self.used.load(Ordering::Relaxed) {
                self.used.store(true, Ordering::Relaxed);
            }
            return Ok(image);
        }
        self.load(objects)?;
        let image = self.image.load();
        if image.is_some() {
            return Ok(image);
        }
        // Evicted between the two lines by a budget that does not even hold this part.
        Ok(arc_swap::Guard::from_inner(Some(self.build(objects, None)?)))
    }

    fn load(&self, objects: &Objects) -> Result<(), Error> {
        let mut prior = lock(&self.prior);
        if self.image.load().is_some() {
            return Ok(());
        }
        let image = self.build(objects, prior.clone())?;
        *prior = None;
        let bytes = image.as_bytes().len() + size_of::<Self>();
        self.image.store(Some(image));
        self.used.store(true, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
        drop(prior);
        let me: Weak<dyn Evict> = self.me.clone();
        self.cache.admit(me, bytes);
        Ok(())
    }

    fn build(&self, objects: &Objects, prior: Option<(Arc<P>, usize)>) -> Result<Arc<P>, Error> {
        let Source { kind, chunk, base, shares } = &self.source;
        let (mut image, known) = match (prior, base) {
            (Some(prior), _) => prior,
            (None, Some(base)) => {
                let path = objects.path(base.id);
                (Arc::new(P::parse(objects.get(*base)?, *kind).at(&path)?), 0)
            }
            (None, None) => (Arc::new(P::empty(*chunk, *kind).at("an empty chunk")?), 0),
        };
        for share in shares.iter().skip(known) {
            let bytes = share.read()?;
            image = Arc::new(image.apply(&bytes).at(&share.path())?);
        }
        Ok(image)
    }
}

impl<P: Part> Evict for Slot<P> {
    fn take_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }

    fn evict(&self) -> usize {
        self.image.store(None);
        self.bytes.swap(0, Ordering::Relaxed)
    }
}

impl<P: Part> Drop for Slot<P> {
    fn drop(&mut self) {
        let bytes = self.bytes.swap(0, Ordering::Relaxed);
        self.cache.resident.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl<P: Part> std::fmt::Debug for Slot<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot").field("source", &self.source).finish_non_exhaustive()
    }
}
