//! Users, tokens and access keys in the database.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::codes::Code;
use crate::http::body::Fields;
use crate::http::error::ApiError;
use crate::ids::{DomainId, ProjectId, UserId};
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
    pub(crate) password_hash: String,
}

/// A token and whom it speaks for.
#[derive(Debug, Clone)]
pub(crate) struct TokenRow {
    pub(crate) user: UserId,
    pub(crate) user_name: String,
    pub(crate) domain_id: DomainId,
    pub(crate) domain_name: String,
    pub(crate) project: Option<ProjectId>,
    pub(crate) project_name: Option<String>,
    pub(crate) domain_scope: bool,
    pub(crate) issued: Time,
    pub(crate) expires: Time,
}

/// An access key and whom it speaks for.
pub(crate) struct Key {
    pub(crate) user_name: String,
    pub(crate) secret: String,
    /// The project that was asked for, if the user may use it; without one, the only one there is.
    pub(crate) project: Option<ProjectId>,
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

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// A user by id, or by name and account; of an account that is not named, the only one there is.
pub(crate) fn find_user(
    db: &Connection,
    name: &Option<String>,
    id: &Option<String>,
    domain: &Option<String>,
) -> rusqlite::Result<Option<User>> {
    db.prepare_cached(
        "SELECT u.id, u.password_hash FROM users u JOIN domains d ON d.id = u.domain_id
         WHERE (u.id = ?1 OR (?1 IS NULL AND u.name = ?2)) AND (?3 IS NULL OR d.name = ?3 OR d.id = ?3)",
    )?
    .query_row(params![id, name, domain], |row| Ok(User { id: row.get(0)?, password_hash: row.get(1)? }))
    .optional()
}

/// Issues a token. The scope must be one that the user has.
pub(crate) fn issue(
    db: &Transaction<'_>,
    token: &str,
    user: &User,
    scope: &Scope,
    now: Time,
    lifetime: i64,
) -> Result<TokenRow, ApiError> {
    let project = match scope {
        Scope::Project { id, name } => Some(member_project(db, &user.id, id, name)?),
        Scope::Domain { id, name } => {
            let own: Option<i64> = db
                .prepare_cached(
                    "SELECT 1 FROM users u JOIN domains d ON d.id = u.domain_id
                     WHERE u.id = ?1 AND (d.id = ?2 OR d.name = ?3)",
                )?
                .query_row(params![user.id, id, name], |row| row.get(0))
                .optional()?;
            own.ok_or_else(|| ApiError::new(Code::IdentityUnauthorized))?;
            None
        }
        Scope::None => None,
    };
    // For a day an expired token is told that it is, then it is unknown.
    db.execute("DELETE FROM tokens WHERE expires < ?1", [now.plus_seconds(-86_400)])?;
    db.prepare_cached("INSERT INTO tokens VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(params![
        hash(token),
        user.id,
        project,
        matches!(scope, Scope::Domain { .. }),
        now,
        now.plus_seconds(lifetime),
    ])?;
    find(db, token)?.ok_or_else(|| ApiError::internal("a token vanished"))
}

fn member_project(
    db: &Connection,
    user: &UserId,
    id: &Option<String>,
    name: &Option<String>,
) -> Result<ProjectId, ApiError> {
    let found = db
        .prepare_cached(
            "SELECT p.id FROM projects p JOIN members m ON m.project_id = p.id
             WHERE m.user_id = ?1 AND (p.id = ?2 OR (?2 IS NULL AND p.name = ?3))",
        )?
        .query_row(params![user, id, name], |row| row.get(0))
        .optional()?;
    found.ok_or_else(|| ApiError::new(Code::IdentityUnauthorized))
}

/// A token's row, expired or not.
pub(crate) fn find(db: &Connection, token: &str) -> rusqlite::Result<Option<TokenRow>> {
    db.prepare_cached(
        "SELECT u.id, u.name, d.id, d.name, t.project_id, p.name, t.domain_scope, t.issued, t.expires
         FROM tokens t JOIN users u ON u.id = t.user_id JOIN domains d ON d.id = u.domain_id
         LEFT JOIN projects p ON p.id = t.project_id WHERE t.hash = ?1",
    )?
    .query_row([hash(token)], |row| {
        Ok(TokenRow {
            user: row.get(0)?,
            user_name: row.get(1)?,
            domain_id: row.get(2)?,
            domain_name: row.get(3)?,
            project: row.get(4)?,
            project_name: row.get(5)?,
            domain_scope: row.get(6)?,
            issued: row.get(7)?,
            expires: row.get(8)?,
        })
    })
    .optional()
}

/// Ends a token at once.
pub(crate) fn revoke(db: &Transaction<'_>, token: &str) -> rusqlite::Result<()> {
    db.execute("DELETE FROM tokens WHERE hash = ?1", [hash(token)]).map(|_| ())
}

/// An access key, with the project it is to be used for.
pub(crate) fn find_key(
    app: &App,
    access: &str,
    project: Option<&ProjectId>,
) -> Result<Option<Key>, ApiError> {
    let found: Option<(UserId, String, Vec<u8>)> = app.db().read(|db| {
        db.prepare_cached(
            "SELECT u.id, u.name, k.sealed FROM access_keys k JOIN users u ON u.id = k.user_id WHERE k.access = ?1",
        )?
        .query_row([access], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()
    })?;
    let Some((user, user_name, sealed)) = found else { return Ok(None) };
    let secret =
        app.instance_key().open(access, &sealed).ok_or_else(|| ApiError::internal("a sealed key"))?;
    let project = app.db().read(|db| {
        db.prepare_cached(
            "SELECT project_id FROM members WHERE user_id = ?1 AND (?2 IS NULL OR project_id = ?2)",
        )?
        .query_row(params![user, project], |row| row.get(0))
        .optional()
    })?;
    Ok(Some(Key { user_name, secret, project }))
}
