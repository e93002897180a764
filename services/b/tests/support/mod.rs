//! Databases of a test's own.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use database::Url;
use database::postgres::tokio_postgres::{self, NoTls};
use database::sqlite::rusqlite;
use runtime::env::Value as _;
use runtime::{Context, Health, Readiness};
use telemetry::{Identity, Settings, Telemetry};

/// Nothing here may take longer; what does has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A database that is gone with this.
pub(crate) struct Database {
    pub(crate) url: Url,
    _sqlite: Option<Folder>,
    postgres: Option<test_postgres::Database>,
}

/// A connection of another program.
pub(crate) enum Other {
    Sqlite(rusqlite::Connection),
    Postgres(tokio_postgres::Client),
}

impl Database {
    pub(crate) async fn other(&self) -> Other {
        if let Some(database) = &self.postgres {
            let (client, connection) = tokio_postgres::connect(&database.url(), NoTls).await.unwrap();
            tokio::spawn(connection);
            return Other::Postgres(client);
        }
        let Url::Sqlite(path) = &self.url else { panic!("there is none") };
        let connection = rusqlite::Connection::open(path).unwrap();
        connection.busy_timeout(PATIENCE).unwrap();
        Other::Sqlite(connection)
    }
}

impl Other {
    /// Runs statements that both databases know.
    pub(crate) async fn run(&self, sql: &str) {
        match self {
            Self::Sqlite(connection) => connection.execute_batch(sql).unwrap(),
            Self::Postgres(client) => client.batch_execute(sql).await.unwrap(),
        }
    }
}

pub(crate) fn sqlite() -> Database {
    let folder = Folder::new();
    Database { url: Url::Sqlite(folder.path().join("b.sqlite3")), _sqlite: Some(folder), postgres: None }
}

/// None where there is no Postgres; the reason is printed.
pub(crate) fn postgres() -> Option<Database> {
    let database = test_postgres::shared()?.database();
    Some(Database { url: parsed(&database.url()), _sqlite: None, postgres: Some(database) })
}

pub(crate) fn parsed(url: &str) -> Url {
    Url::parse(url).expect("a URL")
}

/// A folder that is gone with this.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("service-b-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn context() -> Context {
    let identity = Identity { service_name: "service-b", service_version: "0.0.0" };
    let telemetry = Telemetry::new(identity, &Settings::default(), None).unwrap();
    Context { health: Health::new(), telemetry }
}

pub(crate) async fn ready(health: &Health) {
    eventually("ready", async || (health.readiness() == Readiness::Ready).then_some(())).await;
}

/// What `look` finds once it finds something.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not {what} within {PATIENCE:?}");
        // Between two looks; there is nothing to be told by.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
