//! Upgrades. The server reads every format up to its own and writes its own, so a graph is always
//! at the version of the server, and there is never a newer one to bring it to.

use std::cmp::Ordering;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use serde_json::Value;

use super::begin::{GraphPath, change};
use super::record::ENGINE_VERSION;
use super::states::Operation;
use crate::app::App;
use crate::codes::Code;
use crate::http::auth::Caller;
use crate::http::body::Fields;
use crate::http::error::ApiError;

pub(super) async fn upgrade(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((_, graph)): GraphPath,
    body: Fields,
) -> Result<Json<Value>, ApiError> {
    let refused = change(app, caller, graph, Operation::Upgrade, move |_, _| {
        let wanted = body.text("upgrade_version")?;
        body.flag("force_upgrade")?;
        Err(refusal(&wanted))
    });
    refused.await
}

/// Why a graph cannot be brought to a version.
fn refusal(wanted: &str) -> ApiError {
    let Some(order) = compare(wanted, ENGINE_VERSION) else {
        let text = format!("[upgrade_version] must be a version such as {ENGINE_VERSION}.");
        return ApiError::about(Code::BadParameter, text);
    };
    match order {
        Ordering::Greater => {
            let text = format!(
                "[upgrade_version]: there is no version newer than {ENGINE_VERSION}, which the graph has."
            );
            ApiError::about(Code::BadParameter, text)
        }
        Ordering::Equal | Ordering::Less => {
            ApiError::about(Code::NotNewer, format!("The graph has version {ENGINE_VERSION}."))
        }
    }
}

/// Orders versions of numbers between points; `None` if one is none.
fn compare(one: &str, other: &str) -> Option<Ordering> {
    let numbers = |version: &str| {
        let numbers: Option<Vec<u32>> = version.split('.').map(|part| part.parse().ok()).collect();
        let mut numbers = numbers.filter(|numbers| numbers.len() <= 4)?;
        numbers.resize(4, 0);
        Some(numbers)
    };
    Some(numbers(one)?.cmp(&numbers(other)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        for (one, other, order) in [
            ("2.5.0", "2.5.0", Some(Ordering::Equal)),
            ("2.5", "2.5.0", Some(Ordering::Equal)),
            ("2.10.0", "2.9.9", Some(Ordering::Greater)),
            ("1.9.9", "2.0.0", Some(Ordering::Less)),
            ("newest", "2.0.0", None),
            ("", "2.0.0", None),
            ("2..0", "2.0.0", None),
            ("1.2.3.4.5", "2.0.0", None),
        ] {
            assert_eq!(compare(one, other), order, "{one} and {other}");
        }
    }

    #[test]
    fn every_version_is_refused_with_its_reason() {
        assert_eq!(refusal("1.0.0").code, Code::NotNewer);
        assert_eq!(refusal(ENGINE_VERSION).code, Code::NotNewer);
        assert_eq!(refusal("99.0.0").code, Code::BadParameter);
        assert_eq!(refusal("latest").code, Code::BadParameter);
    }
}
