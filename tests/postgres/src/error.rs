//! Why there is no Postgres, or why it does not do what was asked.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "no Postgres: neither PATH nor /usr/lib/postgresql/*/bin has both `initdb` and `postgres`; install postgresql"
    )]
    NotInstalled,
    #[error("Postgres does not run as root, and there is no user `postgres` or `nobody` to run it as")]
    NoAccount,
    #[error("can't {action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error("{program} failed: {output}")]
    Program { program: &'static str, output: String },
    #[error("Postgres did not {what} within {within:?}; its log ends:\n{log}")]
    TooSlow { what: &'static str, within: Duration, log: String },
    #[error("Postgres ended while it started; its log ends:\n{log}")]
    Ended { log: String },
    #[error("can't {action}: {reason}")]
    Statement { action: String, reason: String },
    #[error("can't {action}: the server of TEST_POSTGRES_URL is not this process'")]
    NotOurs { action: &'static str },
}

impl Error {
    /// For `map_err`.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}
