//! The data plane: vertices, edges and labels of one graph, addressed by its name.
//!
//! `http` has the calls, `call` takes them apart and finds the graph. The rest is free of HTTP:
//! `body` and `request` turn JSON into typed requests, `read`, `vertices`, `edges` and `labels`
//! carry them out on a snapshot or in one transaction, `properties` and `values` type what is
//! given, `view` says how results look, and `error` is the one table of codes.

mod body;
mod call;
mod edges;
mod error;
mod http;
mod labels;
mod properties;
mod read;
mod request;
#[cfg(test)]
mod tests;
mod values;
mod vertices;
mod view;

pub(crate) use self::http::routes;
