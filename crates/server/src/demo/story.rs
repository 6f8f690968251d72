//! The demonstration, step by step.

use std::path::PathBuf;

use ::client::{Api, Credentials, Reply};
use serde_json::{Value, json};

use super::DemoError;
use super::client;
use super::packages::{EDGES, SCHEMA, VERTICES, Victims};
use super::picture::Picture;
use super::screen::{Screen, Step, grouped};

/// The graph's data plane.
pub(super) const DATA: &str = "/ges/v1.0/{p}/graphs/debian";
/// Elements in one request; the limit is twice as high.
pub(super) const BATCH: usize = 5_000;

/// Where the server is and where it keeps its data.
pub(super) struct Place {
    pub(super) url: String,
    pub(super) data: PathBuf,
    /// Whether the data outlive the demonstration.
    pub(super) keeps_data: bool,
}

struct Stage {
    screen: Screen,
    api: Api,
    credentials: Credentials,
    victims: Victims,
    graph: String,
}

/// Tells the whole story; `Ok` only if everything was proven. Blocks.
pub(super) fn tell(place: &Place, exit: bool) -> Result<(), DemoError> {
    let screen = Screen::new();
    screen.title(
        "Gestalt: a graph that cannot be lost",
        "Every package of Debian 12 and what it depends on, backed up, damaged, brought back.",
    );
    let (api, credentials) = log_in(&screen, place)?;
    let graph = create(&screen, &api)?;
    let stage = Stage { screen, api, credentials, victims: Victims::choose()?, graph };
    stage.upload()?;
    stage.import()?;
    let before = stage.look("look at it closely")?;
    let backup = stage.add_backup()?;
    stage.cut_off()?;
    stage.falsify()?;
    let damaged = stage.look("look again")?;
    stage.screen.damage(&before.compare(&damaged));
    if before.root() == damaged.root() {
        return Err(DemoError::NotProven("the damage does not show in the content root".into()));
    }
    stage.restore(&backup)?;
    let after = stage.look("look once more")?;
    stage.screen.proof(&before.compare(&after));
    if before != after {
        return Err(DemoError::NotProven("the restored graph is not the one that was backed up".into()));
    }
    let elements = grouped(after.elements() as u64);
    stage.screen.done(&format!(
        "Everything is back: every count, the content root, and {elements} elements one by one."
    ));
    if !exit {
        stage.invite(place);
    }
    Ok(())
}

fn log_in(screen: &Screen, place: &Place) -> Result<(Api, Credentials), DemoError> {
    let step = screen.begin("start a server and log in");
    let logged_in = client::log_in(&place.url, &place.data)?;
    step.done(&place.url);
    Ok(logged_in)
}

fn create(screen: &Screen, api: &Api) -> Result<String, DemoError> {
    let step = screen.begin("create graph \"debian\"");
    let graph = json!({
        "name": "debian", "graph_size_type_index": "1", "crypt_algorithm": "generalCipher", "enable_https": false,
        "vpc_id": "demo", "subnet_id": "demo", "security_group_id": "demo",
    });
    let id = api.post("/v2/{p}/graphs", Some(&json!({"graph": graph})))?.text("id")?;
    client::wait_status(api, &id, "200")?;
    step.done(&id);
    Ok(id)
}

impl Stage {
    fn upload(&self) -> Result<(), DemoError> {
        let step = self.screen.begin("put its files into a bucket");
        let files = [("schema.xml", SCHEMA), ("vertices.csv.gz", VERTICES), ("edges.csv.gz", EDGES)];
        for (name, bytes) in files {
            self.api.put(&format!("/obs/demo/debian/{name}"), bytes, Some(bytes.len() as u64))?;
        }
        let bytes: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
        step.done(&format!("{:.1} MB, compressed", bytes as f64 / 1e6));
        Ok(())
    }

    fn import(&self) -> Result<(), DemoError> {
        let step = self.screen.begin("import them");
        let reply = self.operate(
            "import-graph",
            &json!({
                "schema_path": "demo/debian/schema.xml", "vertexset_path": "demo/debian/vertices.csv.gz",
                "edgeset_path": "demo/debian/edges.csv.gz", "log_dir": "demo/log/",
            }),
        )?;
        let job = self.follow(&reply, &step)?;
        let files = ["vertexset_path", "edgeset_path"].map(|set| job["job_detail"][set][0].clone());
        let lines = |field: &str| files.iter().filter_map(|file| file[field].as_u64()).sum::<u64>();
        let (good, bad) = (grouped(lines("successful_lines")), grouped(lines("failed_lines")));
        step.done(&format!("{good} lines read, {bad} refused"));
        Ok(())
    }

