//! A small client of the API, such as anybody could write.
#![allow(clippy::disallowed_methods, reason = "a client waits for jobs by the clock of the machine")]

use std::path::Path;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::{Response, header};

use super::DemoError;

/// How long anything may take before the demonstration gives up.
const PATIENCE: Duration = Duration::from_secs(300);

/// What the first start of a server leaves in `credentials.json`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Credentials {
    domain: String,
    pub(super) user: String,
    pub(super) password: String,
    pub(super) project_id: String,
}

/// A client with a token for one project.
pub(super) struct Client {
    agent: Agent,
    url: String,
    pub(super) token: String,
    pub(super) credentials: Credentials,
}

/// An answer, with what it answers.
pub(super) struct Reply {
    asked: String,
    /// The body; null where there is none.
    pub(super) body: Value,
}

impl Reply {
    /// A text that the documents promise.
    pub(super) fn text(&self, field: &'static str) -> Result<String, DemoError> {
        let text = self.body[field].as_str().map(str::to_owned);
        text.ok_or_else(|| DemoError::Incomplete { asked: self.asked.clone(), field })
    }

    /// A list in `data`.
    pub(super) fn data_list(&self, field: &'static str) -> Result<Vec<Value>, DemoError> {
        let list = self.body["data"][field].as_array().cloned();
        list.ok_or_else(|| DemoError::Incomplete { asked: self.asked.clone(), field })
    }
}

impl Client {
    /// Waits for the server, reads the credentials that its first start left, and gets a token.
    pub(super) fn log_in(url: &str, data: &Path) -> Result<Self, DemoError> {
        let agent: Agent =
            Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE)).build().into();
        wait("the server to be ready", || {
            let ready = agent.get(format!("{url}/readyz")).call()?;
            Ok(ready.status().is_success().then_some(()))
        })?;
        let credentials = std::fs::read(data.join("credentials.json"))?;
        let credentials: Credentials =
            serde_json::from_slice(&credentials).map_err(|error| DemoError::Read(error.into()))?;
        let mut client = Self { agent, url: url.into(), token: String::new(), credentials };
        client.token = client.new_token()?;
        Ok(client)
    }

    fn new_token(&self) -> Result<String, DemoError> {
        let Credentials { domain, user, password, project_id } = &self.credentials;
        let user = json!({"name": user, "password": password, "domain": {"name": domain}});
        let identity = json!({"methods": ["password"], "password": {"user": user}});
        let body = json!({"auth": {"identity": identity, "scope": {"project": {"id": project_id}}}});
        let path = "/v3/auth/tokens";
        let response = self.agent.post(self.url(path)).send_json(&body)?;
        let token = response.headers().get("x-subject-token").and_then(|token| token.to_str().ok());
        let token = token.map(str::to_owned);
        let reply = read(format!("POST {path}"), response)?;
        token.ok_or(DemoError::Incomplete { asked: reply.asked, field: "X-Subject-Token" })
    }

    /// The whole address of a path, in which `{p}` stands for the project.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{}", self.url, path.replace("{p}", &self.credentials.project_id))
    }

    pub(super) fn get(&self, path: &str) -> Result<Reply, DemoError> {
        let request = self.agent.get(self.url(path)).header("X-Auth-Token", &self.token);
        read(format!("GET {path}"), request.call()?)
    }

    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Reply, DemoError> {
        let request = self.agent.post(self.url(path)).header("X-Auth-Token", &self.token);
        read(format!("POST {path}"), request.send_json(body)?)
    }

    /// POST without a body.
    pub(super) fn post_nothing(&self, path: &str) -> Result<Reply, DemoError> {
        let request = self.agent.post(self.url(path)).header("X-Auth-Token", &self.token);
        read(format!("POST {path}"), request.send_empty()?)
    }

    pub(super) fn put(&self, path: &str, bytes: &[u8]) -> Result<Reply, DemoError> {
        let request = self.agent.put(self.url(path)).header("X-Auth-Token", &self.token);
        let request = request.header(header::CONTENT_TYPE, "application/octet-stream");
        read(format!("PUT {path}"), request.send(bytes)?)
    }

    /// Follows the job that a reply names to a good end, telling how far it is in per cent, and gives
    /// what it says then.
    pub(super) fn follow(&self, graph: &str, reply: &Reply, tell: impl Fn(f64)) -> Result<Value, DemoError> {
        let job = reply.text("job_id")?;
        let path = format!("/v2/{{p}}/graphs/{graph}/jobs/{job}/status");
        wait(&format!("job {job}"), || {
            let status = self.get(&path)?;
            match status.text("status")?.as_str() {
                "success" => return Ok(Some(status.body)),
                "failed" => {
                    let reason =
                        status.body["fail_reason"].as_str().unwrap_or("it does not say why").to_owned();
                    return Err(DemoError::JobFailed { job: job.clone(), reason });
                }
                _ => tell(status.body["job_progress"].as_f64().unwrap_or_default()),
            }
            Ok(None)
        })
    }

    /// Waits until the management plane shows a graph in a state.
    pub(super) fn wait_status(&self, graph: &str, status: &str) -> Result<(), DemoError> {
        wait(&format!("status {status} of the graph"), || {
            let shown = self.get(&format!("/v2/{{p}}/graphs/{graph}"))?;
            Ok((shown.body["graph"]["status"] == status).then_some(()))
        })
    }
}

fn read(asked: String, mut response: Response<ureq::Body>) -> Result<Reply, DemoError> {
    let status = response.status().as_u16();
    let text = response.body_mut().with_config().limit(1 << 28).read_to_string()?;
    if !(200..300).contains(&status) {
        return Err(DemoError::Refused { asked, status, text: text.replace('\n', " ") });
    }
    let body = match text.as_str() {
        "" => Value::Null,
        text => serde_json::from_str(text).map_err(|error| DemoError::Read(error.into()))?,
    };
    Ok(Reply { asked, body })
}

/// Asks until there is an answer, at first often.
fn wait<T>(what: &str, mut ask: impl FnMut() -> Result<Option<T>, DemoError>) -> Result<T, DemoError> {
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if start.elapsed() > PATIENCE {
            return Err(DemoError::TooLong(what.into()));
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}
