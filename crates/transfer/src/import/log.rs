use std::io::Write;

use super::block::{BadLine, Parsed};
use super::report::FileReport;
use crate::csv::{Dialect, write_field};
use crate::error::Error;
use crate::files::{Output, Sink};

/// The lines of one file as they are counted, and the log of the bad ones: a CSV file of path,
/// line number, reason and the line itself, which is made when the first bad line comes.
pub(super) struct LogFile<'a> {
    sink: &'a dyn Sink,
    path: Option<String>,
    open: Option<OpenLog>,
    report: FileReport,
    /// Line breaks before the next block.
    lines: u64,
}

struct OpenLog {
    output: Box<dyn Output>,
    written: u64,
}

/// What remains of a file that was read.
pub(super) struct Finished {
    pub(super) report: FileReport,
    /// Whether its log could be written.
    pub(super) written: Result<(), Error>,
}

/// Bad lines beyond this are only counted: a wrong file must not fill the bucket.
const MAX_LOG_BYTES: u64 = 256 << 20;
/// How much of one line is logged.
const MAX_LINE_BYTES: usize = 1 << 20;

impl<'a> LogFile<'a> {
    /// For the file number `nr` of a set, counted from 0.
    pub(super) fn new(sink: &'a dyn Sink, dir: Option<&str>, set: &str, nr: usize, file: &str) -> Self {
        let name = file.rsplit('/').next().unwrap_or(file);
        let stem = name.split('.').find(|part| !part.is_empty()).unwrap_or("file");
        let path = |dir: &str| format!("{}/{set}-{:03}-{stem}.csv", dir.trim_end_matches('/'), nr + 1);
        Self { sink, path: dir.map(path), open: None, report: FileReport::new(file), lines: 0 }
    }

    /// Counts the lines of a block and logs the bad ones.
    pub(super) fn take<B>(&mut self, block: &[u8], parsed: &Parsed<B>) -> Result<(), Error> {
        let bad = parsed.bad.len() as u64;
        self.report.successful_lines += parsed.good;
        self.report.failed_lines += bad;
        self.report.total_lines += parsed.good + bad;
        for line in &parsed.bad {
            self.bad_line(block, line)?;
        }
        self.lines += parsed.lines;
        Ok(())
    }

    fn bad_line(&mut self, block: &[u8], line: &BadLine) -> Result<(), Error> {
        let number = self.lines + line.number + 1;
        let reason = line.reason.to_string();
        if self.report.cause.is_none() {
            self.report.cause = Some(format!("line {number}: {reason}"));
        }
        let Some(path) = &self.path else { return Ok(()) };
        let log = match &mut self.open {
            Some(log) => log,
            None => {
                let output = self.sink.create(path).map_err(Error::write(path))?;
                self.report.log = Some(path.clone());
                self.open.insert(OpenLog { output, written: 0 })
            }
        };
        if log.written > MAX_LOG_BYTES {
            return Ok(());
        }
        let text = &block[line.span.clone()];
        let text = String::from_utf8_lossy(&text[..text.len().min(MAX_LINE_BYTES)]);
        log.entry(&self.report.path, number, &reason, &text).map_err(Error::write(path))?;
        if log.written > MAX_LOG_BYTES {
            let reason = "bad lines from here on are counted but not written";
            log.entry(&self.report.path, number, reason, "").map_err(Error::write(path))?;
        }
        Ok(())
    }

    /// A file with lines but no good one is wrong as a whole.
    pub(super) fn check_some_good(&self) -> Result<(), Error> {
        let FileReport { path, total_lines: lines, successful_lines, cause, .. } = &self.report;
        if *lines == 0 || *successful_lines > 0 {
            return Ok(());
        }
        let reason = cause.clone().unwrap_or_default();
        Err(Error::NoGoodLine { path: path.clone(), lines: *lines, reason })
    }

    /// Closes the log and says how the file went.
    pub(super) fn finish(mut self, error: Option<&Error>) -> Finished {
        let path = self.path.as_deref().unwrap_or_default();
        let written = match self.open.take() {
            Some(log) => log.output.finish().map_err(Error::write(path)),
            None => Ok(()),
        };
        self.report.settle(error.or(written.as_ref().err()));
        Finished { report: self.report, written }
    }
}

impl OpenLog {
    fn entry(&mut self, path: &str, number: u64, reason: &str, text: &str) -> std::io::Result<()> {
        let dialect = Dialect::default();
        let mut entry = Vec::with_capacity(path.len() + reason.len() + text.len() + 32);
        write_field(path, &dialect, &mut entry);
        entry.extend_from_slice(format!(",{number},").as_bytes());
        write_field(reason, &dialect, &mut entry);
        entry.push(b',');
        write_field(text, &dialect, &mut entry);
        entry.push(b'\n');
        self.written += entry.len() as u64;
        self.output.write_all(&entry)
    }
}
