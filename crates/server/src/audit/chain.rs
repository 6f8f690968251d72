//! The chain of records. Each is a line: a code, a space, a JSON object that begins with its number.
//! The code is a keyed hash (HMAC-SHA256 under a key derived from `instance.key`) over the code
//! before it and the object, so that no record can be changed, removed, inserted or moved without
//! the codes from there on being wrong, and nobody without the key can make them right.

use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// What the code of the next record builds on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) seq: u64,
    /// Hexadecimal.
    pub(crate) mac: String,
}

/// What is wrong with a chain, and at which record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// The line is no record.
    #[error("record {seq} cannot be read")]
    Unreadable {
        /// Which record should stand there.
        seq: u64,
    },
    /// Another record stands in its place.
    #[error("record {seq} is missing: record {found} stands in its place")]
    Missing {
        /// Which record should stand there.
        seq: u64,
        /// Which does.
        found: u64,
    },
    /// The code does not fit.
    #[error("record {seq} is not what was written, or does not belong after the one before it")]
    Changed {
        /// Which record.
        seq: u64,
    },
    /// The chain ends too early.
    #[error(
        "record {seq} and what came after it have been cut off: {anchored} records were written at least"
    )]
    Cut {
        /// The first that is gone.
        seq: u64,
        /// The last that is known to have been there.
        anchored: u64,
    },
    /// The database knows another record by that number.
    #[error("record {seq} is not the one that the database remembers")]
    Replaced {
        /// Which record.
        seq: u64,
    },
}

#[derive(Deserialize)]
struct Numbered {
    seq: u64,
}

impl Link {
    /// Before the first record.
    pub(crate) fn start() -> Self {
        Self { seq: 0, mac: "0".repeat(64) }
    }

    /// The record after this one, as a line, and the link to the one after it.
    pub(crate) fn append(&self, key: &[u8; 32], json: &str) -> (String, Self) {
        let mac = code(key, &self.mac, json);
        (format!("{mac} {json}\n"), Self { seq: self.seq + 1, mac })
    }

    /// Checks that a line, without its end, is the record after this one.
    pub(crate) fn check(&self, key: &[u8; 32], line: &str) -> Result<Self, Fault> {
        let seq = self.seq + 1;
        let found = Self::read(line).ok_or(Fault::Unreadable { seq })?;
        if found.seq != seq {
            return Err(Fault::Missing { seq, found: found.seq });
        }
        let json = line.split_once(' ').map_or("", |(_, json)| json);
        let expected = code(key, &self.mac, json);
        match bool::from(expected.as_bytes().ct_eq(found.mac.as_bytes())) {
            true => Ok(found),
            false => Err(Fault::Changed { seq }),
        }
    }

    /// What a line says of itself, unchecked.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let (mac, json) = line.split_once(' ')?;
        let Numbered { seq } = serde_json::from_str(json).ok()?;
        (mac.len() == 64).then(|| Self { seq, mac: mac.to_owned() })
    }
}

fn code(key: &[u8; 32], before: &str, json: &str) -> String {
    // Keys are filled up with zeros to the length of a block.
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(before.as_bytes());
    mac.update(json.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn chain(records: u64) -> Vec<String> {
        let mut link = Link::start();
        let record = |seq| {
            let (line, next) = link.append(&KEY, &format!(r#"{{"seq":{seq},"what":"w{seq}"}}"#));
            link = next;
            line.trim_end().to_owned()
        };
        (1..=records).map(record).collect()
    }

    fn check(lines: &[String]) -> Result<u64, Fault> {
        let end = lines.iter().try_fold(Link::start(), |link, line| link.check(&KEY, line))?;
        Ok(end.seq)
    }

    #[test]
    fn whatever_is_done_to_a_chain_is_seen_where_it_begins() {
        let whole = chain(9);
        assert_eq!(check(&whole), Ok(9));
        for at in 0..9 {
            let seq = at as u64 + 1;
            let mut changed = whole.clone();
            changed[at] = changed[at].replace("\"w", "\"v");
            assert_eq!(check(&changed), Err(Fault::Changed { seq }));
            let mut garbage = whole.clone();
            garbage[at] = "x".into();
            assert_eq!(check(&garbage), Err(Fault::Unreadable { seq }));
            if at < 8 {
                let mut removed = whole.clone();
                removed.remove(at);
                assert_eq!(check(&removed), Err(Fault::Missing { seq, found: seq + 1 }));
                let mut swapped = whole.clone();
                swapped.swap(at, at + 1);
                assert_eq!(check(&swapped), Err(Fault::Missing { seq, found: seq + 1 }));
            }
            let mut twice = whole.clone();
            twice.insert(at, whole[at].clone());
            assert_eq!(check(&twice), Err(Fault::Missing { seq: seq + 1, found: seq }));
        }
    }

    #[test]
    fn renumbering_after_a_removal_does_not_help() {
        let mut lines = chain(4);
        lines.remove(1);
        lines[1] = lines[1].replace("\"seq\":3", "\"seq\":2");
        assert_eq!(check(&lines), Err(Fault::Changed { seq: 2 }));
        let other = Link::start().check(&[8; 32], &chain(1)[0]);
        assert_eq!(other, Err(Fault::Changed { seq: 1 }), "without the key nobody makes a chain");
    }
}
