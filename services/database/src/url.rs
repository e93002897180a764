//! `DATABASE_URL`: which database, and where. What is shown of it never holds a password.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use runtime::env::Value;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

use crate::ssl::{self, Ssl};

/// Which database a service has.
#[derive(Clone, PartialEq, Eq)]
pub enum Url {
    /// `none`: what needs a database is answered 503.
    None,
    /// `sqlite://PATH`; three slashes make the path absolute.
    Sqlite(PathBuf),
    /// `postgres://` or `postgresql://`.
    Postgres(PostgresUrl),
}

/// Where a Postgres is, or the file that says so.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl(Source);

#[derive(Clone, PartialEq, Eq)]
enum Source {
    Text(String),
    File(PathBuf),
}

impl PostgresUrl {
    /// A URL of libpq's form: `postgres://[USER[:PASSWORD]@]HOST[:PORT][,…]/DATABASE[?option=value]`.
    ///
    /// Encrypted as its options say: `sslmode=disable`, `prefer` (the default), `require`, `verify-ca` or `verify-full`,
    /// the last two with `sslrootcert=PATH`, a PEM file. `require` asks nobody who the server is, unless there is an
    /// `sslrootcert`: then it is `verify-ca`. Certificates of clients are not supported.
    pub fn parse(text: &str) -> Option<Self> {
        parts(text).map(|_| Self(Source::Text(text.to_owned())))
    }

    /// What `path` holds at every connect: a mounted secret may change.
    pub(crate) fn in_file(path: &Path) -> Self {
        Self(Source::File(path.to_owned()))
    }

    /// What to connect to now. The error names the file, and nothing that is in it.
    pub(crate) fn config(&self) -> Result<Config, String> {
        self.parts().map(|(config, _)| config)
    }

    /// The same, with how the connection is to be encrypted.
    pub(crate) fn target(&self) -> Result<(Config, Ssl), String> {
        let (config, ssl) = self.parts()?;
        Ok((config, ssl.map_err(|possible| format!("the URL needs {possible}"))?))
    }

    /// What it would have to say of encryption, where that can't be.
    pub(crate) fn ssl_mistake(&self) -> Option<&'static str> {
        self.parts().ok().and_then(|(_, ssl)| ssl.err())
    }

    fn parts(&self) -> Result<Parts, String> {
        match &self.0 {
            Source::Text(text) => parts(text).ok_or_else(|| "the URL can't be read".to_owned()),
            Source::File(path) => {
                let text = read(path)?;
                parts(&text).ok_or_else(|| format!("{} holds no postgres:// URL", path.display()))
            }
        }
    }
}

type Parts = (Config, Result<Ssl, &'static str>);

fn parts(text: &str) -> Option<Parts> {
    let is_postgres = text.starts_with("postgres://") || text.starts_with("postgresql://");
    let (rest, ssl) = is_postgres.then(|| ssl::split(text))?;
    Some((Config::from_str(&rest).ok()?, ssl))
}

/// What the file at `path` holds, without the line's end that editors leave.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("can't read {}: {error}", path.display()))?;
    Ok(text.trim().to_owned())
}

/// The first host, its port and the database.
pub(crate) fn place(config: &Config) -> (String, u16, String) {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        #[cfg(unix)]
        Some(Host::Unix(path)) => path.display().to_string(),
        None => "localhost".to_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let database = config.get_dbname().or(config.get_user()).unwrap_or("postgres");
    (host, port, database.to_owned())
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.config() {
            Ok(config) => {
                let (host, port, database) = place(&config);
                write!(f, "postgres://{host}:{port}/{database}")
            }
            Err(problem) => write!(f, "postgres:// ({problem})"),
        }
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Postgres(url) => url.fmt(f),
        }
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Value for Url {
    const ALLOWED: &'static str = "sqlite://PATH, postgres://USER[:PASSWORD]@HOST[:PORT]/DATABASE or none";

    fn parse(text: &str) -> Option<Self> {
        if text == "none" {
            return Some(Self::None);
        }
        if let Some(path) = text.strip_prefix("sqlite://") {
            // What looks like a query, or SQLite's own names for databases that are no files, is a mistake.
            let is_file = !path.is_empty() && !path.ends_with('/') && !path.contains([':', '?', '#', '\0']);
            return is_file.then(|| Self::Sqlite(PathBuf::from(path)));
        }
        PostgresUrl::parse(text).map(Self::Postgres)
    }

    fn text(&self) -> String {
        self.to_string()
    }

    /// Of what may hold a password, only the beginning.
    fn quoted(text: &str) -> Cow<'_, str> {
        match text.split_once("://") {
            Some(("sqlite", _)) => Cow::Borrowed(text),
            Some((scheme @ ("postgres" | "postgresql"), _)) => Cow::Owned(format!("{scheme}://…")),
            _ => Cow::Borrowed("…"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Url> {
        <Url as Value>::parse(text)
    }

    #[test]
    fn urls_are_none_sqlite_or_postgres() {
        assert_eq!(read("none"), Some(Url::None));
        assert_eq!(read("sqlite://a.sqlite3"), Some(Url::Sqlite("a.sqlite3".into())));
        assert_eq!(read("sqlite:///var/a.sqlite3"), Some(Url::Sqlite("/var/a.sqlite3".into())));
        let postgres = read("postgresql://me:secret@db:5433/a").unwrap();
        assert_eq!(postgres.to_string(), "postgres://db:5433/a");
        for bad in ["", "sqlite://", "sqlite://:memory:", "sqlite:///var/", "sqlite://a?mode=ro", "a.sqlite3"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
        for bad in ["mysql://db/a", "postgres", "postgres://db:port/a", "host=db user=me"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn no_text_made_of_a_url_holds_its_password() {
        let url = read("postgres://me:secret@db/a").unwrap();
        assert!(!format!("{url:?} {url} {}", url.text()).contains("secret"));
        for bad in ["postgres://me:secret@db:x/a", "postgre://me:secret@db/a", "password=secret"] {
            assert_eq!(read(bad), None);
            assert!(!<Url as Value>::quoted(bad).contains("secret"), "{bad}");
        }
    }

    #[test]
    fn a_file_is_read_anew_each_time() {
        let path = std::env::temp_dir().join(format!("database-url-{}", std::process::id()));
        let url = PostgresUrl::in_file(&path);
        assert!(url.config().unwrap_err().contains("can't read"));
        std::fs::write(&path, "postgres://me:one@first/a\n").unwrap();
        assert_eq!(url.to_string(), "postgres://first:5432/a");
        std::fs::write(&path, "postgres://me:two@second/a\n").unwrap();
        assert_eq!(url.config().unwrap().get_password(), Some(&b"two"[..]));
        std::fs::write(&path, "secret nonsense").unwrap();
        let problem = url.config().unwrap_err();
        assert!(problem.contains("no postgres:// URL") && !problem.contains("secret"), "{problem}");
        std::fs::remove_file(&path).unwrap();
    }
}
