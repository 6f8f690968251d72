//! The sizes a graph can have, how one becomes another, and replicas.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use serde_json::Value;

use super::begin::{GraphPath, operate};
use super::record::{self, GraphRow};
use super::states::{Operation, Status};
use crate::app::App;
use crate::codes::Code;
use crate::http::auth::Caller;
use crate::http::body::Fields;
use crate::http::error::ApiError;
use crate::jobs::{End, Job, Work};

/// By index, smallest first: how many edges each holds.
const SIZES: &[(&str, u64)] = &[
    ("0", 10_000),
    ("1", 1_000_000),
    ("2", 10_000_000),
    ("3", 100_000_000),
    ("4", 1_000_000_000),
    ("401", 2_000_000_000),
    ("5", 10_000_000_000),
    ("6", 100_000_000_000),
];

/// What a graph can be resized to.
const TARGETS: [&str; 4] = ["2", "3", "4", "5"];
/// What cannot be resized: the smallest size, and those that no target is larger than.
const FIXED: [&str; 3] = ["0", "5", "6"];
/// What cannot be expanded.
const SINGLE: [&str; 2] = ["0", "5"];
/// How many replicas a graph may have, the first one included.
const MAX_REPLICAS: u64 = 100;

const INDEX: &str = "graph_size_type_index";

/// How many edges a graph of this size holds; `None` if there is no such size.
pub(crate) fn edge_limit(index: &str) -> Option<u64> {
    SIZES.iter().find(|(known, _)| *known == index).map(|(_, edges)| *edges)
}

/// The size of a new graph.
pub(super) fn parse(graph: &Fields) -> Result<String, ApiError> {
    let index = text(graph)?;
    match edge_limit(&index) {
        Some(_) => Ok(index),
        None => Err(ApiError::about(Code::SizeIndex, graph.at(INDEX))),
    }
}

/// Older clients send a number.
fn text(fields: &Fields) -> Result<String, ApiError> {
    match fields.get(INDEX) {
        Some(Value::Number(number)) => Ok(number.to_string()),
        _ => fields.text(INDEX),
    }
}

/// Refuses a resize that is not upwards to one of the sizes for it.
fn check_resize(graph: &GraphRow, to: &str) -> Result<(), ApiError> {
    let from = graph.size_index.as_str();
    if FIXED.contains(&from) {
        return Err(ApiError::about(Code::SizeFixed, format!("Its size is [{from}].")));
    }
    if graph.replicas > 1 {
        let text = format!("It has been expanded to {} replicas.", graph.replicas);
        return Err(ApiError::about(Code::SizeFixed, text));
    }
    if !TARGETS.contains(&to) || edge_limit(to) <= edge_limit(from) {
        let text = format!("[resize.{INDEX}] must be larger than [{from}], and 2, 3, 4 or 5.");
        return Err(ApiError::about(Code::SizeTarget, text));
    }
    Ok(())
}

/// Gives a graph another edge quota, which imports and the data plane keep to from then on.
pub(super) async fn resize(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((_, graph)): GraphPath,
    body: Fields,
) -> Result<Json<Value>, ApiError> {
    operate(app, caller, graph, Operation::Resize, move |_, graph| {
        let size_index = text(&body.required_object("resize")?)?;
        check_resize(graph, &size_index)?;
        Ok(Work::ResizeGraph { size_index })
    })
    .await
}

/// The work of a resize.
pub(crate) fn set_size(job: &Job, size_index: &str) -> End {
    let (id, to, now) = (job.graph.id.clone(), size_index.to_owned(), job.app.now());
    End {
        also: Some(Box::new(move |db| record::set_size(db, &id, &to, now))),
        ..End::success(Status::Running)
    }
}

/// How many replicas a graph has after the expansion that is asked for.
fn expanded(graph: &GraphRow, body: &Fields) -> Result<u32, ApiError> {
    let wanted = body.required_object("expand")?;
    let more = wanted.count("replication")?;
    let more = more.ok_or_else(|| ApiError::about(Code::ParameterMissing, wanted.at("replication")))?;
    if SINGLE.contains(&graph.size_index.as_str()) {
        let text = format!("A graph of the size [{}] cannot be expanded.", graph.size_index);
        return Err(ApiError::about(Code::BadParameter, text));
    }
    let all = u64::from(graph.replicas).saturating_add(more);
    u32::try_from(all).ok().filter(|_| all <= MAX_REPLICAS).ok_or_else(|| {
        let text =
            format!("{} is too many: a graph has at most {MAX_REPLICAS} replicas.", wanted.at("replication"));
        ApiError::about(Code::BadParameter, text)
    })
}

