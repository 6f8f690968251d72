use model::{SchemaError, TextError};

use crate::csv::Defect;

/// Why a line is bad. Columns count from 1.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Reject {
    #[error(transparent)]
    Shape(#[from] Defect),
    #[error("the line has {found} columns, but needs at least {needed}")]
    TooFewColumns { found: usize, needed: &'static str },
    #[error("column {column}: the vertex id is empty")]
    NoId { column: usize },
    #[error("column {column}: the vertex id has {bytes} bytes, more than 4096")]
    IdTooLong { column: usize, bytes: usize },
    #[error("column {column}: {error}")]
    Label { column: usize, error: SchemaError },
    #[error("column {column}: vertex [{id}] does not exist")]
    NoVertex { column: usize, id: String },
    #[error("column {column}: label [{label}] declares no property for it")]
    Undeclared { column: usize, label: String },
    #[error("column {column}, property [{property}]: {error}")]
    Value { column: usize, property: String, error: TextError },
}
