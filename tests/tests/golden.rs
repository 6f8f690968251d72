//! The folder `golden` is the management plane by example: a request, and what it is answered.
//! Each file is replayed on a server of its own. `GESTALT_BLESS=1` writes the answers anew.
//!
//! ```text
//! Add a backup.
//! Given: graph
//!
//! POST /v2/{project}/graphs/{graph}/backups
//!
//! 200
//! {
//!   "backup_id": "{id}",
//!   "job_id": "{job}"
//! }
//! ```

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use harness::{Body, Client, Graph, Reply, Server, Value, json, sample, until};

/// No graph, backup or metadata has it.
const NOTHING: &str = "00000000-0000-4000-8000-000000000000";

/// One file, parsed.
struct Example {
    about: String,
    given: Vec<String>,
    method: String,
    path: String,
    body: Option<String>,
    answer: String,
}

impl Example {
    fn parse(text: &str) -> Option<Self> {
        let (head, rest) = text.split_once("\n\n")?;
        let (about, given) = head.split_once("\nGiven: ").unwrap_or((head, ""));
        let (request, answer) = rest.split_once("\n\n").unwrap_or((rest, ""));
        let (line, body) = request.trim_end().split_once('\n').unwrap_or((request.trim_end(), ""));
        let (method, path) = line.split_once(' ')?;
        Some(Self {
            about: about.to_owned(),
            given: given.split(", ").filter(|word| !word.is_empty()).map(str::to_owned).collect(),
            method: method.to_owned(),
            path: path.to_owned(),
            body: (!body.is_empty()).then(|| body.to_owned()),
            answer: answer.trim_end().to_owned(),
        })
    }

    fn text(&self, answer: &str) -> String {
        let given = match self.given.is_empty() {
            true => String::new(),
            false => format!("\nGiven: {}", self.given.join(", ")),
        };
        let body = self.body.as_ref().map(|body| format!("\n{body}")).unwrap_or_default();
        format!("{}{given}\n\n{} {}{body}\n\n{answer}\n", self.about, self.method, self.path)
    }

    /// Asks a server in which there is what is given, and shows its answer.
    fn replay(&self) -> String {
        let server = Server::start();
        let scene = Scene::with(&server, &self.given);
        let body = self.body.as_ref().map_or(Body::None, |body| Body::from(scene.fill(body).as_str()));
        let reply = scene.client.send(&self.method, &scene.fill(&self.path), body);
        let shown = scene.shown(&reply);
        scene.let_end(&reply);
        shown
    }
}

/// What there is on a server, and the names that examples call it by.
struct Scene {
    client: Client,
    graph: Option<Graph>,
    names: Vec<(&'static str, String)>,
}

impl Scene {
    fn with(server: &Server, given: &[String]) -> Self {
        let client = server.admin();
        let password = server.credentials()["password"].as_str().expect("a password").to_owned();
        let names = vec![
            ("{password}", password),
            ("{project}", client.project.clone()),
            ("{elsewhere}", "0".repeat(32)),
            ("{nothing}", NOTHING.to_owned()),
            ("{url}", server.url()),
        ];
        let mut scene = Self { client, graph: None, names };
        given.iter().for_each(|thing| scene.add(thing));
        scene
    }

    fn add(&mut self, thing: &str) {
        match thing {
            "nobody" => self.client = self.client.without_token(),
            "files" => sample::upload_people(&self.client),
            "graph" => {
                let graph = sample::trio(&self.client, "people");
                self.names.push(("{graph}", graph.id.clone()));
                self.graph = Some(graph);
            }
            "backup" => {
                let backup = self.graph().add_backup();
                self.names.extend([("{backup}", backup.id), ("{job}", backup.job_id)]);
            }
            "stopped" => self.graph().stop(),
            "deleted" => {
                // Its jobs are asked for under its id, which is gone with it.
                self.graph().delete("?keep_backup=true").ok();
                until("the graph to be gone", || (self.graph().get("").status == 404).then_some(()));
            }
            "exported" => {
                let backup = json!({"backup_id": self.name("{backup}"), "export_path": "data/backup/"});
                self.graph().run("/backups/export", backup);
            }
            "eip" => drop(self.graph().post("/bind-eip", json!({"eip_id": "eip-1"})).ok()),
            "metadata" => {
                sample::upload_people(&self.client);
                let body = json!({"name": "people", "metadata_path": "data/people/schema.xml"});
                let made = self.client.post("/v2/{p}/graphs/metadata/upload-from-obs", body).ok();
                self.names.push(("{metadata}", made["id"].as_str().expect("an id").to_owned()));
            }
            other => panic!("nobody knows how to make [{other}]"),
        }
    }

    fn graph(&self) -> &Graph {
        self.graph.as_ref().expect("a graph is given first")
    }

    fn name(&self, name: &str) -> &str {
        &self.names.iter().find(|(own, _)| *own == name).expect("it is given").1
    }

    fn fill(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    }

    /// The answer, with names for what differs from run to run.
    fn shown(&self, reply: &Reply) -> String {
        if reply.body.is_empty() {
            return reply.status.to_string();
        }
        let mut body = reply.json();
        self.rename("", &mut body);
        format!("{}\n{body:#}", reply.status)
    }

