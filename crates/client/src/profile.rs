//! Profiles: what `gestalt login` remembers, in a file that only its owner may read.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::api::Access;
use crate::error::Error;

/// The file with all profiles.
#[derive(Debug, Clone)]
pub(crate) struct Profiles {
    path: PathBuf,
}

/// One login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub(crate) struct Profile {
    pub(crate) url: String,
    /// A name to show; requests use the id.
    pub(crate) project: String,
    pub(crate) project_id: String,
    /// Whose certificates are believed, if not those that the machine believes.
    pub(crate) ca_cert: Option<PathBuf>,
    pub(crate) secret: Secret,
}

/// What a login may be done with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Secret {
    Token { user: String, token: String, expires: Timestamp },
    Key { access: String, secret: String },
}

/// A profile as the file has it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    url: String,
    project: String,
    project_id: String,
    ca_cert: Option<PathBuf>,
    user: Option<String>,
    token: Option<String>,
    expires: Option<String>,
    access_key: Option<String>,
    secret_key: Option<String>,
}

type All = BTreeMap<String, Profile>;

impl TryFrom<Stored> for Profile {
    type Error = String;

    fn try_from(stored: Stored) -> Result<Self, String> {
        let secret = match (stored.token, stored.expires, stored.access_key, stored.secret_key) {
            (Some(token), Some(expires), None, None) => {
                let expires = expires.parse().map_err(|_| format!("expires [{expires}] is no time"))?;
                Secret::Token { user: stored.user.unwrap_or_default(), token, expires }
            }
            (None, None, Some(access), Some(secret)) => Secret::Key { access, secret },
            _ => return Err("either token and expires, or access_key and secret_key".into()),
        };
        let Stored { url, project, project_id, ca_cert, .. } = stored;
        Ok(Self { url, project, project_id, ca_cert, secret })
    }
}

impl From<Profile> for Stored {
    fn from(profile: Profile) -> Self {
        let Profile { url, project, project_id, ca_cert, secret } = profile;
        let bare = Self {
            url,
            project,
            project_id,
            ca_cert,
            user: None,
            token: None,
            expires: None,
            access_key: None,
            secret_key: None,
        };
        match secret {
            Secret::Token { user, token, expires } => {
                Self { user: Some(user), token: Some(token), expires: Some(expires.to_string()), ..bare }
            }
            Secret::Key { access, secret } => {
                Self { access_key: Some(access), secret_key: Some(secret), ..bare }
            }
        }
    }
}

impl Profile {
    /// The right to send requests, if it has not run out.
    pub(crate) fn access(&self, now: Timestamp) -> Option<Access> {
        match &self.secret {
            Secret::Token { expires, .. } if *expires <= now => None,
            Secret::Token { token, .. } => Some(Access::Token(token.clone())),
            Secret::Key { access, secret } => {
                Some(Access::Key { access: access.clone(), secret: secret.clone() })
            }
        }
    }
}

impl Profiles {
    /// `$XDG_CONFIG_HOME/gestalt/profiles.toml`, by default below `~/.config`.
    pub(crate) fn of_user(xdg_config_home: Option<PathBuf>, home: Option<PathBuf>) -> Result<Self, Error> {
        let absolute = |path: PathBuf| Some(path).filter(|path| path.is_absolute());
        let folder = xdg_config_home.and_then(absolute).or_else(|| Some(home?.join(".config")));
        let folder =
            folder.ok_or_else(|| Error::Usage("set HOME or XDG_CONFIG_HOME to keep profiles".into()))?;
        Ok(Self { path: folder.join("gestalt").join("profiles.toml") })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The profile of this name, if there is one.
    pub(crate) fn get(&self, name: &str) -> Result<Option<Profile>, Error> {
        Ok(self.read()?.remove(name))
    }

    /// Keeps a profile, in the place of one of the same name.
    pub(crate) fn set(&self, name: &str, profile: Profile) -> Result<(), Error> {
        let mut all = self.read()?;
        all.insert(name.into(), profile);
        self.write(&all)
    }

    /// Forgets a profile; gives what it was.
    pub(crate) fn remove(&self, name: &str) -> Result<Option<Profile>, Error> {
        let mut all = self.read()?;
        let removed = all.remove(name);
        if removed.is_some() {
            self.write(&all)?;
        }
        Ok(removed)
    }

    fn read(&self) -> Result<All, Error> {
        let metadata = match fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(All::new()),
            other => other.map_err(|source| self.failed(source))?,
        };
        if metadata.permissions().mode() & 0o077 != 0 {
            return Err(self.wrong("others may read it, and it has secrets; `chmod 600` it"));
        }
        let text = fs::read_to_string(&self.path).map_err(|source| self.failed(source))?;
        toml::from_str(&text).map_err(|error| self.wrong(&one_line(&error.to_string())))
    }

