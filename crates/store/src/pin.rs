//! Pins: one small object each, naming a manifest and a commit of it. As long as a pin exists,
//! nothing that its state needs is removed. A backup is a pin.

use std::io;

use model::{ContentRoot, ElementKind};
use serde::{Deserialize, Serialize};

use crate::disk::Env;
use crate::error::{Doing, Error};
use crate::log::timeline::write_new;
use crate::manifest::{FORMAT, read_checked, write_checked};
use crate::state::GraphState;

/// Why a state is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PinKind {
    /// A backup that somebody asked for.
    Manual,
    /// A backup that a schedule asked for.
    Automatic,
    /// A backup that came from elsewhere.
    Imported,
    /// The state before a restore.
    Undo,
}

/// What to keep a state as.
#[derive(Debug, Clone)]
pub struct PinRequest {
    /// Unique in the graph; letters, digits, `-` and `_`.
    pub id: String,
    /// For people.
    pub name: String,
    /// Why.
    pub kind: PinKind,
    /// The user who asked.
    pub requested_by: String,
}

/// A kept state of a graph.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Pin {
    pub format: u32,
    pub id: String,
    /// The directory that it lives in: the graph's, or for an imported backup one of its own.
    pub graph: String,
    pub name: String,
    pub kind: PinKind,
    pub requested_by: String,
    /// The commit it keeps.
    pub lsn: u64,
    /// When that was pinned, in microseconds since 1970 UTC.
    pub time_us: i64,
    #[serde(with = "root_text")]
    pub root: ContentRoot,
    pub vertices: u64,
    pub edges: u64,
    pub labels: Vec<LabelCount>,
    /// Bytes of the deltas and the log that the state needs; what a first copy would add to the
    /// base's.
    pub stored_bytes: u64,
    /// When it goes by itself.
    pub expires_us: Option<i64>,
    /// The manifest that the state starts from, and the timeline of the records after it.
    pub manifest: u64,
    pub timeline: String,
}

/// How many elements carry a label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct LabelCount {
    pub of: LabelOf,
    pub name: String,
    pub count: u64,
}

/// What carries a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum LabelOf {
    Vertex,
    Edge,
}

mod root_text {
    use model::ContentRoot;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(root: &ContentRoot, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&root.to_string())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<ContentRoot, D::Error> {
        String::deserialize(input)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What stands in the name of the home of an imported backup, between graph and backup.
const IMPORT: &str = "_import_";

/// Where an imported backup lives: beside the graph that it is a backup of, as its manifest must
/// never be taken for the graph's own. No graph may have such a name.
pub(crate) fn import_home(graph: &str, pin: &str) -> String {
    format!("{graph}{IMPORT}{pin}")
}

/// The graph whose backups live in a directory: itself, or the one that it is a home beside.
pub(crate) fn owner_of(dir: &str) -> &str {
    dir.split_once(IMPORT).map_or(dir, |(graph, _)| graph)
}

impl Pin {
    /// The graph that it is a backup of.
    pub fn owner(&self) -> &str {
        owner_of(&self.graph)
    }

    /// Of a state that starts from manifest `manifest` of its graph.
    pub(crate) fn of(
        state: &GraphState,
        request: PinRequest,
        graph: &str,
        manifest: (u64, &str),
        stored_bytes: u64,
    ) -> Self {
        let labels = state.content.labels.iter().map(|((kind, label), tally)| LabelCount {
            of: if *kind == ElementKind::Vertex { LabelOf::Vertex } else { LabelOf::Edge },
            name: state.schema.label_name(*label).into(),
            count: tally.count,
        });
        Self {
            format: FORMAT,
            id: request.id,
            graph: graph.into(),
            name: request.name,
            kind: request.kind,
            requested_by: request.requested_by,
            lsn: state.lsn,
            time_us: state.time_us,
            root: state.content.root(),
            vertices: state.content.vertices.count,
            edges: state.content.edges.count,
            labels: labels.collect(),
            stored_bytes,
            expires_us: None,
            manifest: manifest.0,
            timeline: manifest.1.into(),
        }
    }
}

/// The pins of one graph.
#[derive(Debug, Clone)]
pub(crate) struct Pins {
    env: Env,
    tmp: String,
    graph: String,
    dir: String,
}

/// By time, then by commit.
pub(crate) fn sort(pins: &mut [Pin]) {
    pins.sort_by(|a, b| (a.time_us, a.lsn, &a.id).cmp(&(b.time_us, b.lsn, &b.id)));
}

impl Pins {
    pub(crate) fn new(env: Env, pool: &str, graph: &str) -> Self {
        let dir = format!("{pool}/graph/{graph}/pin");
        Self { env, tmp: format!("{pool}/tmp"), graph: graph.into(), dir }
    }

    /// All of them, by commit.
    pub(crate) fn all(&self) -> Result<Vec<Pin>, Error> {
        let names = self.env.disk.list(&self.dir).doing("listed", &self.dir)?;
        let mut pins = Vec::with_capacity(names.len());
        for name in names {
            match self.read(&name) {
                // It was removed since it was listed.
                Err(Error::NoPin { .. }) => {}
                pin => pins.push(pin?),
            }
        }
        sort(&mut pins);
        Ok(pins)
    }

    pub(crate) fn read(&self, id: &str) -> Result<Pin, Error> {
        let path = format!("{}/{id}", self.dir);
        let bytes = match self.env.disk.read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::NoPin { pin: id.into() });
            }
            bytes => bytes.doing("read", &path)?,
        };
        let pin: Pin = read_checked(&bytes, &path)?;
        if pin.id != id || pin.graph != self.graph {
            return Err(Error::corrupt(path, "it is not the backup that its name says"));
        }
        Ok(pin)
    }

    /// Writes a pin, durably and whole or not at all.
    pub(crate) fn write(&self, pin: &Pin) -> Result<(), Error> {
        let path = format!("{}/{}", self.dir, pin.id);
        match write_new(&self.env, &self.tmp, &path, &write_checked(pin)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(Error::PinExists { pin: pin.id.clone() })
            }
            written => written.doing("written", &path),
        }
    }

    pub(crate) fn remove(&self, id: &str) -> Result<(), Error> {
        let path = format!("{}/{id}", self.dir);
        match self.env.disk.remove(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::NoPin { pin: id.into() }),
            removed => {
                removed.doing("removed", &path)?;
                self.env.disk.sync_dir(&self.dir).doing("synced", &self.dir)
            }
        }
    }
}
