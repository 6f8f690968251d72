//! What the person sees: data on standard output, everything else on standard error.

use std::io::{self, IsTerminal, Write, stderr, stdin, stdout};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::api::Reply;
use crate::error::Error;
use crate::table::plain;

/// Tables or the server's JSON.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    pub(crate) json: bool,
}

impl Output {
    /// Prints the answer as it came, or else what a person wants to know of it.
    pub(crate) fn show(
        self,
        reply: &Reply,
        text: impl FnOnce(&Reply) -> Result<String, Error>,
    ) -> Result<(), Error> {
        if self.json { self.raw(reply) } else { print(text(reply)?.as_bytes()) }
    }

    /// Prints the answer as it came, if that is what is wanted.
    pub(crate) fn raw(self, reply: &Reply) -> Result<(), Error> {
        match (self.json, reply.text.as_str()) {
            (true, text) if !text.is_empty() => print(format!("{}\n", text.trim_end()).as_bytes()),
            _ => Ok(()),
        }
    }

    /// Prints a line for a person.
    pub(crate) fn say(self, line: &str) -> Result<(), Error> {
        if self.json { Ok(()) } else { print(format!("{}\n", plain(line)).as_bytes()) }
    }
}

/// Prints at once.
pub(crate) fn print(bytes: &[u8]) -> Result<(), Error> {
    let mut out = stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(Error::Output)
}

/// Says something beside the data. Nobody listening is no error.
pub(crate) fn note(line: &str) {
    let _ = writeln!(stderr().lock(), "{line}");
}

/// The one line about what went wrong.
pub(crate) fn complain(error: &Error) {
    if !error.is_quiet() {
        let advice = error.advice().map(|advice| format!(" {advice}")).unwrap_or_default();
        note(&format!("gestalt: {}{advice}", plain(&error.to_string())));
    }
}

/// Asks before something is lost. Where nobody can be asked, `--yes` has to say it.
pub(crate) fn confirm(yes: bool, question: &str) -> Result<(), Error> {
    if yes {
        return Ok(());
    }
    if !stdin().is_terminal() || !stderr().is_terminal() {
        return Err(Error::Usage(format!("{question} Say so with --yes.")));
    }
    let _ = write!(stderr().lock(), "{} [y/N] ", plain(question));
    let mut answer = String::new();
    stdin().read_line(&mut answer).map_err(|source| Error::File { path: "standard input".into(), source })?;
    if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        Ok(())
    } else {
        Err(Error::Usage("nothing was done".into()))
    }
}

/// A line that says how far something is, on a terminal; else nothing. It goes when it is done.
pub(crate) struct Progress {
    terminal: bool,
    start: Instant,
    shown: Option<Instant>,
}

/// Between two updates of the line.
const TICK: Duration = Duration::from_millis(100);

impl Progress {
    pub(crate) fn new() -> Self {
        Self { terminal: stderr().is_terminal(), start: Instant::now(), shown: None }
    }

    /// What a job says of itself.
    pub(crate) fn job(&mut self, job: &Value) {
        let name = job["job_name"].as_str().unwrap_or("job");
        let status = job["status"].as_str().unwrap_or_default();
        self.line(|time| match job["job_progress"].as_f64() {
            Some(percent) if percent > 0.0 => format!("{name}  {}  {time}", bar(percent)),
            _ => format!("{name}  {status}  {time}"),
        });
    }

    /// How many bytes have passed, of how many if that is known.
    pub(crate) fn bytes(&mut self, what: &str, done: u64, total: Option<u64>) {
        self.line(|time| match total {
            Some(total) if total > 0 => {
                format!("{what}  {}  {time}", bar(done as f64 * 100.0 / total as f64))
            }
            _ => format!("{what}  {}  {time}", size(done)),
        });
    }

    fn line(&mut self, text: impl FnOnce(&str) -> String) {
        if !self.terminal || self.shown.is_some_and(|shown| shown.elapsed() < TICK) {
            return;
        }
        self.shown = Some(Instant::now());
        let text = text(&format!("{:.1} s", self.start.elapsed().as_secs_f64()));
        let _ = write!(stderr().lock(), "\r\x1b[K{}", plain(&text)).and_then(|()| stderr().flush());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.is_some() {
            let _ = write!(stderr().lock(), "\r\x1b[K");
        }
    }
}

const BAR: usize = 24;

fn bar(percent: f64) -> String {
    let percent = percent.clamp(0.0, 100.0);
    let full = (percent * BAR as f64 / 100.0) as usize;
    format!("[{}{}] {percent:>3.0} %", "#".repeat(full), ".".repeat(BAR - full))
}

/// `12.3 MB`
pub(crate) fn size(bytes: u64) -> String {
    let bytes = bytes as f64;
    match bytes {
        _ if bytes < 1e3 => format!("{bytes} B"),
        _ if bytes < 1e6 => format!("{:.1} kB", bytes / 1e3),
        _ if bytes < 1e9 => format!("{:.1} MB", bytes / 1e6),
        _ => format!("{:.1} GB", bytes / 1e9),
    }
}

/// Counts what is read, for a progress line.
pub(crate) struct Counted<R> {
    inner: R,
    what: String,
    done: u64,
    total: Option<u64>,
    progress: Progress,
}

impl<R> Counted<R> {
    pub(crate) fn new(inner: R, what: &str, total: Option<u64>) -> Self {
        Self { inner, what: what.into(), done: 0, total, progress: Progress::new() }
    }
}

impl<R: io::Read> io::Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.done += length as u64;
        self.progress.bytes(&self.what, self.done, self.total);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_and_sizes() {
        assert_eq!(bar(0.0), format!("[{}]   0 %", ".".repeat(24)));
        assert_eq!(bar(50.0), format!("[{}{}]  50 %", "#".repeat(12), ".".repeat(12)));
        assert_eq!(bar(1e9), format!("[{}] 100 %", "#".repeat(24)));
        assert_eq!([size(999), size(1_500), size(2_345_678)], ["999 B", "1.5 kB", "2.3 MB"]);
    }
}
