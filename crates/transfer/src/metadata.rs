//! Label definitions as files and requests carry them: the GES form of PMML, and the same in
//! JSON. Both are one list of labels with properties whose attributes are all text; only their
//! brackets differ. Whatever [`to_xml`] and [`to_json`] write reads back as the same labels.
//!
//! Either form is read whole before anything is believed: unknown elements, names that are
//! not legal and definitions that contradict themselves are refused with their place. Entities
//! beyond the five of XML itself and document types are refused too, so nothing can expand.

mod definition;
mod json;
mod merge;
mod xml;

pub use json::{from_json, to_json};
pub use merge::{Contradiction, merge_labels};
pub use xml::{from_xml, to_xml};

use std::fmt;

use model::{Kind, Label, Schema, SchemaError, SchemaMode};

/// The largest metadata file.
pub const MAX_BYTES: usize = 10 * 1024 * 1024;

/// Metadata that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages say it")]
pub enum MetadataError {
    #[error("metadata has at most 10 MB, not {bytes} bytes")]
    TooLarge { bytes: usize },
    #[error("metadata is neither UTF-8 nor ISO-8859-1, as its first line says [{declared}]")]
    Encoding { declared: String },
    #[error("{place}: {problem}")]
    At { place: Place, problem: Problem },
}

/// Where in the metadata something is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Of an XML file, both from 1.
    Line {
        /// Line.
        line: usize,
        /// Character in the line.
        column: usize,
    },
    /// Of a JSON document: `labels[0].properties[1]`.
    Path(String),
}

/// What is wrong there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages say it")]
pub enum Problem {
    #[error("[{name}] is missing")]
    Missing { name: String },
    #[error("[{name}] cannot be [{value}]: it must be {expected}")]
    Illegal { name: String, value: String, expected: &'static str },
    #[error("found {found} where {expected} belongs")]
    Unexpected { found: String, expected: &'static str },
    #[error("the XML is broken: {0}")]
    Xml(#[from] quick_xml::Error),
    #[error(transparent)]
    Schema(#[from] SchemaError),
}

impl MetadataError {
    /// What the caller can do.
    pub fn kind(&self) -> Kind {
        match self {
            Self::At { problem: Problem::Schema(error), .. } if error.kind() == Kind::Quota => Kind::Quota,
            _ => Kind::Invalid,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { line, column } => write!(out, "line {line}, column {column}"),
            Self::Path(path) => out.write_str(path),
        }
    }
}

/// Labels read so far, each checked as a graph would check it.
struct Labels {
    accepted: Vec<Label>,
    schema: Schema,
}

impl Labels {
    fn new() -> Self {
        Self { accepted: Vec::new(), schema: Schema::new(SchemaMode::Closed) }
    }

    fn push(&mut self, label: Label) -> Result<(), Problem> {
        // Names are compared with one another below, so their number is bounded first.
        if label.properties.len() > usize::from(u16::MAX) {
            return Err(SchemaError::TooMany { what: "property keys" }.into());
        }
        if label.name != model::DEFAULT_LABEL {
            self.schema.add_label(label.clone())?;
        } else if self.accepted.iter().any(|earlier| earlier.name == label.name) {
            return Err(SchemaError::LabelExists { label: label.name }.into());
        } else {
            self.schema.set_properties(&label.name, label.properties.clone(), true)?;
        }
        self.accepted.push(label);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
