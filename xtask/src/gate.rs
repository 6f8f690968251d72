//! The gate: every check and every test, one after the other. A failing step does not hide the
//! ones after it, and the last line of the output is the sum over all of them.

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use crate::tally::Tally;
use crate::workspace::{self, Profile, Workspace};
use crate::{clients, house, toolchain};

/// Rounds of the kill test, cases of each property test, and how long requests are made up from
/// the API's description.
struct Effort {
    kill_rounds: &'static str,
    property_cases: Option<&'static str>,
    schema_seconds: &'static str,
}

const CI: Effort = Effort { kill_rounds: "200", property_cases: None, schema_seconds: "60" };
const SLOW: Effort = Effort { kill_rounds: "5000", property_cases: Some("4096"), schema_seconds: "900" };

/// In the Debian package graph.
const DEBIAN_EDGES: &str = "411096";

struct Step {
    name: &'static str,
    what: &'static str,
    run: fn(&Workspace, &Effort) -> Result<Outcome>,
}

enum Outcome {
    Counted(Tally),
    Skipped(&'static str),
}

const STEPS: [Step; 9] = [
    Step { name: "fmt", what: "formatting", run: fmt },
    Step { name: "clippy", what: "lints, warnings denied", run: clippy },
    Step {
        name: "house",
        what: "house rules",
        run: |workspace, _| house::check(workspace).map(Outcome::Counted),
    },
    Step { name: "deny", what: "licences and sources of dependencies", run: deny },
    Step { name: "unit", what: "unit, property and fault tests", run: unit },
    Step { name: "kill", what: "store processes killed under load", run: kill },
    Step { name: "api", what: "real servers over HTTP", run: api },
    Step { name: "clients", what: "unmodified clients in Python", run: clients },
    Step { name: "demo", what: "the main job on the Debian package graph", run: demo },
];

/// What `cargo xtask test` was asked for.
#[derive(Debug, PartialEq)]
pub(crate) struct Options {
    slow: bool,
    only: Option<String>,
}

impl Options {
    pub(crate) fn parse(args: &[String]) -> Result<Self> {
        let mut options = Self { slow: false, only: None };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--slow" => options.slow = true,
                "--only" => options.only = Some(step_name(args.next())?),
                other => bail!("test does not know [{other}]"),
            }
        }
        Ok(options)
    }
}

fn step_name(arg: Option<&String>) -> Result<String> {
    match arg {
        Some(name) if STEPS.iter().any(|step| step.name == name) => Ok(name.clone()),
        _ => bail!("--only takes one of: {}", STEPS.map(|step| step.name).join(", ")),
    }
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    toolchain::check(&[toolchain::RUSTFMT, toolchain::CLIPPY])?;
    let effort = if options.slow { SLOW } else { CI };
    let mut sum = Tally::default();
    let mut report = Vec::new();
    for step in STEPS.iter().filter(|step| options.only.as_deref().is_none_or(|only| only == step.name)) {
        println!("\n== {}: {}", step.name, step.what);
        let start = Instant::now();
        let (tally, text) = judge((step.run)(workspace, &effort));
        let line = report_line(step.name, start.elapsed(), &text);
        println!("{line}");
        sum += tally;
        report.push(line);
    }
    println!("\n{}\n{sum}", report.join("\n"));
    Ok(sum.exit_code())
}

/// A step that broke off counts as a failure, and so does one that found nothing to test.
fn judge(outcome: Result<Outcome>) -> (Tally, String) {
    match outcome {
        Ok(Outcome::Skipped(why)) => (Tally::default(), format!("skipped: {why}")),
        Ok(Outcome::Counted(tally)) if tally.is_empty() => (Tally::of(false), "failed: ran no test".into()),
        Ok(Outcome::Counted(tally)) => (tally, tally.to_string()),
        Err(error) => (Tally::of(false), format!("failed: {error:#}")),
    }
}

fn report_line(name: &str, time: Duration, text: &str) -> String {
    format!("{name:<8}{:>7.1} s  {text}", time.as_secs_f64())
}

fn fmt(workspace: &Workspace, _: &Effort) -> Result<Outcome> {
    check(&mut workspace.cargo(&["fmt", "--all", "--check"]))
}

