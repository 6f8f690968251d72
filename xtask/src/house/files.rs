//! Rules about single files.

use std::collections::BTreeSet;
use std::path::Path;

use super::{File, Tree};

const MOST_LINES: usize = 600;

/// In two parts, so that this file does not offend itself.
const UNFINISHED: [(&str, &str); 6] =
    [("todo", "!("), ("unimplemented", "!("), ("#[", "ignore"), ("FIX", "ME"), ("XX", "X"), ("HA", "CK")];

/// Top folders below which people work and build.
const MACHINE_FOLDERS: [&str; 4] = ["work", "home", "root", "Users"];

pub(super) fn too_long(tree: &Tree<'_>) -> Vec<String> {
    let sources = tree.files.iter().filter(|file| file.is("rs"));
    let long = sources.map(|file| (file, file.lines().count())).filter(|(_, lines)| *lines > MOST_LINES);
    long.map(|(file, lines)| format!("{}: {lines} lines", file.path.display())).collect()
}

pub(super) fn unfinished(tree: &Tree<'_>) -> Vec<String> {
    let marks = UNFINISHED.map(|(start, end)| format!("{start}{end}"));
    let sources = tree.files.iter().filter(|file| file.is("rs"));
    sources
        .flat_map(|file| lines_with(file, |line| marks.iter().find(|mark| line.contains(*mark)).cloned()))
        .collect()
}

pub(super) fn machine_paths(tree: &Tree<'_>) -> Vec<String> {
    let starts = MACHINE_FOLDERS.map(|folder| format!("/{folder}/"));
    let find = |line: &str| starts.iter().find(|start| has_path_from(line, start)).cloned();
    tree.files.iter().flat_map(|file| lines_with(file, find)).collect()
}

/// Whether an absolute path begins with `start`: nothing of a path stands before it.
fn has_path_from(line: &str, start: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || "_-.}~/*".contains(c);
    line.match_indices(start).any(|(at, _)| !line[..at].ends_with(is_part))
}

pub(super) fn undocumented_crates(tree: &Tree<'_>) -> Vec<String> {
    let libraries = tree.files.iter().filter(|file| file.path.ends_with("src/lib.rs"));
    let silent = libraries.filter(|file| !file.text.as_deref().is_some_and(|text| text.starts_with("//!")));
    silent.map(|file| format!("{}: does not begin with //!", file.path.display())).collect()
}

pub(super) fn misnamed_decisions(tree: &Tree<'_>) -> Vec<String> {
    let mut numbers = BTreeSet::new();
    let decisions = tree.files.iter().filter(|file| file.path.starts_with("docs/decisions"));
    let wrong =
        decisions.filter(|file| !decision_number(&file.path).is_some_and(|number| numbers.insert(number)));
    wrong.map(|file| format!("{}: not named NNNN-name.md, or a number twice", file.path.display())).collect()
}

fn decision_number(path: &Path) -> Option<u16> {
    let (number, name) = path.file_name()?.to_str()?.strip_suffix(".md")?.split_once('-')?;
    let fits = number.len() == 4 && !name.is_empty();
    number.parse().ok().filter(|_| fits)
}

fn lines_with(file: &File, find: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let hits = file.lines().filter_map(|(number, line)| Some((number, find(line)?)));
    hits.map(|(number, hit)| format!("{}:{number}: {hit}", file.path.display())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offences(rule: fn(&Tree<'_>) -> Vec<String>, path: &str, text: &str) -> usize {
        rule(&Tree::of(&[(path, text)], &[])).len()
    }

    #[test]
    fn the_600th_line_is_the_last() {
        assert_eq!(offences(too_long, "a.rs", &"x\n".repeat(600)), 0);
        assert_eq!(offences(too_long, "a.rs", &"x\n".repeat(601)), 1);
        assert_eq!(offences(too_long, "a.md", &"x\n".repeat(601)), 0);
    }

    #[test]
    fn every_unfinished_mark_is_seen() {
        for (start, end) in UNFINISHED {
            assert_eq!(offences(unfinished, "a.rs", &format!("fn f() {{\n    {start}{end} }}\n")), 1);
        }
        assert_eq!(offences(unfinished, "a.rs", "todo_list.ignore()"), 0);
    }

    #[test]
    fn absolute_paths_of_a_machine_are_seen_and_others_are_not() {
        for folder in MACHINE_FOLDERS {
            assert_eq!(
                offences(machine_paths, "a.md", &format!("see `/{folder}/me/project`")),
                1,
                "{folder}"
            );
            assert_eq!(offences(machine_paths, "a.sh", &format!("{{dir}}/{folder}/x docs/{folder}/y")), 0);
        }
        assert_eq!(offences(machine_paths, "a.md", "/usr/lib/x /v2/graphs"), 0);
    }

    #[test]
    fn a_library_begins_with_its_purpose() {
        assert_eq!(offences(undocumented_crates, "crates/a/src/lib.rs", "//! What it is.\n"), 0);
        assert_eq!(offences(undocumented_crates, "crates/a/src/lib.rs", "mod a;\n"), 1);
        assert_eq!(offences(undocumented_crates, "crates/a/src/a.rs", "fn f() {}\n"), 0);
    }

    #[test]
    fn decisions_have_numbers_of_their_own() {
        let wrong = |names: &[&str]| {
            let paths: Vec<String> = names.iter().map(|name| format!("docs/decisions/{name}")).collect();
            let files: Vec<(&str, &str)> = paths.iter().map(|path| (path.as_str(), "")).collect();
            misnamed_decisions(&Tree::of(&files, &[])).len()
        };
        assert_eq!(wrong(&["0001-one.md", "0002-two-words.md"]), 0);
        assert_eq!(wrong(&["1-one.md", "one.md", "0003.md", "0004-.md", "0005-five.txt"]), 5);
        assert_eq!(wrong(&["0001-one.md", "0001-other.md"]), 1);
    }
}
