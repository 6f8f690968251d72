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
        let parts: Vec<&str> = counts.split(['.', ';']).collect();
        Self { passed: count(&parts, "passed"), failed: count(&parts, "failed") }
    }

    /// The counts of the last line of `pytest`; nothing for any other line. An error outside of a
    /// test is a failure, and so is a skipped test: nothing that the gate needs may be absent.
    pub(crate) fn of_pytest_summary(line: &str) -> Self {
        let Some((counts, _)) = line.trim_matches(['=', ' ']).rsplit_once(" in ") else {
            return Self::default();
        };
        let parts: Vec<&str> = counts.split(',').collect();
        let failed = ["failed", "error", "errors", "skipped"].map(|unit| count(&parts, unit));
        Self { passed: count(&parts, "passed"), failed: failed.iter().sum() }
    }
}

/// The number that stands before this unit, in one of the parts.
fn count(parts: &[&str], unit: &str) -> u64 {
    let number = |part: &&str| part.trim().strip_suffix(unit)?.strip_suffix(' ')?.parse().ok();
    parts.iter().find_map(number).unwrap_or(0)
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
    fn the_summary_of_pytest_is_read() {
        let cases = [
            ("23 passed in 12.34s", (23, 0)),
            ("====== 2 failed, 21 passed, 3 warnings in 61.02s (0:01:01) ======", (21, 2)),
            ("1 failed, 4 passed, 1 skipped, 2 errors in 0.10s", (4, 4)),
            ("1 error in 0.52s", (0, 1)),
            ("no tests ran in 0.01s", (0, 0)),
            ("test_sdk.py::test_metadata PASSED", (0, 0)),
            ("FAILED test_sdk.py::test_x - assert 1 in 2", (0, 0)),
        ];
        for (line, (passed, failed)) in cases {
            assert_eq!(Tally::of_pytest_summary(line), Tally { passed, failed }, "{line}");
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
