//! Bytes of log segments: the frame around each record, and the sealed form.

use model::{DecodeError, Reader, Writer};

use crate::error::{At, Error};

const ACTIVE_MAGIC: &[u8; 4] = b"GLOG";
const SEALED_MAGIC: &[u8; 4] = b"GSEG";
const VERSION: u8 = 1;
/// Bytes before a record's payload: length, checksum, and how far into its write it stands.
const FRAME: usize = 12;
const COMPRESSION_LEVEL: i32 = 1;
/// Segments begin at folds, so they are far smaller; a sealed one that claims more is damaged.
const MAX_RAW: u64 = 1 << 40;

/// What a segment says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) timeline: String,
    pub(crate) first_lsn: u64,
    /// BLAKE3 of the segment before it in its unsealed form; zeros for a timeline's first.
    pub(crate) previous: [u8; 32],
}

impl Header {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        out.raw(ACTIVE_MAGIC);
        out.u8(VERSION);
        out.str(&self.timeline);
        out.varint(self.first_lsn);
        out.raw(&self.previous);
        let checksum = crc32c::crc32c(out.as_slice());
        out.raw(&checksum.to_le_bytes());
        out.into_bytes()
    }

    fn decode(input: &mut Reader<'_>, bytes: &[u8]) -> Result<Self, DecodeError> {
        if input.array::<4>()? != *ACTIVE_MAGIC || input.u8()? != VERSION {
            return Err(input.error("the header of a log segment"));
        }
        let header =
            Self { timeline: input.str()?.into(), first_lsn: input.varint()?, previous: input.array()? };
        let checksum = crc32c::crc32c(&bytes[..input.offset()]);
        if u32::from_le_bytes(input.array()?) == checksum {
            Ok(header)
        } else {
            Err(input.error("the checksum of the header"))
        }
    }
}

/// Puts records in frames. Each checksum continues the one before it.
#[derive(Debug, Clone)]
pub(crate) struct Framer {
    checksum: u32,
}

impl Framer {
    /// Continues a segment that so far holds only its header.
    pub(crate) fn after_header(header: &[u8]) -> Self {
        Self { checksum: crc32c::crc32c(header) }
    }

    /// Adds a record to `out`, which is written and synced as a whole.
    pub(crate) fn frame(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        let lead = u32::try_from(out.len()).unwrap_or(u32::MAX).to_le_bytes();
        self.checksum = checksum(self.checksum, &lead, payload);
        out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        out.extend_from_slice(&self.checksum.to_le_bytes());
        out.extend_from_slice(&lead);
        out.extend_from_slice(payload);
    }
}

fn checksum(before: u32, lead: &[u8], payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(before, lead), payload)
}

/// A segment taken apart.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) header: Header,
    /// Payloads, as ranges of the bytes it was read from.
    pub(crate) records: Vec<std::ops::Range<usize>>,
    /// Where the last whole record ends.
    pub(crate) valid: usize,
    /// Whether more than room, which is zeros, follows it.
    pub(crate) torn: bool,
    /// Ready to continue after the last whole record.
    pub(crate) framer: Framer,
}

impl Segment {
    /// Takes a segment apart up to the first record that is not whole. Whether that is a torn
    /// write or damage, [`Segment::check_tail`] tells.
    pub(crate) fn parse(bytes: &[u8], path: &str) -> Result<Self, Error> {
        let mut input = Reader::new(bytes);
        let header = Header::decode(&mut input, bytes).at(path)?;
        let mut framer = Framer::after_header(&bytes[..input.offset()]);
        let (mut records, mut valid) = (Vec::new(), input.offset());
        while let Some(found) = Found::at(bytes, valid, framer.checksum) {
            valid = found.payload.end;
            framer.checksum = found.checksum;
            records.push(found.payload);
        }
        let torn = bytes[valid..].iter().any(|byte| *byte != 0);
        Ok(Self { header, records, valid, torn, framer })
    }

    /// The number of the record after the last whole one.
    pub(crate) fn next_lsn(&self) -> u64 {
        self.header.first_lsn + self.records.len() as u64
    }

    /// Whether what follows the last whole record can be a torn write, of which any part may be
    /// there. `Err` if a record of a later write is readable: when that was made, everything
    /// before it was durable, so it was damaged since.
    pub(crate) fn check_tail(&self, bytes: &[u8], path: &str) -> Result<(), Error> {
        let (at, valid) = (self.valid, self.valid);
        let Some(frame) = Frame::at(bytes, at) else { return Ok(()) };
        let later = |found: Found| found.payload.start - FRAME - found.lead > valid;
        // If its payload was damaged, its checksum is where the next one starts from; if its
        // checksum was, its payload tells; if its length was, the next one may be anywhere.
        let told = frame.payload(bytes, at).and_then(|payload| {
            let before = checksum(self.framer.checksum, &frame.lead.to_le_bytes(), &bytes[payload.clone()]);
            Found::at(bytes, payload.end, before)
        });
        let next = |at: usize| Found::at(bytes, at, frame.checksum);
        // If more than one was damaged, two that follow each other tell.
        let pair = |at: usize| {
            let frame = Frame::at(bytes, at)?;
            Found::at(bytes, frame.payload(bytes, at)?.end, frame.checksum)
        };
        let end = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0);
        let mut places = at + FRAME..=end;
        if told.is_some_and(later) || places.any(|at| next(at).or_else(|| pair(at)).is_some_and(later)) {
            let reason = format!("record {} at byte {} is damaged", self.next_lsn(), self.valid);
            return Err(Error::corrupt(path, reason));
        }
        Ok(())
    }
}

