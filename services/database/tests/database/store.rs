//! A small service's statements, on both databases.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use database::postgres::{self, Postgres, tokio_postgres};
use database::sqlite::{self, Sqlite, rusqlite};
use database::{Context, Error, Migrations, PostgresUrl, Statement, Step};
use runtime::Health;
use telemetry::Telemetry;

use crate::collector::no_telemetry;

/// A row to insert, or an order to the store.
#[derive(Clone, Debug)]
pub(crate) enum Write {
    /// Refused when the id is there already, or the body is empty.
    Row { id: i64, body: String },
    /// Runs the SQL as it stands.
    Sql(&'static str),
    /// A row for which the store gives no outcome, by mistake.
    Forgotten { id: i64 },
}

pub(crate) fn row(id: i64) -> Write {
    Write::Row { id, body: format!("body {id}") }
}

/// The size of the batch that the write was applied in, last.
pub(crate) type Done = usize;

pub(crate) const INSERT: Statement = Statement { operation: "INSERT", table: "messages" };
pub(crate) const SELECT: Statement = Statement { operation: "SELECT", table: "messages" };

pub(crate) const SCHEMA: Migrations = Migrations {
    steps: &[
        Step {
            version: 1,
            oldest_program: 1,
            sql: "CREATE TABLE messages (id BIGINT NOT NULL PRIMARY KEY, body TEXT NOT NULL);",
        },
        Step {
            version: 2,
            oldest_program: 1,
            sql: "CREATE TABLE more (id BIGINT); CREATE INDEX more_id ON more (id);",
        },
    ],
};

pub(crate) struct Store;

impl sqlite::Apply<Write, Done> for Store {
    fn apply(&mut self, transaction: &rusqlite::Transaction<'_>, writes: &mut [Write]) -> rusqlite::Result<Vec<Done>> {
        let mut insert = transaction.prepare_cached("INSERT INTO messages (id, body) VALUES (?1, nullif(?2, ''))")?;
        for write in writes.iter() {
            match write {
                Write::Row { id, body } => drop(insert.execute((id, body))?),
                Write::Sql(sql) => transaction.execute_batch(sql)?,
                Write::Forgotten { id } => drop(insert.execute((id, "forgotten"))?),
            }
        }
        Ok(outcomes(writes))
    }
}

impl postgres::Apply<Write, Done> for Store {
    async fn apply(
        &mut self,
        transaction: &postgres::Transaction<'_>,
        writes: &mut [Write],
    ) -> Result<Vec<Done>, tokio_postgres::Error> {
        let (mut ids, mut bodies) = (Vec::new(), Vec::new());
        for write in writes.iter() {
            match write {
                Write::Row { id, body } => {
                    ids.push(*id);
                    bodies.push(Some(body.as_str()).filter(|body| !body.is_empty()));
                }
                Write::Sql(sql) => drop(transaction.execute(sql, &[]).await?),
                Write::Forgotten { id } => {
                    ids.push(*id);
                    bodies.push(Some("forgotten"));
                }
            }
        }
        let sql = "INSERT INTO messages (id, body) SELECT * FROM unnest($1::bigint[], $2::text[])";
        transaction.execute(sql, &[&ids, &bodies]).await?;
        Ok(outcomes(writes))
    }
}

fn outcomes(writes: &[Write]) -> Vec<Done> {
    let told = writes.iter().filter(|write| !matches!(write, Write::Forgotten { .. }));
    told.map(|_| writes.len()).collect()
}

/// One of the two, with the same face.
#[derive(Clone)]
pub(crate) enum Db {
    Sqlite(Sqlite<Write, Done>),
    Postgres(Postgres<Write, Done>),
}

impl Db {
    pub(crate) async fn write(&self, write: Write) -> Result<Done, Error> {
        match self {
            Self::Sqlite(db) => db.writer().write(INSERT, write).await,
            Self::Postgres(db) => db.writer().write(INSERT, write).await,
        }
    }

    /// Every id, in order.
    pub(crate) async fn ids(&self) -> Result<Vec<i64>, Error> {
        const IDS: &str = "SELECT id FROM messages ORDER BY id";
        match self {
            Self::Sqlite(db) => {
                db.read(SELECT, |connection| connection.prepare_cached(IDS)?.query_map([], |row| row.get(0))?.collect())
                    .await
            }
            Self::Postgres(db) => {
                let rows = db.read(SELECT, async move |session| session.query(IDS, &[]).await).await?;
                Ok(rows.iter().map(|row| row.get(0)).collect())
            }
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(db) => db.close().await,
            Self::Postgres(db) => db.close().await,
        }
    }

    /// Waits until reads and writes are possible.
    pub(crate) async fn opened(self) -> Self {
        until("the database can be used", async || self.ids().await.is_ok()).await;
        self
    }
}

/// Waits until `condition` holds, for at most 20 s.
pub(crate) async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition().await {
        assert!(Instant::now() < deadline, "still not so after 20 s: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) fn context(telemetry: &Telemetry) -> Context {
    Context { health: Health::new(), telemetry: telemetry.clone() }
}

pub(crate) fn sqlite(path: &Path) -> Db {
    Db::Sqlite(Sqlite::open(path.to_owned(), SCHEMA, Store, context(&no_telemetry())))
}

pub(crate) fn postgres(url: &str) -> Db {
    let url = PostgresUrl::parse(url).unwrap();
    Db::Postgres(Postgres::open(url, SCHEMA, Store, context(&no_telemetry())))
}

/// A directory that goes with the test.
pub(crate) struct Dir(PathBuf);

impl Dir {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("database-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.0.join("a.sqlite3")
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
