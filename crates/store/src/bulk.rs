//! Bulk load: vertices and edges go straight into parts of a new tree.
//!
//! # Promise
//! All or nothing: until the one record that names the new tree is durable in the log, the graph
//! is what it was. Readers go on; other writes are refused meanwhile.
//!
//! # Order
//! 1. Writers are kept out and the graph is folded, so that one generation is the whole graph.
//! 2. Rows are built as they come. Edges are staged by the chunk of their source; what does not
//!    fit the memory budget goes to files in `tmp/`.
//! 3. Out-edges are built chunk by chunk, which gives each edge its rank; in-edges follow.
//! 4. Parts, pages and tree are synced; the log gets one record with the tree's name; then
//!    manifest n+1 names it too.
//!
//! # After a crash
//! Before the record: objects that nothing names, and staged files that the next opening of the
//! pool removes.
//! After it: recovery takes the tree from the log.
//!
//! # Memory
//! The ids of new vertices and 16 bytes for each vertex stay in memory; everything else is bounded
//! by [`BulkOptions::memory_bytes`] and the largest chunk.

mod edges;
mod ids;
mod stage;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use model::{Content, IdHash, MAX_ID_BYTES, RecordHash, Schema, VertexRecord, Vid};
use rayon::prelude::*;
use rustc_hash::FxHashMap;

pub use stage::EdgeBatch;

use self::ids::NewIds;
use self::stage::Stage;
use crate::error::{At, Error};
use crate::fold::compact::{all_ids, is_folded, write_ids};
use crate::generation::Generation;
use crate::graph::{Graph, Mode};
use crate::object::ObjectRef;
use crate::part::ids::hash_id;
use crate::part::rows::Rows;
use crate::part::{CHUNK_SLOTS, Part, PartKind, chunk_of, slot_of, vid_at};
use crate::state::GraphState;
use crate::sync::{lock, read};
use crate::transaction::Transaction;
use crate::tree::{PartRef, Tree};

/// What to do with edges that have the same ends, or the same ends and label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ParallelEdges {
    /// Keep all.
    #[default]
    Allow,
    /// Keep the one that was there first.
    Ignore {
        /// Whether edges of different labels are different.
        by_label: bool,
    },
    /// Keep the one that came last.
    Override {
        /// Whether edges of different labels are different.
        by_label: bool,
    },
}

/// How to load.
#[derive(Debug, Clone)]
pub struct BulkOptions {
    /// What to do with parallel edges.
    pub parallel: ParallelEdges,
    /// Memory for staged edges; more than this waits on disk.
    pub memory_bytes: usize,
}

impl Default for BulkOptions {
    fn default() -> Self {
        Self { parallel: ParallelEdges::Allow, memory_bytes: 512 << 20 }
    }
}

/// What a load did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Vertices with a new id.
    pub vertices_added: u64,
    /// Rows that took the place of an earlier one of the same id.
    pub vertices_replaced: u64,
    /// Edges that are in the graph now.
    pub edges_added: u64,
    /// Edges, given or there before, that gave way to a parallel one.
    pub edges_dropped: u64,
}

/// A load that is under way. Dropping it leaves the graph as it was.
pub struct BulkLoad {
    graph: Graph,
    /// The graph before the load, wholly folded.
    base: Arc<GraphState>,
    schema: Schema,
    options: BulkOptions,
    content: Content,
    new_ids: NewIds,
    /// Rows of the last chunk, which is not full yet.
    open_rows: Vec<Option<VertexRecord>>,
    /// Chunks of rows that are written.
    rows: FxHashMap<u32, ObjectRef>,
    /// Rows that replace earlier ones; applied at the end.
    replaced: FxHashMap<Vid, VertexRecord>,
    edges: Stage,
    loaded: Loaded,
}

