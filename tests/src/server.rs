//! A real server process in a temporary directory.

use std::cell::RefCell;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::client::Client;
use crate::described::Described;
use crate::log::complaints;

/// How long a server may take to be ready, and to stop (the contract's ten seconds).
const PATIENCE: Duration = Duration::from_secs(10);

/// A running `gestalt serve`. Dropping it stops the process and checks how it ended and what
/// it logged.
pub struct Server {
    home: TempDir,
    environment: Vec<(String, String)>,
    process: Option<Child>,
    url: Arc<Mutex<String>>,
    announced: RefCell<Vec<String>>,
    described: Arc<Described>,
}

impl Server {
    /// A server on a fresh data directory.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// The same, with these environment variables.
    pub fn with(environment: &[(&str, &str)]) -> Self {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let mut server = Self {
            home: tempfile::tempdir().expect("a temporary directory can be made"),
            // Whoever wants automatic backups says so: one by chance would be in the way.
            environment: [&("GESTALT_AUTO_BACKUP_SECONDS", "0")]
                .into_iter()
                .chain(environment)
                .map(own)
                .collect(),
            process: None,
            url: Arc::default(),
            announced: RefCell::default(),
            described: Arc::default(),
        };
        server.start_again();
        server
    }

    /// Starts the process on the data directory of the one before. Clients made earlier find
    /// the new address by themselves.
    pub fn start_again(&mut self) {
        assert!(self.process.is_none(), "the server still runs");
        let ready = self.path("ready.json");
        if ready.exists() {
            fs::remove_file(&ready).expect("the ready file can be removed");
        }
        let log = File::options().create(true).append(true).open(self.path("log")).expect("a log file");
        let mut command = serve(&self.data());
        command.arg("--ready-file").arg(&ready);
        command.envs(self.environment.iter().cloned());
        command.stdout(log.try_clone().expect("a second handle")).stderr(log);
        self.process = Some(command.spawn().expect("the binary starts"));
        let announced = self.wait_ready(&ready);
        *self.url.lock().expect("no panic") = announced["url"].as_str().expect("a url").to_owned();
    }

    fn wait_ready(&mut self, ready: &Path) -> Value {
        let deadline = Instant::now() + PATIENCE;
        while !ready.exists() {
            let ended = self.process.as_mut().and_then(|process| process.try_wait().expect("a child"));
            assert!(ended.is_none(), "the server ended with {ended:?}:\n{}", self.log());
            assert!(Instant::now() < deadline, "the server is not ready:\n{}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
        read_json(ready)
    }

    /// A client without a token.
    pub fn anonymous(&self) -> Client {
        let project = self.credentials()["project_id"].as_str().expect("a project id").to_owned();
        let (home, described) = (self.home.path().display().to_string(), Arc::clone(&self.described));
        Client::new(Arc::clone(&self.url), project, home, Some(described))
    }

    /// A client logged in as the first user, in the first project.
    pub fn admin(&self) -> Client {
        let credentials = self.credentials();
        let word = |key: &str| credentials[key].as_str().expect("a word").to_owned();
        self.anonymous().log_in(&word("user"), &word("password"))
    }

    /// Stops with SIGTERM and waits for the end.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait_end()
    }

    /// Stops with SIGKILL, as a power cut would.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.wait_end();
    }

    /// SIGKILL, then a new process on the same data.
    pub fn crash(&mut self) {
        self.kill();
        self.start_again();
    }

    /// An orderly stop, then a new process on the same data.
    pub fn restart(&mut self) {
        let status = self.terminate();
        assert!(status.success(), "SIGTERM: {status}\n{}", self.log());
        self.start_again();
    }

    /// Sends a signal to the process.
    pub fn signal(&self, signal: Signal) {
        let process = self.process.as_ref().expect("the server runs");
        kill_process(Pid::from_child(process), signal).expect("the process can be signalled");
    }

    /// Waits for the process to end, as long as the contract allows.
    pub fn wait_end(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("the server runs");
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = process.try_wait().expect("a child") {
                return status;
            }
            if Instant::now() > deadline {
                process.kill().expect("a child");
                panic!("the server did not stop within {PATIENCE:?}:\n{}", self.log());
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Announces that the log may warn with these words.
    pub fn announce(&self, words: &str) {
        self.announced.borrow_mut().push(words.to_owned());
    }

    /// The address it listens on.
    pub fn url(&self) -> String {
        self.url.lock().expect("no panic").clone()
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("the server runs").id()
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// A path beside the data directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// What the first start left in `credentials.json`.
    pub fn credentials(&self) -> Value {
        read_json(&self.data().join("credentials.json"))
    }

    /// All that the process has written so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if thread::panicking() {
            if let Some(mut process) = self.process.take() {
                let _ = process.kill();
                let _ = process.wait();
            }
            eprintln!("the server's log:\n{}", self.log());
            return;
        }
        if self.process.is_some() {
            let status = self.terminate();
            assert!(status.success(), "SIGTERM: {status}\n{}", self.log());
        }
        let log = self.log();
        let complaints = complaints(&log, &self.announced.borrow());
        assert!(complaints.is_empty(), "the server complained:\n{}", complaints.join("\n"));
    }
}

fn serve(data: &Path) -> Command {
    let mut command = gestalt(&["serve", "--listen", "127.0.0.1:0", "--data"]);
    command.arg(data);
    command
}

/// The product with these arguments, and with nothing of the caller's settings.
pub fn gestalt(args: &[&str]) -> Command {
    let mut command = Command::new(binary());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GESTALT_") {
            command.env_remove(name);
        }
    }
    command.args(args).stdin(Stdio::null());
    command
}

/// The product: `GESTALT_BIN`, or what stands in the folder this test was built into.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("GESTALT_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().expect("the path of this test");
    let built = test.ancestors().map(|folder| folder.join("gestalt")).find(|path| path.is_file());
    built.expect("no gestalt binary; build it with `cargo build -p gestalt-server` or set GESTALT_BIN")
}

/// Asks again and again until there is an answer, for half a minute at most.
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn read_json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}: {text}", path.display()))
}
