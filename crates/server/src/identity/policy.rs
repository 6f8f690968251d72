//! Policies as GES writes them (version 1.1): statements that allow or deny actions, everywhere or
//! on graphs whose names fit a pattern. What no statement allows is denied, and a denial wins.

use serde_json::Value;

/// What a role made by an administrator allows and denies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Policy(Vec<Statement>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Statement {
    denies: bool,
    /// Patterns of actions.
    actions: Vec<String>,
    /// Patterns of graph names; `None` is everything, also what has no graph.
    graphs: Option<Vec<String>>,
}

/// What a policy says about one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Silent,
    Allows,
    Denies,
}

/// Why a policy is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PolicyError {
    #[error("[{0}] must be {1}.")]
    Field(&'static str, &'static str),
    #[error("[policy.Statement.Action] {0} is no action: service:type:verb, where * stands for any text.")]
    Action(String),
    #[error("[policy.Statement.Resource] {0} is not understood: * or ges:*:*:graphName:<pattern>.")]
    Resource(String),
    #[error("[policy.Statement.Condition] Conditions are not supported.")]
    Condition,
}

const MOST_STATEMENTS: usize = 16;
const MOST_PATTERNS: usize = 100;
const LONGEST_PATTERN: usize = 128;

impl Policy {
    pub(crate) fn parse(policy: &Value) -> Result<Self, PolicyError> {
        if policy["Version"] != "1.1" {
            return Err(PolicyError::Field("policy.Version", "1.1"));
        }
        let wrong = PolicyError::Field("policy.Statement", "a list of 1 to 16 statements");
        let statements = policy["Statement"].as_array().ok_or(wrong.clone())?;
        if statements.is_empty() || statements.len() > MOST_STATEMENTS {
            return Err(wrong);
        }
        statements.iter().map(Statement::parse).collect::<Result<_, _>>().map(Self)
    }

    /// Whether any statement depends on the name of the graph.
    pub(crate) fn names_graphs(&self) -> bool {
        self.0.iter().any(|statement| statement.graphs.is_some())
    }

    /// What this policy says about an action on a graph, or on nothing that has a name.
    pub(crate) fn judge(&self, action: &str, graph: Option<&str>) -> Verdict {
        let mut verdict = Verdict::Silent;
        for statement in self.0.iter().filter(|statement| statement.covers(action, graph)) {
            if statement.denies {
                return Verdict::Denies;
            }
            verdict = Verdict::Allows;
        }
        verdict
    }
}

impl Statement {
    fn parse(statement: &Value) -> Result<Self, PolicyError> {
        let denies = match statement["Effect"].as_str() {
            Some("Allow") => false,
            Some("Deny") => true,
            _ => return Err(PolicyError::Field("policy.Statement.Effect", "Allow or Deny")),
        };
        if !statement["Condition"].is_null() {
            return Err(PolicyError::Condition);
        }
        let actions = patterns(&statement["Action"], "policy.Statement.Action")?;
        if let Some(action) = actions.iter().find(|action| !is_action(action)) {
            return Err(PolicyError::Action(action.clone()));
        }
        let graphs = match &statement["Resource"] {
            Value::Null => None,
            resources => graphs(patterns(resources, "policy.Statement.Resource")?)?,
        };
        Ok(Self { denies, actions, graphs })
    }

    fn covers(&self, action: &str, graph: Option<&str>) -> bool {
        let here = match (&self.graphs, graph) {
            (None, _) => true,
            (Some(patterns), Some(graph)) => patterns.iter().any(|pattern| fits(pattern, graph)),
            (Some(_), None) => false,
        };
        here && self.actions.iter().any(|pattern| fits(pattern, action))
    }
}

fn patterns(value: &Value, field: &'static str) -> Result<Vec<String>, PolicyError> {
    let wrong = PolicyError::Field(field, "a list of 1 to 100 texts of at most 128 characters");
    let list = value.as_array().ok_or(wrong.clone())?;
    let texts: Option<Vec<String>> = list.iter().map(|text| text.as_str().map(str::to_owned)).collect();
    texts
        .filter(|texts| (1..=MOST_PATTERNS).contains(&texts.len()))
        .filter(|texts| texts.iter().all(|text| text.len() <= LONGEST_PATTERN))
        .ok_or(wrong)
}

