//! Over HTTP: asking for the status of a job, and adding a backup, from the request to `success`,
//! while four clients write.

use std::path::Path;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use ureq::Agent;

use crate::load::Load;
use crate::measure::{Durations, row, text};
use crate::world::Rmat;

const BACKUPS: usize = 100;

/// A server process, killed when it is no longer needed.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[derive(Clone)]
struct Client {
    agent: Agent,
    url: String,
    project: String,
    token: String,
}

/// `GESTALT_BIN` names the server; `cargo xtask bench` sets it. With `backups` also what takes a
/// graph of every size.
pub fn run(backups: bool) -> Result<()> {
    let Ok(binary) = std::env::var("GESTALT_BIN") else {
        println!("| backups over HTTP | skipped: GESTALT_BIN is not set |");
        return Ok(());
    };
    let dir = tempfile::tempdir()?;
    let server = Server(
        Command::new(binary)
            .arg("serve")
            .arg("--data")
            .arg(dir.path().join("data"))
            // All clients share one token, whose rate would soon be limited.
            .args([
                "--listen",
                "127.0.0.1:0",
                "--backup-quota",
                "1000000",
                "--rate-limit",
                "0",
                "--ready-file",
            ])
            .arg(dir.path().join("ready"))
            .stderr(std::process::Stdio::null())
            .spawn()?,
    );
    let client = Client::log_in(dir.path())?;
    statuses(&client, server.0.id())?;
    let sizes = [
        ("10^5", Rmat { scale: 14, edges: 100_000 }),
        ("10^6", Rmat { scale: 17, edges: 1_000_000 }),
        ("10^7", super::LARGE),
    ];
    for (name, rmat) in sizes.into_iter().filter(|_| backups) {
        measure(&client, dir.path(), name, rmat)?;
    }
    Ok(())
}

/// Job statuses asked for by so many clients, for so long; then among lists and backups, for a
/// minute.
fn statuses(client: &Client, server: u32) -> Result<()> {
    let created = client
        .post("/v2/{p}/graphs", &json!({"graph": {"name": "statuses", "graph_size_type_index": "1"}}))?;
    let graph = created["id"].as_str().context("an id")?;
    std::thread::sleep(Duration::from_millis(300));
    let job = client.post(&format!("/v2/{{p}}/graphs/{graph}/backups"), &json!({}))?;
    client.follow(graph, &job)?;
    let job = job["job_id"].as_str().context("a job")?;
    let request = |method: &str, path: &str, share| {
        let Client { project, token, .. } = client;
        let head = format!("Host: bench\r\nX-Auth-Token: {token}\r\nContent-Length: 0");
        (share, format!("{method} /v2/{project}/graphs{path} HTTP/1.1\r\n{head}\r\n\r\n"))
    };
    let status = request("GET", &format!("/{graph}/jobs/{job}/status"), 88);
    let address = client.url.replace("http://", "");
    let load = Load { address: address.clone(), requests: vec![status.clone()], allowed: &[200] };
    for clients in [1, 16, 64] {
        let times = load.run(clients, Duration::from_secs(5))?.times;
        let shown = format!(
            "{}/s; p50 {}, p99 {}",
            times.len() / 5,
            text(times.median()),
            text(times.percentile(99.0))
        );
        row(&format!("job status over HTTP, {clients} clients"), shown);
    }
    let lists = [request("GET", "", 5), request("GET", "/jobs", 3), request("GET", "/backups", 3)];
    let backups = request("POST", &format!("/{graph}/backups"), 1);
    let requests = [vec![status], lists.to_vec(), vec![backups]].concat();
    let load = Load { address, requests, allowed: &[200, 429, 503] };
    load.run(200, Duration::from_secs(10))?;
    let before = resident(server)?;
    let outcome = load.run(200, Duration::from_secs(60))?;
    row(
        "200 clients, 60 s, 88 % statuses, 11 % lists, 1 % backups: answers; p50 / p99 of statuses; put off",
        format!(
            "{}/s; {} / {}; {}",
            outcome.answers / 60,
            text(outcome.times.median()),
            text(outcome.times.percentile(99.0)),
            outcome.put_off
        ),
    );
    let memory = format!("{} → {} MiB", before >> 20, resident(server)? >> 20);
    row("memory of the server before and after that minute", memory);
    let start = Instant::now();
    let mut times = Durations::default();
    while start.elapsed() < Duration::from_secs(5) {
        let begin = Instant::now();
        client.post(&format!("/v2/{{p}}/graphs/{graph}/backups"), &json!({}))?;
        times.push(begin.elapsed());
    }
    row(
        "POST backups, 1 client",
        format!("{}/s; p50 {}, p99 {}", times.len() / 5, text(times.median()), text(times.percentile(99.0))),
    );
    Ok(())
}

