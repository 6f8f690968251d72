//! Garbage collection: what no root needs, goes.
//!
//! # Promise
//! Nothing that a live manifest or a pin needs is removed, whatever crashes and whatever the
//! clock does. Roots are: the newest manifest of each graph, every pin with its manifest, what
//! snapshots in this process read, and trees that the log of a closed graph names and its
//! manifest does not know yet.
//!
//! # Order
//! 1. Mark: everything there is, less everything the roots reach. Nothing is held meanwhile.
//! 2. Sweep, in batches: with all builders of new objects kept out, roots that appeared since the
//!    mark are marked too, and a batch of what is still unreached is removed.
//!
//! While a bulk load is under way, no object is removed: nothing names those that it writes.
//!
//! Manifests go first, then objects: a crash in between leaves objects that nothing names.
//!
//! # The clock
//! It only decides when pins that were given an end expire, and how long log segments that no
//! root needs are kept in addition. It never makes anything reachable go.

use std::sync::RwLockWriteGuard;
use std::sync::atomic::Ordering;

use rustc_hash::FxHashSet;

use crate::error::{Doing, Error};
use crate::log::record::Op;
use crate::manifest::Manifest;
use crate::object::{ObjectId, ObjectRef, Objects};
use crate::pin::Pin;
use crate::pool::{Pool, PoolShared, check_name};
use crate::sync::{lock, write};
use crate::tree::Tree;

/// Objects removed per batch: builders wait for one batch at most.
const BATCH: usize = 64;

/// What a collection removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Collected {
    /// Objects, log segments and manifests.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What the roots reach.
#[derive(Debug, Default)]
struct Marked {
    roots: FxHashSet<(String, u64)>,
    trees: FxHashSet<ObjectId>,
    objects: FxHashSet<ObjectId>,
    /// Records to keep: timeline, first and last.
    records: Vec<(String, u64, u64)>,
}

impl Pool {
    /// Removes what nothing needs. May run at any time; of two at once one waits for the other.
    pub fn collect_garbage(&self) -> Result<Collected, Error> {
        let shared = &*self.shared;
        let _alone = lock(&shared.collecting);
        self.remove_expired_pins()?;
        let (chunks, deltas) = (&shared.stock.chunks, &shared.stock.deltas);
        let listed = [(chunks, chunks.list()?), (deltas, deltas.list()?)];
        let mut marked = Marked::default();
        if shared.mark(&self.root_graphs()?, &mut marked).is_err() {
            // Files may come and go meanwhile. The marks below, with others kept out, are what
            // counts; this one only makes them short.
            marked = Marked::default();
        }
        let mut collected = self.remove_manifests(&mut marked)?;
        for (objects, ids) in &listed {
            let unreached: Vec<_> = ids.iter().filter(|id| !marked.objects.contains(id)).collect();
            for batch in unreached.chunks(BATCH) {
                let Some(_alone) = shared.begin_sweep() else { break };
                shared.mark(&self.root_graphs()?, &mut marked)?;
                for id in batch.iter().filter(|id| !marked.objects.contains(id)) {
                    collected.bytes += objects.remove(**id)?;
                    collected.objects += 1;
                }
            }
        }
        self.remove_log(&mut marked, &mut collected)?;
        Ok(collected)
    }

    fn root_graphs(&self) -> Result<Vec<String>, Error> {
        let dir = format!("{}/graph", self.shared.prefix);
        let names = self.shared.env.disk.list(&dir).doing("listed", &dir)?;
        Ok(names.into_iter().filter(|name| check_name(name).is_ok()).collect())
    }

    fn remove_expired_pins(&self) -> Result<(), Error> {
        let now_us = self.shared.env.clock.now_us();
        for graph in self.root_graphs()? {
            let pins = self.shared.pins(&graph);
            for pin in pins.all()? {
                if pin.expires_us.is_some_and(|end| end < now_us) {
                    pins.remove(&pin.id)?;
                }
            }
        }
        Ok(())
    }

    /// Removes manifests that are neither a graph's newest nor pinned.
    fn remove_manifests(&self, marked: &mut Marked) -> Result<Collected, Error> {
        let _alone = write(&self.shared.sweeping);
        let graphs = self.root_graphs()?;
        self.shared.mark(&graphs, marked)?;
        let mut collected = Collected::default();
        for graph in graphs {
            let manifests = self.shared.manifests(&graph);
            let numbers = manifests.numbers()?;
            let Some(newest) = numbers.last() else { continue };
            let gone = manifests.read(*newest)?.removed && self.shared.pins(&graph).all()?.is_empty();
            let needed = |number: &u64| number == newest || marked.roots.contains(&(graph.clone(), *number));
            for number in numbers.iter().filter(|number| !needed(number)) {
                manifests.remove(*number)?;
                collected.objects += 1;
            }
            manifests.sync()?;
            // Last, or a crash could leave an older manifest as the newest: the graph would be back.
            if gone {
                manifests.remove(*newest)?;
                manifests.sync()?;
                collected.objects += 1;
            }
        }
        Ok(collected)
    }