impl BulkLoad {
    pub(crate) fn start(graph: &Graph, options: BulkOptions) -> Result<Self, Error> {
        let shared = &graph.shared;
        shared.writer_in(Mode::Open)?.mode = Mode::Loading;
        // With a collection kept out: the next batch of its sweep sees the number.
        let kept = read(&shared.pool.sweeping);
        shared.pool.loads.fetch_add(1, Ordering::Relaxed);
        drop(kept);
        let mut load = Self {
            graph: graph.clone(),
            base: shared.published.load_full(),
            schema: Schema::clone(&shared.published.load().schema),
            edges: Stage::new(&shared.pool, options.memory_bytes),
            options,
            content: Content::default(),
            new_ids: NewIds::default(),
            open_rows: Vec::new(),
            rows: FxHashMap::default(),
            replaced: FxHashMap::default(),
            loaded: Loaded::default(),
        };
        // From here on a failure drops the load, which lets writers in again.
        graph.fold()?;
        load.base = shared.published.load_full();
        load.schema = Schema::clone(&load.base.schema);
        load.content = load.base.content.clone();
        debug_assert!(is_folded(&load.base));
        let first = load.base.generation.tree.next_vid.max(load.base.next_vid);
        load.new_ids.start_at(Vid(first));
        load.open_rows = load.rows_before(chunk_of(Vid(first)), slot_of(Vid(first)))?;
        Ok(load)
    }

    /// The rows that share a chunk with the first new vertex.
    fn rows_before(&self, chunk: u32, slots: usize) -> Result<Vec<Option<VertexRecord>>, Error> {
        (0..slots).map(|slot| self.base.vertex(vid_at(chunk, slot))).collect()
    }

    /// Labels and property keys.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// To add labels and keys before their numbers are used. Part of the load: it comes or goes
    /// with it.
    pub fn schema_mut(&mut self) -> &mut Schema {
        &mut self.schema
    }

    /// The vertex with an id, in this load or in the graph. May be called from many threads.
    pub fn find(&self, id: &str) -> Result<Option<Vid>, Error> {
        match self.new_ids.find(id) {
            Some(vid) => Ok(Some(vid)),
            None if self.base.next_vid == 0 => Ok(None),
            None => self.base.vertex_by_id(id),
        }
    }

    /// Adds vertices. Of rows with the same id, in the graph or here, the last one counts.
    pub fn add_vertices(&mut self, vertices: Vec<VertexRecord>) -> Result<(), Error> {
        for mut vertex in vertices {
            if vertex.id.is_empty() || vertex.id.len() > MAX_ID_BYTES {
                return Err(Error::IdLength { len: vertex.id.len() });
            }
            vertex.labels.sort_unstable();
            vertex.labels.dedup();
            match self.find(&vertex.id)? {
                Some(vid) => self.replace(vid, vertex)?,
                None => self.append(vertex)?,
            }
        }
        Ok(())
    }

    fn append(&mut self, vertex: VertexRecord) -> Result<(), Error> {
        let vid = self.new_ids.push(&vertex.id)?;
        self.content.add_vertex(&vertex.labels, RecordHash::of_vertex(&vertex, &self.schema));
        self.loaded.vertices_added += 1;
        self.open_rows.push(Some(vertex));
        if self.open_rows.len() == CHUNK_SLOTS {
            let rows = std::mem::take(&mut self.open_rows);
            self.write_rows(chunk_of(vid), &rows)?;
        }
        Ok(())
    }

    fn replace(&mut self, vid: Vid, vertex: VertexRecord) -> Result<(), Error> {
        let before = self.row(vid)?.ok_or(Error::NoVertex { vid: vid.0 })?;
        self.content.remove_vertex(&before.labels, RecordHash::of_vertex(&before, &self.schema));
        self.content.add_vertex(&vertex.labels, RecordHash::of_vertex(&vertex, &self.schema));
        self.loaded.vertices_replaced += 1;
        self.replaced.insert(vid, vertex);
        Ok(())
    }

    /// A row as it stands so far.
    fn row(&self, vid: Vid) -> Result<Option<VertexRecord>, Error> {
        if let Some(row) = self.replaced.get(&vid) {
            return Ok(Some(row.clone()));
        }
        let chunk = chunk_of(vid);
        if let Some(object) = self.rows.get(&chunk) {
            return Ok(self.read_rows(*object)?.get(slot_of(vid)));
        }
        if chunk == self.open_chunk() && slot_of(vid) < self.open_rows.len() {
            return Ok(self.open_rows[slot_of(vid)].clone());
        }
        self.base.vertex(vid)
    }

