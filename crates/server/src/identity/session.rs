//! Whom credentials speak for and what they may do. Read from the database once, then from memory
//! until anything about identity changes: every such change goes through [`Sessions::forget`].

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, params};
use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::http::error::ApiError;
use crate::identity::access::Action;
use crate::identity::role::{self, ADMINISTRATOR, Role};
use crate::identity::roles;
use crate::ids::{DomainId, ProjectId, UserId};
use crate::times::Time;

/// Sessions remembered at most; beyond that all are read anew.
const MOST: usize = 10_000;

/// How a session by access key was proved.
const SIGNATURE: &str = "signature";

/// A caller, as a token or an access key shows him.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) user: UserId,
    pub(crate) user_name: String,
    pub(crate) domain: DomainId,
    pub(crate) domain_name: String,
    pub(crate) scope: Scoped,
    /// How he proved who he is: `password` or `token`.
    pub(crate) method: String,
    pub(crate) issued: Time,
    pub(crate) expires: Time,
    /// What he is in the scope.
    pub(crate) roles: Vec<Role>,
    /// Whether he manages users of his account.
    pub(crate) administrator: bool,
}

/// What a session is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scoped {
    Nothing,
    Domain,
    Project { id: ProjectId, name: String },
}

/// A session by access key, and the secret that proves it.
#[derive(Debug)]
pub(crate) struct KeySession {
    pub(crate) secret: String,
    pub(crate) session: Arc<Session>,
}

impl Session {
    pub(crate) fn project(&self) -> Option<&ProjectId> {
        match &self.scope {
            Scoped::Project { id, .. } => Some(id),
            _ => None,
        }
    }

    /// Whether the session was proved by a signature.
    pub(crate) fn is_key(&self) -> bool {
        self.method == SIGNATURE
    }

    /// Whether the user is one of another Keystone.
    pub(crate) fn is_foreign(&self) -> bool {
        self.domain.as_str().starts_with("keystone:")
    }

    /// Whether what he may do depends on the name of the graph.
    pub(crate) fn names_graphs(&self) -> bool {
        self.roles.iter().any(Role::names_graphs)
    }

    /// Whether he may do this to a graph, or to something that has no name.
    pub(crate) fn may(&self, action: Action, graph: Option<&str>) -> bool {
        role::allowed(&self.roles, action, graph)
    }

    /// Whether he may manage what belongs to a user of his account.
    pub(crate) fn manages(&self, user: &UserId) -> bool {
        self.administrator || self.user == *user
    }
}

type Hash = [u8; 32];

/// What is kept of a token, and how sessions are found.
pub(crate) fn hash(token: &str) -> Hash {
    Sha256::digest(token.as_bytes()).into()
}

/// Sessions in memory.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    kept: Mutex<Kept>,
    /// Counts changes, so that what was read before a change is not kept after it.
    changes: AtomicU64,
}

#[derive(Debug, Default)]
struct Kept {
    tokens: FxHashMap<Hash, Arc<Session>>,
    keys: FxHashMap<(String, Option<ProjectId>), Arc<KeySession>>,
}

impl Sessions {
    /// To be called after every committed change of users, groups, roles, projects, keys, and after
    /// every revocation.
    pub(crate) fn forget(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Kept::default();
    }

    fn keep(&self, read_at: u64, put: impl FnOnce(&mut Kept)) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if self.changes.load(Ordering::SeqCst) != read_at {
            return;
        }
        if kept.tokens.len() + kept.keys.len() >= MOST {
            *kept = Kept::default();
        }
        put(&mut kept);
    }

    /// The session of a token if it is in memory, expired or not.
    pub(crate) fn known(&self, token: &str) -> Option<Arc<Session>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).tokens.get(&hash(token)).cloned()
    }

    /// The session of a key if it is in memory.
    pub(crate) fn known_key(&self, access: &str, project: Option<&ProjectId>) -> Option<Arc<KeySession>> {
        let name = (access.to_owned(), project.cloned());
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).keys.get(&name).cloned()
    }
}

/// The session of a token, expired or not. Blocks.
pub(crate) fn of_token(app: &App, token: &str) -> Result<Option<Arc<Session>>, ApiError> {
    let sessions = app.sessions();
    let read_at = sessions.changes.load(Ordering::SeqCst);
    let Some(session) = app.db().read(|db| read_token(db, &hash(token)))? else { return Ok(None) };
    let session = Arc::new(session);
    sessions.keep(read_at, |kept| drop(kept.tokens.insert(hash(token), Arc::clone(&session))));
    Ok(Some(session))
}

/// The session of an access key for a project: the one asked for, or without one the only one that
/// its user has. Blocks.
pub(crate) fn of_key(
    app: &App,
    access: &str,
    project: Option<&ProjectId>,
) -> Result<Option<Arc<KeySession>>, ApiError> {
    let sessions = app.sessions();
    let read_at = sessions.changes.load(Ordering::SeqCst);
    let found = app.db().read(|db| read_key(db, access, project, app.now()))?;
    let Some((sealed, session)) = found else { return Ok(None) };
    let secret = app.instance_key().open(access, &sealed);
    let secret = secret.ok_or_else(|| ApiError::internal("a sealed key cannot be opened"))?;
    let found = Arc::new(KeySession { secret, session: Arc::new(session) });
    let name = (access.to_owned(), project.cloned());
    sessions.keep(read_at, |kept| drop(kept.keys.insert(name, Arc::clone(&found))));
    Ok(Some(found))
}

