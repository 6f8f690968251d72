use std::io::{IsTerminal, stderr, stdin};
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;

use super::Desk;
use crate::api::{Access, Api};
use crate::connection::{Common, Environment, key_project};
use crate::error::Error;
use crate::output::Output;
use crate::profile::{Profile, Secret};
use crate::session::{Credentials, LogIn};
use crate::trust::Trust;

/// `gestalt login`
#[derive(Debug, Args)]
pub(super) struct LoginOptions {
    #[command(flatten)]
    common: Common,
    /// The user's name
    #[arg(long, value_name = "NAME", env = "GESTALT_USER", conflicts_with = "access_key")]
    user: Option<String>,
    /// The account of the user
    #[arg(long, value_name = "NAME", env = "GESTALT_DOMAIN")]
    domain: Option<String>,
    /// Read the password from standard input
    #[arg(long, conflicts_with = "access_key")]
    password_stdin: bool,
    /// Sign requests with an access key, instead of a user's token
    #[arg(long, value_name = "KEY", env = "GESTALT_ACCESS_KEY")]
    access_key: Option<String>,
    /// Read the secret key from standard input
    #[arg(long, requires = "access_key")]
    secret_key_stdin: bool,
    /// Log in as the first user of a server, with the credentials.json of its data directory
    #[arg(long, value_name = "FILE", conflicts_with_all = ["user", "access_key", "password_stdin"])]
    credentials: Option<PathBuf>,
}

/// `gestalt logout`
#[derive(Debug, Args)]
pub(super) struct LogoutOptions {
    #[command(flatten)]
    common: Common,
}

pub(super) fn log_in(options: &LoginOptions, environment: &Environment) -> Result<(), Error> {
    let common = &options.common;
    let profiles = environment.profiles()?;
    // Logging in again needs no address.
    let known = profiles.get(&common.profile)?;
    let url = match (&common.url, &known) {
        (None, Some(known)) => known.url.clone(),
        _ => common.url()?,
    };
    // A relative path means another file to the next command.
    let ca_cert = common.ca_cert.as_deref().map(absolute).transpose()?;
    let ca_cert = ca_cert.or_else(|| known.as_ref().and_then(|known| known.ca_cert.clone()));
    let server = Api::new(&url, "", Access::None, &Trust::of(ca_cert.as_deref())?);
    let profile = match &options.access_key {
        Some(access) => by_key(options, environment, &server, access)?,
        None => by_password(options, environment, &server, known.as_ref())?,
    };
    let (project, until) = (profile.project.clone(), profile.secret.until());
    profiles.set(&common.profile, Profile { url: url.clone(), ca_cert, ..profile })?;
    let (name, path) = (&common.profile, profiles.path().display());
    let out = Output { json: common.json };
    out.say(&format!("logged in to {url}, project {project}{until}; kept as profile {name} in {path}"))
}

fn absolute(path: &Path) -> Result<PathBuf, Error> {
    std::path::absolute(path).map_err(|source| Error::File { path: path.display().to_string(), source })
}

fn by_key(
    options: &LoginOptions,
    environment: &Environment,
    server: &Api,
    access: &str,
) -> Result<Profile, Error> {
    let project = key_project(options.common.project.as_deref())?;
    let given = environment.secret_key.clone();
    let secret = secret("secret key", "GESTALT_SECRET_KEY", options.secret_key_stdin, given)?;
    let access = access.to_owned();
    // A key that does not work is refused here and not later.
    let key = Access::Key { access: access.clone(), secret: secret.clone() };
    server.with(&project, key).get("/v2/{p}/graphs?limit=1")?;
    Ok(Profile {
        url: String::new(),
        project: project.clone(),
        project_id: project,
        ca_cert: None,
        secret: Secret::Key { access, secret },
    })
}

fn by_password(
    options: &LoginOptions,
    environment: &Environment,
    server: &Api,
    known: Option<&Profile>,
) -> Result<Profile, Error> {
    let log_in = match &options.credentials {
        Some(file) => {
            let log_in = Credentials::read(file)?.log_in();
            LogIn { project: options.common.project.clone().or(log_in.project.clone()), ..log_in }
        }
        None => {
            let before = known.and_then(|known| known.secret.user());
            let user = options.user.clone().or(before.map(str::to_owned));
            let user = user.ok_or_else(|| Error::Usage("say who logs in with --user".into()))?;
            let given = environment.password.clone();
            LogIn {
                password: secret("password", "GESTALT_PASSWORD", options.password_stdin, given)?,
                domain: options.domain.clone().unwrap_or_else(|| environment.domain()),
                project: options.common.project.clone().or(known.map(|known| known.project_id.clone())),
                user,
            }
        }
    };
    let (_, session) = log_in.at(server)?;
    let expires: Result<Timestamp, _> = session.expires.parse();
    let expires = expires.map_err(|error| Error::Strange {
        asked: "POST /v3/auth/tokens".into(),
        why: format!("token.expires_at is no time: {error}"),
    })?;
    Ok(Profile {
        url: String::new(),
        project: session.project,
        project_id: session.project_id,
        ca_cert: None,
        secret: Secret::Token { user: log_in.user, token: session.token, expires },
    })
}

/// A secret from standard input, else from the environment, else from the person.
fn secret(what: &str, variable: &str, from_stdin: bool, given: Option<String>) -> Result<String, Error> {
    let failed = |source| Error::File { path: "standard input".into(), source };
    let secret = match given {
        _ if from_stdin => {
            let mut line = String::new();
            stdin().read_line(&mut line).map_err(failed)?;
            line.trim_end_matches(['\n', '\r']).to_owned()
        }
        Some(secret) => secret,
        None if stdin().is_terminal() && stderr().is_terminal() => {
            rpassword::prompt_password(format!("{what}: ")).map_err(failed)?
        }
        None => {
            let option = what.replace(' ', "-");
            return Err(Error::Usage(format!("give the {what} with --{option}-stdin or in {variable}")));
        }
    };
    if secret.is_empty() { Err(Error::Usage(format!("the {what} is empty"))) } else { Ok(secret) }
}

impl Secret {
    fn user(&self) -> Option<&str> {
        match self {
            Self::Token { user, .. } => Some(user),
            Self::Key { .. } => None,
        }
    }

    fn until(&self) -> String {
        match self {
            Self::Token { expires, .. } => format!(", until {}", expires.strftime("%Y-%m-%dT%H:%M:%SZ")),
            Self::Key { .. } => String::new(),
        }
    }
}

pub(super) fn log_out(options: &LogoutOptions, environment: &Environment) -> Result<(), Error> {
    let (profiles, name) = (environment.profiles()?, &options.common.profile);
    let profile = profiles.get(name)?.ok_or_else(|| Error::NoProfile(name.clone()))?;
    // Forgotten first: a server that is gone for good must not keep it here.
    profiles.remove(name)?;
    if let Some(Access::Token(token)) = profile.access(Timestamp::now()) {
        let trust = options.common.trust(Some(&profile))?;
        let api = Api::new(&profile.url, &profile.project_id, Access::Token(token.clone()), &trust);
        let desk = Desk { api, out: Output { json: options.common.json } };
        desk.api.about_token("DELETE", &token)?;
    }
    Output { json: options.common.json }.say(&format!("forgot the login of profile {name}"))
}
