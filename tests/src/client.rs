//! A client of the HTTP surface.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::{HeaderMap, Request};

use crate::described::Described;
use crate::graph::Graph;
use crate::server::until;

/// Sends requests in the name of one token, to wherever its server listens now. `{p}` in a
/// path stands for the project.
#[derive(Clone)]
pub struct Client {
    agent: Agent,
    url: Arc<Mutex<String>>,
    /// The project of every path.
    pub project: String,
    /// Sent as `X-Auth-Token`.
    pub token: Option<String>,
    /// The server's home, which no reply may mention.
    home: String,
    /// What it says of itself; `None` if it is not `gestalt`.
    described: Option<Arc<Described>>,
}

/// What a request carries.
#[derive(Clone)]
pub enum Body {
    /// No byte.
    None,
    /// These bytes, whatever they are.
    Bytes(Vec<u8>),
}

impl From<()> for Body {
    fn from((): ()) -> Self {
        Self::None
    }
}

impl From<Value> for Body {
    fn from(json: Value) -> Self {
        Self::Bytes(json.to_string().into_bytes())
    }
}

impl From<&str> for Body {
    fn from(text: &str) -> Self {
        Self::Bytes(text.into())
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl Client {
    pub(crate) fn new(
        url: Arc<Mutex<String>>,
        project: String,
        home: String,
        described: Option<Arc<Described>>,
    ) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .allow_non_standard_methods(true)
            .timeout_global(Some(Duration::from_secs(60)))
            .build()
            .into();
        Self { agent, url, project, token: None, home, described }
    }

    /// The same client with a token of this user for its project.
    pub fn log_in(&self, user: &str, password: &str) -> Self {
        let scope = json!({"project": {"id": self.project}});
        let reply = self.post("/v3/auth/tokens", log_in_body(user, password, scope));
        assert_eq!(reply.status, 201, "{reply}");
        self.with_token(reply.header("X-Subject-Token"))
    }

    /// The same client with another token.
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The same client as a stranger.
    pub fn without_token(&self) -> Self {
        Self { token: None, ..self.clone() }
    }

    /// The same client in another project.
    pub fn in_project(&self, project: &str) -> Self {
        Self { project: project.to_owned(), ..self.clone() }
    }

    /// GET.
    pub fn get(&self, path: &str) -> Reply {
        self.send("GET", path, ())
    }

    /// POST.
    pub fn post(&self, path: &str, body: impl Into<Body>) -> Reply {
        self.send("POST", path, body)
    }

    /// PUT.
    pub fn put(&self, path: &str, body: impl Into<Body>) -> Reply {
        self.send("PUT", path, body)
    }

    /// DELETE.
    pub fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, ())
    }

    /// Any method.
    pub fn send(&self, method: &str, path: &str, body: impl Into<Body>) -> Reply {
        self.send_with(method, path, body, &[])
    }

    /// Any method, with more headers.
    pub fn send_with(
        &self,
        method: &str,
        path: &str,
        body: impl Into<Body>,
        headers: &[(&str, &str)],
    ) -> Reply {
        let path = path.replace("{p}", &self.project);
        let url = self.url.lock().expect("no panic").clone();
        let mut request = Request::builder().method(method).uri(format!("{url}{path}"));
        if let Some(token) = &self.token {
            request = request.header("X-Auth-Token", token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let asked = format!("{method} {path}");
        let sent = match body.into() {
            Body::None => self.agent.run(request.body(()).expect("a request")),
            Body::Bytes(bytes) => {
                let request = request.header("Content-Type", "application/json");
                self.agent.run(request.body(bytes).expect("a request"))
            }
        };
        let mut reply = sent.unwrap_or_else(|error| panic!("{asked}: {error}"));
        let body = reply.body_mut().with_config().limit(1 << 30).read_to_vec();
        let body = body.unwrap_or_else(|error| panic!("{asked}: {error}"));
        let reply = Reply { asked, status: reply.status().as_u16(), headers: reply.headers().clone(), body };
        reply.check_manners(&self.home);
        if let Some(described) = &self.described {
            let document = || self.document(&url);
            let known = described.allows(document, method, &path, reply.status);
            assert!(known, "the description of the interface has no such answer: {reply}");
        }
        reply
    }

    fn document(&self, url: &str) -> Value {
        let reply = self.agent.get(format!("{url}/openapi.json")).call().expect("an answer");
        reply.into_body().read_json().expect("a document")
    }

    /// Stores a file in the object area.
    pub fn upload(&self, path: &str, content: impl Into<Vec<u8>>) {
        let reply = self.put(&format!("/obs/{path}"), content.into());
        assert!((200..300).contains(&reply.status), "{reply}");
    }

    /// Reads a file of the object area.
    pub fn download(&self, path: &str) -> Vec<u8> {
        let reply = self.get(&format!("/obs/{path}"));
        assert_eq!(reply.status, 200, "{reply}");
        reply.body
    }

    /// Creates a graph with a closed schema and waits until it runs.
    pub fn create_graph(&self, name: &str) -> Graph {
        self.create_graph_with(name, &json!({}))
    }

    /// Creates a graph in which labels and properties appear as they are used.
    pub fn create_open_graph(&self, name: &str) -> Graph {
        self.create_graph_with(name, &json!({"schema_mode": "open"}))
    }

    /// Creates a graph with more fields and waits until it runs.
    pub fn create_graph_with(&self, name: &str, fields: &Value) -> Graph {
        let created = self.post("/v2/{p}/graphs", json!({"graph": graph_fields(name, fields)})).ok();
        let id = created["id"].as_str().expect("an id").to_owned();
        let graph = Graph { client: self.clone(), id, name: name.to_owned() };
        graph.wait_status("200");
        graph
    }

    /// Follows a job to its end and returns its last status.
    pub fn follow(&self, graph_id: &str, job_id: &str) -> Value {
        let path = format!("/v2/{{p}}/graphs/{graph_id}/jobs/{job_id}/status");
        until(&format!("job {job_id}"), || {
            let job = self.get(&path).ok();
            matches!(job["status"].as_str(), Some("success" | "failed")).then_some(job)
        })
    }
}

/// The body of a password log-in.
pub fn log_in_body(user: &str, password: &str, scope: Value) -> Value {
    let user = json!({"name": user, "password": password, "domain": {"name": "default"}});
    json!({"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}})
}

/// What GES clients send to create a graph, with `fields` over it.
pub fn graph_fields(name: &str, fields: &Value) -> Value {
    let mut graph = json!({
        "name": name,
        "graph_size_type_index": "2",
        "vpc_id": "vpc", "subnet_id": "subnet", "security_group_id": "group",
        "crypt_algorithm": "generalCipher",
        "enable_https": false,
    });
    for (key, value) in fields.as_object().expect("an object") {
        graph[key] = value.clone();
    }
    graph
}

/// What came back.
pub struct Reply {
    asked: String,
    /// The HTTP status.
    pub status: u16,
    headers: HeaderMap,
    /// The body as it came.
    pub body: Vec<u8>,
}

impl Reply {
    /// What must be true of every reply.
    fn check_manners(&self, home: &str) {
        assert!(self.headers.contains_key("X-Request-Id"), "no X-Request-Id: {self}");
        if self.status >= 400 {
            let text = self.text();
            let leaks = [home, "panicked", ".rs:", "/usr/", "backtrace", "sqlite", "SQLite"];
            let leak = leaks.iter().find(|leak| text.contains(**leak));
            assert!(leak.is_none(), "the reply leaks {leak:?}: {self}");
        }
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header that must be there.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {self}"));
        value.to_str().expect("a header is text")
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// The JSON of a success: 200 and nothing else, as GES clients want it.
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{self}");
        if self.body.is_empty() { json!({}) } else { self.json() }
    }

    /// The error code, in whichever of its spellings this plane has.
    pub fn error_code(&self) -> String {
        let body = self.json();
        let code = ["error_code", "errorCode"].iter().find_map(|key| body[key].as_str());
        code.unwrap_or_else(|| panic!("no error code: {self}")).to_owned()
    }

    /// The error text, in whichever of its spellings this plane has.
    pub fn error_text(&self) -> String {
        let body = self.json();
        let text = ["error_msg", "errorMessage"].iter().find_map(|key| body[key].as_str());
        text.unwrap_or_else(|| panic!("no error text: {self}")).to_owned()
    }

    /// Asserts a refusal and returns its text.
    pub fn refused(&self, status: u16, code: &str) -> String {
        assert_eq!((self.status, self.error_code().as_str()), (status, code), "{self}");
        self.error_text()
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text: String = self.text().chars().take(2_000).collect();
        write!(f, "{} -> {} {text}", self.asked, self.status)
    }
}
