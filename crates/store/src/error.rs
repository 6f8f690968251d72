use std::io;

use model::{DecodeError, Kind, SchemaError, TextError};

/// What the store refuses or cannot do. `Display` is fit for users: it names the thing, never
/// more of the machine than the object's place inside the data directory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages say it")]
pub enum Error {
    #[error("graph [{graph}] does not exist")]
    NoGraph { graph: String },
    #[error("graph [{graph}] already exists")]
    GraphExists { graph: String },
    #[error("graph [{graph}] is open")]
    GraphOpen { graph: String },
    #[error("graph [{graph}] is closed")]
    GraphClosed { graph: String },
    #[error("graph [{graph}] is being loaded and takes no other writes")]
    GraphLoading { graph: String },
    #[error("backup [{pin}] does not exist")]
    NoPin { pin: String },
    #[error("backup [{pin}] already exists")]
    PinExists { pin: String },
    #[error("name [{name}] is not legal: 1 to 128 letters, digits, '-' or '_'")]
    Name { name: String },
    #[error("vertex [{id}] already exists")]
    VertexExists { id: String },
    #[error("vertex #{vid} does not exist")]
    NoVertex { vid: u32 },
    #[error("edge #{edge_source}-#{edge_target} of rank {rank} does not exist")]
    NoEdge { edge_source: u32, edge_target: u32, rank: u32 },
    #[error("a vertex id has 1 to 4096 bytes, not {len}")]
    IdLength { len: usize },
    #[error(transparent)]
    Schema(#[from] SchemaError),
    #[error(transparent)]
    Text(#[from] TextError),
    #[error("a graph has at most {limit} {what}")]
    TooMany { what: &'static str, limit: u64 },
    #[error("{path}: {reason}")]
    Corrupt { path: String, reason: String },
    #[error("{path}: written by a newer version (format {found}, this one reads up to {known})")]
    TooNew { path: String, found: u32, known: u32 },
    #[error("{path} cannot be {action}")]
    Disk {
        path: String,
        action: &'static str,
        #[source]
        source: io::Error,
    },
    #[error(
        "the log could not be written, so the graph takes no more writes until it is restarted: {reason}"
    )]
    LogFailed { reason: String },
    #[error("the restored content {found} is not the backup's {expected}")]
    RootMismatch { expected: String, found: String },
    #[error("the folder holds another backup, [{backup}]; choose a folder of its own")]
    ShelfTaken { backup: String },
    #[error("interrupted")]
    Interrupted,
    #[error("graph [{graph}] got manifest {number} from another writer")]
    Fenced { graph: String, number: u64 },
}

impl Error {
    /// What the caller can do.
    pub fn kind(&self) -> Kind {
        match self {
            Self::NoGraph { .. } | Self::NoPin { .. } | Self::NoVertex { .. } | Self::NoEdge { .. } => {
                Kind::NotFound
            }
            Self::GraphExists { .. } | Self::PinExists { .. } | Self::VertexExists { .. } => Kind::Conflict,
            Self::GraphOpen { .. } | Self::GraphClosed { .. } | Self::GraphLoading { .. } => Kind::WrongState,
            Self::Name { .. } | Self::IdLength { .. } | Self::Text(_) => Kind::Invalid,
            Self::Schema(error) => error.kind(),
            Self::TooMany { .. } => Kind::Quota,
            Self::Corrupt { .. } | Self::RootMismatch { .. } | Self::TooNew { .. } => Kind::Corrupt,
            Self::Disk { .. } | Self::LogFailed { .. } | Self::Interrupted => Kind::Unavailable,
            Self::Fenced { .. } | Self::ShelfTaken { .. } => Kind::Conflict,
        }
    }

    pub(crate) fn corrupt(path: impl Into<String>, reason: impl ToString) -> Self {
        Self::Corrupt { path: path.into(), reason: reason.to_string() }
    }
}

/// Bytes that passed their checksum and still do not decode, with the place they came from.
pub(crate) trait At<T> {
    fn at(self, path: &str) -> Result<T, Error>;
}

impl<T> At<T> for Result<T, DecodeError> {
    fn at(self, path: &str) -> Result<T, Error> {
        self.map_err(|error| Error::corrupt(path, error))
    }
}

/// An I/O error, with the file and what was to be done to it.
pub(crate) trait Doing<T> {
    fn doing(self, action: &'static str, path: &str) -> Result<T, Error>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, action: &'static str, path: &str) -> Result<T, Error> {
        self.map_err(|source| Error::Disk { path: path.into(), action, source })
    }
}
