//! The project's tasks. `cargo xtask` without arguments lists them.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a program for a terminal that measures its own steps"
)]

mod clients;
mod gate;
mod house;
mod tally;
mod toolchain;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;

use crate::workspace::{Profile, Workspace};

const USAGE: &str = "\
usage: cargo xtask TASK

  test [--slow] [--only NAME]   every check and every test; --slow runs the long versions
  demo [ARGS]                   the main job on the Debian package graph (`gestalt demo ARGS`)
  bench [NAME...]               the benchmarks; `peers`: other engines too
  house                         the house rules alone";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((task, rest)) = args.split_first() else { return usage("which task?") };
    let run: fn(&[String]) -> Result<ExitCode> = match task.as_str() {
        "test" => test,
        "demo" => demo,
        "bench" => bench,
        "house" => house,
        other => return usage(&format!("no task [{other}]")),
    };
    run(rest).unwrap_or_else(|error| {
        eprintln!("xtask: {error:#}");
        ExitCode::FAILURE
    })
}

fn usage(problem: &str) -> ExitCode {
    eprintln!("xtask: {problem}\n\n{USAGE}");
    ExitCode::from(2)
}

fn test(args: &[String]) -> Result<ExitCode> {
    match gate::Options::parse(args) {
        Ok(options) => gate::run(&Workspace::read()?, &options),
        Err(error) => Ok(usage(&format!("{error:#}"))),
    }
}

fn demo(args: &[String]) -> Result<ExitCode> {
    let workspace = Workspace::read()?;
    toolchain::check(&[])?;
    println!("building gestalt (release)");
    workspace.build_gestalt(Profile::Release)?;
    let mut gestalt = workspace.gestalt(Profile::Release);
    workspace::replace_by(gestalt.arg("demo").args(args))
}

fn bench(args: &[String]) -> Result<ExitCode> {
    let workspace = Workspace::read()?;
    toolchain::check(&[])?;
    workspace.build_gestalt(Profile::Release)?;
    let mut bench = workspace.cargo(&["run", "--release", "-p", "gestalt-bench", "--bin", "bench"]);
    if args.iter().any(|name| name == "peers") {
        bench.args(["--features", "peers"]);
    }
    bench.arg("--").env("GESTALT_BIN", workspace.gestalt_path(Profile::Release));
    workspace::replace_by(bench.args(args))
}

fn house(args: &[String]) -> Result<ExitCode> {
    if let Some(extra) = args.first() {
        return Ok(usage(&format!("house takes no argument, got [{extra}]")));
    }
    let tally = house::check(&Workspace::read()?)?;
    println!("{tally}");
    Ok(tally.exit_code())
}