/// Records replicas. On one machine they are a label: one copy answers, and backups are what keeps
/// it safe.
pub(super) async fn expand(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((_, graph)): GraphPath,
    body: Fields,
) -> Result<Json<Value>, ApiError> {
    operate(app, caller, graph, Operation::Expand, move |_, graph| {
        Ok(Work::ExpandGraph { replicas: expanded(graph, &body)? })
    })
    .await
}

/// The work of an expansion.
pub(crate) fn set_replicas(job: &Job, replicas: u32) -> End {
    let (id, now) = (job.graph.id.clone(), job.app.now());
    End {
        also: Some(Box::new(move |db| record::set_replicas(db, &id, replicas, now))),
        ..End::success(Status::Running)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphs::record::tests::graph;

    #[test]
    fn sizes_grow_with_their_place() {
        assert!(SIZES.windows(2).all(|pair| pair[0].1 < pair[1].1));
        for index in TARGETS.iter().chain(&FIXED).chain(&SINGLE) {
            assert!(edge_limit(index).is_some(), "{index}");
        }
    }

    /// From each size (down) to each size (across).
    #[test]
    fn every_resize() {
        let table = "
            from 0  1  2  3  4  401 5  6  77
            0    56 56 56 56 56 56  56 56 56
            1    57 57 .  .  .  57  .  57 57
            2    57 57 57 .  .  57  .  57 57
            3    57 57 57 57 .  57  .  57 57
            4    57 57 57 57 57 57  .  57 57
            401  57 57 57 57 57 57  .  57 57
            5    56 56 56 56 56 56  56 56 56
            6    56 56 56 56 56 56  56 56 56";
        let mut lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let head = lines.by_ref().find(|line| !line.is_empty()).unwrap();
        let mut sizes = SIZES.iter();
        for row in lines {
            assert_eq!(sizes.next().map(|(index, _)| *index), Some(row[0]));
            for (to, expected) in head[1..].iter().zip(&row[1..]) {
                let resized = check_resize(&graph(row[0], 1), to);
                let found = resized.map_or_else(|error| error.code.code()[6..].to_owned(), |()| ".".into());
                assert_eq!(found, *expected, "{} to {to}", row[0]);
            }
        }
        assert!(sizes.next().is_none());
        assert_eq!(check_resize(&graph("2", 2), "3").unwrap_err().code, Code::SizeFixed);
    }

    #[test]
    fn replicas_add_up_to_a_limit() {
        let asked = |size: &str, replicas, body: &str| {
            let body = Fields::parse(body.as_bytes()).unwrap();
            expanded(&graph(size, replicas), &body).map_err(|error| error.code)
        };
        assert_eq!(asked("2", 1, r#"{"expand":{"replication":2}}"#), Ok(3));
        assert_eq!(asked("6", 3, r#"{"expand":{"replication":"1"}}"#), Ok(4));
        assert_eq!(asked("2", 1, r#"{"expand":{"replication":99}}"#), Ok(100));
        assert_eq!(asked("2", 2, r#"{"expand":{"replication":99}}"#), Err(Code::BadParameter));
        assert_eq!(
            asked("2", 2, r#"{"expand":{"replication":18446744073709551615}}"#),
            Err(Code::BadParameter)
        );
        assert_eq!(asked("2", 1, r#"{"expand":{"replication":0}}"#), Err(Code::BadParameter));
        assert_eq!(asked("2", 1, r#"{"expand":{}}"#), Err(Code::ParameterMissing));
        assert_eq!(asked("2", 1, "{}"), Err(Code::ParameterMissing));
        for size in SINGLE {
            assert_eq!(asked(size, 1, r#"{"expand":{"replication":1}}"#), Err(Code::BadParameter));
        }
    }
}