    /// Written beside and renamed, so that no crash leaves half a file; nobody else may ever read it.
    fn write(&self, all: &All) -> Result<(), Error> {
        let text = toml::to_string(all).map_err(|error| self.wrong(&error.to_string()))?;
        // A link to the file stays one.
        let path = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let draft = path.with_extension(format!("{}.draft", std::process::id()));
        let written = (|| {
            if let Some(folder) = path.parent() {
                fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            }
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&draft, &path)
        })();
        written.map_err(|source| {
            let _ = fs::remove_file(&draft);
            self.failed(source)
        })
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::File { path: self.path.display().to_string(), source }
    }

    fn wrong(&self, why: &str) -> Error {
        Error::Profiles { path: self.path.display().to_string(), why: why.into() }
    }
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(expires: &str) -> Profile {
        let secret =
            Secret::Token { user: "ann".into(), token: "t0".into(), expires: expires.parse().unwrap() };
        let (url, project, project_id) = ("http://h:1".into(), "default".into(), "p".into());
        Profile { url, project, project_id, ca_cert: None, secret }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn profiles_are_kept_apart_and_private() {
        let home = tempfile::tempdir().unwrap();
        let profiles = Profiles::of_user(None, Some(home.path().into())).unwrap();
        assert_eq!(profiles.get("default").unwrap(), None);
        let one = token("2026-01-02T03:04:05Z");
        let secret = Secret::Key { access: "AK".into(), secret: "SK".into() };
        let other = Profile { secret, ca_cert: Some("/c/ca.pem".into()), ..one.clone() };
        profiles.set("default", one.clone()).unwrap();
        profiles.set("a b.c", other.clone()).unwrap();
        assert_eq!(profiles.get("default").unwrap(), Some(one));
        assert_eq!(profiles.get("a b.c").unwrap(), Some(other.clone()));
        assert_eq!(profiles.path(), home.path().join(".config/gestalt/profiles.toml"));
        assert_eq!((mode(profiles.path()), mode(profiles.path().parent().unwrap())), (0o600, 0o700));
        assert_eq!(profiles.remove("default").unwrap().map(|gone| gone.url), Some("http://h:1".into()));
        assert_eq!(profiles.remove("default").unwrap(), None);
        assert_eq!(profiles.get("a b.c").unwrap(), Some(other));
        assert_eq!(fs::read_dir(profiles.path().parent().unwrap()).unwrap().count(), 1, "no drafts");
    }

    #[test]
    fn a_file_that_cannot_be_trusted_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let profiles = Profiles::of_user(Some(home.path().into()), None).unwrap();
        profiles.set("default", token("2026-01-02T03:04:05Z")).unwrap();
        fs::set_permissions(profiles.path(), fs::Permissions::from_mode(0o640)).unwrap();
        assert!(profiles.get("default").unwrap_err().to_string().contains("chmod 600"));
        fs::set_permissions(profiles.path(), fs::Permissions::from_mode(0o600)).unwrap();
        for wrong in ["[", "[default]\nurl = 1", "[default]\nurl='u'\nproject='p'\nproject_id='p'\ntoken='t'"]
        {
            fs::write(profiles.path(), wrong).unwrap();
            let error = profiles.get("default").unwrap_err().to_string();
            assert!(error.contains("profiles.toml") && !error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn a_token_runs_out() {
        let profile = token("2026-01-02T03:04:05Z");
        let at = |time: &str| profile.access(time.parse().unwrap());
        assert!(at("2026-01-02T03:04:04Z").is_some());
        assert!(at("2026-01-02T03:04:05Z").is_none());
    }

    #[test]
    fn a_relative_configuration_folder_does_not_count() {
        let profiles = Profiles::of_user(Some("here".into()), Some("/h".into())).unwrap();
        assert_eq!(profiles.path(), Path::new("/h/.config/gestalt/profiles.toml"));
        assert!(Profiles::of_user(None, None).is_err());
    }
}
