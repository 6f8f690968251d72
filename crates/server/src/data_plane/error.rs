//! What the data plane refuses, and the one table that says with which code.

use model::{Kind, SchemaError};

/// What was asked for. Most refusals carry the code of the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Summary,
    Version,
    ReadSchema,
    ChangeSchema,
    QueryVertices,
    ChangeVertices,
    VertexProperties,
    AddVertexLabel,
    RemoveVertexLabel,
    EdgeDetail,
    QueryEdges,
    ChangeEdges,
    EdgeProperties,
}

/// Lists of elements that a request must have; each has a code of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ElementList {
    Vertices,
    Edges,
}

/// One end of an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Source,
    Target,
}

/// A refusal. `Display` names what is wrong and is what the client reads.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataError {
    #[error("the body is no JSON: line {line}, column {column}")]
    NotJson { line: usize, column: usize },
    #[error("the body is no JSON object")]
    NotObject,
    #[error("parameter does not contain '{0}'")]
    Missing(String),
    #[error("Bad Request, parameter {} cannot be null", .0.name())]
    NoList(ElementList),
    #[error("parameter [{field}] must be {expected}")]
    Field { field: String, expected: &'static str },
    #[error("graph [{0}] is not found")]
    NoGraph(String),
    #[error("graph [{graph}] cannot do this now: its status is {status}")]
    NotRunning { graph: String, status: u16 },
    #[error("vertex [{0}] does not exist")]
    NoVertex(String),
    #[error("edge {} vertex [{id}] does not exist", .end.name())]
    NoEnd { end: End, id: String },
    #[error("edge [{0}] does not exist")]
    NoEdge(String),
    #[error("{element}, property [{property}]: {given} is no {expected}")]
    Value { element: String, property: String, given: String, expected: String },
    #[error("Same label [{0}] already exists")]
    SameLabel(String),
    #[error("Vertex [{id}] does not have label [{label}]")]
    NotLabelled { id: String, label: String },
    #[error("vertex [{0}] has a label already, and the graph was made without multiple labels")]
    OneLabelOnly(String),
    #[error("the graph holds at most {0} edges")]
    EdgeLimit(u64),
    #[error(transparent)]
    Metadata(#[from] transfer::metadata::MetadataError),
    #[error(transparent)]
    Schema(#[from] SchemaError),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("the graph cannot be looked up")]
    Database(#[from] rusqlite::Error),
}

impl ElementList {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Vertices => "vertices",
            Self::Edges => "edges",
        }
    }
}

impl End {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
        }
    }
}

impl Operation {
    /// Whether it leaves the graph as it is.
    pub(crate) fn reads(self) -> bool {
        matches!(
            self,
            Self::Summary
                | Self::Version
                | Self::ReadSchema
                | Self::QueryVertices
                | Self::EdgeDetail
                | Self::QueryEdges
        )
    }

    /// The code of a refusal that is about this operation and has none of its own.
    fn code(self) -> &'static str {
        match self {
            Self::Summary => "GES.8001",
            Self::ReadSchema => "GES.8003",
            Self::QueryVertices => "GES.8204",
            Self::RemoveVertexLabel => "GES.8212",
            Self::AddVertexLabel => "GES.8213",
            Self::VertexProperties => "GES.8220",
            Self::EdgeDetail => "GES.8107",
            Self::EdgeProperties => "GES.8221",
            Self::Version | Self::ChangeSchema | Self::ChangeVertices => "GES.8000",
            Self::QueryEdges | Self::ChangeEdges => "GES.8000",
        }
    }
}

impl DataError {
    /// What the caller can do.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::NoGraph(_) | Self::NoVertex(_) | Self::NoEnd { .. } | Self::NoEdge(_) => Kind::NotFound,
            Self::SameLabel(_) | Self::OneLabelOnly(_) => Kind::Conflict,
            Self::NotRunning { .. } => Kind::WrongState,
            Self::EdgeLimit(_) => Kind::Quota,
            Self::Metadata(error) => error.kind(),
            Self::Schema(error) => error.kind(),
            Self::Store(error) => error.kind(),
            Self::Database(_) => Kind::Internal,
            _ => Kind::Invalid,
        }
    }

    /// Status and code: the whole table.
    pub(crate) fn code(&self, operation: Operation) -> (u16, &'static str) {
        match self {
            Self::NotJson { .. } | Self::NotObject | Self::Missing(_) => (400, "GES.8000"),
            Self::Field { .. } => (400, "GES.8005"),
            Self::NoList(ElementList::Edges) => (400, "GES.8110"),
            Self::NoList(ElementList::Vertices) => (400, "GES.8214"),
            Self::NotLabelled { .. } => (400, "GES.8182"),
            // The one code that the documents have for it, on whichever plane.
            Self::EdgeLimit(_) => (400, "GES.7018"),
            Self::Schema(SchemaError::LabelExists { .. })
            | Self::Store(store::Error::Schema(SchemaError::LabelExists { .. })) => (400, "GES.8801"),
            _ => match self.kind() {
                Kind::WrongState => (400, "GES.8601"),
                Kind::Unavailable => (503, "GES.8602"),
                Kind::Corrupt | Kind::Internal => (500, "GES.8006"),
                Kind::Invalid | Kind::NotFound | Kind::Conflict | Kind::Quota => (400, operation.code()),
            },
        }
    }

    /// Whether it is about one element of a batch, so that the others can do without it.
    pub(crate) fn is_about_an_element(&self) -> bool {
        matches!(self.kind(), Kind::Invalid | Kind::NotFound | Kind::Conflict)
    }
}
