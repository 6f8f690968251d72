//! The property graph, as data.
//!
//! Vertices carry a string id, labels and typed properties; edges carry a source, a target,
//! one label, a rank that tells parallel edges apart, and typed properties. Everything here is
//! a plain value: no disk, no clock, no randomness.

mod codec;
mod content;
mod ids;
mod kind;
mod record;
mod schema;
mod text;
mod value;

pub use codec::{DecodeError, Reader, Writer};
pub use content::{Content, ContentRoot, ElementKind, IdHash, RecordHash, Tally};
pub use ids::{KeyId, LabelId, Vid};
pub use kind::Kind;
pub use record::{MAX_ID_BYTES, Props, VertexRecord};
pub use schema::{
    Cardinality, DEFAULT_LABEL, DataType, Label, LabelKind, Property, Schema, SchemaError, SchemaMode,
};
pub use text::{TextError, parse_text, to_text};
pub use value::{Date, DateTime, Value};
