//! Issuing and revoking tokens.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::codes::Code;
use crate::http::body::Fields;
use crate::http::error::ApiError;
use crate::identity::session::{self, hash};
use crate::ids::{ProjectId, UserId};
use crate::times::Time;

/// What a token is asked for. Keystone's rule: of both, the project wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    None,
    /// By id or name.
    Project {
        id: Option<String>,
        name: Option<String>,
    },
    Domain {
        id: Option<String>,
        name: Option<String>,
    },
}

/// A user who may log in.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) id: UserId,
    pub(crate) name: String,
    pub(crate) password_hash: String,
}

/// What a token is issued on.
pub(crate) struct Proof<'a> {
    pub(crate) user: &'a UserId,
    /// `password` or `token`.
    pub(crate) method: &'static str,
    pub(crate) expires: Time,
}

impl Scope {
    pub(crate) fn parse(scope: Option<Fields>) -> Result<Self, ApiError> {
        let Some(scope) = scope else { return Ok(Self::None) };
        let named =
            |part: Fields| Ok::<_, ApiError>((part.optional_text("id")?, part.optional_text("name")?));
        if let Some(project) = scope.object("project")? {
            let (id, name) = named(project)?;
            return Ok(Self::Project { id, name });
        }
        match scope.object("domain")? {
            Some(domain) => {
                let (id, name) = named(domain)?;
                Ok(Self::Domain { id, name })
            }
            None => Ok(Self::None),
        }
    }
}

/// A user by id, or by name and account; of an account that is not named, the only one there is.
pub(crate) fn find_user(
    db: &Connection,
    name: &Option<String>,
    id: &Option<String>,
    domain: &Option<String>,
) -> rusqlite::Result<Option<User>> {
    db.prepare_cached(
        "SELECT u.id, u.name, u.password_hash FROM users u JOIN domains d ON d.id = u.domain_id
         WHERE (u.id = ?1 OR (?1 IS NULL AND u.name = ?2)) AND (?3 IS NULL OR d.name = ?3 OR d.id = ?3)
           AND u.enabled",
    )?
    .query_row(params![id, name, domain], |row| {
        Ok(User { id: row.get(0)?, name: row.get(1)?, password_hash: row.get(2)? })
    })
    .optional()
}

/// Issues a token. The scope must be one that the user has.
pub(crate) fn issue(
    db: &Transaction<'_>,
    token: &str,
    proof: &Proof<'_>,
    scope: &Scope,
    now: Time,
) -> Result<(), ApiError> {
    let project = match scope {
        Scope::Project { id, name } => Some(usable_project(db, proof.user, id, name)?),
        Scope::Domain { id, name } => {
            let own: Option<i64> = db
                .prepare_cached(
                    "SELECT 1 FROM users u JOIN domains d ON d.id = u.domain_id
                     WHERE u.id = ?1 AND (d.id = ?2 OR d.name = ?3)",
                )?
                .query_row(params![proof.user, id, name], |row| row.get(0))
                .optional()?;
            own.ok_or_else(|| ApiError::new(Code::IdentityUnauthorized))?;
            None
        }
        Scope::None => None,
    };
    // For a day an expired token is told that it is, then it is unknown.
    db.execute("DELETE FROM tokens WHERE expires < ?1", [now.plus_seconds(-86_400)])?;
    db.prepare_cached(
        "INSERT INTO tokens (hash, user_id, project_id, domain_scope, issued, expires, method)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        hash(token),
        proof.user,
        project,
        matches!(scope, Scope::Domain { .. }),
        now,
        proof.expires,
        proof.method,
    ])?;
    Ok(())
}

fn usable_project(
    db: &Connection,
    user: &UserId,
    id: &Option<String>,
    name: &Option<String>,
) -> Result<ProjectId, ApiError> {
    let wanted = |(project, called): &(ProjectId, String)| match id {
        Some(id) => project.as_str() == id,
        None => Some(called) == name.as_ref(),
    };
    let found = session::projects_of(db, user)?.into_iter().find(wanted);
    found.map(|(id, _)| id).ok_or_else(|| ApiError::new(Code::IdentityUnauthorized))
}

/// Ends a token.
pub(crate) fn revoke(db: &Transaction<'_>, token: &str) -> rusqlite::Result<()> {
    db.execute("DELETE FROM tokens WHERE hash = ?1", [hash(token)]).map(|_| ())
}

/// Ends all tokens of a user.
pub(crate) fn revoke_all(db: &Transaction<'_>, user: &UserId) -> rusqlite::Result<()> {
    db.execute("DELETE FROM tokens WHERE user_id = ?1", [user]).map(|_| ())
}