/// The memory that a process holds, in bytes.
fn resident(process: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("its memory")?;
    let kib: u64 = line.trim().split(' ').next().unwrap_or_default().parse()?;
    Ok(kib * 1024)
}

fn measure(client: &Client, dir: &Path, size: &str, rmat: Rmat) -> Result<()> {
    crate::import::write_files(dir, rmat)?;
    for file in ["schema.xml", "vertices.csv", "edges.csv"] {
        client.put(&format!("/obs/bench/{file}"), &dir.join(file))?;
    }
    let name = format!("size_{}", rmat.edges);
    let created =
        client.post("/v2/{p}/graphs", &json!({"graph": {"name": name, "graph_size_type_index": "3"}}))?;
    let graph = created["id"].as_str().context("an id")?.to_owned();
    std::thread::sleep(Duration::from_millis(300));
    let files = json!({"schema_path": "bench/schema.xml", "vertexset_path": "bench/vertices.csv", "edgeset_path": "bench/edges.csv"});
    let import = client.post(&format!("/v2/{{p}}/graphs/{graph}/import-graph"), &files)?;
    client.follow(&graph, &import)?;
    let stop = AtomicBool::new(false);
    let mut times = Durations::default();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let (stop, name) = (&stop, &name);
            scope.spawn(move || {
                for nr in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let vertex =
                        json!({"vertices": [{"vertex": format!("new{writer}-{nr}"), "label": "vertex"}]});
                    let path = format!("/ges/v1.0/{{p}}/graphs/{name}/vertices/action?action_id=batch-add");
                    if client.post(&path, &vertex).is_err() {
                        break;
                    }
                }
            });
        }
        let mut add = || -> Result<()> {
            for _ in 0..BACKUPS {
                let start = Instant::now();
                let job = client.post(&format!("/v2/{{p}}/graphs/{graph}/backups"), &json!({}))?;
                client.follow(&graph, &job)?;
                times.push(start.elapsed());
                std::thread::sleep(Duration::from_millis(10));
            }
            Ok(())
        };
        let added = add();
        stop.store(true, Ordering::Relaxed);
        added
    })?;
    let shown =
        format!("{} / {} / {}", text(times.median()), text(times.percentile(99.0)), text(times.max()));
    row(
        &format!("backup over HTTP under 4 writers, request to success, {size} edges: p50 / p99 / max"),
        shown,
    );
    Ok(())
}

impl Client {
    fn log_in(dir: &Path) -> Result<Self> {
        let start = Instant::now();
        let ready = loop {
            match std::fs::read(dir.join("ready")) {
                Ok(ready) => break ready,
                Err(error) => ensure!(start.elapsed() < Duration::from_secs(10), "not ready: {error}"),
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        let ready: Value = serde_json::from_slice(&ready)?;
        let credentials: Value = serde_json::from_slice(&std::fs::read(dir.join("data/credentials.json"))?)?;
        let url = ready["url"].as_str().context("an address")?.to_owned();
        let project = credentials["project_id"].as_str().context("a project")?.to_owned();
        let agent: Agent = Agent::config_builder().http_status_as_error(false).build().into();
        let user =
            json!({"name": "admin", "password": credentials["password"], "domain": {"name": "default"}});
        let identity = json!({"methods": ["password"], "password": {"user": user}});
        let body = json!({"auth": {"identity": identity, "scope": {"project": {"id": project}}}});
        let reply = agent.post(format!("{url}/v3/auth/tokens")).send_json(&body)?;
        let token = reply.headers().get("x-subject-token").context("a token")?.to_str()?.to_owned();
        Ok(Self { agent, url, project, token })
    }

    fn url(&self, path: &str) -> String {
        format!("{}{}", self.url, path.replace("{p}", &self.project))
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let mut reply =
            self.agent.post(self.url(path)).header("X-Auth-Token", &self.token).send_json(body)?;
        ensure!(reply.status() == 200, "{path}: {}", reply.body_mut().read_to_string()?);
        Ok(reply.body_mut().read_json()?)
    }

    fn put(&self, path: &str, file: &Path) -> Result<()> {
        let reply = self
            .agent
            .put(self.url(path))
            .header("X-Auth-Token", &self.token)
            .send(std::fs::File::open(file)?)?;
        ensure!(reply.status() == 200, "{path}: {}", reply.status());
        Ok(())
    }

    fn follow(&self, graph: &str, reply: &Value) -> Result<()> {
        let job = reply["job_id"].as_str().context("a job")?;
        let path = self.url(&format!("/v2/{{p}}/graphs/{graph}/jobs/{job}/status"));
        loop {
            let mut status = self.agent.get(&path).header("X-Auth-Token", &self.token).call()?;
            let status: Value = status.body_mut().read_json()?;
            match status["status"].as_str() {
                Some("success") => return Ok(()),
                Some("failed") => bail!("a job failed: {status}"),
                _ => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }
}
