//! Counting what passed and what failed.

use std::fmt;
use std::ops::AddAssign;
use std::process::ExitCode;

/// Tests and checks that passed and that failed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Tally {
    /// One check.
    pub(crate) fn of(passed: bool) -> Self {
        Self { passed: u64::from(passed), failed: u64::from(!passed) }
    }

    pub(crate) fn is_empty(self) -> bool {
        self == Self::default()
    }

    pub(crate) fn exit_code(self) -> ExitCode {
        if self.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    /// The counts of a `test result:` line of `cargo test`; nothing for any other line.
    pub(crate) fn of_result_line(line: &str) -> Self {
        let Some(counts) = line.strip_prefix("test result: ") else { return Self::default() };
        let count = |unit: &str| {
            let parts = counts.split(['.', ';']).map(str::trim);
            parts.filter_map(|part| part.strip_suffix(unit)).find_map(|number| number.trim().parse().ok())
        };
        Self { passed: count("passed").unwrap_or(0), failed: count("failed").unwrap_or(0) }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_of_cargo_test_are_read() {
        let cases = [
            (
                "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.01s",
                (12, 0),
            ),
            ("test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out", (3, 2)),
            ("test store::opens ... ok", (0, 0)),
            ("4 passed; 1 failed", (0, 0)),
            ("test result: garbage", (0, 0)),
        ];
        for (line, (passed, failed)) in cases {
            assert_eq!(Tally::of_result_line(line), Tally { passed, failed }, "{line}");
        }
    }

    #[test]
    fn the_sum_reads_as_promised() {
        let mut sum = Tally::of(true);
        sum += Tally::of(false);
        sum += Tally { passed: 40, failed: 0 };
        assert_eq!(sum.to_string(), "41 passed, 1 failed");
    }
}
