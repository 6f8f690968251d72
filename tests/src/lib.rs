//! What a black-box test needs to read like a story: a real `gestalt serve` process in a
//! temporary directory ([`Server`]), a client of its HTTP surface ([`Client`], [`Reply`]) and
//! the verbs of one graph ([`Graph`]).
//!
//! Everything here fails by panicking with the request and the reply in question. Three
//! promises are checked behind every test's back: each reply carries its request id and leaks
//! nothing of the machine, its status is one that the server's own description has for the call,
//! and a server logs no warning that its test did not announce.

mod client;
mod described;
mod graph;
mod log;
mod people;
mod raw;
mod refusal;
pub mod sample;
mod server;
mod signer;

pub use client::{Body, Client, Reply, graph_fields, log_in_body};
pub use graph::{Backup, Graph};
pub use log::complaints;
pub use raw::{dribble, exchange};
pub use refusal::assert_refused;
pub use rustix::process::Signal;
pub use serde_json::{Value, json};
pub use server::{Server, binary, gestalt, until};
pub use signer::{Unsigned, hash as payload_hash, sdk_date};