    fn remove_log(&self, marked: &mut Marked, collected: &mut Collected) -> Result<(), Error> {
        let shared = &*self.shared;
        let oldest_us = shared.env.clock.now_us().saturating_sub(shared.settings.history_us);
        let dir = format!("{}/log", shared.prefix);
        let _alone = write(&shared.sweeping);
        shared.mark(&self.root_graphs()?, marked)?;
        for name in shared.env.disk.list(&dir).doing("listed", &dir)? {
            let timeline = shared.timeline(&name);
            for segment in timeline.segments()? {
                let mut needed = marked.records.iter().filter(|(timeline, ..)| *timeline == name);
                let needed = match segment.sealed {
                    Some(sealed) if sealed.last_us < oldest_us => {
                        needed.any(|(_, first, last)| *first <= sealed.last_lsn && segment.first_lsn <= *last)
                    }
                    Some(_) => true,
                    None => needed.next().is_some(),
                };
                if !needed {
                    collected.bytes += timeline.remove(&segment)?;
                    collected.objects += 1;
                }
            }
        }
        Ok(())
    }
}

impl PoolShared {
    /// Keeps builders of objects out. `None` while a bulk load is under way: any object may be its.
    fn begin_sweep(&self) -> Option<RwLockWriteGuard<'_, ()>> {
        // Asked before, so as not to wait for a load that is being committed, nor let others wait.
        let loading = || self.loads.load(Ordering::Relaxed) > 0;
        if loading() {
            return None;
        }
        Some(write(&self.sweeping)).filter(|_| !loading())
    }

    /// Marks what every root of `graphs` reaches, as far as it is not marked yet.
    fn mark(&self, graphs: &[String], marked: &mut Marked) -> Result<(), Error> {
        for generation in self.stock.in_use.all() {
            marked.objects.extend(generation.deltas.iter().map(|delta| delta.object().id));
            generation.tree_object.map_or(Ok(()), |tree| self.mark_tree(tree, marked))?;
        }
        for graph in graphs {
            let manifests = self.manifests(graph);
            let Some(newest) = manifests.numbers()?.last().copied() else { continue };
            for pin in self.pins(graph).all()? {
                // A backup that was restored into another graph leaves its own pin behind, so the
                // manifest is always found under the pin's graph.
                let manifest = manifests.read(pin.manifest)?;
                self.mark_manifest(&manifest, Some(&pin), marked)?;
            }
            let manifest = manifests.read(newest)?;
            if manifest.removed {
                marked.roots.insert((graph.clone(), newest));
                continue;
            }
            self.mark_manifest(&manifest, None, marked)?;
            if !lock(&self.open).contains(graph) {
                self.mark_loaded(&manifest, marked)?;
            }
        }
        Ok(())
    }

    fn mark_manifest(
        &self,
        manifest: &Manifest,
        pin: Option<&Pin>,
        marked: &mut Marked,
    ) -> Result<(), Error> {
        for range in &manifest.replay {
            marked.records.push((range.timeline.clone(), range.after_lsn + 1, range.last_lsn));
        }
        let last = pin.map_or(u64::MAX, |pin| pin.lsn);
        marked.records.push((manifest.log.timeline.clone(), manifest.log.first_lsn, last));
        if !marked.roots.insert((manifest.graph.clone(), manifest.number)) {
            return Ok(());
        }
        marked.objects.extend(manifest.deltas.iter().map(|delta| delta.id));
        manifest.tree.map_or(Ok(()), |tree| self.mark_tree(tree, marked))
    }

    fn mark_tree(&self, object: ObjectRef, marked: &mut Marked) -> Result<(), Error> {
        if !marked.trees.insert(object.id) {
            return Ok(());
        }
        let objects: &Objects = &self.stock.chunks;
        let tree = Tree::read(objects, object)?;
        marked.objects.insert(object.id);
        marked.objects.extend(Tree::pages(objects, object)?.iter().map(|page| page.id));
        marked.objects.extend(tree.chunks.iter().flatten().flatten().map(|part| part.object.id));
        marked.objects.extend(tree.ids.iter().map(|page| page.id));
        Ok(())
    }

    /// A bulk load whose record is in the log of a closed graph, and whose manifest a crash
    /// prevented. An open graph writes that manifest before anything else.
    fn mark_loaded(&self, manifest: &Manifest, marked: &mut Marked) -> Result<(), Error> {
        let mut trees = Vec::new();
        let timeline = self.timeline(&manifest.log.timeline);
        timeline.replay(manifest.log.first_lsn - 1, None, &mut |record, _| {
            trees.extend(record.ops.iter().filter_map(|op| match op {
                Op::Tree { tree } => Some(*tree),
                _ => None,
            }));
            Ok(())
        })?;
        trees.into_iter().try_for_each(|tree| self.mark_tree(tree, marked))
    }
}
