/// Values that commits gave one thing, oldest first; nearly always one.
#[derive(Debug)]
pub(crate) enum Versions<T> {
    One(u64, T),
    Many(Vec<(u64, T)>),
}

impl<T> Versions<T> {
    /// The value after commit `lsn`; `None` if that is older than all.
    pub(super) fn at(&self, lsn: u64) -> Option<&T> {
        match self {
            Self::One(since, value) => (*since <= lsn).then_some(value),
            // From the newest: readers are rarely far behind.
            Self::Many(all) => all.iter().rev().find(|(since, _)| *since <= lsn).map(|(_, value)| value),
        }
    }

    /// Adds the value of commit `lsn`, in place of one that the same commit put before.
    pub(super) fn put(&mut self, lsn: u64, value: T) {
        let mut all = match std::mem::replace(self, Self::Many(Vec::new())) {
            Self::One(since, old) => vec![(since, old)],
            Self::Many(all) => all,
        };
        all.pop_if(|(since, _)| *since == lsn);
        if all.is_empty() {
            *self = Self::One(lsn, value);
        } else {
            all.push((lsn, value));
            *self = Self::Many(all);
        }
    }

    /// Takes back what commit `lsn`, the newest, put. Returns whether anything is left.
    pub(super) fn forget(&mut self, lsn: u64) -> bool {
        match self {
            Self::One(since, _) => *since < lsn,
            Self::Many(all) => {
                all.retain(|(since, _)| *since < lsn);
                !all.is_empty()
            }
        }
    }
}
