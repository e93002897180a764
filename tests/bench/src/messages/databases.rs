//! Fresh databases of both kinds, on a disk and with every sync made.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use test_postgres::{Database, Fsync, Guard, Options, Server};

use super::service::Service;
use super::{PAUSED, disk};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

/// Where they are made.
#[derive(Debug)]
pub(crate) struct Databases {
    server: Option<Server>,
    guard: Guard,
}

/// An empty database; one of Postgres goes when this is dropped, one of `SQLite` with the folder.
#[derive(Debug)]
pub(crate) struct Fresh {
    url: String,
    _dropped: Option<Database>,
}

impl Databases {
    pub(crate) fn new() -> Self {
        let guard = Guard::new("bench-messages").expect("a folder");
        disk::require(guard.folder());
        // As Postgres comes, where the tests' own is small.
        let settings = vec![("shared_buffers", "128MB".to_owned())];
        let server = test_postgres::private(Options { fsync: Fsync::On, settings });
        if let Some(data) = server.as_ref().and_then(Server::data) {
            disk::require(&data);
        }
        Self { server, guard }
    }

    /// What can be measured here: the reason why there is no Postgres was printed.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = Kind> {
        [Some(Kind::Sqlite), self.server.is_some().then_some(Kind::Postgres)].into_iter().flatten()
    }

    pub(crate) fn fresh(&self, kind: Kind) -> Fresh {
        static MADE: AtomicU32 = AtomicU32::new(0);
        match kind {
            Kind::Sqlite => {
                let number = MADE.fetch_add(1, Ordering::Relaxed);
                let path = self.folder().join(format!("{number}.sqlite3"));
                Fresh { url: format!("sqlite://{}", path.display()), _dropped: None }
            }
            Kind::Postgres => {
                let database = self.server.as_ref().expect("kinds() told that there is one").database();
                Fresh { url: database.url(), _dropped: Some(database) }
            }
        }
    }

    /// A database that the service `name` has made its tables in.
    pub(crate) fn migrated(&self, kind: Kind, name: &'static str) -> Fresh {
        let fresh = self.fresh(kind);
        Service::start(name, self.guard(), &[PAUSED, ("DATABASE_URL", fresh.url())]).stop();
        fresh
    }

    pub(crate) fn folder(&self) -> &Path {
        self.guard.folder()
    }

    /// What dies with this process.
    pub(crate) fn guard(&self) -> &Guard {
        &self.guard
    }

    /// The root of the database's own processes, if it has any.
    pub(crate) fn pid(&self, kind: Kind) -> Option<u32> {
        self.server.as_ref().filter(|_| kind == Kind::Postgres)?.pid()
    }
}

impl Fresh {
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The file of one of `SQLite`.
    pub(crate) fn path(&self) -> &Path {
        Path::new(self.url.strip_prefix("sqlite://").expect("a database of SQLite"))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "Postgres",
        })
    }
}
