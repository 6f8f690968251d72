//! What the person sees: one line a step with its time, tables, and the one call that matters.
#![allow(clippy::disallowed_methods, reason = "a person watches this, and its times are real")]

use std::cell::Cell;
use std::io::{IsTerminal, Write, stdout};
use std::time::{Duration, Instant};

use super::picture::{Row, Shown};

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";
const CYAN: &str = "36";
const BOLD_GREEN: &str = "1;32";

/// Columns of a step's text.
const STEP_WIDTH: usize = 46;
/// Columns of a table's first and second part.
const WHAT_WIDTH: usize = 22;
const VALUE_WIDTH: usize = 34;

/// Standard output, with colours if a terminal shows it and nobody objects.
pub(super) struct Screen {
    terminal: bool,
    colours: bool,
    steps: Cell<u32>,
}

/// A step that has begun. Dropped before it is done, its line says that it failed.
pub(super) struct Step<'a> {
    screen: &'a Screen,
    text: String,
    start: Instant,
    done: bool,
}

impl Screen {
    pub(super) fn new() -> Self {
        let terminal = stdout().is_terminal();
        let colours = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { terminal, colours, steps: Cell::new(0) }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colours && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.into() }
    }

    pub(super) fn title(&self, text: &str, more: &str) {
        print(&format!("\n  {}\n  {}\n\n", self.paint(BOLD, text), self.paint(DIM, more)));
    }

    /// A line between steps.
    pub(super) fn say(&self, text: &str) {
        print(&format!("\n  {text}\n\n"));
    }

    /// A command that anyone could type, and what it answers.
    pub(super) fn command(&self, lines: &[String], answer: &str) {
        for (at, line) in lines.iter().enumerate() {
            let prompt = if at == 0 { "$" } else { " " };
            print(&format!("      {} {}\n", self.paint(DIM, prompt), self.paint(CYAN, line)));
        }
        if !answer.is_empty() {
            print(&format!("        {answer}\n"));
        }
    }

    /// Lines of names and values.
    pub(super) fn list(&self, rows: &[(&str, String)]) {
        for (name, value) in rows {
            print(&format!("      {}{value}\n", self.paint(DIM, &format!("{name:<12}"))));
        }
    }

    pub(super) fn end(&self) {
        print("\n");
    }

    /// Begins a step; its line ends when it is done.
    pub(super) fn begin(&self, text: &str) -> Step<'_> {
        self.steps.set(self.steps.get() + 1);
        let text = format!("  {:>2}  {text:<STEP_WIDTH$}", self.steps.get());
        print(&text);
        Step { screen: self, text, start: Instant::now(), done: false }
    }

    /// What a change did to a picture: what differs is marked.
    pub(super) fn damage(&self, rows: &[Row]) {
        self.header("before", "after");
        for row in rows {
            let after = cell(&row.after);
            let change = match (&row.before, &row.after) {
                (Shown::Number(before), Shown::Number(after)) if after < before => {
                    format!("   −{}", grouped(before - after))
                }
                _ => String::new(),
            };
            let after =
                if row.before == row.after { after } else { self.paint(RED, &format!("{after}{change}")) };
            self.row(row, &after);
        }
    }

    /// Whether a picture is the same again, line by line.
    pub(super) fn proof(&self, rows: &[Row]) {
        self.header("before", "now");
        for row in rows {
            let same = row.before == row.after;
            let mark = if same { self.paint(GREEN, "✓") } else { self.paint(RED, "✗") };
            self.row(row, &format!("{:<VALUE_WIDTH$} {mark}", cell(&row.after)));
        }
    }

    fn header(&self, before: &str, after: &str) {
        let line = format!("{:<WHAT_WIDTH$} {before:<VALUE_WIDTH$} {after}", "");
        print(&format!("\n      {}\n", self.paint(DIM, &line)));
    }

    fn row(&self, row: &Row, after: &str) {
        let what = self.paint(DIM, &format!("{:<WHAT_WIDTH$}", row.what));
        print(&format!("      {what} {:<VALUE_WIDTH$} {after}\n", cell(&row.before)));
    }

    pub(super) fn done(&self, text: &str) {
        print(&format!("\n  {}\n\n", self.paint(BOLD_GREEN, text)));
    }
}

impl Step<'_> {
    /// Tells how far it is in per cent, where a line can be written again.
    pub(super) fn progress(&self, part: f64) {
        if self.screen.terminal && part > 0.0 {
            print(&format!("\r{}{:>7.0} %", self.text, part.min(100.0)));
        }
    }

    /// Ends the line with the time it took and what came of it.
    pub(super) fn done(mut self, result: &str) {
        self.done = true;
        let time = self.screen.paint(CYAN, &duration(self.start.elapsed()));
        let again = if self.screen.terminal { format!("\r{}", self.text) } else { String::new() };
        let line = format!("{again}{time}   {}", self.screen.paint(DIM, result));
        print(&format!("{}\n", line.trim_end()));
    }
}

impl Drop for Step<'_> {
    fn drop(&mut self) {
        if !self.done {
            print(&format!("   {}\n", self.screen.paint(RED, "failed")));
        }
    }
}

/// Shows text at once, also a line that is not ended yet. If nobody watches any more, the proof
/// goes on without.
fn print(text: &str) {
    let mut out = stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn cell(shown: &Shown) -> String {
    match shown {
        Shown::Number(number) => format!("{:>9}", grouped(*number)),
        Shown::Text(text) => text.clone(),
    }
}

/// `411,096`
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
}

fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 1.0 { format!("{:>6.0} ms", seconds * 1e3) } else { format!("{seconds:>6.2} s ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_easy_to_read() {
        let numbers =
            [(0, "0"), (999, "999"), (1_000, "1,000"), (411_096, "411,096"), (1_000_007, "1,000,007")];
        for (number, text) in numbers {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(duration(Duration::from_millis(7)).trim(), "7 ms");
        assert_eq!(duration(Duration::from_millis(1_234)).trim(), "1.23 s");
    }
}
