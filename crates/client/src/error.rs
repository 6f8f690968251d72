//! What can go wrong, and what the person can do about it.

use std::io;

/// Why a verb did not do what was asked. Its text is one line.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum Error {
    #[error("{code} {message}")]
    Refused { asked: String, status: u16, code: String, message: String },
    #[error("{url} cannot be reached: {source}")]
    Unreachable { url: String, source: Box<ureq::Error> },
    #[error("the answer to {asked} is not the documented one: {why}")]
    Strange { asked: String, why: String },
    #[error("{reason} (job {job})")]
    JobFailed { job: String, reason: String },
    #[error("{code} There is no {what} [{name}].")]
    Absent { code: &'static str, what: &'static str, name: String },
    #[error("[{name}] is the name of several backups: {ids}. Say which one by its id.")]
    Ambiguous { name: String, ids: String },
    #[error("waited in vain for {0}")]
    TooLong(String),
    #[error("{path}: {source}")]
    File { path: String, source: io::Error },
    #[error("{path}: {why}")]
    Profiles { path: String, why: String },
    #[error("{0}: it has no certificate in PEM form")]
    NoCertificate(String),
    #[error("there is no profile [{0}] yet; `gestalt login` makes it")]
    NoProfile(String),
    #[error("the login of profile [{0}] has expired; `gestalt login` renews it")]
    Expired(String),
    #[error("{0}")]
    Usage(String),
    #[error("standard output: {0}")]
    Output(#[from] io::Error),
}

impl Error {
    /// The contract's exit code: 2 for wrong usage, 1 for anything else. Whoever closes the pipe has
    /// read all they wanted.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            _ if self.is_quiet() => 0,
            _ => 1,
        }
    }

    /// Whether nobody is left to read about it.
    pub(crate) fn is_quiet(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// Whether the same request may succeed in a moment.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Refused { status: 502..=504, .. })
    }

    /// What to do, where the message does not say it.
    pub(crate) fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Unreachable { .. } => Some("Is `gestalt serve` running there?"),
            Self::Refused { status: 401, asked, .. } if !asked.starts_with("POST /v3/auth/tokens") => {
                Some("Log in again with `gestalt login`.")
            }
            Self::Refused { code, .. } => advice_for(code),
            Self::Absent { code, .. } => advice_for(code),
            Self::JobFailed { reason, .. } => advice_for(reason.split(' ').next().unwrap_or_default()),
            _ => None,
        }
    }
}

fn advice_for(code: &str) -> Option<&'static str> {
    Some(match code {
        "GES.7000" => "`gestalt graph list` shows the graphs that there are.",
        "GES.7001" | "GES.7003" => "`gestalt graph show` tells its state, `gestalt graph start` starts it.",
        "GES.7002" => "Wait until its backup is done: `gestalt backup list`.",
        "GES.7013" => "Choose another name, or delete the graph that has it.",
        "GES.7017" | "OBS.0003" | "OBS.0004" => "`gestalt obs list` shows what is in a bucket.",
        "GES.7018" => "Delete a graph, or create it with a larger --size.",
        "GES.7019" => "Delete backups that are not needed: `gestalt backup delete`.",
        "GES.7024" | "GES.7040" => "`gestalt backup list` shows the backups that there are.",
        "GES.7037" => "Stop it first: `gestalt graph stop`.",
        "GES.7005" => "Try again in a moment.",
        "GES.0016" | "APIGW.0310" => "Name another project with --project, or log in to it.",
        "GES.8301" => "`gestalt job list` shows the jobs that there are.",
        "APIGW.0101" => "This server does not offer the call; is it older than this client?",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, code: &str) -> Error {
        Error::Refused { asked: "GET /v2".into(), status, code: code.into(), message: "No.".into() }
    }

    #[test]
    fn exit_codes_are_the_contracts() {
        assert_eq!(Error::Usage(String::new()).exit_code(), 2);
        assert_eq!(refused(400, "GES.7000").exit_code(), 1);
        assert_eq!(Error::Output(io::ErrorKind::BrokenPipe.into()).exit_code(), 0);
        assert_eq!(Error::Output(io::ErrorKind::StorageFull.into()).exit_code(), 1);
    }

    #[test]
    fn advice_fits_the_code() {
        assert!(refused(400, "GES.7024").advice().is_some_and(|text| text.contains("backup list")));
        assert!(refused(401, "APIGW.0301").advice().is_some_and(|text| text.contains("login")));
        assert_eq!(refused(400, "GES.9999").advice(), None);
        let failed = Error::JobFailed { job: "1".into(), reason: "GES.7017 It is not there.".into() };
        assert!(failed.advice().is_some_and(|text| text.contains("obs list")));
        let wrong_password = Error::Refused {
            asked: "POST /v3/auth/tokens".into(),
            status: 401,
            code: "401".into(),
            message: "The username or password is wrong.".into(),
        };
        assert_eq!(wrong_password.advice(), None);
    }
}
