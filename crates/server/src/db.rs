//! The control plane's database: SQLite in the data directory. Each transaction is durable when
//! it returns. What is in it can be made again from the pins of the pools, except users and keys.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior};

/// In order; the position plus one is the schema's version (`PRAGMA user_version`).
const MIGRATIONS: &[&str] =
    &[include_str!("../migrations/0001_start.sql"), include_str!("../migrations/0002_sizes.sql")];

/// One connection that everybody takes in turn: SQLite has one writer anyway, and reads take
/// microseconds.
#[derive(Debug, Clone)]
pub(crate) struct Db(Arc<Mutex<Connection>>);

/// Why a database does not open.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("the database cannot be opened: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("the database was written by a newer version (schema {found}, this one knows {known})")]
    TooNew { found: usize, known: usize },
}

impl Db {
    /// Opens or creates the database and brings its schema up to date.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        let mut connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", "ON")?;
        let found: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        let found = found as usize;
        let known = MIGRATIONS.len();
        if found > known {
            return Err(OpenError::TooNew { found, known });
        }
        for (version, migration) in MIGRATIONS.iter().enumerate().skip(found) {
            let transaction = connection.transaction()?;
            transaction.execute_batch(migration)?;
            transaction.pragma_update(None, "user_version", version as u32 + 1)?;
            transaction.commit()?;
        }
        Ok(Self(Arc::new(Mutex::new(connection))))
    }

    /// Runs one transaction; an error rolls it back. Blocks for as long as a sync takes.
    pub(crate) fn write<T, E: From<rusqlite::Error>>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let result = work(&transaction)?;
        transaction.commit()?;
        Ok(result)
    }

    /// Reads.
    pub(crate) fn read<T, E>(&self, work: impl FnOnce(&Connection) -> Result<T, E>) -> Result<T, E> {
        work(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graphs_of_an_older_schema_keep_their_size() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("gestalt.db");
        let old = Connection::open(&path).unwrap();
        old.execute_batch(MIGRATIONS[0]).unwrap();
        old.execute_batch(
            "INSERT INTO domains (id, name) VALUES ('d', 'default');
             INSERT INTO projects (id, domain_id, name) VALUES ('p', 'd', 'default');
             INSERT INTO graphs (id, project_id, name, status, size_index, schema_mode, created_by, created,
                                 updated, fields) VALUES ('g', 'p', 'people', 200, '3', 'open', 'ann', 1, 1, '{}');
             PRAGMA user_version = 1;",
        )
        .unwrap();
        drop(old);
        for _ in 0..2 {
            let graph = Db::open(&path).unwrap().read(crate::graphs::record::all).unwrap().remove(0);
            assert_eq!((graph.size_index.as_str(), graph.origin_size_index.as_str()), ("3", "3"));
            assert_eq!((graph.replicas, graph.resized, graph.expanded), (1, None, None));
        }
    }
}