/// Users or projects that are switched off have no sessions.
fn read_token(db: &Connection, hash: &Hash) -> rusqlite::Result<Option<Session>> {
    let found = db
        .prepare_cached(
            "SELECT u.id, u.name, d.id, d.name, p.id, p.name, t.domain_scope, t.method, t.issued, t.expires
             FROM tokens t JOIN users u ON u.id = t.user_id JOIN domains d ON d.id = u.domain_id
             LEFT JOIN projects p ON p.id = t.project_id
             WHERE t.hash = ?1 AND u.enabled AND coalesce(p.enabled, 1)",
        )?
        .query_row([hash], |row| {
            let project: Option<ProjectId> = row.get(4)?;
            let scope = match project {
                Some(id) => Scoped::Project { id, name: row.get(5)? },
                None if row.get(6)? => Scoped::Domain,
                None => Scoped::Nothing,
            };
            Ok(Session {
                user: row.get(0)?,
                user_name: row.get(1)?,
                domain: row.get(2)?,
                domain_name: row.get(3)?,
                scope,
                method: row.get(7)?,
                issued: row.get(8)?,
                expires: row.get(9)?,
                roles: Vec::new(),
                administrator: false,
            })
        })
        .optional()?;
    found.map(|session| with_roles(db, session)).transpose()
}

fn read_key(
    db: &Connection,
    access: &str,
    project: Option<&ProjectId>,
    now: Time,
) -> rusqlite::Result<Option<(Vec<u8>, Session)>> {
    let found = db
        .prepare_cached(
            "SELECT k.sealed, u.id, u.name, d.id, d.name
             FROM access_keys k JOIN users u ON u.id = k.user_id JOIN domains d ON d.id = u.domain_id
             WHERE k.access = ?1 AND k.active AND u.enabled",
        )?
        .query_row([access], |row| {
            let session = Session {
                user: row.get(1)?,
                user_name: row.get(2)?,
                domain: row.get(3)?,
                domain_name: row.get(4)?,
                scope: Scoped::Nothing,
                method: SIGNATURE.into(),
                issued: now,
                expires: Time(i64::MAX),
                roles: Vec::new(),
                administrator: false,
            };
            Ok((row.get(0)?, session))
        })
        .optional()?;
    let Some((sealed, mut session)) = found else { return Ok(None) };
    let projects = projects_of(db, &session.user)?;
    let wanted = match (project, projects.as_slice()) {
        (Some(project), projects) => projects.iter().find(|(id, _)| id == project),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    if let Some((id, name)) = wanted {
        session.scope = Scoped::Project { id: id.clone(), name: name.clone() };
    }
    Ok(Some((sealed, with_roles(db, session)?)))
}

fn with_roles(db: &Connection, mut session: Session) -> rusqlite::Result<Session> {
    let project = session.project().cloned();
    let mut ids = db.prepare_cached(
        "SELECT DISTINCT role_id, max(target = ?3) FROM holdings
         WHERE user_id = ?1 AND target IN (?2, ?3) GROUP BY role_id ORDER BY role_id",
    )?;
    let held =
        ids.query_map(params![session.user, project, session.domain], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let held: Vec<(String, bool)> = held.collect::<Result<_, _>>()?;
    session.administrator = held.iter().any(|(id, of_domain)| id == ADMINISTRATOR && *of_domain);
    if session.scope != Scoped::Nothing {
        for (id, _) in held {
            session.roles.extend(roles::find(db, &session.domain, &id)?);
        }
    }
    Ok(session)
}

/// The projects in which a user has any role, by name.
pub(crate) fn projects_of(db: &Connection, user: &UserId) -> rusqlite::Result<Vec<(ProjectId, String)>> {
    let mut rows = db.prepare_cached(
        "SELECT p.id, p.name FROM projects p WHERE p.enabled AND EXISTS
             (SELECT 1 FROM holdings h WHERE h.user_id = ?1 AND h.target IN (p.id, p.domain_id))
         ORDER BY p.name",
    )?;
    rows.query_map([user], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Arc<Session> {
        Arc::new(Session {
            user: UserId("u".into()),
            user_name: "eve".into(),
            domain: DomainId("d".into()),
            domain_name: "default".into(),
            scope: Scoped::Nothing,
            method: "password".into(),
            issued: Time(0),
            expires: Time(1),
            roles: Vec::new(),
            administrator: false,
        })
    }

    #[test]
    fn what_was_read_before_a_change_is_not_kept_after_it() {
        let sessions = Sessions::default();
        let read_at = sessions.changes.load(Ordering::SeqCst);
        sessions.keep(read_at, |kept| drop(kept.tokens.insert(hash("one"), session())));
        assert!(sessions.known("one").is_some());
        sessions.forget();
        assert!(sessions.known("one").is_none());
        sessions.keep(read_at, |kept| drop(kept.tokens.insert(hash("one"), session())));
        assert!(sessions.known("one").is_none(), "a change came between reading and keeping");
    }

    #[test]
    fn memory_is_bounded() {
        let sessions = Sessions::default();
        for number in 0..2 * MOST + 5 {
            let name = hash(&number.to_string());
            sessions.keep(0, |kept| drop(kept.tokens.insert(name, session())));
        }
        assert!(sessions.kept.lock().unwrap().tokens.len() <= MOST);
    }
}