/// What stands before a record's payload.
struct Frame {
    len: usize,
    checksum: u32,
    lead: u32,
}

impl Frame {
    fn at(bytes: &[u8], at: usize) -> Option<Self> {
        let frame = bytes.get(at..at.checked_add(FRAME)?)?;
        let word = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| frame[at + i]));
        Some(Self { len: word(0) as usize, checksum: word(4), lead: word(8) })
    }

    fn payload(&self, bytes: &[u8], at: usize) -> Option<std::ops::Range<usize>> {
        let start = at + FRAME;
        let end = start.checked_add(self.len).filter(|end| *end <= bytes.len() && self.len > 0)?;
        Some(start..end)
    }
}

/// A whole record.
struct Found {
    payload: std::ops::Range<usize>,
    checksum: u32,
    lead: usize,
}

impl Found {
    /// The record whose frame starts at `at`, if it follows one whose checksum is `before`.
    fn at(bytes: &[u8], at: usize, before: u32) -> Option<Self> {
        let frame = Frame::at(bytes, at)?;
        let payload = frame.payload(bytes, at)?;
        let whole = checksum(before, &frame.lead.to_le_bytes(), &bytes[payload.clone()]) == frame.checksum;
        let lead = usize::try_from(frame.lead).ok().filter(|lead| *lead <= at)?;
        whole.then_some(Self { payload, checksum: frame.checksum, lead })
    }
}

/// The immutable form of a finished segment.
pub(crate) fn seal(raw: &[u8]) -> Result<Vec<u8>, std::io::Error> {
    let mut out = Writer::new();
    out.raw(SEALED_MAGIC);
    out.u8(VERSION);
    out.varint(raw.len() as u64);
    out.raw(blake3::hash(raw).as_bytes());
    out.raw(&zstd::bulk::compress(raw, COMPRESSION_LEVEL)?);
    Ok(out.into_bytes())
}

/// The segment inside its sealed form.
pub(crate) fn unseal(sealed: &[u8], path: &str) -> Result<Vec<u8>, Error> {
    let mut input = Reader::new(sealed);
    let mut header = || -> Result<(u64, [u8; 32]), DecodeError> {
        if input.array::<4>()? != *SEALED_MAGIC || input.u8()? != VERSION {
            return Err(input.error("the header of a sealed log segment"));
        }
        Ok((input.number()?, input.array()?))
    };
    let (len, hash) = header().at(path)?;
    // zstd expands at most some 30,000-fold; a length beyond that is a lie about memory.
    let limit = (sealed.len() as u64).saturating_mul(1 << 15).min(MAX_RAW);
    if len > limit {
        return Err(Error::corrupt(path, "a length that its bytes cannot hold"));
    }
    let rest = &sealed[input.offset()..];
    let raw = zstd::bulk::decompress(rest, len as usize).map_err(|error| Error::corrupt(path, error))?;
    if raw.len() as u64 != len || *blake3::hash(&raw).as_bytes() != hash {
        return Err(Error::corrupt(path, "its records do not have the hash in its header"));
    }
    Ok(raw)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A segment of writes of records with room behind; where each write starts.
    fn segment(writes: &[Vec<Vec<u8>>]) -> (Vec<u8>, Vec<usize>) {
        let header = Header { timeline: "t".into(), first_lsn: 1, previous: [7; 32] }.encode();
        let mut framer = Framer::after_header(&header);
        let (mut bytes, mut starts) = (header, Vec::new());
        for write in writes {
            starts.push(bytes.len());
            let mut batch = Vec::new();
            write.iter().for_each(|payload| framer.frame(payload, &mut batch));
            bytes.extend(batch);
        }
        bytes.resize(bytes.len() + 64, 0);
        (bytes, starts)
    }

    fn check(bytes: &[u8]) -> Result<usize, Error> {
        let segment = Segment::parse(bytes, "s")?;
        segment.check_tail(bytes, "s")?;
        Ok(segment.records.len())
    }

    proptest! {
        /// Whatever part of the last write a crash loses, the log opens and holds the writes before.
        #[test]
        fn a_torn_write_is_no_damage(
            writes in prop::collection::vec(prop::collection::vec(prop::collection::vec(1u8.., 1..40), 1..6), 1..5),
            sector in 8usize..100,
            lost: u64,
        ) {
            let (mut bytes, starts) = segment(&writes);
            let last = *starts.last().unwrap_or(&0);
            for (nr, piece) in bytes[last..].chunks_mut(sector).enumerate() {
                if lost >> (nr % 64) & 1 == 1 {
                    piece.fill(0);
                }
            }
            let all: usize = writes.iter().map(Vec::len).sum();
            let before = all - writes.last().map_or(0, Vec::len);
            let kept = check(&bytes);
            prop_assert!(kept.as_ref().is_ok_and(|kept| (before..=all).contains(kept)), "{kept:?}");
        }

        /// Damage before the last write is damage: that write proves that it was durable.
        #[test]
        fn damage_before_the_last_write_is_found(
            writes in prop::collection::vec(prop::collection::vec(prop::collection::vec(1u8.., 1..40), 1..4), 3..6),
            place: prop::sample::Index,
            flip in 1u8..,
        ) {
            let (mut bytes, starts) = segment(&writes);
            let place = starts[0] + place.index(starts[writes.len() - 2] - starts[0]);
            bytes[place] ^= flip;
            prop_assert!(check(&bytes).is_err());
        }
    }
}
