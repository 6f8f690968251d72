//! To which server a verb speaks, and in whose name: flags win over the environment, the
//! environment over the profile.

use std::path::PathBuf;

use jiff::Timestamp;

use crate::api::{Access, Api};
use crate::error::Error;
use crate::profile::{Profile, Profiles};
use crate::session::{LogIn, Session, is_id};
use crate::trust::Trust;

/// Where `gestalt serve` listens if nobody says otherwise.
pub(crate) const DEFAULT_URL: &str = "http://127.0.0.1:7780";
/// The account of every user of a new server.
pub(crate) const DEFAULT_DOMAIN: &str = "default";

/// What every verb that speaks to a server takes.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Common {
    /// Which of the logins that `gestalt login` keeps
    #[arg(long, global = true, value_name = "NAME", env = "GESTALT_PROFILE", default_value = "default")]
    pub(crate) profile: String,
    /// The server's address, instead of the profile's
    #[arg(long, global = true, value_name = "URL", env = "GESTALT_URL")]
    pub(crate) url: Option<String>,
    /// The project, by name or id, instead of the profile's
    #[arg(long, global = true, value_name = "PROJECT", env = "GESTALT_PROJECT")]
    pub(crate) project: Option<String>,
    /// Believe the certificates in this PEM file, instead of those that the machine believes
    #[arg(long, global = true, value_name = "FILE", env = "GESTALT_CA_CERT")]
    pub(crate) ca_cert: Option<PathBuf>,
    /// Print what the server answers, unchanged
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// Secrets do not stand on command lines, where others see them, but in the environment.
#[derive(Clone, Default)]
pub(crate) struct Environment {
    pub(crate) token: Option<String>,
    pub(crate) access_key: Option<String>,
    pub(crate) secret_key: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) domain: Option<String>,
    pub(crate) xdg_config_home: Option<PathBuf>,
    pub(crate) home: Option<PathBuf>,
}

impl Environment {
    /// The process's own.
    pub(crate) fn read() -> Self {
        let word = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let path = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self {
            token: word("GESTALT_TOKEN"),
            access_key: word("GESTALT_ACCESS_KEY"),
            secret_key: word("GESTALT_SECRET_KEY"),
            user: word("GESTALT_USER"),
            password: word("GESTALT_PASSWORD"),
            domain: word("GESTALT_DOMAIN"),
            xdg_config_home: path("XDG_CONFIG_HOME"),
            home: path("HOME"),
        }
    }

    pub(crate) fn profiles(&self) -> Result<Profiles, Error> {
        Profiles::of_user(self.xdg_config_home.clone(), self.home.clone())
    }

    pub(crate) fn domain(&self) -> String {
        self.domain.clone().unwrap_or_else(|| DEFAULT_DOMAIN.into())
    }
}

/// In whose name, before any server was asked.
enum Source {
    Token(String),
    Key { access: String, secret: String, project: String },
    LogIn(LogIn),
    Profile,
}

impl Common {
    /// The server and project that the options, the environment and the profile name.
    pub(crate) fn connect(&self, environment: &Environment) -> Result<Api, Error> {
        let server =
            || Ok::<_, Error>(Api::new(&self.url()?, "", Access::None, &Trust::of(self.ca_cert.as_deref())?));
        match self.source(environment)? {
            Source::Profile => self.by_profile(environment),
            Source::Key { access, secret, project } => {
                Ok(server()?.with(&project, Access::Key { access, secret }))
            }
            Source::LogIn(log_in) => Ok(log_in.at(&server()?)?.0),
            Source::Token(token) => {
                let server = server()?;
                let session = Session::of_token(&server, &token)?;
                self.check_project(&session.project, &session.project_id)?;
                Ok(server.with(&session.project_id, Access::Token(token)))
            }
        }
    }

    fn source(&self, environment: &Environment) -> Result<Source, Error> {
        let Environment { token, access_key, secret_key, user, password, .. } = environment;
        if let Some(token) = token {
            return Ok(Source::Token(token.clone()));
        }
        if let (Some(access), Some(secret)) = (access_key, secret_key) {
            let project = key_project(self.project.as_deref())?;
            return Ok(Source::Key { access: access.clone(), secret: secret.clone(), project });
        }
        if let (Some(user), Some(password)) = (user, password) {
            let (user, password) = (user.clone(), password.clone());
            let (domain, project) = (environment.domain(), self.project.clone());
            return Ok(Source::LogIn(LogIn { user, domain, password, project }));
        }
        Ok(Source::Profile)
    }

