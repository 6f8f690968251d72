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

/// `GESTALT_BIN` names the server; `cargo xtask bench` sets it.
pub fn run() -> Result<()> {
    let Ok(binary) = std::env::var("GESTALT_BIN") else {
        println!("| backups over HTTP | skipped: GESTALT_BIN is not set |");
        return Ok(());
    };
    let dir = tempfile::tempdir()?;
    let _server = Server(
        Command::new(binary)
            .arg("serve")
            .arg("--data")
            .arg(dir.path().join("data"))
            .args(["--listen", "127.0.0.1:0", "--ready-file"])
            .arg(dir.path().join("ready"))
            .stderr(std::process::Stdio::null())
            .spawn()?,
    );
    let client = Client::log_in(dir.path())?;
    statuses(&client)?;
    let sizes = [
        ("10^5", Rmat { scale: 14, edges: 100_000 }),
        ("10^6", Rmat { scale: 17, edges: 1_000_000 }),
        ("10^7", super::LARGE),
    ];
    for (name, rmat) in sizes {
        measure(&client, dir.path(), name, rmat)?;
    }
    Ok(())
}

/// Job statuses asked for by so many clients, for so long.
fn statuses(client: &Client) -> Result<()> {
    let created = client
        .post("/v2/{p}/graphs", &json!({"graph": {"name": "statuses", "graph_size_type_index": "1"}}))?;
    let graph = created["id"].as_str().context("an id")?;
    std::thread::sleep(Duration::from_millis(300));
    let job = client.post(&format!("/v2/{{p}}/graphs/{graph}/backups"), &json!({}))?;
    client.follow(graph, &job)?;
    let job = job["job_id"].as_str().context("a job")?;
    let load = Load {
        address: client.url.replace("http://", ""),
        request: format!(
            "GET /v2/{}/graphs/{graph}/jobs/{job}/status HTTP/1.1\r\nHost: bench\r\nX-Auth-Token: {}\r\n\r\n",
            client.project, client.token
        ),
    };
    for clients in [1, 16, 64] {
        let times = load.run(clients, Duration::from_secs(5))?;
        let shown = format!(
            "{}/s; p50 {}, p99 {}",
            times.len() / 5,
            text(times.median()),
            text(times.percentile(99.0))
        );
        row(&format!("job status over HTTP, {clients} clients"), shown);
    }
    Ok(())
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
