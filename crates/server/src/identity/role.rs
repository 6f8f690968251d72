//! Roles: those that are built in, and those whose policies administrators write.

use serde_json::Value;

use crate::identity::access::Action;
use crate::identity::policy::{Policy, Verdict};

/// The role of those who manage users, and may do everything in every project.
pub(crate) const ADMINISTRATOR: &str = "00000000000000000000000000000001";
/// The role with every action of a project.
pub(crate) const FULL: &str = "00000000000000000000000000000002";

/// What somebody may do where they have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Role {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) grant: Grant,
}

/// What a role includes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Grant {
    /// Every action.
    Full,
    /// "GES Development".
    Development,
    /// "GES ReadOnlyAccess".
    ReadOnly,
    /// The data plane only.
    Access,
    /// What its policy says, and the text it was read from.
    Policy(Policy, Value),
}

/// The roles that are always there.
pub(crate) fn built_in() -> [Role; 5] {
    let role = |id: &str, name: &str, description: &str, grant| Role {
        id: id.into(),
        name: name.into(),
        description: description.into(),
        grant,
    };
    [
        role(ADMINISTRATOR, "admin", "Manages users and may do everything in every project.", Grant::Full),
        role(FULL, "GES FullAccess", "Every action.", Grant::Full),
        role(
            "00000000000000000000000000000003",
            "GES Development",
            "Everything but creating, deleting, resizing and opening graphs.",
            Grant::Development,
        ),
        role("00000000000000000000000000000004", "GES ReadOnlyAccess", "Looks only.", Grant::ReadOnly),
        role(
            "00000000000000000000000000000005",
            "GES GraphAccess",
            "Opens graphs: the data plane, reading and writing.",
            Grant::Access,
        ),
    ]
}

impl Role {
    /// Whether the role says something about one graph and not about another.
    pub(crate) fn names_graphs(&self) -> bool {
        matches!(&self.grant, Grant::Policy(policy, _) if policy.names_graphs())
    }

    fn judge(&self, action: Action, graph: Option<&str>) -> Verdict {
        let allows = match &self.grant {
            Grant::Full => true,
            Grant::Development => action.in_development(),
            Grant::ReadOnly => action.in_read_only(),
            Grant::Access => action == Action::GraphAccess,
            Grant::Policy(policy, _) => return policy.judge(action.name(), graph),
        };
        if allows { Verdict::Allows } else { Verdict::Silent }
    }
}

/// Whether somebody with these roles may do this.
pub(crate) fn allowed(roles: &[Role], action: Action, graph: Option<&str>) -> bool {
    let verdicts = || roles.iter().map(|role| role.judge(action, graph));
    verdicts().any(|verdict| verdict == Verdict::Allows)
        && !verdicts().any(|verdict| verdict == Verdict::Denies)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn allowed_to(role: &Role) -> Vec<&'static str> {
        let allowed = Action::ALL.iter().filter(|action| allowed(std::slice::from_ref(role), **action, None));
        allowed.map(|action| action.name()).collect()
    }

    #[test]
    fn each_level_includes_the_one_below() {
        let [administrator, full, development, read_only, access] = built_in();
        assert_eq!(allowed_to(&administrator).len(), Action::ALL.len());
        assert_eq!(allowed_to(&full).len(), Action::ALL.len());
        let (development, read_only) = (allowed_to(&development), allowed_to(&read_only));
        assert!(read_only.iter().all(|action| development.contains(action)));
        assert!(development.contains(&"ges:graph:operate") && !development.contains(&"ges:graph:delete"));
        assert!(!read_only.iter().any(|action| {
            ["operate", "create", "delete", "access"].iter().any(|verb| action.ends_with(verb))
        }));
        assert_eq!(allowed_to(&access), ["ges:graph:access"]);
    }

    #[test]
    fn a_denial_in_one_role_beats_another_role() {
        let policy =
            json!({"Version": "1.1", "Statement": [{"Effect": "Deny", "Action": ["ges:graph:delete"]}]});
        let grant = Grant::Policy(Policy::parse(&policy).unwrap(), policy);
        let careful = Role { id: "x".into(), name: "careful".into(), description: String::new(), grant };
        let [_, full, ..] = built_in();
        assert!(allowed(std::slice::from_ref(&full), Action::GraphDelete, None));
        assert!(!allowed(&[full, careful], Action::GraphDelete, None));
        assert!(!allowed(&[], Action::GraphList, None));
    }
}
