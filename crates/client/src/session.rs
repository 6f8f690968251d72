//! Logging in.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::{Access, Api, Reply};
use crate::error::Error;

/// Who wants to log in, and to which project.
#[derive(Clone)]
pub struct LogIn {
    /// The user's name.
    pub user: String,
    /// The account that the user belongs to.
    pub domain: String,
    /// The password.
    pub password: String,
    /// Name or id. Of a user with one project, that one is meant.
    pub project: Option<String>,
}

/// A token, and what it is good for.
#[derive(Debug, Clone)]
pub struct Session {
    /// The token.
    pub token: String,
    /// The id of its project.
    pub project_id: String,
    /// The name of its project.
    pub project: String,
    /// Until when, in RFC 3339.
    pub expires: String,
}

/// What the first start of a server leaves in `credentials.json`.
#[derive(Clone, Deserialize)]
pub struct Credentials {
    /// The account.
    pub domain: String,
    /// The first user.
    pub user: String,
    /// The first user's password.
    pub password: String,
    /// The first project.
    pub project_id: String,
}

impl Credentials {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let shown = path.display().to_string();
        let text = std::fs::read(path).map_err(|source| Error::File { path: shown.clone(), source })?;
        serde_json::from_slice(&text).map_err(|error| Error::File { path: shown, source: error.into() })
    }

    /// To log in as that user in that project.
    pub fn log_in(&self) -> LogIn {
        LogIn {
            user: self.user.clone(),
            domain: self.domain.clone(),
            password: self.password.clone(),
            project: Some(self.project_id.clone()),
        }
    }
}

impl LogIn {
    /// Gets a token for the project, and the client that uses it.
    pub fn at(&self, server: &Api) -> Result<(Api, Session), Error> {
        let project = match &self.project {
            Some(project) => project.clone(),
            None => self.only_project(server)?,
        };
        let session = if is_id(&project) {
            // A name may look like an id, so the name has the last word.
            self.scoped(server, &json!({"project": {"id": project}})).or_else(|error| match error {
                Error::Refused { status: 401, .. } => self.by_name(server, &project),
                error => Err(error),
            })?
        } else {
            self.by_name(server, &project)?
        };
        Ok((server.with(&session.project_id, Access::Token(session.token.clone())), session))
    }

    fn by_name(&self, server: &Api, project: &str) -> Result<Session, Error> {
        self.scoped(server, &json!({"project": {"name": project, "domain": {"name": self.domain}}}))
    }

    fn scoped(&self, server: &Api, scope: &Value) -> Result<Session, Error> {
        let (reply, token) = self.token(server, Some(scope))?;
        Session::of(&reply, token)
    }

    fn token(&self, server: &Api, scope: Option<&Value>) -> Result<(Reply, String), Error> {
        let user = json!({"name": self.user, "password": self.password, "domain": {"name": self.domain}});
        let identity = json!({"methods": ["password"], "password": {"user": user}});
        let mut auth = json!({"identity": identity});
        if let Some(scope) = scope {
            auth["scope"] = scope.clone();
        }
        server.post_for_token("/v3/auth/tokens?nocatalog=true", &json!({"auth": auth}))
    }

    fn only_project(&self, server: &Api) -> Result<String, Error> {
        let (_, token) = self.token(server, None)?;
        let reply = server.with("", Access::Token(token)).get("/v3/auth/projects")?;
        let names: Vec<&str> =
            reply.list("projects")?.iter().filter_map(|project| project["name"].as_str()).collect();
        match names[..] {
            [name] => Ok(name.to_owned()),
            [] => Err(Error::Usage(format!("the user [{}] has no project yet", self.user))),
            _ => Err(Error::Usage(format!("choose one of these with --project: {}", names.join(", ")))),
        }
    }
}

impl Session {
    /// What the server says about a token that somebody else got.
    pub(crate) fn of_token(server: &Api, token: &str) -> Result<Self, Error> {
        let own = server.with("", Access::Token(token.into()));
        Self::of(&own.about_token("GET", token)?, token.into())
    }

    fn of(reply: &Reply, token: String) -> Result<Self, Error> {
        let about = &reply.body["token"];
        let text =
            |value: &Value, field: &str| value.as_str().map(str::to_owned).ok_or_else(|| reply.lacks(field));
        Ok(Self {
            token,
            project_id: text(&about["project"]["id"], "token.project.id")?,
            project: text(&about["project"]["name"], "token.project.name")?,
            expires: text(&about["expires_at"], "token.expires_at")?,
        })
    }
}

/// Whether it has the form of a project's id.
pub(crate) fn is_id(project: &str) -> bool {
    project.len() == 32 && project.bytes().all(|byte| byte.is_ascii_hexdigit())
}
