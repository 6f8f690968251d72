//! Bytes of log segments: the frame around each record, and the sealed form.

use model::{DecodeError, Reader, Writer};

use crate::error::{At, Error};

const ACTIVE_MAGIC: &[u8; 4] = b"GLOG";
const SEALED_MAGIC: &[u8; 4] = b"GSEG";
const VERSION: u8 = 1;
/// Bytes before a record's payload: length and checksum.
const FRAME: usize = 8;
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

    pub(crate) fn frame(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        self.checksum = crc32c::crc32c_append(self.checksum, payload);
        out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        out.extend_from_slice(&self.checksum.to_le_bytes());
        out.extend_from_slice(payload);
    }
}

/// A segment taken apart.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) header: Header,
    /// Payloads, as ranges of the bytes it was read from.
    pub(crate) records: Vec<std::ops::Range<usize>>,
    /// Where the last whole record ends.
    pub(crate) valid: usize,
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
        while let Some((range, checksum)) = record_at(bytes, valid, framer.checksum) {
            valid = range.end;
            framer.checksum = checksum;
            records.push(range);
        }
        Ok(Self { header, records, valid, framer })
    }

    /// The number of the record after the last whole one.
    pub(crate) fn next_lsn(&self) -> u64 {
        self.header.first_lsn + self.records.len() as u64
    }

    /// Whether what follows the last whole record can be a torn write. `Err` if a later record
    /// of the same log is readable, so that something before it was damaged.
    pub(crate) fn check_tail(&self, bytes: &[u8], path: &str) -> Result<(), Error> {
        let Some(frame) = bytes.get(self.valid..self.valid + FRAME) else { return Ok(()) };
        let (len, checksum) = frame_of(frame);
        let start = self.valid + FRAME;
        // If its payload was damaged, its checksum is where the next one starts from; if its
        // checksum was, its payload tells; if its length was, the next one may be anywhere.
        let told = start.checked_add(len).and_then(|end| {
            let payload = bytes.get(start..end)?;
            record_at(bytes, end, crc32c::crc32c_append(self.framer.checksum, payload))
        });
        let next = |at: usize| record_at(bytes, at, checksum).is_some();
        // If more than one was damaged, two that follow each other tell.
        let pair = |at: usize| {
            let (len, checksum) = frame_of(bytes.get(at..at + FRAME)?);
            record_at(bytes, (at + FRAME).checked_add(len)?, checksum)
        };
        if told.is_some() || (start..bytes.len()).any(|at| next(at) || pair(at).is_some()) {
            let reason = format!("record {} at byte {} is damaged", self.next_lsn(), self.valid);
            return Err(Error::corrupt(path, reason));
        }
        Ok(())
    }
}

fn frame_of(frame: &[u8]) -> (usize, u32) {
    let word = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| frame[at + i]));
    (word(0) as usize, word(4))
}

/// The payload of the record whose frame starts at `at`, if it is whole, and its checksum.
fn record_at(bytes: &[u8], at: usize, before: u32) -> Option<(std::ops::Range<usize>, u32)> {
    let (len, checksum) = frame_of(bytes.get(at..at + FRAME)?);
    let start = at + FRAME;
    let payload = bytes.get(start..start.checked_add(len)?).filter(|payload| !payload.is_empty())?;
    (crc32c::crc32c_append(before, payload) == checksum).then_some((start..start + len, checksum))
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
