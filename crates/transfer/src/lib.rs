//! Graph data in and out, as GES files carry it: CSV of vertices and edges, metadata as XML and
//! JSON.
//!
//! [`import`] reads files into a bulk load of the store, [`export`] writes a snapshot out, and
//! [`metadata`] turns label definitions into files and back. What [`export`] writes, [`import`]
//! reads back to the same content root; its report names what files could not carry.
//!
//! Nothing here opens a file or knows a clock: a [`Source`] and a [`Sink`] come from outside.
//! Every function blocks and uses all cores.

mod csv;
mod error;
mod export;
mod files;
mod import;
pub mod metadata;

pub use csv::{Dialect, DialectError};
pub use error::Error;
pub use export::{Difference, ExportJob, ExportReport, WrittenFile, export};
pub use files::{Entry, Files, Output, Sink, Source, Watch};
pub use import::{FileReport, FileStatus, ImportFailure, ImportJob, ImportReport, import};
