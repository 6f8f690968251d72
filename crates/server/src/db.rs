//! The control plane's database: SQLite in the data directory. Each transaction is durable when
//! it returns. What is in it can be made again from the pins of the pools, except users and keys.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

/// In order; the position plus one is the schema's version (`PRAGMA user_version`).
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_start.sql"),
    include_str!("../migrations/0002_sizes.sql"),
    include_str!("../migrations/0003_backups.sql"),
    include_str!("../migrations/0004_identity.sql"),
    include_str!("../migrations/0005_task_centre.sql"),
    include_str!("../migrations/0006_jobs_go_on.sql"),
];

/// Idle connections that are kept for the next reads.
const IDLE_READERS: usize = 16;
/// Pages that each connection keeps beside those that the system does, in KiB.
const CACHE_KIB: i64 = 256;
/// Prepared statements that each connection keeps.
const STATEMENTS: usize = 64;

/// One connection that writers take in turn, and as many as there are readers at a time: with a
/// write-ahead log neither waits for the other.
#[derive(Debug, Clone)]
pub(crate) struct Db(Arc<Connections>);

#[derive(Debug)]
struct Connections {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
}

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
        keep_plans(&connection)?;
        let (path, writer) = (path.to_owned(), Mutex::new(connection));
        Ok(Self(Arc::new(Connections { path, writer, readers: Mutex::default() })))
    }

    /// Opens a database that may be in use, only to read.
    pub(crate) fn open_to_read(path: &Path) -> Result<Self, OpenError> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        let (path, writer) = (path.to_owned(), Mutex::new(connection));
        Ok(Self(Arc::new(Connections { path, writer, readers: Mutex::default() })))
    }

    /// Runs one transaction; an error rolls it back. Blocks for as long as a sync takes.
    pub(crate) fn write<T, E: From<rusqlite::Error>>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut connection = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let result = work(&transaction)?;
        transaction.commit()?;
        Ok(result)
    }

    /// Reads one state of the database, with all that was committed before. Waits for nobody.
    pub(crate) fn read<T, E: From<rusqlite::Error>>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let reader = self.0.reader()?;
        // So that all statements of `work` see the same state.
        reader.prepare_cached("BEGIN")?.execute([])?;
        let result = work(&reader);
        reader.prepare_cached("COMMIT")?.execute([])?;
        self.0.put_back(reader);
        result
    }
}

/// Statements are planned once. Without the guarantee of stable plans SQLite plans some of them
/// anew for each value.
fn keep_plans(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(|_| ())
}

impl Connections {
    fn reader(&self) -> rusqlite::Result<Connection> {
        if let Some(reader) = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Ok(reader);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let reader = Connection::open_with_flags(&self.path, flags)?;
        keep_plans(&reader)?;
        Ok(reader)
    }

    fn put_back(&self, reader: Connection) {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < IDLE_READERS {
            readers.push(reader);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_see_what_was_committed_and_wait_for_no_writer() {
        let home = tempfile::tempdir().unwrap();
        let db = Db::open(&home.path().join("db")).unwrap();
        let count = || {
            db.read(|db| db.query_row("SELECT count(*) FROM domains", [], |row| row.get::<_, i64>(0)))
                .unwrap()
        };
        db.write(|db| db.execute("INSERT INTO domains VALUES ('1', 'one')", [])).unwrap();
        assert_eq!(count(), 1);
        db.write(|transaction| {
            transaction.execute("INSERT INTO domains VALUES ('2', 'two')", [])?;
            assert_eq!(count(), 1, "not committed yet");
            Ok::<_, rusqlite::Error>(())
        })
        .unwrap();
        assert_eq!(count(), 2);
        let twice = db.read(|before| {
            let count = |db: &Connection| db.query_row("SELECT count(*) FROM domains", [], |row| row.get(0));
            let first: i64 = count(before)?;
            db.write(|db| db.execute("DELETE FROM domains WHERE id = '2'", []))?;
            Ok::<_, rusqlite::Error>((first, count(before)?))
        });
        assert_eq!(twice.unwrap(), (2, 2), "one read is one state");
        assert_eq!(count(), 1);
    }

    #[test]
    fn a_reader_cannot_write() {
        let home = tempfile::tempdir().unwrap();
        let db = Db::open(&home.path().join("db")).unwrap();
        assert!(db.read(|db| db.execute("DELETE FROM domains", [])).is_err());
    }

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

    #[test]
    fn the_first_user_of_an_older_database_is_an_administrator() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("gestalt.db");
        let old = Connection::open(&path).unwrap();
        old.execute_batch(MIGRATIONS[0]).unwrap();
        old.execute_batch(
            "INSERT INTO domains VALUES ('d', 'default'); INSERT INTO projects VALUES ('p', 'd', 'one', '');
             INSERT INTO users VALUES ('u', 'd', 'admin', 'hash'); INSERT INTO members VALUES ('u', 'p');
             INSERT INTO access_keys VALUES ('AK', 'u', x'00'); PRAGMA user_version = 1;",
        )
        .unwrap();
        drop(old);
        let db = Db::open(&path).unwrap();
        let held = |target: &str| -> String {
            let text = "SELECT role_id FROM holdings WHERE user_id = 'u' AND target = ?1";
            db.read(|db| db.query_row(text, [target], |row| row.get(0))).unwrap()
        };
        assert_eq!(held("p"), crate::identity::role::FULL);
        assert_eq!(held("d"), crate::identity::role::ADMINISTRATOR);
        let usable = "SELECT u.enabled AND p.enabled AND k.active FROM users u, projects p, access_keys k";
        assert!(db.read(|db| db.query_row(usable, [], |row| row.get::<_, bool>(0))).unwrap());
        drop(db);
        assert!(Db::open(&path).is_ok(), "a migration runs once");
    }
}