fn is_action(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    let legal =
        |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'*');
    parts.len() == 3 && parts.iter().all(legal)
}

/// `None` is every resource.
fn graphs(resources: Vec<String>) -> Result<Option<Vec<String>>, PolicyError> {
    let mut graphs = Vec::new();
    for resource in resources {
        if resource == "*" || resource.eq_ignore_ascii_case("ges:*:*:*:*") {
            return Ok(None);
        }
        let parts: Vec<&str> = resource.splitn(5, ':').collect();
        match parts.as_slice() {
            ["ges", "*", "*", kind, name] if kind.eq_ignore_ascii_case("graphName") && !name.is_empty() => {
                graphs.push((*name).to_owned());
            }
            _ => return Err(PolicyError::Resource(resource)),
        }
    }
    Ok(Some(graphs))
}

/// Whether a text fits a pattern in which `*` stands for any text. Case does not count. Takes
/// time in proportion to the lengths: what lies between two stars is found where it first occurs.
fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_ascii_lowercase(), text.to_ascii_lowercase());
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*').filter(|part| !part.is_empty()) {
        match text.split_once(part) {
            Some((_, after)) => text = after,
            None => return false,
        }
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policy(statements: Value) -> Result<Policy, PolicyError> {
        Policy::parse(&json!({"Version": "1.1", "Statement": statements}))
    }

    #[test]
    fn a_denial_beats_what_is_allowed() {
        let policy = policy(json!([
            {"Effect": "Allow", "Action": ["ges:*:*"]},
            {"Effect": "Deny", "Action": ["ges:graph:delete", "ges:backup:*"]},
        ]))
        .unwrap();
        assert_eq!(policy.judge("ges:graph:list", None), Verdict::Allows);
        assert_eq!(policy.judge("ges:graph:delete", Some("any")), Verdict::Denies);
        assert_eq!(policy.judge("ges:backup:create", None), Verdict::Denies);
        assert_eq!(policy.judge("obs:object:GetObject", None), Verdict::Silent);
    }

    #[test]
    fn graphs_are_told_apart_by_name() {
        let policy = policy(json!([
            {"Effect": "Allow", "Action": ["ges:graph:get*"], "Resource": ["ges:*:*:graphName:Team_*"]},
        ]))
        .unwrap();
        assert!(policy.names_graphs());
        assert_eq!(policy.judge("ges:graph:getDetail", Some("team_one")), Verdict::Allows);
        assert_eq!(policy.judge("ges:graph:getDetail", Some("other")), Verdict::Silent);
        assert_eq!(policy.judge("ges:graph:getDetail", None), Verdict::Silent);
        assert_eq!(policy.judge("ges:graph:delete", Some("team_one")), Verdict::Silent);
    }

    #[test]
    fn patterns_have_stars() {
        for (pattern, text) in [
            ("*", ""),
            ("a*", "a"),
            ("*a", "ba"),
            ("a*b*c", "aXbYc"),
            ("a*b*c", "abbc"),
            ("A", "a"),
            ("*aa", "aaa"),
        ] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a", "ab"), ("a*b", "a"), ("ab*ba", "aba"), ("*b*", "ac"), ("", "a")] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let allow = |action: Value, resource: Value| {
            policy(json!([{"Effect": "Allow", "Action": action, "Resource": resource}]))
        };
        assert!(matches!(allow(json!(["all"]), Value::Null), Err(PolicyError::Action(_))));
        assert!(matches!(allow(json!("ges:*:*"), Value::Null), Err(PolicyError::Field(..))));
        assert!(matches!(allow(json!(["ges:*:*"]), json!(["ges:x"])), Err(PolicyError::Resource(_))));
        assert_eq!(
            policy(json!([{"Effect": "Allow", "Action": ["a:b:c"], "Condition": {}}])),
            Err(PolicyError::Condition)
        );
        assert!(policy(json!([{"Effect": "allow", "Action": ["a:b:c"]}])).is_err());
        assert!(policy(json!([])).is_err());
        assert!(Policy::parse(&json!({"Version": "5.0"})).is_err());
    }
}
