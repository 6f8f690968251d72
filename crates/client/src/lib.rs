//! A client of the GES API: the verbs of `gestalt` besides the server's, and the small blocking
//! HTTP client under them. It knows nothing of the server but its documented interface.
//!
//! `api` sends requests, `session` and `profile` say in whose name, `trust` who is believed, `jobs` follows what takes
//! longer, `output` is what the person sees, `verbs` has one file per noun of the command line.
#![allow(clippy::disallowed_methods, reason = "a client stands at the edge: its clock and files are real")]

mod api;
mod connection;
mod error;
mod find;
mod jobs;
mod output;
mod profile;
mod session;
mod signing;
mod table;
mod trust;
mod verbs;

pub use api::{Access, Api, Reply};
pub use error::Error;
pub use jobs::wait_until;
pub use session::{Credentials, LogIn, Session};
pub use trust::Trust;
pub use verbs::{Verb, run};
