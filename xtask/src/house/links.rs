//! The rule about links: what a document points to is there.

use std::path::{Component, Path, PathBuf};

use super::{File, Tree};

pub(super) fn broken(tree: &Tree<'_>) -> Vec<String> {
    let documents = tree.files.iter().filter(|file| file.is("md"));
    documents.flat_map(|document| broken_in(tree, document)).collect()
}

fn broken_in(tree: &Tree<'_>, document: &File) -> Vec<String> {
    let folder = document.path.parent().unwrap_or(Path::new(""));
    let mut broken = Vec::new();
    let mut in_code = false;
    for (number, line) in document.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code {
            let missing = targets(line).filter(|target| !exists(tree, folder, target));
            broken.extend(missing.map(|target| format!("{}:{number}: {target}", document.path.display())));
        }
    }
    broken
}

/// The files that a line links to: neither other sites nor places in the same document.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    let links = line.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    let files = links.map(|(link, _)| link.split(['#', ' ']).next().unwrap_or_default());
    files.filter(|target| !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:"))
}

/// A link may name a file or a folder of the project, and nothing outside it.
fn exists(tree: &Tree<'_>, folder: &Path, target: &str) -> bool {
    let Some(path) = inside(&folder.join(target)) else { return false };
    tree.files.iter().any(|file| file.path.starts_with(&path)) || tree.root.join(&path).is_dir()
}

/// The path without `.` and `..`; `None` when it leaves the project.
fn inside(path: &Path) -> Option<PathBuf> {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::CurDir => {}
            Component::ParentDir if clean.pop() => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken_links(text: &str) -> Vec<String> {
        let files = [("docs/a.md", text), ("docs/b.md", ""), ("crates/x/src/lib.rs", "")];
        broken(&Tree::of(&files, &[]))
    }

    #[test]
    fn good_links_pass() {
        for text in [
            "[b](b.md) and [the same](./b.md#part) and [code](../crates/x/src/lib.rs)",
            "[folder](../crates/x) [site](https://example.org/x) [here](#part) [mail](mailto:a@b.c)",
            "```\n[shown](nowhere.md)\n```",
            "a [b](b.md \"title\")",
        ] {
            assert_eq!(broken_links(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn links_to_nothing_are_named() {
        assert_eq!(broken_links("first\n[b](b.md) [c](c.md)"), ["docs/a.md:2: c.md"]);
        assert_eq!(broken_links("[out](../../other/README.md)").len(), 1);
        assert_eq!(broken_links("[root](/docs/b.md)").len(), 1);
    }
}
