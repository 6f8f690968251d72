use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use model::{LabelId, Vid};

use super::EdgePatch;
use super::versions::Versions;
use crate::part::adjacency::Neighbour;

/// More changed edges than this at one vertex move from a vector to a tree.
const FEW: usize = 32;

type Change = (Neighbour, Versions<EdgePatch>);

/// Changed edges of one vertex in one direction, sorted.
#[derive(Debug)]
pub(crate) enum EdgePatches {
    Few(Vec<Change>),
    Many(BTreeMap<Neighbour, Versions<EdgePatch>>),
}

impl Default for EdgePatches {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

/// Where an edge stands in a short list, or would.
fn place(few: &[Change], edge: &Neighbour) -> Result<usize, usize> {
    few.binary_search_by_key(edge, |(edge, _)| *edge)
}

impl EdgePatches {
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Few(few) => few.is_empty(),
            Self::Many(many) => many.is_empty(),
        }
    }

    /// What became of an edge by commit `lsn`.
    pub(crate) fn get(&self, edge: &Neighbour, lsn: u64) -> Option<&EdgePatch> {
        match self {
            Self::Few(few) => few[place(few, edge).ok()?].1.at(lsn),
            Self::Many(many) => many.get(edge)?.at(lsn),
        }
    }

    pub(super) fn set(&mut self, edge: Neighbour, lsn: u64, patch: EdgePatch) {
        if let Self::Few(few) = self
            && few.len() == FEW
        {
            *self = Self::Many(std::mem::take(few).into_iter().collect());
        }
        match self {
            Self::Few(few) => match place(few, &edge) {
                Ok(at) => few[at].1.put(lsn, patch),
                Err(at) => {
                    // Most vertices have a single change.
                    few.reserve_exact(usize::from(few.is_empty()));
                    few.insert(at, (edge, Versions::One(lsn, patch)));
                }
            },
            Self::Many(many) => match many.entry(edge) {
                Entry::Occupied(entry) => entry.into_mut().put(lsn, patch),
                Entry::Vacant(entry) => {
                    entry.insert(Versions::One(lsn, patch));
                }
            },
        }
    }

    /// Takes back what commit `lsn`, the newest, put.
    pub(super) fn forget(&mut self, edge: &Neighbour, lsn: u64) {
        match self {
            Self::Few(few) => {
                if let Ok(at) = place(few, edge)
                    && !few[at].1.forget(lsn)
                {
                    few.remove(at);
                }
            }
            Self::Many(many) => {
                if many.get_mut(edge).is_some_and(|versions| !versions.forget(lsn)) {
                    many.remove(edge);
                }
            }
        }
    }

    /// All changes up to commit `lsn`, in order.
    pub(crate) fn iter(&self, lsn: u64) -> Box<dyn Iterator<Item = (Neighbour, &EdgePatch)> + '_> {
        match self {
            Self::Few(few) => Box::new(few.iter().filter_map(move |(edge, all)| Some((*edge, all.at(lsn)?)))),
            Self::Many(many) => {
                Box::new(many.iter().filter_map(move |(edge, all)| Some((*edge, all.at(lsn)?))))
            }
        }
    }

    /// The same for edges to one other end, whatever their label.
    pub(crate) fn between(&self, other: Vid, lsn: u64) -> Vec<(Neighbour, &EdgePatch)> {
        match self {
            Self::Few(_) => self.iter(lsn).filter(|(edge, _)| edge.other == other).collect(),
            Self::Many(many) => between(many, other, lsn),
        }
    }
}

/// One seek per label, as edges are sorted by label first: a vertex may have very many.
fn between(
    many: &BTreeMap<Neighbour, Versions<EdgePatch>>,
    other: Vid,
    lsn: u64,
) -> Vec<(Neighbour, &EdgePatch)> {
    let mut found = Vec::new();
    let mut label = Some(LabelId(0));
    while let Some(wanted) = label {
        let run = many.range(Neighbour { label: wanted, other, rank: 0 }..);
        let same = run.clone().take_while(|(edge, _)| edge.label == wanted && edge.other == other);
        found.extend(same.filter_map(|(edge, versions)| Some((*edge, versions.at(lsn)?))));
        // The next label there is.
        let rest = Neighbour { label: wanted, other: Vid(u32::MAX), rank: u32::MAX };
        label = many.range(rest..).map(|(edge, _)| edge.label).find(|label| *label > wanted);
    }
    found
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::Props;
    use proptest::prelude::*;

    use super::*;

    /// Per edge what each commit made of it: put or removed.
    type Model = BTreeMap<Neighbour, Vec<(u64, bool)>>;

    fn at(model: &Model, lsn: u64) -> Vec<(Neighbour, bool)> {
        let last =
            |all: &[(u64, bool)]| all.iter().rev().find(|(since, _)| *since <= lsn).map(|(_, put)| *put);
        model.iter().filter_map(|(edge, all)| Some((*edge, last(all)?))).collect()
    }

    fn check(patches: &EdgePatches, model: &Model, lsn: u64) -> Result<(), TestCaseError> {
        let is_put = |(edge, patch): (Neighbour, &EdgePatch)| (edge, patch.is_some());
        let all: Vec<_> = patches.iter(lsn).map(is_put).collect();
        prop_assert_eq!(&all, &at(model, lsn));
        for other in (0..8).map(Vid) {
            let between: Vec<_> = patches.between(other, lsn).into_iter().map(is_put).collect();
            let wanted: Vec<_> = all.iter().filter(|(edge, _)| edge.other == other).copied().collect();
            prop_assert_eq!(between, wanted);
        }
        for (edge, put) in all {
            prop_assert_eq!(patches.get(&edge, lsn).map(Option::is_some), Some(put));
        }
        Ok(())
    }

    proptest! {
        /// Few and many edges, of several labels, read as of every commit; each commit is then
        /// taken back, the newest first.
        #[test]
        fn edges_are_as_commits_left_them(
            changes in prop::collection::vec((1u64..6, 0u16..4, 0u32..8, 0u32..3, any::<bool>()), 0..120),
        ) {
            let (mut patches, mut model) = (EdgePatches::default(), Model::new());
            let mut changes = changes;
            changes.sort_by_key(|(lsn, ..)| *lsn);
            for (lsn, label, other, rank, put) in changes {
                let edge = Neighbour { label: LabelId(label * 7), other: Vid(other), rank };
                patches.set(edge, lsn, put.then(|| Arc::new(Props::new())));
                let all = model.entry(edge).or_default();
                all.retain(|(since, _)| *since < lsn);
                all.push((lsn, put));
            }
            for newest in (0..=5).rev() {
                (0..=newest).try_for_each(|lsn| check(&patches, &model, lsn))?;
                let edges: Vec<Neighbour> = model.keys().copied().collect();
                edges.iter().for_each(|edge| patches.forget(edge, newest));
                model.values_mut().for_each(|all| all.retain(|(since, _)| *since < newest));
                model.retain(|_, all| !all.is_empty());
            }
            prop_assert!(patches.is_empty(), "what is taken back leaves nothing");
        }
    }
}
