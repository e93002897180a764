//! The file: opened, configured, its schema brought up to date, all under the lock.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Transaction, TransactionBehavior};

use super::failure::unavailable;
use super::lock::{Identity, LockFile};
use crate::schema::{self, Stored};
use crate::{Error, Migrations};

/// How long another program, which does not know of our lock, may keep us waiting.
const BUSY: Duration = Duration::from_secs(5);

/// More statements than a service has.
const STATEMENTS: usize = 64;

/// Counts how often the file was opened for writing: a reader opens it anew when the writer has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Generation(Arc<AtomicU64>);

impl Generation {
    pub(crate) fn now(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

/// One user's view of the file: its thread's.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) path: PathBuf,
    migrations: Migrations,
    pub(crate) generation: Generation,
    pub(crate) lock: LockFile,
    /// Of the file that is open.
    identity: Option<Identity>,
}

impl Database {
    pub(crate) fn new(path: PathBuf, migrations: Migrations, generation: Generation) -> Self {
        let mut lock = path.clone().into_os_string();
        lock.push(".lock");
        Self { path, migrations, generation, lock: LockFile::new(lock.into()), identity: None }
    }

    /// Whether the path still leads to the file that is open.
    pub(crate) fn is_same_file(&self) -> bool {
        self.identity.is_some() && Identity::of(&self.path) == self.identity
    }

    /// Opens the file for writes, after its migrations.
    pub(crate) fn open_for_writes(&mut self) -> Result<Connection, Error> {
        let connection = self.locked(|database| {
            let connection = database.connect(OpenFlags::SQLITE_OPEN_CREATE)?;
            database.identity = Identity::of(&database.path);
            database.migrate(&connection)?;
            Ok(connection)
        })?;
        self.generation.0.fetch_add(1, Ordering::Release);
        Ok(connection)
    }

    /// Opens the file for reads. The writer has made it.
    pub(crate) fn open_for_reads(&mut self) -> Result<Connection, Error> {
        self.locked(|database| {
            let connection = database.connect(OpenFlags::empty())?;
            let set = connection.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -512");
            set.map_err(|error| unavailable(&error, &database.path))?;
            Ok(connection)
        })
    }

    /// Closes `connection` under the lock: the last one to close moves the log into the file, and whoever opened it
    /// meanwhile would find it locked.
    pub(crate) fn close(&mut self, connection: Connection) {
        let _ = self.locked(move |_| {
            drop(connection);
            Ok(())
        });
    }

    fn locked<T>(&mut self, f: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        self.lock.lock().map_err(|error| lock_failed(&self.path, &error))?;
        let result = f(self);
        self.lock.unlock();
        result
    }

    fn connect(&self, more: OpenFlags) -> Result<Connection, Error> {
        configured(&self.path, more).map_err(|error| unavailable(&error, &self.path))
    }

    fn migrate(&self, connection: &Connection) -> Result<(), Error> {
        let failed = |error: rusqlite::Error| unavailable(&error, &self.path);
        // For writes at once: a file that can't be written is found now.
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate).map_err(failed)?;
        let stored = stored(&transaction).map_err(failed)?;
        let steps = self.migrations.missing(stored)?;
        if steps.is_empty() {
            return Ok(());
        }
        for step in steps {
            transaction.execute_batch(step.sql).map_err(failed)?;
        }
        transaction.execute_batch(&Migrations::store(stored, steps)).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        tracing::info!(path = %self.path.display(), from = stored.version, to = self.migrations.program(), "migrated");
        Ok(())
    }
}

pub(crate) fn lock_failed(path: &Path, error: &std::io::Error) -> Error {
    Error::unavailable(format!("can't lock {}.lock: {error}", path.display()))
}

fn configured(path: &Path, more: OpenFlags) -> rusqlite::Result<Connection> {
    // Each connection stays on its thread: it needs no mutex.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "journal_mode", "wal")?;
    let synchronous = if failpoints::planted("no-sync") { "off" } else { "full" };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(connection)
}

fn stored(transaction: &Transaction<'_>) -> rusqlite::Result<Stored> {
    transaction.execute_batch(schema::TABLE)?;
    let row =
        transaction.query_row(schema::READ, [], |row| Ok(Stored { version: row.get(0)?, oldest_program: row.get(1)? }));
    Ok(row.optional()?.unwrap_or_default())
}
