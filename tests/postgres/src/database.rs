//! A fresh database for one test.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio_postgres::NoTls;

use crate::Error;

/// A statement that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// An empty database, dropped with this value, connections to it included.
#[derive(Debug)]
pub struct Database {
    /// Of the server's `postgres` database.
    admin: String,
    name: String,
}

impl Database {
    pub(crate) fn create(server: &str) -> Result<Self, Error> {
        let database = Self { admin: with_path(server, "postgres"), name: unique_name() };
        execute(&database.admin, &format!("CREATE DATABASE {}", database.name))?;
        Ok(database)
    }

    /// `postgres://postgres@127.0.0.1:PORT/NAME`, of a superuser.
    pub fn url(&self) -> String {
        with_path(&self.admin, &self.name)
    }

    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A server that is gone has taken the database with it.
        let _ = execute(&self.admin, &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

/// Runs one statement from its own thread: the caller may be inside an async runtime, where blocking on another panics.
pub(crate) fn execute(url: &str, sql: &str) -> Result<(), Error> {
    let failed = |reason: String| Error::Statement { action: sql.to_owned(), reason };
    std::thread::scope(|scope| {
        let run = || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
            runtime.block_on(async {
                let statement = async {
                    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
                    tokio::select! {
                        done = client.batch_execute(sql) => done,
                        lost = connection => lost,
                    }
                };
                match tokio::time::timeout(PATIENCE, statement).await {
                    Ok(done) => done.map_err(|error| told(&error)),
                    Err(_) => Err(format!("no answer within {PATIENCE:?}")),
                }
            })
        };
        scope.spawn(run).join().unwrap_or_else(|_| Err("its thread panicked".to_owned()))
    })
    .map_err(failed)
}

/// An error with its causes; by itself it says only "db error".
fn told(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Unique also among processes that share a server.
fn unique_name() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("test_{}_{:x}_{:?}", std::process::id(), since.as_nanos(), std::thread::current().id())
        .replace(|c: char| !c.is_ascii_alphanumeric(), "_")
        .to_lowercase()
}

/// `url` with another database.
fn with_path(url: &str, database: &str) -> String {
    let (before, query) = url.split_once('?').map_or((url, None), |(before, query)| (before, Some(query)));
    let authority = before.find("://").map_or(0, |at| at + 3);
    let end = before[authority..].find('/').map_or(before.len(), |at| authority + at);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}/{database}{query}", &before[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_database_of_a_url_is_exchanged() {
        for (url, expected) in [
            ("postgres://a@h:1", "postgres://a@h:1/x"),
            ("postgres://a@h:1/", "postgres://a@h:1/x"),
            ("postgresql://a:p@h/old?sslmode=disable", "postgresql://a:p@h/x?sslmode=disable"),
        ] {
            assert_eq!(with_path(url, "x"), expected);
        }
    }

    #[test]
    fn a_name_is_an_identifier_of_legal_length_and_used_once() {
        let (first, second) = (unique_name(), unique_name());
        assert_ne!(first, second);
        assert!(
            first.len() < 63 && first.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'),
            "{first}"
        );
    }
}
