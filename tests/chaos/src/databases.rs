//! The databases of a run: a file or a server for each service.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use test_postgres::{Fsync, Options, Server};

use crate::error::{Failure, Result};

/// Which database the services have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// One service's database.
#[derive(Clone, Debug)]
pub(crate) enum Store {
    Sqlite(PathBuf),
    Postgres(Arc<Server>),
}

#[derive(Clone, Debug)]
pub(crate) struct Databases {
    pub(crate) a: Store,
    pub(crate) b: Store,
}

impl Databases {
    /// In `folder`; Postgres servers keep their files themselves.
    pub(crate) async fn start(engine: Engine, fsync: Fsync, folder: &Path) -> Result<Self> {
        match engine {
            Engine::Sqlite => Ok(Self {
                a: Store::Sqlite(folder.join("service-a.sqlite3")),
                b: Store::Sqlite(folder.join("service-b.sqlite3")),
            }),
            Engine::Postgres => {
                let (a, b) = tokio::try_join!(server(fsync), server(fsync))?;
                Ok(Self { a: Store::Postgres(a), b: Store::Postgres(b) })
            }
        }
    }

    /// The servers that can be killed.
    pub(crate) fn servers(&self) -> Vec<Arc<Server>> {
        let stores = [&self.a, &self.b];
        stores
            .into_iter()
            .filter_map(|store| if let Store::Postgres(server) = store { Some(server.clone()) } else { None })
            .collect()
    }
}

impl Store {
    /// For `DATABASE_URL`.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite://{}", path.display()),
            Self::Postgres(server) => server.url().to_owned(),
        }
    }
}

async fn server(fsync: Fsync) -> Result<Arc<Server>> {
    let start = move || Server::start(Options { fsync, ..Options::default() });
    let started = tokio::task::spawn_blocking(start).await.map_err(Failure::to("start Postgres"))?;
    started.map(Arc::new).map_err(Failure::to("start Postgres"))
}
