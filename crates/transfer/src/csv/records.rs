use std::borrow::Cow;
use std::ops::Range;

use super::closing_quote;
use super::dialect::Dialect;

/// Takes a block apart, record by record, without allocating for each.
pub(crate) struct Records<'a> {
    bytes: &'a [u8],
    dialect: &'a Dialect,
    at: usize,
    /// Line breaks before `at`.
    lines: u64,
    spans: Vec<Span>,
}

/// A record as it stands in the file.
#[derive(Debug)]
pub(crate) struct Line<'a, 's> {
    /// Line of the block on which it starts, from 0.
    pub(crate) number: u64,
    /// Where in the block it stands, without the line break at its end.
    pub(crate) span: Range<usize>,
    /// Its fields.
    pub(crate) row: Result<Row<'a, 's>, Defect>,
}

/// The fields of a record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a, 's> {
    text: &'a str,
    dialect: &'s Dialect,
    spans: &'s [Span],
}

/// Why bytes are no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Defect {
    #[error("a quote is opened but never closed")]
    QuoteNeverClosed,
    #[error("column {column}: there is text after the closing quote")]
    TextAfterQuote { column: usize },
    #[error("the line is longer than 64 MiB")]
    LineTooLong,
    #[error("the line has more than 65,538 columns")]
    TooManyColumns,
    #[error("byte {offset} of the line is not UTF-8")]
    NotUtf8 { offset: usize },
}

/// Where a field's text stands in its record, without its quotes.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
    quoted: bool,
}

/// What ended a field.
enum Stop {
    Delimiter,
    /// The record ended too: offsets behind its last byte and of the next record.
    Record {
        end: usize,
        next: usize,
    },
}

/// As many properties as a graph can name, and the three leading columns of an edge.
const MAX_COLUMNS: usize = 65_535 + 3;

impl<'a> Records<'a> {
    /// Over a block that holds whole records.
    pub(crate) fn new(bytes: &'a [u8], dialect: &'a Dialect) -> Self {
        Self { bytes, dialect, at: 0, lines: 0, spans: Vec::new() }
    }

    /// Line breaks passed so far.
    pub(crate) fn lines(&self) -> u64 {
        self.lines
    }

    /// The next record; blank lines are none.
    pub(crate) fn next(&mut self) -> Option<Line<'a, '_>> {
        loop {
            let start = self.at;
            if start == self.bytes.len() {
                return None;
            }
            let number = self.lines;
            let (end, defect) = self.advance(start);
            let raw = &self.bytes[start..end];
            if !raw.is_empty() {
                return Some(Line { number, span: start..end, row: self.row(raw, defect) });
            }
        }
    }

    fn row(&self, raw: &'a [u8], defect: Option<Defect>) -> Result<Row<'a, '_>, Defect> {
        let text = std::str::from_utf8(raw);
        let text = text.map_err(|error| Defect::NotUtf8 { offset: error.valid_up_to() + 1 })?;
        match defect {
            Some(defect) => Err(defect),
            None => Ok(Row { text, dialect: self.dialect, spans: &self.spans }),
        }
    }

    /// Finds the fields of the record at `start` and moves behind it. Gives the offset behind
    /// its last byte.
    fn advance(&mut self, start: usize) -> (usize, Option<Defect>) {
        self.spans.clear();
        let (mut at, mut column, mut defect) = (start, 0, None);
        loop {
            column += 1;
            let quoted = self.dialect.quote().stands_at(self.bytes, at);
            let (span, stop, next) = if quoted {
                let Some((span, behind)) = self.quoted(at) else {
                    return (self.skip_line(start), Some(Defect::QuoteNeverClosed));
                };
                let (stop, text_end, next) = self.plain(behind);
                if text_end > behind {
                    defect.get_or_insert(Defect::TextAfterQuote { column });
                }
                (span, stop, next)
            } else {
                let (stop, end, next) = self.plain(at);
                (Span { start: at, end, quoted: false }, stop, next)
            };
            if column <= MAX_COLUMNS {
                self.spans.push(Span { start: span.start - start, end: span.end - start, ..span });
            } else {
                defect.get_or_insert(Defect::TooManyColumns);
            }
            match stop {
                Stop::Delimiter => at = next,
                Stop::Record { end, next } => {
                    self.pass(next);
                    return (end, defect);
                }
            }
        }
    }

    /// The quoted field at `at` and the offset behind its closing quote.
    fn quoted(&self, at: usize) -> Option<(Span, usize)> {
        let quote = self.dialect.quote();
        let start = at + quote.len();
        let behind = closing_quote(self.bytes, start, quote)?;
        Some((Span { start, end: behind - quote.len(), quoted: true }, behind))
    }

    /// Text up to the next delimiter or line break: what stopped it, where it ends, and where
    /// the next field starts.
    fn plain(&self, from: usize) -> (Stop, usize, usize) {
        let delimiter = self.dialect.delimiter();
        let mut at = from;
        while let Some(found) = memchr::memchr2(delimiter.first_byte(), b'\n', &self.bytes[at..]) {
            let found = at + found;
            if self.bytes[found] == b'\n' {
                let end = self.without_return(from, found);
                return (Stop::Record { end, next: found + 1 }, end, found + 1);
            }
            if delimiter.stands_at(self.bytes, found) {
                return (Stop::Delimiter, found, found + delimiter.len());
            }
            at = found + 1;
        }
        let len = self.bytes.len();
        let end = self.without_return(from, len);
        (Stop::Record { end, next: len }, end, len)
    }

    fn without_return(&self, from: usize, end: usize) -> usize {
        if end > from && self.bytes[end - 1] == b'\r' { end - 1 } else { end }
    }

    /// Gives up on a record whose quote never closes: only its first line is bad, the next one
    /// may be good.
    fn skip_line(&mut self, start: usize) -> usize {
        let rest = &self.bytes[start..];
        let line_break = memchr::memchr(b'\n', rest);
        self.pass(start + line_break.map_or(rest.len(), |at| at + 1));
        self.without_return(start, start + line_break.unwrap_or(rest.len()))
    }

    fn pass(&mut self, next: usize) {
        let breaks = memchr::memchr_iter(b'\n', &self.bytes[self.at..next]).count();
        self.lines += breaks as u64;
        self.at = next;
    }
}

impl<'a> Row<'a, '_> {
    /// How many fields there are.
    pub(crate) fn len(&self) -> usize {
        self.spans.len()
    }

    /// The value of a field, counted from 0. `None` if there is no such field or it is empty
    /// and without quotes.
    pub(crate) fn value(&self, column: usize) -> Option<Cow<'a, str>> {
        let span = self.spans.get(column)?;
        let text = &self.text[span.start..span.end];
        if !span.quoted {
            return (!text.is_empty()).then_some(Cow::Borrowed(text));
        }
        let quote = self.dialect.quote();
        if quote.find(text.as_bytes()).is_none() {
            return Some(Cow::Borrowed(text));
        }
        Some(Cow::Owned(text.replace(&quote.as_str().repeat(2), quote.as_str())))
    }
}