fn clippy(workspace: &Workspace, _: &Effort) -> Result<Outcome> {
    check(&mut workspace.cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

/// Not the advisories: they need a network, and a test must not change its mind overnight.
fn deny(workspace: &Workspace, _: &Effort) -> Result<Outcome> {
    if !toolchain::has_cargo_command("deny") {
        return Ok(Outcome::Skipped("cargo-deny is not installed"));
    }
    check(&mut workspace.cargo(&["deny", "check", "bans", "licenses", "sources"]))
}

fn unit(workspace: &Workspace, effort: &Effort) -> Result<Outcome> {
    let mut tests = workspace.cargo(&["test", "--workspace", "--exclude", "gestalt-tests", "--no-fail-fast"]);
    if let Some(cases) = effort.property_cases {
        tests.env("PROPTEST_CASES", cases);
    }
    tests_of(&mut tests)
}

fn kill(workspace: &Workspace, effort: &Effort) -> Result<Outcome> {
    let run = ["run", "-p", "gestalt-tests", "--bin", "kill", "--", "--rounds", effort.kill_rounds];
    check(&mut workspace.cargo(&run))
}

fn api(workspace: &Workspace, _: &Effort) -> Result<Outcome> {
    workspace.build_gestalt(Profile::Dev)?;
    let mut tests = workspace.cargo(&["test", "-p", "gestalt-tests", "--no-fail-fast"]);
    tests_of(tests.env("GESTALT_BIN", workspace.gestalt_path(Profile::Dev)))
}

fn clients(workspace: &Workspace, effort: &Effort) -> Result<Outcome> {
    let mut tests = clients::tests(workspace)?;
    workspace.build_gestalt(Profile::Dev)?;
    tests.env("GESTALT_BIN", workspace.gestalt_path(Profile::Dev));
    counted(tests.env("SCHEMA_SECONDS", effort.schema_seconds), Tally::of_pytest_summary)
}

/// The demo proves its own claims and fails otherwise; that it claimed anything shows in the
/// number of edges, which it tells more than once.
fn demo(workspace: &Workspace, _: &Effort) -> Result<Outcome> {
    workspace.build_gestalt(Profile::Dev)?;
    let mut told = 0;
    workspace::watch(workspace.gestalt(Profile::Dev).args(["demo", "--exit"]), |line| {
        told += usize::from(tells_edges(line));
    })?;
    ensure!(told >= 2, "the demo ended without showing the graph");
    Ok(Outcome::Counted(Tally::of(true)))
}

fn tells_edges(line: &str) -> bool {
    line.replace([',', '_', '\u{202f}'], "").contains(DEBIAN_EDGES)
}

fn check(command: &mut Command) -> Result<Outcome> {
    workspace::succeeds(command).map(|()| Outcome::Counted(Tally::of(true)))
}

/// Sums up the result lines of `cargo test`.
fn tests_of(command: &mut Command) -> Result<Outcome> {
    counted(command, Tally::of_result_line)
}

/// Sums up what `counts` reads from the lines of a run. A failed run without a failed test (it did
/// not compile, or a test process died) is one failure.
fn counted(command: &mut Command, counts: fn(&str) -> Tally) -> Result<Outcome> {
    let mut tally = Tally::default();
    let ended = workspace::watch(command, |line| tally += counts(line));
    match ended {
        Err(error) if tally.failed == 0 && tally.passed == 0 => Err(error),
        Err(error) if tally.failed == 0 => {
            println!("{error:#}");
            tally += Tally::of(false);
            Ok(Outcome::Counted(tally))
        }
        _ => Ok(Outcome::Counted(tally)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Options> {
        Options::parse(&args.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_checked() {
        assert_eq!(parse(&[]).unwrap(), Options { slow: false, only: None });
        let both = parse(&["--only", "kill", "--slow"]).unwrap();
        assert_eq!(both, Options { slow: true, only: Some("kill".into()) });
        for wrong in [&["--only"][..], &["--only", "nothing"], &["--fast"], &["kill"]] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn only_a_skipped_step_counts_nothing() {
        let failed = |outcome| judge(outcome).0.failed;
        assert_eq!(failed(Ok(Outcome::Counted(Tally::default()))), 1);
        assert_eq!(failed(Err(anyhow::anyhow!("broken"))), 1);
        assert_eq!(failed(Ok(Outcome::Counted(Tally { passed: 2, failed: 0 }))), 0);
        assert!(judge(Ok(Outcome::Skipped("no tool"))).0.is_empty());
    }

    #[test]
    fn numbers_are_read_with_and_without_separators() {
        assert!(tells_edges("  after restore: 411,096 edges") && tells_edges("411096"));
        assert!(!tells_edges("407,002 edges"));
    }

    #[test]
    fn a_test_run_is_counted_by_its_result_lines_and_its_end() {
        let run = |script: &str| judge(tests_of(Command::new("sh").args(["-c", script]))).0;
        let result = "echo 'test result: ok. 2 passed; 0 failed; 0 ignored'";
        assert_eq!(run(result), Tally { passed: 2, failed: 0 });
        assert_eq!(run(&format!("{result}; {result}; exit 101")), Tally { passed: 4, failed: 1 });
        assert_eq!(run("exit 101"), Tally { passed: 0, failed: 1 });
        assert_eq!(run("true"), Tally { passed: 0, failed: 1 });
    }
}
