//! The server: HTTP, identity, jobs and the control plane around the store. The composition root:
//! clock, randomness, disk and network come in here and nowhere else.

mod app;
pub mod audit;
mod backups;
mod codes;
mod config;
mod data_plane;
mod db;
pub mod demo;
mod graphs;
mod http;
mod identity;
mod ids;
mod jobs;
mod listen;
mod metadata;
mod metrics;
mod obs;
mod openapi;
mod recovery;
mod serve;
mod system;
mod threads;
mod times;
mod tls;
mod turns;
#[cfg(test)]
mod world;

pub use config::{Config, ConfigError, LogFormat, ServeOptions, TlsFiles};
pub use serve::{ServeError, Server};
