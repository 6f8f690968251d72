use std::io::{self, Read};

use super::closing_quote;
use super::dialect::Dialect;
use super::records::Defect;

/// Bytes of a file that hold whole records.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) bytes: Vec<u8>,
    /// Set if `bytes` are not records but the start of one bad line.
    pub(crate) defect: Option<Defect>,
}

/// Cuts a stream into blocks of about a megabyte at record boundaries. Memory stays bounded,
/// whatever the stream holds: a record that outgrows the limit becomes a bad line.
pub(crate) struct Blocks<'d, R> {
    reader: R,
    dialect: &'d Dialect,
    limits: Limits,
    /// Read but not handed out; starts at a record.
    buffer: Vec<u8>,
    started: bool,
    ended: bool,
}

/// How much text is handled at a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Bytes of a usual block, more than a byte order mark has.
    pub(crate) block: usize,
    /// Bytes of the longest record.
    pub(crate) record: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { block: 1 << 20, record: 64 << 20 }
    }
}

/// How much of an overlong line is kept for the log.
const KEPT_OF_OVERLONG: usize = 1024;
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

impl<'d, R: Read> Blocks<'d, R> {
    pub(crate) fn new(reader: R, dialect: &'d Dialect) -> Self {
        Self::with_limits(reader, dialect, Limits::default())
    }

    pub(crate) fn with_limits(reader: R, dialect: &'d Dialect, limits: Limits) -> Self {
        Self { reader, dialect, limits, buffer: Vec::new(), started: false, ended: false }
    }

    /// The next block; `None` at the end of the stream.
    pub(crate) fn next(&mut self) -> io::Result<Option<Block>> {
        let mut wanted = self.limits.block;
        loop {
            self.fill(wanted)?;
            if self.ended {
                let bytes = std::mem::take(&mut self.buffer);
                return Ok((!bytes.is_empty()).then_some(Block { bytes, defect: None }));
            }
            let end = complete_records(&self.buffer, self.dialect);
            if end > 0 {
                return Ok(Some(Block { bytes: self.take(end), defect: None }));
            }
            if self.buffer.len() >= self.limits.record {
                return self.overlong().map(Some);
            }
            wanted = (self.buffer.len() * 2).clamp(self.limits.block, self.limits.record);
        }
    }

    /// Reads until the buffer holds `wanted` bytes or the stream ends.
    fn fill(&mut self, wanted: usize) -> io::Result<()> {
        let missing = wanted.saturating_sub(self.buffer.len());
        if missing == 0 || self.ended {
            return Ok(());
        }
        self.buffer.reserve_exact(missing);
        let read = self.reader.by_ref().take(missing as u64).read_to_end(&mut self.buffer)?;
        self.ended = read < missing;
        if !self.started && self.buffer.starts_with(BYTE_ORDER_MARK) {
            self.buffer.drain(..BYTE_ORDER_MARK.len());
        }
        self.started = true;
        Ok(())
    }

    fn take(&mut self, end: usize) -> Vec<u8> {
        let rest = self.buffer.split_off(end);
        std::mem::replace(&mut self.buffer, rest)
    }

    /// Hands out a line that is too long, or one whose quote swallows everything after it.
    fn overlong(&mut self) -> io::Result<Block> {
        if let Some(line_break) = memchr::memchr(b'\n', &self.buffer) {
            return Ok(Block { bytes: self.take(line_break + 1), defect: Some(Defect::QuoteNeverClosed) });
        }
        let bytes = self.buffer[..KEPT_OF_OVERLONG.min(self.buffer.len())].to_vec();
        loop {
            if let Some(line_break) = memchr::memchr(b'\n', &self.buffer) {
                self.buffer.drain(..=line_break);
                break;
            }
            self.buffer.clear();
            if self.ended {
                break;
            }
            self.fill(self.limits.block)?;
        }
        Ok(Block { bytes, defect: Some(Defect::LineTooLong) })
    }
}

/// How many of the leading bytes are whole records: up to the last line break outside of
/// quotes.
fn complete_records(bytes: &[u8], dialect: &Dialect) -> usize {
    let (quote, delimiter) = (dialect.quote(), dialect.delimiter());
    let (mut end, mut plain) = (0, 0);
    loop {
        let found = quote.find(&bytes[plain..]).map(|offset| plain + offset);
        let text = &bytes[plain..found.unwrap_or(bytes.len())];
        if let Some(line_break) = memchr::memrchr(b'\n', text) {
            end = plain + line_break + 1;
        }
        let Some(found) = found else { return end };
        let opens = found == end || text.ends_with(delimiter.as_bytes());
        if !opens {
            plain = found + quote.len();
            continue;
        }
        match closing_quote(bytes, found + quote.len(), quote) {
            // At the very end the other half of a doubled quote may be missing, but no line
            // break follows there that could be taken for the end of a record.
            Some(behind) => plain = behind,
            None => return end,
        }
    }
}
