//! Files into graphs and back, through the store on a simulated disk.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod bad_lines;
mod bucket;
mod debian;
mod files;
mod round_trip;
mod schema;
