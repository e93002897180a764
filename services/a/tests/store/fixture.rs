//! A fresh database for each test, and a second replica on it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use database::Context;
use database::postgres::tokio_postgres;
use database::sqlite::rusqlite;
use outbox::{Claim, Outgoing, Settled, Settlement, Storage as _};
use runtime::{Health, Readiness};
use service_a::store::{Accepted, Backend, Kept, Key, Lease, New, PostgresStore, SqliteStore, Store};
use telemetry::{Identity, Settings, Telemetry};
use uuid::Uuid;

pub(crate) const LONG: Duration = Duration::from_mins(1);

pub(crate) struct Fixture<B> {
    pub(crate) store: Store<B>,
    /// Another process on the same database.
    pub(crate) other: Store<B>,
    place: Place,
}

enum Place {
    File(Directory),
    Server(test_postgres::Database),
}

/// Removed with what is in it.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("service-a-store-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn context() -> Context {
    let identity = Identity { service_name: "service-a", service_version: "0.0.0" };
    let telemetry = Telemetry::new(identity, &Settings::default(), None).unwrap();
    Context { health: Health::new(), telemetry }
}

async fn ready<B: Backend>(store: &Store<B>, context: &Context) {
    let ready = async {
        // The connection for reads comes a little after the one that migrates.
        while context.health.readiness() != Readiness::Ready || store.depth(1).await.is_err() {
            // There is no wait for readiness but to ask.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), ready).await.expect("migrated in time");
}

impl Fixture<SqliteStore> {
    pub(crate) async fn sqlite() -> Self {
        let directory = Directory::new();
        let path = directory.0.join("a.sqlite3");
        let (first, second) = (context(), context());
        let store = Store(SqliteStore::open(path.clone(), first.clone()));
        let other = Store(SqliteStore::open(path, second.clone()));
        ready(&store, &first).await;
        ready(&other, &second).await;
        Self { store, other, place: Place::File(directory) }
    }
}

impl Fixture<PostgresStore> {
    pub(crate) async fn postgres() -> Option<Self> {
        let database = test_postgres::shared()?.database();
        let (store, other) = (opened(&database.url()).await, opened(&database.url()).await);
        Some(Self { store, other, place: Place::Server(database) })
    }
}

/// A store on Postgres that can be used.
pub(crate) async fn opened(url: &str) -> Store<PostgresStore> {
    let Some(database::Url::Postgres(url)) = <database::Url as runtime::env::Value>::parse(url) else {
        panic!("{url}");
    };
    let context = context();
    let store = Store(PostgresStore::open(url, context.clone()));
    ready(&store, &context).await;
    store
}

impl<B: Backend> Fixture<B> {
    /// Writes a message, leased to `owner` or nobody.
    pub(crate) async fn accept(&self, owner: Option<(Uuid, Duration)>) -> New {
        let new = New { lease: owner.map(|(owner, time)| Lease { owner, time }), ..new(r#"{"n":1}"#) };
        assert_eq!(self.store.accept(new.clone()).await.unwrap(), Accepted::New);
        new
    }

    pub(crate) async fn get(&self, id: Uuid) -> Kept {
        self.store.0.get(id).await.unwrap().expect("a message")
    }

    pub(crate) async fn claim(&self, owner: Uuid) -> Vec<Outgoing> {
        self.claim_ahead(owner, Duration::ZERO).await
    }

    pub(crate) async fn claim_ahead(&self, owner: Uuid, ahead: Duration) -> Vec<Outgoing> {
        self.store.claim(Claim { owner, limit: 100, bytes: usize::MAX, lease: LONG, ahead }).await.unwrap().rows
    }

    pub(crate) async fn settle(&self, id: Uuid, owner: Uuid, settled: Settled) {
        self.store.settle(Settlement { id, owner, at: 1_700_000_000_123, settled }).await.unwrap();
    }

    /// A statement of the test's own, the same on both.
    pub(crate) async fn raw(&self, sql: &str) {
        match &self.place {
            Place::File(directory) => {
                let connection = rusqlite::Connection::open(directory.0.join("a.sqlite3")).unwrap();
                connection.busy_timeout(Duration::from_secs(5)).unwrap();
                connection.execute_batch(sql).unwrap();
            }
            Place::Server(database) => {
                let (client, connection) =
                    tokio_postgres::connect(&database.url(), tokio_postgres::NoTls).await.unwrap();
                let task = tokio::spawn(connection);
                client.batch_execute(sql).await.unwrap();
                task.abort();
            }
        }
    }
}

/// A message without lease and key.
pub(crate) fn new(body: &str) -> New {
    New {
        id: Uuid::now_v7(),
        body: body.into(),
        created_at: outbox::time::now(),
        traceparent: None,
        tracestate: None,
        lease: None,
        key: None,
    }
}

pub(crate) fn key(text: &str, body: u8) -> Key {
    Key { text: text.to_owned(), body_hash: [body; 32] }
}

pub(crate) fn again(after: Duration) -> Settled {
    Settled::Again { error: "b answered 500".to_owned(), after }
}

pub(crate) fn dead() -> Settled {
    Settled::Dead { error: "b answered 400".to_owned(), attempts: 1 }
}
