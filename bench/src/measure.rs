//! Numbers and how they are shown: medians with their spread, never a single best run.

use std::time::{Duration, Instant};

/// Measured durations.
#[derive(Debug, Clone, Default)]
pub struct Durations(Vec<Duration>);

impl Durations {
    /// Runs `work` `runs` times.
    pub fn of(runs: usize, mut work: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<Self> {
        let mut all = Self::default();
        for _ in 0..runs {
            let start = Instant::now();
            work()?;
            all.push(start.elapsed());
        }
        Ok(all)
    }

    pub fn push(&mut self, duration: Duration) {
        self.0.push(duration);
    }

    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub fn pour_into(self, other: &mut Self) {
        other.extend(self);
    }

    /// The duration that `percent` of all stay below.
    pub fn percentile(&self, percent: f64) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = ((sorted.len() as f64 - 1.0) * percent / 100.0).round() as usize;
        sorted.get(at).copied().unwrap_or_default()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn median(&self) -> Duration {
        self.percentile(50.0)
    }

    pub fn max(&self) -> Duration {
        self.percentile(100.0)
    }

    /// Median and spread, as the table shows them.
    pub fn show(&self) -> String {
        format!("{} ({}–{})", text(self.median()), text(self.percentile(0.0)), text(self.max()))
    }
}

/// A duration with three digits.
pub fn text(duration: Duration) -> String {
    let us = duration.as_secs_f64() * 1e6;
    match us {
        us if us < 1_000.0 => format!("{us:.0} µs"),
        us if us < 100_000.0 => format!("{:.2} ms", us / 1e3),
        us if us < 1_000_000.0 => format!("{:.0} ms", us / 1e3),
        us => format!("{:.2} s", us / 1e6),
    }
}

/// A count with separators.
pub fn count(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Median and spread of rates.
pub fn rate(rates: &mut [f64], unit: &str) -> String {
    rates.sort_by(f64::total_cmp);
    let (low, high) = (rates[0], rates[rates.len() - 1]);
    format!("{} ({}–{}) {unit}", count(rates[rates.len() / 2]), count(low), count(high))
}

/// Prints one row of a table.
pub fn row(what: &str, result: impl std::fmt::Display) {
    println!("| {what} | {result} |");
}

/// The most memory this process has held, in bytes.
pub fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
