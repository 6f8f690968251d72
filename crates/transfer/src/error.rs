use std::io;

use model::Kind;

use crate::metadata::{Contradiction, MetadataError};

/// Why an import or export ended. `Display` is fit for users: it names the path or the field.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages say it")]
pub enum Error {
    #[error("stopped on request")]
    Cancelled,
    #[error("one of [edgeset_path], [vertexset_path] and [schema_path] must be given")]
    NothingToImport,
    #[error("[{field}] is empty")]
    EmptyPath { field: &'static str },
    #[error("[edge_set_name], [vertex_set_name] and [schema_name] must differ: [{name}]")]
    SameName { name: String },
    #[error("[{field}]: there is no file at [{path}]")]
    NoFiles { field: &'static str, path: String },
    #[error("[{path}] has {size} bytes; a file has at most 5 GB")]
    FileTooLarge { path: String, size: u64 },
    #[error("[{path}] is named .gz but is not compressed with gzip")]
    NotGzip { path: String },
    #[error("[{path}] is damaged")]
    Damaged {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("[{path}] cannot be read")]
    Read {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("[{path}] cannot be written")]
    Write {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("none of the {lines} lines of [{path}] is good; the first: {reason}")]
    NoGoodLine { path: String, lines: u64, reason: String },
    #[error("[{path}]: {source}")]
    Metadata {
        path: String,
        #[source]
        source: Box<MetadataError>,
    },
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
    #[error("more than {limit} edges")]
    EdgeLimit { limit: u64 },
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Error {
    /// What the caller can do.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Cancelled => Kind::WrongState,
            Self::NoFiles { .. } => Kind::NotFound,
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => Kind::NotFound,
            Self::Read { .. } | Self::Write { .. } => Kind::Unavailable,
            Self::EdgeLimit { .. } => Kind::Quota,
            Self::Metadata { source, .. } => source.kind(),
            Self::Contradiction(error) => error.kind(),
            Self::Store(error) => error.kind(),
            _ => Kind::Invalid,
        }
    }

    pub(crate) fn read(path: &str, source: io::Error) -> Self {
        use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
        let path = path.into();
        match source.kind() {
            InvalidData | InvalidInput | UnexpectedEof => Self::Damaged { path, source },
            _ => Self::Read { path, source },
        }
    }

    pub(crate) fn write(path: &str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Write { path: path.into(), source }
    }
}