    fn look(&self, text: &str) -> Result<Picture, DemoError> {
        let step = self.screen.begin(text);
        let picture = Picture::take(&self.api, &self.victims)?;
        let (vertices, edges) = (picture.count("vertexNum"), picture.count("edgeNum"));
        step.done(&format!("{} vertices, {} edges", grouped(vertices), grouped(edges)));
        Ok(picture)
    }

    /// The call that it is all about.
    fn add_backup(&self) -> Result<String, DemoError> {
        let path = format!("/v2/{{p}}/graphs/{}/backups", self.graph);
        self.screen.say("Now one call, without a body:");
        let step = self.screen.begin("add a backup");
        let reply = self.api.post(&path, None)?;
        self.follow(&reply, &step)?;
        let backup = reply.text("backup_id")?;
        let list = self.api.get(&path)?.body["backup_list"].clone();
        let listed = list.as_array().into_iter().flatten().find(|item| item["id"] == backup);
        let listed = listed.and_then(|item| Some((item["name"].as_str()?, item["status"].as_str()?)));
        match listed {
            Some((name, "success")) => step.done(name),
            _ => return Err(DemoError::NotProven("the backup is not in the list of the graph".into())),
        }
        let curl =
            ["curl -X POST -H \"X-Auth-Token: $TOKEN\" \\".into(), format!("    {}", self.api.url(&path))];
        self.screen.command(&curl, &reply.body.to_string());
        Ok(backup)
    }

    fn cut_off(&self) -> Result<(), DemoError> {
        self.screen.say("Then a bad day, in the most used packages:");
        let packages = grouped(self.victims.cut_off.len() as u64);
        let step = self.screen.begin(&format!("delete the Depends edges of {packages} packages"));
        for batch in self.victims.edges.chunks(BATCH) {
            let edge = |(source, target): &(String, String)| json!({"source": source, "target": target, "label": "Depends"});
            let gone: Vec<Value> = batch.iter().map(edge).collect();
            let path = format!("{DATA}/edges/action?action_id=batch-delete");
            self.api.post(&path, Some(&json!({"edges": gone})))?;
        }
        step.done(&format!("{} edges are gone", grouped(self.victims.edges.len() as u64)));
        Ok(())
    }

    fn falsify(&self) -> Result<(), DemoError> {
        let packages = grouped(self.victims.falsified.len() as u64);
        let step = self.screen.begin(&format!("falsify the properties of {packages} others"));
        let properties = json!({"version": ["0.0-broken"], "installed_size": []});
        let change = |name: &String| json!({"vertex": name, "properties": properties});
        let changes: Vec<Value> = self.victims.falsified.iter().map(change).collect();
        let path = format!("{DATA}/vertices/properties/action?action_id=batch-update");
        self.api.post(&path, Some(&json!({"vertices": changes})))?;
        step.done("version 0.0-broken, no size");
        Ok(())
    }

    fn restore(&self, backup: &str) -> Result<(), DemoError> {
        self.screen.say("And back:");
        let step = self.screen.begin("stop the graph");
        let reply = self.operate("stop", &json!({}))?;
        self.follow(&reply, &step)?;
        step.done("");
        let step = self.screen.begin("start it from the backup");
        let reply = self.operate("start", &json!({"graph_backup_id": backup}))?;
        self.follow(&reply, &step)?;
        client::wait_status(&self.api, &self.graph, "200")?;
        step.done("it runs");
        Ok(())
    }

    fn operate(&self, operation: &str, body: &Value) -> Result<Reply, DemoError> {
        let path = format!("/v2/{{p}}/graphs/{}/{operation}", self.graph);
        Ok(self.api.post(&path, Some(body))?)
    }

    /// Follows the job that an answer names to a good end, and gives what it says then.
    fn follow(&self, reply: &Reply, step: &Step<'_>) -> Result<Value, DemoError> {
        let tell = |job: &Value| step.progress(job["job_progress"].as_f64().unwrap_or_default());
        Ok(self.api.follow(&self.graph, &reply.text("job_id")?, tell)?.body)
    }

    /// How to go on by hand.
    fn invite(&self, place: &Place) {
        let credentials = &self.credentials;
        let kept = if place.keeps_data { "keeps" } else { "removes" };
        self.screen
            .say(&format!("The server goes on. Ctrl-C stops it and {kept} its data. Try it yourself:"));
        self.screen.list(&[
            ("address", place.url.clone()),
            ("user", credentials.user.clone()),
            ("password", credentials.password.clone()),
            ("project", credentials.project_id.clone()),
            ("graph", format!("debian, {}", self.graph)),
            ("data", place.data.display().to_string()),
        ]);
        let summary = self.api.url(&format!("{DATA}/summary?label_details=true"));
        self.screen.command(
            &[
                format!("TOKEN={}", self.api.token().unwrap_or_default()),
                "curl -H \"X-Auth-Token: $TOKEN\" \\".into(),
                format!("    \"{summary}\""),
            ],
            "",
        );
        self.screen.end();
    }
}
