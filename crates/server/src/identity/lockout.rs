//! Who fails too often must wait. Counted in memory: a restart forgets it.

use std::sync::{Mutex, PoisonError};

use rustc_hash::FxHashMap;

use crate::times::Time;

/// Failures are counted over this many seconds.
const WINDOW: i64 = 15 * 60;
/// Subjects remembered at most; beyond that the oldest go.
const MOST: usize = 10_000;

/// Who is counted, how many failures are one too many, and how long the lock holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    /// A user by name, whether there is one or not.
    User(String),
    /// An address from which passwords are tried.
    Address(String),
    /// An access key, as used from one address: nobody can lock others' keys.
    Key(String, String),
}

impl Subject {
    fn limit(&self) -> u32 {
        match self {
            Self::User(_) | Self::Key(..) => 5,
            Self::Address(_) => 50,
        }
    }

    fn lock_seconds(&self) -> i64 {
        match self {
            Self::User(_) | Self::Address(_) => 15 * 60,
            Self::Key(..) => 5 * 60,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Count {
    failures: u32,
    since: Time,
    until: Option<Time>,
}

/// All that have failed of late.
#[derive(Debug, Default)]
pub(crate) struct Lockouts(Mutex<FxHashMap<Subject, Count>>);

impl Lockouts {
    /// For how many seconds more any of these is locked.
    pub(crate) fn locked(&self, subjects: &[Subject], now: Time) -> Option<i64> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let until = |subject: &Subject| counts.get(subject)?.until.filter(|until| *until > now);
        subjects.iter().filter_map(until).max().map(|until| until.seconds_since(now) + 1)
    }

    /// Counts a failure of each of these.
    pub(crate) fn failed(&self, subjects: &[Subject], now: Time) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() + subjects.len() > MOST {
            forget_old(&mut counts, now);
        }
        for subject in subjects {
            let count =
                counts.entry(subject.clone()).or_insert(Count { failures: 0, since: now, until: None });
            let over = match count.until {
                Some(until) => until <= now,
                None => now.seconds_since(count.since) >= WINDOW,
            };
            if over {
                *count = Count { failures: 0, since: now, until: None };
            }
            count.failures += 1;
            if count.failures >= subject.limit() {
                count.until = Some(now.plus_seconds(subject.lock_seconds()));
            }
        }
    }

    /// Forgets the failures of one that has succeeded.
    pub(crate) fn succeeded(&self, subject: &Subject) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(subject);
    }
}

fn forget_old(counts: &mut FxHashMap<Subject, Count>, now: Time) {
    counts.retain(|_, count| match count.until {
        Some(until) => until > now,
        None => now.seconds_since(count.since) < WINDOW,
    });
    if counts.len() >= MOST {
        let mut begun: Vec<Time> = counts.values().map(|count| count.since).collect();
        let (_, middle, _) = begun.select_nth_unstable(MOST / 2);
        let middle = *middle;
        counts.retain(|_, count| count.since > middle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time::default().plus_seconds(seconds)
    }

    #[test]
    fn the_fifth_failure_locks_for_a_quarter_of_an_hour() {
        let (lockouts, user) = (Lockouts::default(), [Subject::User("eve".into())]);
        for second in 0..4 {
            lockouts.failed(&user, at(second));
            assert_eq!(lockouts.locked(&user, at(second)), None);
        }
        lockouts.failed(&user, at(4));
        assert!(lockouts.locked(&user, at(4 + 899)).is_some());
        assert_eq!(lockouts.locked(&user, at(4 + 900)), None);
        assert_eq!(lockouts.locked(&[Subject::User("bob".into())], at(5)), None);
        lockouts.failed(&user, at(4 + 900));
        assert_eq!(lockouts.locked(&user, at(4 + 900)), None, "a lock that has ended starts the count anew");
    }

    #[test]
    fn slow_failures_and_successes_do_not_add_up() {
        let (lockouts, user) = (Lockouts::default(), [Subject::User("bob".into())]);
        for round in 0..20 {
            lockouts.failed(&user, at(round * WINDOW));
        }
        assert_eq!(lockouts.locked(&user, at(20 * WINDOW)), None);
        for _ in 0..20 {
            lockouts.failed(&user, at(0));
            lockouts.succeeded(&user[0]);
        }
        assert_eq!(lockouts.locked(&user, at(0)), None);
    }

    #[test]
    fn memory_is_bounded() {
        let lockouts = Lockouts::default();
        for name in 0..3 * MOST as i64 {
            lockouts.failed(&[Subject::User(name.to_string())], at(name / 1000));
        }
        assert!(lockouts.0.lock().unwrap().len() <= MOST);
        let address = [Subject::Address("192.0.2.1".into())];
        (0..49).for_each(|_| lockouts.failed(&address, at(100)));
        assert_eq!(lockouts.locked(&address, at(100)), None);
        lockouts.failed(&address, at(100));
        assert!(lockouts.locked(&address, at(100)).is_some());
    }
}
