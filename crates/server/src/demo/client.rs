#![allow(clippy::disallowed_methods, reason = "a client waits for jobs by the clock")]

use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use ureq::Agent;

use crate::identity::bootstrap::Credentials;

/// How long a job may take before the demonstration gives up.
const PATIENCE: Duration = Duration::from_secs(120);

/// A small client of the API, such as anybody could write.
pub(super) struct Client {
    agent: Agent,
    url: String,
    token: String,
    credentials: Credentials,
}

/// Why the demonstration ended early.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum DemoError {
    #[error("the server cannot be reached: {0}")]
    Http(#[from] ureq::Error),
    #[error("{path} was answered with {status}: {body}")]
    Refused { path: String, status: u16, body: String },
    #[error("a reply lacks [{0}]")]
    Incomplete(String),
    #[error("a job failed: {0}")]
    Job(String),
    #[error("example data or credentials cannot be read: {0}")]
    Data(#[from] std::io::Error),
    #[error("credentials or a reply are no JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("not proven: {0}")]
    Unproven(String),
}

/// A text field of a reply.
pub(super) fn text(reply: &Value, field: &str) -> Result<String, DemoError> {
    reply[field].as_str().map(str::to_owned).ok_or_else(|| DemoError::Incomplete(field.into()))
}

/// The rows of an example file.
pub(super) fn table(gz: &[u8]) -> Result<Vec<Vec<String>>, DemoError> {
    let mut csv = String::new();
    flate2::read::GzDecoder::new(gz).read_to_string(&mut csv)?;
    Ok(csv.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect())
}

impl Client {
    pub(super) fn log_in(url: &str, data: &Path) -> Result<Self, DemoError> {
        let agent: Agent = Agent::config_builder().http_status_as_error(false).build().into();
        let credentials: Credentials =
            serde_json::from_slice(&std::fs::read(data.join("credentials.json"))?)?;
        let user = json!({
            "name": credentials.user, "password": credentials.password, "domain": {"name": credentials.domain},
        });
        let scope = json!({"project": {"id": credentials.project_id}});
        let identity = json!({"methods": ["password"], "password": {"user": user}});
        let body = json!({"auth": {"identity": identity, "scope": scope}});
        let path = "/v3/auth/tokens";
        let reply = agent.post(format!("{url}{path}")).send_json(&body)?;
        let token = reply.headers().get("x-subject-token").and_then(|value| value.to_str().ok());
        let token = token.ok_or_else(|| DemoError::Incomplete("X-Subject-Token".into()))?.to_owned();
        Ok(Self { agent, url: url.into(), token, credentials })
    }

    /// The whole address of a path; `{p}` stands for the project.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{}", self.url, path.replace("{p}", &self.credentials.project_id))
    }

    fn read(path: &str, reply: ureq::http::Response<ureq::Body>) -> Result<Value, DemoError> {
        let status = reply.status().as_u16();
        let body = reply.into_body().read_to_string()?;
        if status >= 300 {
            return Err(DemoError::Refused { path: path.into(), status, body });
        }
        Ok(if body.is_empty() { Value::Null } else { serde_json::from_str(&body)? })
    }

    pub(super) fn get(&self, path: &str) -> Result<Value, DemoError> {
        Self::read(path, self.agent.get(self.url(path)).header("X-Auth-Token", &self.token).call()?)
    }

    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, DemoError> {
        Self::read(path, self.agent.post(self.url(path)).header("X-Auth-Token", &self.token).send_json(body)?)
    }

    pub(super) fn put(&self, path: &str, bytes: &[u8]) -> Result<Value, DemoError> {
        Self::read(path, self.agent.put(self.url(path)).header("X-Auth-Token", &self.token).send(bytes)?)
    }

    pub(super) fn data(&self, path: &str, body: &Value) -> Result<Value, DemoError> {
        self.post(&format!("/ges/v1.0/{{p}}/graphs/debian{path}"), body)
    }

    pub(super) fn data_get(&self, path: &str) -> Result<Value, DemoError> {
        self.get(&format!("/ges/v1.0/{{p}}/graphs/debian{path}"))
    }

    /// Asks for an operation and follows its job to a successful end.
    pub(super) fn run(&self, graph: &str, operation: &str, body: &Value) -> Result<(), DemoError> {
        let reply = self.post(&format!("/v2/{{p}}/graphs/{graph}{operation}"), body)?;
        self.follow(graph, &text(&reply, "job_id")?)
    }

    /// The call that this project began with. Returns backup and job.
    pub(super) fn add_backup(&self, graph: &str) -> Result<(String, String), DemoError> {
        let path = format!("/v2/{{p}}/graphs/{graph}/backups");
        let reply = self.agent.post(self.url(&path)).header("X-Auth-Token", &self.token).send_empty()?;
        let reply = Self::read(&path, reply)?;
        let (backup, job) = (text(&reply, "backup_id")?, text(&reply, "job_id")?);
        self.follow(graph, &job)?;
        Ok((backup, job))
    }

    fn follow(&self, graph: &str, job: &str) -> Result<(), DemoError> {
        self.wait(|| {
            let job = self.get(&format!("/v2/{{p}}/graphs/{graph}/jobs/{job}/status"))?;
            match job["status"].as_str() {
                Some("success") => Ok(Some(())),
                Some("failed") => Err(DemoError::Job(job["fail_reason"].to_string())),
                _ => Ok(None),
            }
        })
    }

    pub(super) fn wait_status(&self, graph: &str, status: &str) -> Result<(), DemoError> {
        self.wait(|| {
            let shown = self.get(&format!("/v2/{{p}}/graphs/{graph}"))?;
            Ok((shown["graph"]["status"] == status).then_some(()))
        })
    }

    fn wait<T>(&self, mut done: impl FnMut() -> Result<Option<T>, DemoError>) -> Result<T, DemoError> {
        let start = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            if let Some(result) = done()? {
                return Ok(result);
            }
            if start.elapsed() > PATIENCE {
                return Err(DemoError::Job("it takes too long".into()));
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    /// How to go on by hand.
    pub(super) fn hint(&self, graph: &str) -> String {
        let Credentials { user, password, project_id, .. } = &self.credentials;
        format!(
            "  It serves at {} until you press Ctrl-C.\n\n  user {user}, password {password}\n  project {project_id}\n  graph debian, {graph}\n\n  TOKEN={}\n  curl -H \"X-Auth-Token: $TOKEN\" {}\n",
            self.url,
            self.token,
            self.url("/ges/v1.0/{p}/graphs/debian/summary?label_details=true"),
        )
    }
}