    fn by_profile(&self, environment: &Environment) -> Result<Api, Error> {
        let profile = environment.profiles()?.get(&self.profile)?;
        let profile = profile.ok_or_else(|| Error::NoProfile(self.profile.clone()))?;
        // Another server must not be shown this one's token.
        if self.url.is_some() && self.url()? != profile.url {
            let (name, url) = (&self.profile, &profile.url);
            return Err(Error::Usage(format!(
                "the profile [{name}] is a login to {url}; log in to another server with another --profile"
            )));
        }
        self.check_project(&profile.project, &profile.project_id)?;
        let access = profile.access(Timestamp::now()).ok_or_else(|| Error::Expired(self.profile.clone()))?;
        Ok(Api::new(&profile.url, &profile.project_id, access, &self.trust(Some(&profile))?))
    }

    /// Whom to believe: as this command says, else as the login did.
    pub(crate) fn trust(&self, profile: Option<&Profile>) -> Result<Trust, Error> {
        let kept = || profile.and_then(|profile| profile.ca_cert.as_deref());
        Trust::of(self.ca_cert.as_deref().or_else(kept))
    }

    /// A token speaks for one project only.
    fn check_project(&self, name: &str, id: &str) -> Result<(), Error> {
        match &self.project {
            Some(wanted) if wanted != name && wanted != id => Err(Error::Usage(format!(
                "this login is one to the project [{name}]; log in to [{wanted}] with another --profile"
            ))),
            _ => Ok(()),
        }
    }

    /// The address that was asked for.
    pub(crate) fn url(&self) -> Result<String, Error> {
        let url = self.url.as_deref().unwrap_or(DEFAULT_URL).trim_end_matches('/');
        match url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")) {
            Some(host) if !host.is_empty() && !host.contains(['@', '?', '#', ' ']) => Ok(url.into()),
            _ => Err(Error::Usage(format!("[{url}] is no address such as {DEFAULT_URL}"))),
        }
    }
}

/// The project of an access key. Names are looked up with tokens only.
pub(crate) fn key_project(project: Option<&str>) -> Result<String, Error> {
    let id = project.filter(|project| is_id(project));
    id.map(str::to_owned).ok_or_else(|| {
        Error::Usage("an access key needs the project's id (32 hex characters) with --project".into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Secret;

    fn common(url: Option<&str>, project: Option<&str>) -> Common {
        let own = |text: Option<&str>| text.map(str::to_owned);
        Common { profile: "default".into(), url: own(url), project: own(project), ca_cert: None, json: false }
    }

    #[test]
    fn addresses_are_checked() {
        for (given, expected) in [
            (None, Some(DEFAULT_URL)),
            (Some("http://h:1/"), Some("http://h:1")),
            (Some("https://h"), Some("https://h")),
            (Some("https://"), None),
            (Some("https://user:word@h"), None),
            (Some("h:1"), None),
            (Some("http://"), None),
            (Some("http://user:word@h"), None),
            (Some("ftp://h"), None),
        ] {
            assert_eq!(common(given, None).url().ok().as_deref(), expected, "{given:?}");
        }
    }

    #[test]
    fn a_profile_is_used_for_its_own_server_and_project_only() {
        let home = tempfile::tempdir().unwrap();
        let environment = Environment { home: Some(home.path().into()), ..Environment::default() };
        let connect = |url, project| common(url, project).connect(&environment);
        assert!(matches!(connect(None, None), Err(Error::NoProfile(_))));
        let keep = |expires: Timestamp| {
            let secret = Secret::Token { user: "ann".into(), token: "t0".into(), expires };
            let (url, project_id) = ("http://h:1".to_owned(), "id".to_owned());
            let profile = Profile { url, project: "default".into(), project_id, ca_cert: None, secret };
            environment.profiles().unwrap().set("default", profile).unwrap();
        };
        keep(Timestamp::now() + jiff::SignedDuration::from_mins(1));
        assert_eq!(connect(None, None).unwrap().url("/{p}"), "http://h:1/id");
        assert!(connect(Some("http://h:1/"), Some("id")).is_ok());
        assert!(matches!(connect(Some("http://other"), None), Err(Error::Usage(_))));
        assert!(matches!(connect(None, Some("other")), Err(Error::Usage(_))));
        keep(Timestamp::now());
        assert!(matches!(connect(None, None), Err(Error::Expired(_))));
    }

    #[test]
    fn a_key_in_the_environment_wins_over_the_profile() {
        let environment = Environment {
            access_key: Some("AK".into()),
            secret_key: Some("SK".into()),
            ..Environment::default()
        };
        let id = "0123456789abcdef0123456789abcdef";
        assert_eq!(common(None, Some(id)).connect(&environment).unwrap().project(), id);
        assert!(matches!(common(None, Some("default")).connect(&environment), Err(Error::Usage(_))));
    }
}
