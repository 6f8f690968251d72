//! Tokens of another Keystone. It is asked about each token with the token itself, so this server
//! needs no account there. What it said is believed for a minute; if it cannot be asked, nobody
//! gets in.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::params;
use rustc_hash::FxHashMap;
use serde_json::Value;
use tokio::sync::Semaphore;
use ureq::Agent;

use crate::app::App;
use crate::codes::Code;
use crate::config::KeystoneAt;
use crate::http::blocking;
use crate::http::error::ApiError;
use crate::identity::role::{Role, built_in};
use crate::identity::session::{Scoped, Session, hash};
use crate::ids::{DomainId, ProjectId, UserId};
use crate::times::Time;

/// How long an answer is believed, in seconds.
const BELIEVED: i64 = 60;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Questions at the same time.
const QUESTIONS: usize = 16;
/// Answers remembered at most.
const MOST: usize = 10_000;
/// The longest token that is asked about.
const LONGEST_TOKEN: usize = 8 * 1024;
/// The longest answer, catalog and all.
const LONGEST_ANSWER: u64 = 1 << 20;

/// A session, and how long it is believed.
type Answer = (Arc<Session>, Time);

/// The Keystone that is asked.
pub(crate) struct Keystone {
    url: String,
    agent: Agent,
    questions: Semaphore,
    answers: Mutex<FxHashMap<[u8; 32], Answer>>,
}

impl Keystone {
    pub(crate) fn new(at: &KeystoneAt) -> Self {
        let config = Agent::config_builder()
            .tls_config(at.trust.config())
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .build();
        Self {
            url: at.url.trim_end_matches('/').to_owned(),
            agent: config.into(),
            questions: Semaphore::new(QUESTIONS),
            answers: Mutex::default(),
        }
    }

    /// The session of a token, `None` if the Keystone does not know it.
    pub(crate) async fn session(&self, app: &App, token: &str) -> Result<Option<Arc<Session>>, ApiError> {
        if token.is_empty() || token.len() > LONGEST_TOKEN {
            return Ok(None);
        }
        let now = app.now();
        let known = self.answers.lock().unwrap_or_else(PoisonError::into_inner).get(&hash(token)).cloned();
        if let Some((session, until)) = known
            && now < until
        {
            return Ok(Some(session));
        }
        let _permit = self.questions.acquire().await.map_err(ApiError::internal)?;
        let (asking, agent, url, text) =
            (app.clone(), self.agent.clone(), self.url.clone(), token.to_owned());
        let asked = blocking(move || {
            let Some(answer) = ask(&agent, &url, &text)? else { return Ok(None) };
            let session = read(&answer).ok_or_else(|| unavailable("its answer cannot be understood"))?;
            note_project(&asking, &session)?;
            Ok(Some(Arc::new(session)))
        });
        let Some(session) = asked.await? else { return Ok(None) };
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= MOST {
            answers.clear();
        }
        answers.insert(hash(token), (Arc::clone(&session), now.plus_seconds(BELIEVED)));
        Ok(Some(session))
    }
}

fn unavailable(why: impl std::fmt::Display) -> ApiError {
    tracing::warn!(%why, "the Keystone cannot be asked about a token");
    ApiError::about(Code::Unavailable, "The Keystone that knows the tokens cannot be asked.")
}

fn ask(agent: &Agent, url: &str, token: &str) -> Result<Option<Value>, ApiError> {
    let request = agent.get(format!("{url}/auth/tokens?nocatalog=1"));
    let request = request.header("X-Auth-Token", token).header("X-Subject-Token", token);
    let mut reply = request.call().map_err(unavailable)?;
    match reply.status().as_u16() {
        200 => {
            let body = reply.body_mut().with_config().limit(LONGEST_ANSWER);
            body.read_json().map(Some).map_err(unavailable)
        }
        401 | 403 | 404 => Ok(None),
        status => Err(unavailable(format!("it answers {status}"))),
    }
}