    fn rename(&self, key: &str, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.rename(key, item)),
            Value::Object(fields) => fields.iter_mut().for_each(|(key, value)| self.rename(key, value)),
            Value::String(text) => {
                let named = self.names.iter().fold(text.clone(), |text, (name, id)| text.replace(id, name));
                *text = renamed(key, &named);
            }
            Value::Number(_) if key.ends_with("_timestamp") => *value = "{milliseconds}".into(),
            Value::Number(_) if key == "duration" => *value = "{seconds}".into(),
            _ => {}
        }
    }

    /// Waits for what the request began, so that the server ends in peace.
    fn let_end(&self, reply: &Reply) {
        if reply.status != 200 || reply.body.is_empty() {
            return;
        }
        if let (Some(job), Some(graph)) = (reply.json()["job_id"].as_str(), &self.graph) {
            let path = graph.path(&format!("/jobs/{job}/status"));
            until("the end of the job", || {
                // With its graph a deletion's job is gone, too.
                let job = self.client.get(&path);
                (job.status != 200 || job.json()["end_time"].is_string()).then_some(())
            });
        }
    }
}

/// A name for a text that differs from run to run or from machine to machine, by its field or its
/// form.
fn renamed(key: &str, text: &str) -> String {
    let digits: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    match key {
        "job_id" if !text.starts_with('{') => "{job}".into(),
        "download_link" => "{link}".into(),
        "data_store_version" => "{version}".into(),
        "request_id" => "{request}".into(),
        "arch" => "{arch}".into(),
        _ if digits.starts_with("0000-00-00T00:00:00") => "{time}".into(),
        _ => match digits.find("-00000000000000") {
            Some(at) => format!("{}-{{stamp}}{}", &text[..at], &text[at + 15..]),
            None => text.split('/').map(without_id).collect::<Vec<_>>().join("/"),
        },
    }
}

/// A part of a path, or its kind if it is an id or a hash.
fn without_id(part: &str) -> &str {
    let is_hex = part.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    match part.len() {
        32 | 36 if is_hex => "{id}",
        64 if is_hex => "{hash}",
        _ => part,
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

/// All files of one area, with their paths.
fn examples_of(area: &str) -> Vec<(PathBuf, Example)> {
    let files = fs::read_dir(folder().join(area)).unwrap_or_else(|error| panic!("golden/{area}: {error}"));
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("text");
        let example = Example::parse(&text).unwrap_or_else(|| panic!("{}: not an example", path.display()));
        (path, example)
    };
    paths.into_iter().map(read).collect()
}

fn check(area: &str) {
    let bless = std::env::var_os("GESTALT_BLESS").is_some();
    let mut wrong = Vec::new();
    for (path, example) in examples_of(area) {
        let answer = example.replay();
        if bless {
            fs::write(&path, example.text(&answer)).expect("the example can be written");
        } else if answer != example.answer {
            let name = path.file_name().unwrap_or_default().display();
            wrong.push(format!("{area}/{name} says\n{}\nbut the answer is\n{answer}", example.answer));
        }
    }
    assert!(wrong.is_empty(), "{}\n(GESTALT_BLESS=1 takes the answers over)", wrong.join("\n\n"));
}

const AREAS: [&str; 8] = ["backups", "graphs", "identity", "jobs", "metadata", "network", "quotas", "scenes"];

/// Half of the areas each, so that they share the time of two tests.
#[test]
fn backups_and_graphs_are_answered_as_their_examples_say() {
    AREAS[..2].iter().for_each(|area| check(area));
}

#[test]
fn everything_else_is_answered_as_its_examples_say() {
    AREAS[2..].iter().for_each(|area| check(area));
}

/// These have no success on one machine: a graph is always at the newest version, and there are
/// no scenes.
const NEVER: [&str; 2] = ["upgradeGraph", "registerScenes"];

/// An operation of management has an example of its success and one of a refusal.
#[test]
fn every_operation_has_examples() {
    let folders = fs::read_dir(folder()).expect("the folder golden");
    let folders: BTreeSet<String> =
        folders.map(|f| f.expect("a folder").file_name().to_string_lossy().into()).collect();
    assert_eq!(folders, AREAS.map(String::from).into(), "each folder is an area");
    let examples: Vec<Example> =
        AREAS.iter().flat_map(|area| examples_of(area)).map(|(_, example)| example).collect();
    let server = Server::start();
    let document = server.anonymous().get("/openapi.json").ok();
    let mut missing = Vec::new();
    let mut found = 0;
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            if !path.starts_with("/v2/") {
                continue;
            }
            found += 1;
            let id = operation["operationId"].as_str().expect("an id");
            let of_this = |example: &&Example| {
                example.method.to_lowercase() == *method && leads_to(&example.path, path)
            };
            let statuses: Vec<&str> = examples.iter().filter(of_this).map(|e| &e.answer[..3]).collect();
            if !statuses.contains(&"200") && !NEVER.contains(&id) {
                missing.push(format!("{id}: no success"));
            }
            if statuses.iter().all(|status| *status == "200") {
                missing.push(format!("{id}: no refusal"));
            }
        }
    }
    assert!(found >= 34, "the document has {found} operations");
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// Whether a path with names filled in is one of this route.
fn leads_to(path: &str, route: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    let (path, route): (Vec<&str>, Vec<&str>) = (path.split('/').collect(), route.split('/').collect());
    let fits =
        |(own, wanted): (&&str, &&str)| own == wanted || (own.starts_with('{') && wanted.starts_with('{'));
    path.len() == route.len() && path.iter().zip(&route).all(fits)
}
