//! The verbs, one file per noun.

mod backup;
mod files;
mod graph;
mod job;
mod login;
mod obs;

use std::io;
use std::process::ExitCode;

use clap::{Args, Command, Subcommand};
use clap_complete::Shell;

use crate::api::{Api, Reply};
use crate::connection::{Common, Environment};
use crate::error::Error;
use crate::output::{Output, Progress, complain, print};

/// What `gestalt` can ask a server for.
#[derive(Debug, Subcommand)]
#[allow(private_interfaces, reason = "only the command line makes these")]
pub enum Verb {
    /// Log in to a server and remember it
    Login(login::LoginOptions),
    /// Forget a login, and end its token
    Logout(login::LogoutOptions),
    /// Graphs: list, create, show, delete, start, stop
    Graph(graph::GraphOptions),
    /// Import files of the object area into a graph
    Import(files::ImportOptions),
    /// Export a graph to files of the object area
    Export(files::ExportOptions),
    /// Backups: add, list, delete, restore, export, import
    Backup(backup::BackupOptions),
    /// Jobs: list, wait
    Job(job::JobOptions),
    /// Objects: put, get, list
    Obs(obs::ObsOptions),
    /// Print a script that completes commands in a shell
    Completions {
        /// For which shell
        shell: Shell,
    },
}

/// Does what a verb says. `command` is the whole command line that it is part of.
pub fn run(verb: Verb, command: Command) -> ExitCode {
    match perform(verb, command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            error.exit_code().into()
        }
    }
}

fn perform(verb: Verb, command: Command) -> Result<(), Error> {
    let environment = Environment::read();
    match verb {
        Verb::Login(options) => login::log_in(&options, &environment),
        Verb::Logout(options) => login::log_out(&options, &environment),
        Verb::Graph(options) => graph::run(&options.verb, &Desk::open(&options.common, &environment)?),
        Verb::Import(options) => files::import(&options, &Desk::open(&options.common, &environment)?),
        Verb::Export(options) => files::export(&options, &Desk::open(&options.common, &environment)?),
        Verb::Backup(options) => backup::run(&options.verb, &Desk::open(&options.common, &environment)?),
        Verb::Job(options) => job::run(&options.verb, &Desk::open(&options.common, &environment)?),
        Verb::Obs(options) => obs::run(&options.verb, &Desk::open(&options.common, &environment)?),
        Verb::Completions { shell } => completions(shell, command),
    }
}

fn completions(shell: Shell, mut command: Command) -> Result<(), Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "gestalt", &mut script);
    print(&script)
}

/// Where a verb works: a server on one side, a person on the other.
struct Desk {
    api: Api,
    out: Output,
}

/// Whether to wait for the end of a job.
#[derive(Debug, Args)]
struct Waiting {
    /// Wait until it is done; the default
    #[arg(long, overrides_with = "no_wait")]
    wait: bool,
    /// Do not wait until it is done
    #[arg(long, overrides_with = "wait")]
    no_wait: bool,
}

/// Which part of a long list.
#[derive(Debug, Args)]
struct Paging {
    /// At most so many rows
    #[arg(long, value_name = "N", default_value_t = 1000)]
    limit: u32,
    /// Leave out so many rows
    #[arg(long, value_name = "N", default_value_t = 0)]
    offset: u32,
}

impl Desk {
    fn open(common: &Common, environment: &Environment) -> Result<Self, Error> {
        Ok(Self { api: common.connect(environment)?, out: Output { json: common.json } })
    }

    /// Follows the job that an answer names, unless nobody waits for it. What came of it is `None`
    /// then. The answer itself is printed at once: its ids are good whatever becomes of the job.
    fn follow(&self, graph: &str, reply: &Reply, waiting: &Waiting) -> Result<Option<Reply>, Error> {
        let job = reply.text("job_id")?;
        self.out.raw(reply)?;
        if waiting.no_wait {
            self.out
                .say(&format!("job {job} has begun; `gestalt job wait {graph} {job}` waits for its end"))?;
            return Ok(None);
        }
        let mut progress = Progress::new();
        self.api.follow(graph, &job, |status| progress.job(status)).map(Some)
    }

    /// The same, and a line when it is done.
    fn finish(&self, graph: &str, reply: &Reply, waiting: &Waiting, done: &str) -> Result<(), Error> {
        match self.follow(graph, reply, waiting)? {
            Some(_) => self.out.say(done),
            None => Ok(()),
        }
    }
}

impl Paging {
    fn query<'a>(&self, limit: &'a mut String, offset: &'a mut String) -> [(&'static str, &'a str); 2] {
        *limit = self.limit.to_string();
        *offset = self.offset.to_string();
        [("limit", limit), ("offset", offset)]
    }

    /// Whether rows of the list are not shown.
    fn rest(&self, shown: usize, count: Option<u64>) -> Option<String> {
        let end = u64::from(self.offset) + shown as u64;
        let count = count.filter(|count| *count > end && shown > 0)?;
        Some(format!("… {} of {count}; more with --offset {end}", shown))
    }
}

fn file_error(path: &std::path::Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.display().to_string();
    move |source| Error::File { path, source }
}
