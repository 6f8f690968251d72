#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a person watches this, and its times are real"
)]

use std::io::{IsTerminal, Write};
use std::time::Instant;

use serde_json::Value;

use super::client::DemoError;

/// What the person sees: one line a step, with its time.
pub(super) struct Screen {
    colours: bool,
}

const WIDTH: usize = 52;

impl Screen {
    pub(super) fn new() -> Self {
        Self { colours: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.into() }
    }

    pub(super) fn title(&self, text: &str) {
        println!("\n  {}\n", self.paint("1", text));
    }

    /// Does a step and prints how long it took and what came of it.
    pub(super) fn step<T>(
        &self,
        what: &str,
        work: impl FnOnce() -> Result<(T, String), DemoError>,
    ) -> Result<T, DemoError> {
        print!("  {what:<WIDTH$} ");
        // A terminal shows a line that is not ended only when told to.
        let _ = std::io::stdout().flush();
        let start = Instant::now();
        let (result, text) = work()?;
        let time = start.elapsed().as_secs_f64();
        let time = if time < 1.0 { format!("{:>7.0} ms", time * 1e3) } else { format!("{time:>7.2} s ") };
        println!("{}  {}", self.paint("36", &time), self.paint("2", &text));
        Ok(result)
    }

    pub(super) fn note(&self, text: &str) {
        println!("\n  {}", self.paint("2", text));
    }

    pub(super) fn difference(&self, what: &str, before: &Value, after: &Value) {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let (before, after) = (text(before), text(after));
        let mark = if before == after { after.clone() } else { self.paint("31", &after) };
        println!("      {what:<22} {before} → {mark}");
    }

    pub(super) fn proof(&self, what: &str, value: &str, holds: bool) {
        let mark = if holds { self.paint("32", "✓") } else { self.paint("31", "✗") };
        println!("      {mark} {what:<36} {}", self.paint("2", value));
    }

    pub(super) fn done(&self, text: &str) {
        println!("\n  {}\n", self.paint("1;32", text));
    }
}
