//! The example graph, carried in the binary, and whom the damage hits.

use std::cmp::Reverse;
use std::io::Read;

use flate2::read::GzDecoder;
use rustc_hash::{FxHashMap, FxHashSet};

/// Metadata of the graph.
pub(super) const SCHEMA: &[u8] = include_bytes!("../../../../data/debian/schema.xml");
/// `id,label,version,section,installed_size`
pub(super) const VERTICES: &[u8] = include_bytes!("../../../../data/debian/vertices.csv.gz");
/// `source,target,label`
pub(super) const EDGES: &[u8] = include_bytes!("../../../../data/debian/edges.csv.gz");

/// How many packages lose their dependencies, and how many others their version.
const HIT: usize = 1_000;

/// A package that everybody knows, of those that lose their dependencies.
pub(super) const CUT_OFF: &str = "python3";
/// One of those that get wrong properties.
pub(super) const FALSIFIED: &str = "bash";

/// What is going to be damaged.
pub(super) struct Victims {
    /// Packages that lose all their `Depends` edges, the most depended upon first.
    pub(super) cut_off: Vec<String>,
    /// Those edges: source and target.
    pub(super) edges: Vec<(String, String)>,
    /// Packages that get wrong properties, the most depended upon first.
    pub(super) falsified: Vec<String>,
}

impl Victims {
    /// The damage hits where it hurts: the packages that most others depend on.
    pub(super) fn choose() -> std::io::Result<Self> {
        let (vertices, edges) = (unpack(VERTICES)?, unpack(EDGES)?);
        let packages: FxHashSet<&str> = vertices
            .lines()
            .map(fields)
            .filter(|row| row.get(1) == Some(&"package"))
            .map(|row| row[0])
            .collect();
        let depends: Vec<(&str, &str)> = edges
            .lines()
            .map(fields)
            .filter(|row| row.get(2) == Some(&"Depends"))
            .map(|row| (row[0], row[1]))
            .collect();
        let mut dependants: FxHashMap<&str, usize> = FxHashMap::default();
        for (_, target) in &depends {
            *dependants.entry(target).or_default() += 1;
        }
        let sources: FxHashSet<&str> = depends.iter().map(|(source, _)| *source).collect();
        let mut ranked: Vec<&str> = packages.intersection(&sources).copied().collect();
        ranked.sort_unstable_by_key(|name| (Reverse(dependants.get(name).copied()), *name));
        let (cut_off, rest) = ranked.split_at(HIT.min(ranked.len()));
        let hit: FxHashSet<&str> = cut_off.iter().copied().collect();
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let doomed = depends.iter().filter(|(source, _)| hit.contains(source));
        Ok(Self {
            edges: doomed.map(|(source, target)| ((*source).to_owned(), (*target).to_owned())).collect(),
            cut_off: owned(cut_off),
            falsified: owned(&rest[..HIT.min(rest.len())]),
        })
    }
}

fn unpack(gz: &[u8]) -> std::io::Result<String> {
    let mut text = String::new();
    GzDecoder::new(gz).read_to_string(&mut text)?;
    Ok(text)
}

/// Nothing in these files needs quotes.
fn fields(line: &str) -> Vec<&str> {
    line.split(',').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_thousand_different_packages_are_hit() {
        let victims = Victims::choose().unwrap();
        let all: FxHashSet<&String> = victims.cut_off.iter().chain(&victims.falsified).collect();
        assert_eq!(all.len(), 2 * HIT);
        assert!(victims.cut_off.iter().any(|name| name == CUT_OFF));
        assert!(victims.falsified.iter().any(|name| name == FALSIFIED));
        let sources: FxHashSet<&String> = victims.edges.iter().map(|(source, _)| source).collect();
        assert_eq!(sources.len(), HIT, "each has something to lose");
    }
}
