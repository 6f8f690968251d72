//! The process: how it starts, tells that it is ready, stops and refuses.

use std::fs;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use harness::{Server, Signal, Value, exchange, gestalt, json, sample, until};

fn run(arguments: &[&str]) -> Output {
    gestalt(arguments).output().expect("the binary starts")
}

#[test]
fn the_ready_file_says_where_and_who() {
    let server = Server::start();
    let ready: Value =
        serde_json::from_slice(&fs::read(server.path("ready.json")).expect("a file")).expect("JSON");
    assert_eq!(ready, json!({"url": server.url(), "pid": server.pid()}));
    assert!(server.url().starts_with("http://127.0.0.1:"), "{}", server.url());
    let others: Vec<_> = fs::read_dir(server.path(""))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert!(others.len() == 3, "data, log and ready.json, nothing temporary: {others:?}");
}

#[test]
fn probes_answer_without_a_token() {
    let server = Server::start();
    for path in ["/healthz", "/readyz"] {
        server.anonymous().get(path).ok();
    }
}

#[test]
fn a_second_process_on_the_same_data_refuses() {
    let mut server = Server::start();
    let data = server.data().display().to_string();
    let second = run(&["serve", "--data", &data, "--listen", "127.0.0.1:0"]);
    let error = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(1), "{error}");
    assert!(error.contains(&server.pid().to_string()), "the holder is named: {error}");
    server.admin().get("/v2/{p}/graphs").ok();
    server.crash();
    server.admin().get("/v2/{p}/graphs").ok();
}

#[test]
fn wrong_usage_exits_with_2() {
    for arguments in [
        &["frobnicate"][..],
        &["serve", "--no-such-flag"],
        &["serve", "--listen", "not an address"],
        &["serve", "--data"],
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
    let help = run(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&help.stdout).contains("serve"));
}

#[test]
fn what_cannot_work_exits_with_1_and_one_line() {
    let server = Server::start();
    let file = server.path("a-file");
    fs::write(&file, "x").expect("a file");
    let (file, fresh) = (file.display().to_string(), server.path("fresh").display().to_string());
    let taken = server.url().replace("http://", "");
    let broken = server.path("broken.toml");
    fs::write(&broken, "listen = ").expect("a file");
    let broken = broken.display().to_string();
    for arguments in [
        ["serve", "--data", &file, "--listen", "127.0.0.1:0", "--ready-file", "r"],
        ["serve", "--data", &fresh, "--listen", &taken, "--ready-file", "r"],
        ["serve", "--data", &fresh, "--listen", "127.0.0.1:0", "--config", &broken],
        ["serve", "--data", &fresh, "--listen", "127.0.0.1:0", "--config", "no-such-file.toml"],
        ["serve", "--data", &fresh, "--listen", "127.0.0.1:0", "--ready-file", "no/such/folder/ready"],
    ] {
        let output = run(&arguments);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {error}");
        let last = error.lines().filter(|line| !line.contains("INFO")).collect::<Vec<_>>();
        assert_eq!(last.len(), 1, "{arguments:?}: {error}");
    }
}

#[test]
fn both_polite_signals_end_with_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::start();
        sample::trio(&server.admin(), "trio");
        server.signal(signal);
        let status = server.wait_end();
        assert_eq!(status.code(), Some(0), "{signal:?}: {}", server.log());
    }
}

#[test]
fn a_stop_in_the_middle_of_work_is_quick_and_loses_nothing() {
    let mut server = Server::start();
    let client = server.admin();
    let (vertices, edges) = sample::ring(300_000);
    client.upload("data/schema.xml", sample::RING_XML);
    client.upload("data/v.csv", vertices);
    client.upload("data/e.csv", edges);
    let trio = sample::trio(&client, "trio");
    let before = trio.summary();
    let ring = client.create_graph("ring");
    let body = json!({"schema_path": "data/schema.xml", "vertexset_path": "data/v.csv", "edgeset_path": "data/e.csv"});
    let import = ring.post("/import-graph", body);
    import.ok();
    let start = Instant::now();
    server.restart();
    assert!(start.elapsed() < Duration::from_secs(12), "{:?}", start.elapsed());
    let job = ring.follow(&import);
    ring.wait_status("200");
    assert_eq!((&job["status"], ring.counts()), (&json!("success"), (300_000, 300_000)), "{job}");
    assert_eq!(trio.summary(), before);
}

/// An idle connection must not hold up the stop.
#[test]
fn an_open_connection_does_not_delay_the_stop() {
    let mut server = Server::start();
    let idle = std::net::TcpStream::connect(server.url().replace("http://", "")).expect("a connection");
    let status = server.terminate();
    assert_eq!(status.code(), Some(0));
    drop(idle);
}

#[test]
fn half_a_request_does_no_harm() {
    let server = Server::start();
    for bytes in
        ["", "GET", "GET / HTTP/1.1\r\n", "\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\u{16}\u{3}\u{1}TLS hello"]
    {
        let address = server.url().replace("http://", "");
        let mut stream = std::net::TcpStream::connect(address).expect("a connection");
        std::io::Write::write_all(&mut stream, bytes.as_bytes()).expect("a few bytes");
    }
    let reply =
        exchange(&server.url(), b"GET /healthz HTTP/1.1\r\nHost: gestalt\r\nConnection: close\r\n\r\n");
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
}

/// A server that is not a [`Server`]: its settings are the test's own.
struct Other(Child);

impl Other {
    fn start(command: &mut Command) -> Self {
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().expect("the binary starts"))
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn flags_win_over_environment_over_file() {
    let home = tempfile::tempdir().expect("a folder");
    let path = |name: &str| home.path().join(name);
    let config = format!(
        "data = {:?}\nlisten = \"127.0.0.1:0\"\nready_file = {:?}\n",
        path("by-file"),
        path("ready-file")
    );
    fs::write(path("gestalt.toml"), config).expect("a file");
    let config = path("gestalt.toml");
    let serve = || {
        let mut command = gestalt(&["serve", "--config"]);
        command.arg(&config);
        command
    };
    for (mut command, data, ready) in [
        (serve(), "by-file", "ready-file"),
        (
            {
                let mut command = serve();
                command.env("GESTALT_DATA", path("by-env")).env("GESTALT_READY_FILE", path("ready-env"));
                command
            },
            "by-env",
            "ready-env",
        ),
        (
            {
                let mut command = serve();
                command.env("GESTALT_DATA", path("not-by-env")).env("GESTALT_READY_FILE", path("not-ready"));
                command.arg("--data").arg(path("by-flag")).arg("--ready-file").arg(path("ready-flag"));
                command
            },
            "by-flag",
            "ready-flag",
        ),
    ] {
        let _other = Other::start(&mut command);
        until(ready, || path(ready).exists().then_some(()));
        assert!(path(data).join("credentials.json").exists(), "{data}");
    }
    assert!(!path("not-by-env").exists() && !path("not-ready").exists());
}
