//! Manifests: the only truth about a graph. `graph/<id>/manifest/<20 digits>`, numbered, each
//! written once with create-if-absent; readers take the highest.
//!
//! A manifest is two lines: JSON, and the BLAKE3 hash of the first line.

use std::io;

use model::{Content, ElementKind, LabelId, Schema, Tally};
use serde::{Deserialize, Serialize};

use crate::disk::Env;
use crate::error::{Doing, Error};
use crate::log::timeline::write_new;
use crate::log::{LogRange, LogStart};
use crate::object::ObjectRef;

/// The format this program writes, and the newest it reads.
pub(crate) const FORMAT: u32 = 1;

/// A folded state, as it is written down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) format: u32,
    pub(crate) graph: String,
    pub(crate) number: u64,
    /// The graph is gone; older manifests are there for its backups only.
    pub(crate) removed: bool,
    /// The last commit that tree and deltas hold.
    pub(crate) lsn: u64,
    pub(crate) time_us: i64,
    pub(crate) tree: Option<ObjectRef>,
    /// Oldest first.
    pub(crate) deltas: Vec<ObjectRef>,
    /// Records of other timelines to replay first; filled by a restore, emptied by the next fold.
    pub(crate) replay: Vec<LogRange>,
    pub(crate) log: LogStart,
    pub(crate) next_vid: u32,
    pub(crate) schema: Schema,
    pub(crate) content: StoredContent,
}

/// [`Content`] with sums as hex, as JSON has no 128-bit numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredContent {
    vertices: StoredTally,
    edges: StoredTally,
    vertex_labels: Vec<(u16, StoredTally)>,
    edge_labels: Vec<(u16, StoredTally)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct StoredTally {
    count: u64,
    #[serde(with = "hex")]
    sum: u128,
}

mod hex {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(sum: &u128, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&format!("{sum:032x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<u128, D::Error> {
        let text = String::deserialize(input)?;
        u128::from_str_radix(&text, 16).map_err(serde::de::Error::custom)
    }
}

impl From<&Content> for StoredContent {
    fn from(content: &Content) -> Self {
        let stored = |tally: &Tally| StoredTally { count: tally.count, sum: tally.sum };
        let of = |wanted| {
            let labels = content.labels.iter().filter(move |((kind, _), _)| *kind == wanted);
            labels.map(|((_, label), tally)| (label.0, stored(tally))).collect()
        };
        Self {
            vertices: stored(&content.vertices),
            edges: stored(&content.edges),
            vertex_labels: of(ElementKind::Vertex),
            edge_labels: of(ElementKind::Edge),
        }
    }
}

impl From<&StoredContent> for Content {
    fn from(stored: &StoredContent) -> Self {
        let tally = |stored: &StoredTally| Tally { count: stored.count, sum: stored.sum };
        let of = |kind, labels: &[(u16, StoredTally)]| {
            labels.iter().map(move |(label, t)| ((kind, LabelId(*label)), tally(t))).collect::<Vec<_>>()
        };
        let vertex_labels = of(ElementKind::Vertex, &stored.vertex_labels);
        let edge_labels = of(ElementKind::Edge, &stored.edge_labels);
        Self {
            vertices: tally(&stored.vertices),
            edges: tally(&stored.edges),
            labels: vertex_labels.into_iter().chain(edge_labels).collect(),
        }
    }
}

/// The manifests of one graph.
#[derive(Debug, Clone)]
pub(crate) struct Manifests {
    env: Env,
    tmp: String,
    graph: String,
    dir: String,
}

impl Manifests {
    pub(crate) fn new(env: Env, pool: &str, graph: &str) -> Self {
        let dir = format!("{pool}/graph/{graph}/manifest");
        Self { env, tmp: format!("{pool}/tmp"), graph: graph.into(), dir }
    }

    fn path(&self, number: u64) -> String {
        format!("{}/{number:020}", self.dir)
    }

    /// The numbers there are, ascending.
    pub(crate) fn numbers(&self) -> Result<Vec<u64>, Error> {
        let names = self.env.disk.list(&self.dir).doing("listed", &self.dir)?;
        let mut numbers: Vec<u64> = names.iter().filter_map(|name| name.parse().ok()).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// The highest one.
    pub(crate) fn newest(&self) -> Result<Option<Manifest>, Error> {
        let mut missing = None;
        loop {
            let Some(number) = self.numbers()?.last().copied() else { return Ok(None) };
            match self.read(number) {
                // A newer one came, and this one went, between the listing and the reading.
                Err(Error::Corrupt { .. }) if missing != Some(number) => missing = Some(number),
                read => return read.map(Some),
            }
        }
    }

    pub(crate) fn read(&self, number: u64) -> Result<Manifest, Error> {
        let path = self.path(number);
        let bytes = match self.env.disk.read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::corrupt(path, "the manifest is missing"));
            }
            bytes => bytes.doing("read", &path)?,
        };
        let manifest: Manifest = read_checked(&bytes, &path)?;
        if manifest.number != number || manifest.graph != self.graph {
            return Err(Error::corrupt(path, "it is not the manifest that its name says"));
        }
        Ok(manifest)
    }

    /// Writes a manifest under its number, durably. Fails if the number is taken: then another
    /// writer owns the graph, and this one must stop.
    pub(crate) fn write(&self, manifest: &Manifest) -> Result<(), Error> {
        let path = self.path(manifest.number);
        match write_new(&self.env, &self.tmp, &path, &write_checked(manifest)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(Error::Fenced { graph: self.graph.clone(), number: manifest.number })
            }
            written => written.doing("written", &path),
        }
    }

    pub(crate) fn remove(&self, number: u64) -> Result<(), Error> {
        let path = self.path(number);
        self.env.disk.remove(&path).doing("removed", &path)
    }

    /// Makes removals durable.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        self.env.disk.sync_dir(&self.dir).doing("synced", &self.dir)
    }
}

/// JSON on one line and its hash on the next.
pub(crate) fn write_checked(value: &impl Serialize) -> Vec<u8> {
    // Strings, numbers and lists of them: serialising cannot fail.
    let mut bytes = serde_json::to_vec(value).unwrap_or_default();
    let hash = blake3::hash(&bytes).to_hex();
    bytes.push(b'\n');
    bytes.extend_from_slice(hash.as_bytes());
    bytes.push(b'\n');
    bytes
}

/// What every later format will have too.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

/// Reads what [`write_checked`] wrote, unless a newer version did.
pub(crate) fn read_checked<T: for<'de> Deserialize<'de>>(bytes: &[u8], path: &str) -> Result<T, Error> {
    let damaged = || Error::corrupt(path, "its first line does not have the hash in its second line");
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let (Some(json), Some(hash), Some([]), None) = (lines.next(), lines.next(), lines.next(), lines.next())
    else {
        return Err(damaged());
    };
    if blake3::hash(json).to_hex().as_bytes() != hash {
        return Err(damaged());
    }
    let damaged = |error: serde_json::Error| Error::corrupt(path, error);
    let Format { format } = serde_json::from_slice(json).map_err(damaged)?;
    if format > FORMAT {
        return Err(Error::TooNew { path: path.into(), found: format, known: FORMAT });
    }
    serde_json::from_slice(json).map_err(damaged)
}