    /// The chunk that takes the next new vertex.
    fn open_chunk(&self) -> u32 {
        chunk_of(self.new_ids.next())
    }

    fn read_rows(&self, object: ObjectRef) -> Result<Rows, Error> {
        let objects = &self.graph.shared.pool.stock.chunks;
        Rows::parse(objects.get(object)?, PartKind::Rows).at(&objects.path(object.id))
    }

    fn write_rows(&mut self, chunk: u32, rows: &[Option<VertexRecord>]) -> Result<(), Error> {
        let objects = &self.graph.shared.pool.stock.chunks;
        let object = objects.put(Rows::build(rows).at("a chunk of rows")?.as_slice())?;
        self.rows.insert(chunk, object);
        Ok(())
    }

    /// Adds edges. Their order counts when parallel edges give way to one another.
    pub fn add_edges(&mut self, edges: &EdgeBatch) -> Result<(), Error> {
        self.edges.add(edges)
    }

    /// Makes the load part of the graph, durably.
    pub fn commit(mut self) -> Result<Loaded, Error> {
        let graph = self.graph.clone();
        let _kept = read(&graph.shared.pool.sweeping);
        let lsn = self.base.lsn + 1;
        self.finish_rows()?;
        let hashes = self.id_hashes()?;
        let built = edges::build(&mut self, &hashes)?;
        let mut tree = self.new_tree(lsn, &built)?;
        let generation = &self.base.generation;
        let mut entries = all_ids(generation)?;
        entries.extend(self.new_ids.iter().map(|(vid, id)| (hash_id(id), vid)));
        write_ids(generation, entries, &mut tree)?;
        tree.ids_lsn = lsn;
        self.finish(&tree)?;
        Ok(self.loaded)
    }

    /// Drops what was given and empties the graph.
    pub(crate) fn commit_empty(mut self, clear_schema: bool) -> Result<(), Error> {
        let graph = self.graph.clone();
        let _kept = read(&graph.shared.pool.sweeping);
        self.content = Content::default();
        if clear_schema {
            self.schema = Schema::new(self.schema.mode());
        }
        // Numbers are never used twice, not even by a graph that was emptied.
        let tree = Tree { next_vid: self.base.next_vid, ids_lsn: self.base.lsn + 1, ..Tree::default() };
        self.finish(&tree)
    }

    /// Writes the last chunk and the chunks with replaced rows.
    fn finish_rows(&mut self) -> Result<(), Error> {
        if self.loaded.vertices_added > 0 && !self.open_rows.is_empty() {
            let rows = std::mem::take(&mut self.open_rows);
            self.write_rows(self.open_chunk(), &rows)?;
        }
        let mut replaced: Vec<_> = std::mem::take(&mut self.replaced).into_iter().collect();
        replaced.sort_unstable_by_key(|(vid, _)| *vid);
        for rows in replaced.chunk_by(|(a, _), (b, _)| chunk_of(*a) == chunk_of(*b)) {
            let chunk = chunk_of(rows[0].0);
            let mut records = match self.rows.get(&chunk) {
                Some(object) => self.read_rows(*object)?.to_records(),
                None => self.rows_before(chunk, CHUNK_SLOTS)?,
            };
            for (vid, row) in rows {
                records[slot_of(*vid)] = Some(row.clone());
            }
            let used = records.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
            self.write_rows(chunk, &records[..used])?;
        }
        Ok(())
    }

