//! The verbs of one graph, as a user would speak of it.

use serde_json::{Value, json};

use crate::client::{Body, Client, Reply};
use crate::server::until;

/// A graph on a server, in the eyes of one client.
#[derive(Clone)]
pub struct Graph {
    /// Who asks.
    pub client: Client,
    /// Its id, for the management plane.
    pub id: String,
    /// Its name, for the data plane.
    pub name: String,
}

/// What adding a backup answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// The backup.
    pub id: String,
    /// The job that makes it.
    pub job_id: String,
}

impl Graph {
    /// A path of the management plane below this graph.
    pub fn path(&self, suffix: &str) -> String {
        format!("/v2/{{p}}/graphs/{}{suffix}", self.id)
    }

    /// A path of the data plane below this graph.
    pub fn data_path(&self, suffix: &str) -> String {
        format!("/ges/v1.0/{{p}}/graphs/{}{suffix}", self.name)
    }

    /// GET on the management plane.
    pub fn get(&self, suffix: &str) -> Reply {
        self.client.get(&self.path(suffix))
    }

    /// POST on the management plane.
    pub fn post(&self, suffix: &str, body: impl Into<Body>) -> Reply {
        self.client.post(&self.path(suffix), body)
    }

    /// DELETE on the management plane.
    pub fn delete(&self, suffix: &str) -> Reply {
        self.client.delete(&self.path(suffix))
    }

    /// GET on the data plane.
    pub fn data_get(&self, suffix: &str) -> Reply {
        self.client.get(&self.data_path(suffix))
    }

    /// POST on the data plane.
    pub fn data_post(&self, suffix: &str, body: impl Into<Body>) -> Reply {
        self.client.post(&self.data_path(suffix), body)
    }

    /// The graph as the server describes it.
    pub fn show(&self) -> Value {
        self.get("").ok()["graph"].clone()
    }

    /// Its status code.
    pub fn status(&self) -> String {
        self.show()["status"].as_str().expect("status is text").to_owned()
    }

    /// Waits for a status code.
    pub fn wait_status(&self, status: &str) {
        until(&format!("status {status} of {}", self.name), || (self.status() == status).then_some(()));
    }

    /// Follows the job that a reply names, to its end.
    pub fn follow(&self, reply: &Reply) -> Value {
        let job_id = reply.ok()["job_id"].as_str().unwrap_or_else(|| panic!("no job: {reply}")).to_owned();
        self.client.follow(&self.id, &job_id)
    }

    /// Does what a management call asks for, to the end of its job, which must succeed.
    pub fn run(&self, suffix: &str, body: impl Into<Body>) -> Value {
        let job = self.follow(&self.post(suffix, body));
        assert_eq!(job["status"], "success", "{suffix}: {job}");
        job
    }

    /// The same, for a job that must fail; returns its reason.
    pub fn run_in_vain(&self, suffix: &str, body: impl Into<Body>) -> String {
        let job = self.follow(&self.post(suffix, body));
        assert_eq!(job["status"], "failed", "{suffix}: {job}");
        job["fail_reason"].as_str().unwrap_or_else(|| panic!("no reason: {job}")).to_owned()
    }

    /// Stops it.
    pub fn stop(&self) {
        self.run("/stop", ());
        assert_eq!(self.status(), "900");
    }

    /// Starts it from its last state.
    pub fn start(&self) {
        self.run("/start", ());
        assert_eq!(self.status(), "200");
    }

    /// Stops it and starts it from a backup.
    pub fn restore(&self, backup: &Backup) {
        self.stop();
        self.run("/start", json!({"graph_backup_id": backup.id}));
        assert_eq!(self.status(), "200");
    }

    /// Asks for a backup without waiting for it.
    pub fn request_backup(&self) -> Backup {
        let reply = self.post("/backups", ());
        let ids = reply.ok();
        let id = |key: &str| ids[key].as_str().unwrap_or_else(|| panic!("no {key}: {reply}")).to_owned();
        Backup { id: id("backup_id"), job_id: id("job_id") }
    }

    /// Adds a backup.
    pub fn add_backup(&self) -> Backup {
        let backup = self.request_backup();
        let job = self.client.follow(&self.id, &backup.job_id);
        assert_eq!(job["status"], "success", "{job}");
        backup
    }

    /// Its backups, as the list of the graph has them.
    pub fn backups(&self) -> Vec<Value> {
        let list = self.get("/backups?limit=120").ok();
        list["backup_list"].as_array().unwrap_or_else(|| panic!("no list: {list}")).clone()
    }

    /// Adds vertices of one label: pairs of id and properties.
    pub fn add_vertices(&self, label: &str, vertices: &[(&str, Value)]) {
        let vertex = |(id, properties): &(&str, Value)| json!({"vertex": id, "label": label, "properties": properties});
        let vertices: Vec<Value> = vertices.iter().map(vertex).collect();
        self.data_post("/vertices/action?action_id=batch-add", json!({"vertices": vertices})).ok();
    }

    /// Adds edges of one label, without properties: pairs of source and target.
    pub fn add_edges(&self, label: &str, edges: &[(&str, &str)]) {
        let edge =
            |(source, target): &(&str, &str)| json!({"source": source, "target": target, "label": label});
        let edges: Vec<Value> = edges.iter().map(edge).collect();
        self.data_post("/edges/action?action_id=batch-add", json!({"edges": edges})).ok();
    }

    /// Deletes vertices with their edges.
    pub fn delete_vertices(&self, ids: &[&str]) {
        self.data_post("/vertices/action?action_id=batch-delete", json!({"vertices": ids})).ok();
    }

    /// The vertices of these ids, in any order; the missing ones are not there.
    pub fn vertices(&self, ids: &[&str]) -> Vec<Value> {
        let reply = self.data_post("/vertices/action?action_id=batch-query", json!({"vertices": ids})).ok();
        reply["data"]["vertices"].as_array().unwrap_or_else(|| panic!("no vertices: {reply}")).clone()
    }

    /// One vertex by its id.
    pub fn vertex(&self, id: &str) -> Option<Value> {
        self.vertices(&[id]).pop()
    }

    /// All edges from one vertex to another.
    pub fn edges(&self, source: &str, target: &str) -> Vec<Value> {
        let reply = self.data_get(&format!("/edges/detail?source={source}&target={target}")).ok();
        reply["data"]["edges"].as_array().unwrap_or_else(|| panic!("no edges: {reply}")).clone()
    }

    /// Counts, counts per label and content root.
    pub fn summary(&self) -> Value {
        self.data_get("/summary?label_details=true").ok()["data"].clone()
    }

    /// How many vertices and edges.
    pub fn counts(&self) -> (u64, u64) {
        let summary = self.summary();
        let count = |key: &str| summary[key].as_u64().unwrap_or_else(|| panic!("no {key}: {summary}"));
        (count("vertexNum"), count("edgeNum"))
    }

    /// What two graphs of the same content have in common, and no others.
    pub fn content_root(&self) -> String {
        let summary = self.summary();
        summary["contentRoot"].as_str().unwrap_or_else(|| panic!("no contentRoot: {summary}")).to_owned()
    }
}
