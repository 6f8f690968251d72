//! What the server says of itself in `/openapi.json`, to hold every answer of every test against.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use serde_json::Value;

/// Statuses by method and pattern of path.
#[derive(Default)]
pub(crate) struct Described(OnceLock<Vec<Operation>>);

struct Operation {
    method: String,
    pattern: Vec<String>,
    statuses: BTreeSet<u16>,
}

impl Described {
    /// Whether an answer may have this status; the document is read when it is first needed. Of
    /// calls that are not described, nothing is known.
    pub(crate) fn allows(
        &self,
        document: impl FnOnce() -> Value,
        method: &str,
        path: &str,
        status: u16,
    ) -> bool {
        let operations = self.0.get_or_init(|| read(&document()));
        let path: Vec<&str> = path.split(['?', '#']).next().unwrap_or_default().split('/').collect();
        // As the router does it: what stands there word for word wins over a parameter, whatever the
        // method.
        let words = |one: &&Operation| one.pattern.iter().map(|part| is_parameter(part)).collect::<Vec<_>>();
        let Some(best) = operations.iter().filter(|one| one.fits(&path)).min_by_key(words) else {
            return true;
        };
        let mut same = operations.iter().filter(|one| one.pattern == best.pattern);
        same.find(|one| one.method == method).is_none_or(|one| one.statuses.contains(&status))
    }
}

fn is_parameter(part: &str) -> bool {
    part.starts_with('{')
}

impl Operation {
    fn fits(&self, path: &[&str]) -> bool {
        // A key of the object area has as many parts as it likes.
        let has_tail = self.pattern.get(1).is_some_and(|area| area == "obs") && self.pattern.len() > 3;
        let length_fits = path.len() == self.pattern.len() || has_tail && path.len() > self.pattern.len();
        let part_fits =
            |(wanted, found): (&String, &&str)| wanted == found || is_parameter(wanted) && !found.is_empty();
        length_fits && self.pattern.iter().zip(path).all(part_fits)
    }
}

fn read(document: &Value) -> Vec<Operation> {
    let paths: BTreeMap<String, BTreeMap<String, Value>> =
        serde_json::from_value(document["paths"].clone()).expect("paths by method");
    let mut operations = Vec::new();
    for (path, methods) in paths {
        for (method, operation) in methods {
            let responses = operation["responses"].as_object().expect("responses");
            let status = |text: &String| text.parse().unwrap_or_else(|_| panic!("{path}: status {text}"));
            operations.push(Operation {
                method: method.to_uppercase(),
                pattern: path.split('/').map(str::to_owned).collect(),
                statuses: responses.keys().map(status).collect(),
            });
        }
    }
    assert!(operations.len() > 50, "the document describes the server");
    operations
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    #[test]
    fn the_pattern_that_says_most_counts() {
        let answers = |status: &str| json!({"get": {"responses": {status: {}}}});
        let mut paths: Map<String, Value> =
            (0..60).map(|nr| (format!("/filler/{nr}"), answers("200"))).collect();
        paths.insert("/v2/{p}/graphs/{g}".into(), answers("200"));
        paths.insert("/v2/{p}/graphs/jobs".into(), answers("201"));
        paths.insert("/obs/{bucket}/{key}".into(), answers("202"));
        paths.insert("/obs/{bucket}".into(), answers("203"));
        let described = Described::default();
        let allows = |path: &str, status| {
            let document = || json!({"paths": paths.clone()});
            described.allows(document, "GET", path, status)
        };
        assert!(allows("/v2/one/graphs/any", 200) && !allows("/v2/one/graphs/any", 201));
        assert!(allows("/v2/one/graphs/jobs?x=/", 201) && !allows("/v2/one/graphs/jobs", 200));
        assert!(allows("/obs/b/deep/key", 202) && !allows("/obs/b/deep/key", 203));
        assert!(!allows("/obs/b", 202));
        assert!(allows("/nowhere", 418), "nothing is known of it");
        let document = || unreachable!("it was read");
        assert!(described.allows(document, "DELETE", "/v2/one/graphs/jobs", 404), "nor of other methods");
    }
}
