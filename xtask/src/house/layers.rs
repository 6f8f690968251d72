//! Rules about which crate may know which.

use super::Tree;
use crate::workspace::Package;

/// Who may depend on which packages of ours, innermost first. A new crate is entered here.
const LAYERS: [(&str, &[&str]); 5] = [
    ("gestalt-model", &[]),
    ("gestalt-store", &["gestalt-model"]),
    ("gestalt-transfer", &["gestalt-model", "gestalt-store"]),
    ("gestalt-client", &[]),
    ("gestalt-server", &["gestalt-model", "gestalt-store", "gestalt-transfer", "gestalt-client"]),
];

/// They stand outside: they may use everything, and nothing may use them.
const OUTSIDE: [&str; 3] = ["gestalt-bench", "gestalt-tests", "xtask"];

const COMPOSITION_ROOT: &str = "gestalt-server";

/// What would tie an inner crate to a network, a runtime or a database.
const EFFECTS: [&str; 3] = ["axum", "tokio", "rusqlite"];

pub(super) fn against_the_grain(tree: &Tree<'_>) -> Vec<String> {
    inner(tree.packages).flat_map(|package| edges_against(package, tree.packages)).collect()
}

fn edges_against(package: &Package, all: &[Package]) -> Vec<String> {
    let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == package.name) else {
        return vec![format!("{} is not in the table of layers", package.name)];
    };
    let ours = package.dependencies.iter().filter(|name| all.iter().any(|other| other.name == **name));
    let wrong = ours.filter(|name| !allowed.contains(&name.as_str()));
    wrong.map(|name| format!("{} must not depend on {name}", package.name)).collect()
}

pub(super) fn effects_inside(tree: &Tree<'_>) -> Vec<String> {
    let inner = inner(tree.packages).filter(|package| package.name != COMPOSITION_ROOT);
    let edges = inner.flat_map(|package| package.dependencies.iter().map(move |name| (package, name)));
    let wrong = edges.filter(|(_, name)| EFFECTS.contains(&name.as_str()));
    wrong.map(|(package, name)| format!("{} must not depend on {name}", package.name)).collect()
}

fn inner(packages: &[Package]) -> impl Iterator<Item = &Package> {
    packages.iter().filter(|package| !OUTSIDE.contains(&package.name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependencies: &[&str]) -> Package {
        let dependencies = dependencies.iter().map(ToString::to_string).collect();
        Package { name: name.into(), dependencies }
    }

    fn with(package_under_test: Package) -> Vec<Package> {
        let mut packages: Vec<Package> =
            LAYERS.iter().map(|(name, allowed)| package(name, allowed)).collect();
        packages.extend(OUTSIDE.map(|name| package(name, &["gestalt-server", "tokio"])));
        packages.retain(|other| other.name != package_under_test.name);
        packages.push(package_under_test);
        packages
    }

    #[test]
    fn only_edges_of_the_table_pass() {
        let offences = |package| against_the_grain(&Tree::of(&[], &with(package)));
        assert!(offences(package("gestalt-store", &["gestalt-model", "blake3"])).is_empty());
        assert_eq!(
            offences(package("gestalt-store", &["gestalt-model", "gestalt-transfer"])),
            ["gestalt-store must not depend on gestalt-transfer"]
        );
        assert_eq!(offences(package("gestalt-model", &["xtask"])).len(), 1);
        assert_eq!(offences(package("gestalt-new", &[])), ["gestalt-new is not in the table of layers"]);
    }

    #[test]
    fn effects_stay_in_the_server() {
        let offences = |package| effects_inside(&Tree::of(&[], &with(package)));
        assert!(offences(package("gestalt-server", &["axum", "tokio", "rusqlite"])).is_empty());
        for effect in EFFECTS {
            assert_eq!(
                offences(package("gestalt-transfer", &[effect])),
                [format!("gestalt-transfer must not depend on {effect}")]
            );
        }
    }
}