    /// The hash of every vertex id, by number: edges are hashed by the ids of their ends.
    fn id_hashes(&self) -> Result<Vec<IdHash>, Error> {
        let nothing = IdHash([0; 16]);
        if self.edges.is_empty() {
            return Ok(Vec::new());
        }
        let first = self.new_ids.first().0;
        let old = (0..first).into_par_iter().map(|vid| {
            let id = self.base.vertex_id(Vid(vid))?;
            Ok(id.map_or(nothing, |id| IdHash::of(&id)))
        });
        let mut hashes = old.collect::<Result<Vec<_>, Error>>()?;
        hashes.par_extend(self.new_ids.par_hashes());
        Ok(hashes)
    }

    /// The tree after the load. Parts that it does not touch are taken over, after a rewrite if
    /// deltas lie on them: a tree that the log names stands without deltas.
    fn new_tree(&self, lsn: u64, built: &edges::Built) -> Result<Tree, Error> {
        let generation = &*self.base.generation;
        let next_vid = self.new_ids.next().0;
        let count = next_vid.div_ceil(CHUNK_SLOTS as u32).max(generation.chunks.len() as u32);
        let chunks = (0..count).into_par_iter().map(|nr| {
            let fresh = |object: Option<&ObjectRef>| object.map(|object| PartRef { object: *object, lsn });
            let Some(chunk) = generation.chunks.get(nr as usize) else {
                return Ok([
                    fresh(self.rows.get(&nr)),
                    fresh(built.out.get(&nr)),
                    fresh(built.into.get(&nr)),
                ]);
            };
            Ok([
                fresh(self.rows.get(&nr))
                    .map_or_else(|| keep(generation, &chunk.rows, lsn), |p| Ok(Some(p)))?,
                fresh(built.out.get(&nr))
                    .map_or_else(|| keep(generation, &chunk.out, lsn), |p| Ok(Some(p)))?,
                fresh(built.into.get(&nr))
                    .map_or_else(|| keep(generation, &chunk.into, lsn), |p| Ok(Some(p)))?,
            ])
        });
        Ok(Tree { next_vid, chunks: chunks.collect::<Result<_, Error>>()?, ..Tree::default() })
    }

    /// Writes the tree, logs it, and writes the manifest.
    fn finish(&mut self, tree: &Tree) -> Result<(), Error> {
        let shared = Arc::clone(&self.graph.shared);
        let objects = &shared.pool.stock.chunks;
        let tree_object = tree.write(objects)?;
        objects.sync()?;
        // A compaction that is under way must be over: it would put the old tree back.
        let mut folding = lock(&shared.folding);
        let mut writer = shared.writer_in(Mode::Loading)?;
        let mut state = GraphState::clone(&writer.head);
        let mut transaction = Transaction::new(&mut state);
        transaction.set_tree(tree_object, &self.content, self.schema.clone())?;
        let Some(payload) = transaction.finish(shared.pool.env.clock.now_us()) else { return Ok(()) };
        lock(&shared.folded).behind = true;
        let (lsn, state) = (state.lsn, Arc::new(state));
        shared.log.append(payload, &state)?;
        writer.head = Arc::clone(&state);
        shared.log.wait_durable(lsn, &shared.published)?;
        writer.mode = Mode::Open;
        drop(writer);
        // The load is durable, so it has succeeded. A manifest that cannot be written now is
        // written by the next fold, which is due until then.
        let _ = self.graph.fold_once(&mut folding);
        Ok(())
    }
}

/// A part as the new tree names it.
fn keep<P: Part>(
    generation: &Generation,
    slot: &crate::cache::Slot<P>,
    lsn: u64,
) -> Result<Option<PartRef>, Error> {
    let source = slot.source();
    if source.shares.is_empty() {
        return Ok(source.base.map(|object| PartRef { object, lsn }));
    }
    let objects = &generation.stock.chunks;
    let image = slot.get(objects)?;
    let written = image.as_deref().map(|image| objects.put(image.as_bytes())).transpose()?;
    Ok(written.map(|object| PartRef { object, lsn }))
}

impl Drop for BulkLoad {
    fn drop(&mut self) {
        self.graph.shared.pool.loads.fetch_sub(1, Ordering::Relaxed);
        let mut writer = lock(&self.graph.shared.writer);
        if writer.mode == Mode::Loading {
            writer.mode = Mode::Open;
        }
    }
}