/// A session from the body of a token.
fn read(answer: &Value) -> Option<Session> {
    let token = &answer["token"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let user = &token["user"];
    let scope = match (&token["project"], &token["domain"]) {
        (Value::Null, Value::Null) => Scoped::Nothing,
        (Value::Null, _) => Scoped::Domain,
        (project, _) => Scoped::Project {
            id: text(&project["id"]).filter(|id| is_id(id)).map(ProjectId)?,
            name: text(&project["name"])?,
        },
    };
    let named = token["roles"].as_array().map(Vec::as_slice).unwrap_or_default();
    let named: Vec<&str> = named.iter().filter_map(|role| role["name"].as_str()).collect();
    let time = |key: &str| token[key].as_str()?.parse::<jiff::Timestamp>().ok();
    Some(Session {
        user: UserId(text(&user["id"])?),
        user_name: text(&user["name"])?,
        domain: DomainId(format!("keystone:{}", user["domain"]["id"].as_str()?)),
        domain_name: text(&user["domain"]["name"])?,
        scope,
        method: "token".into(),
        issued: Time(time("issued_at")?.as_microsecond()),
        expires: Time(time("expires_at")?.as_microsecond()),
        administrator: named.contains(&"admin"),
        roles: roles(&named),
    })
}

/// Project ids name folders: nothing but letters, digits and hyphens.
fn is_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Roles by the names that they have here, and those that every Keystone has.
fn roles(named: &[&str]) -> Vec<Role> {
    let mut wanted = Vec::new();
    for name in named {
        match *name {
            "member" => wanted.extend(["GES Development", "GES GraphAccess"]),
            "reader" => wanted.push("GES ReadOnlyAccess"),
            other => wanted.push(other),
        }
    }
    built_in().into_iter().filter(|role| wanted.contains(&role.name.as_str())).collect()
}

/// Makes sure that graphs can be filed under the project.
fn note_project(app: &App, session: &Session) -> Result<(), ApiError> {
    let Some(project) = session.project() else { return Ok(()) };
    let known: i64 = app.db().read(|db| {
        db.query_row("SELECT count(*) FROM projects WHERE id = ?1", [project], |row| row.get(0))
    })?;
    if known > 0 {
        return Ok(());
    }
    app.db().write(|db| {
        db.execute("INSERT OR IGNORE INTO domains (id, name) VALUES (?1, ?1)", [&session.domain])?;
        // Called by its id, as names there may change.
        let row = params![project, session.domain];
        db.execute("INSERT OR IGNORE INTO projects (id, domain_id, name) VALUES (?1, ?2, ?1)", row)?;
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer() -> Value {
        json!({"token": {
            "methods": ["password"], "issued_at": "2026-01-01T00:00:00.000000Z",
            "expires_at": "2026-01-02T00:00:00.000000Z",
            "user": {"id": "u1", "name": "eve", "domain": {"id": "default", "name": "Default"}},
            "project": {"id": "0123456789abcdef0123456789abcdef", "name": "demo"},
            "roles": [{"id": "1", "name": "member"}, {"id": "2", "name": "GES ReadOnlyAccess"}],
        }})
    }

    #[test]
    fn the_answer_of_a_keystone_is_a_session() {
        let session = read(&answer()).unwrap();
        assert_eq!((session.user.as_str(), session.user_name.as_str()), ("u1", "eve"));
        assert_eq!(session.project().unwrap().as_str(), "0123456789abcdef0123456789abcdef");
        assert_eq!(session.expires.seconds_since(session.issued), 86_400);
        let names: Vec<&str> = session.roles.iter().map(|role| role.name.as_str()).collect();
        assert_eq!(names, ["GES Development", "GES ReadOnlyAccess", "GES GraphAccess"]);
        assert!(!session.administrator && session.is_foreign());
    }

    #[test]
    fn an_answer_that_is_not_understood_lets_nobody_in() {
        for (pointer, value) in [
            ("/token/project/id", json!("../../etc")),
            ("/token/project/id", json!("")),
            ("/token/project/id", json!(7)),
            ("/token/user/id", json!(null)),
            ("/token/user/domain", json!({})),
            ("/token/expires_at", json!("tomorrow")),
        ] {
            let mut answer = answer();
            *answer.pointer_mut(pointer).unwrap() = value;
            assert!(read(&answer).is_none(), "{pointer}");
        }
        assert!(read(&json!({})).is_none());
    }
}
