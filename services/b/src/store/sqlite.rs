//! B's statements for `SQLite`.

use std::path::PathBuf;
use std::time::Duration;

use api::message::Outcome;
use async_trait::async_trait;
use database::sqlite::rusqlite::{self, Connection, Row, params};
use database::sqlite::{Apply, Sqlite};
use database::{Context, Error, Migrations, Step};

use super::{Arrival, Done, SELECT, Store, Stored, Write, applies_before_recording};

const MIGRATIONS: Migrations =
    Migrations { steps: &[Step { version: 1, oldest_program: 1, sql: include_str!("migrations/sqlite-1.sql") }] };

/// Changes one row when the event is new: source, id.
pub const RECORD: &str = "INSERT INTO inbox (source, id) VALUES (?1, ?2) ON CONFLICT DO NOTHING";

/// Source, id, type, body, Unix milliseconds.
pub const APPLY: &str = "INSERT INTO messages (source, id, type, body, received_at) VALUES (?1, ?2, ?3, ?4, ?5)";

/// Old ones among the first ?2 by sequence: no look at the rest of the table, and no index on the time.
const FORGET: &str = "DELETE FROM inbox WHERE (source, id) IN (SELECT source, id FROM messages \
     WHERE seq < (SELECT min(seq) FROM messages) + ?2 AND received_at <= ?1)";
const DELETE: &str = "DELETE FROM messages WHERE seq < (SELECT min(seq) FROM messages) + ?2 AND received_at <= ?1";

const FIND: &str = "SELECT seq, source, id, type, body, received_at FROM messages \
     WHERE id = ?1 AND (?2 IS NULL OR source = ?2) ORDER BY source, seq LIMIT 2";
const PAGE: &str =
    "SELECT seq, source, id, type, body, received_at FROM messages WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2";
const COUNT: &str = "SELECT count(*) FROM messages";

pub(super) fn open(path: PathBuf, context: Context) -> Sqlite<Write, Done> {
    Sqlite::open(path, MIGRATIONS, Batch, context)
}

struct Batch;

impl Apply<Write, Done> for Batch {
    fn apply(&mut self, transaction: &rusqlite::Transaction<'_>, writes: &mut [Write]) -> rusqlite::Result<Vec<Done>> {
        let now = outbox::time::now();
        let early = applies_before_recording();
        if early {
            for write in writes.iter() {
                if let Write::Record(arrival) = write {
                    apply(transaction, arrival, now)?;
                }
            }
            transaction.execute_batch("COMMIT; BEGIN IMMEDIATE")?;
        }
        let one = |write: &Write| match write {
            Write::Record(arrival) => {
                let recorded = transaction.prepare_cached(RECORD)?.execute([&arrival.source, &arrival.id])?;
                if recorded == 1 && !early {
                    apply(transaction, arrival, now)?;
                }
                Ok(Done::recorded(recorded == 1))
            }
            Write::Purge { keep, span } => {
                let bounds = [now.saturating_sub(*keep), *span];
                transaction.prepare_cached(FORGET)?.execute(bounds)?;
                let deleted = transaction.prepare_cached(DELETE)?.execute(bounds)?;
                Ok(Done::Purged(deleted as u64))
            }
        };
        writes.iter().map(one).collect()
    }
}

fn apply(connection: &Connection, arrival: &Arrival, now: i64) -> rusqlite::Result<()> {
    let Arrival { source, id, kind, body } = arrival;
    connection.prepare_cached(APPLY)?.execute(params![source, id, kind, body, now]).map(drop)
}

#[async_trait]
impl Store for Sqlite<Write, Done> {
    async fn record(&self, arrival: Arrival) -> Result<Outcome, Error> {
        let write = Write::Record(arrival);
        self.writer().write(write.statement(), write).await?.outcome()
    }

    async fn find(&self, id: String, source: Option<String>) -> Result<Vec<Stored>, Error> {
        let find = move |connection: &Connection| {
            connection.prepare_cached(FIND)?.query_map(params![id, source], stored)?.collect()
        };
        self.read(SELECT, find).await
    }

    async fn page(&self, before: Option<i64>, limit: u32) -> Result<Vec<Stored>, Error> {
        let before = before.unwrap_or(i64::MAX);
        let page = move |connection: &Connection| {
            connection.prepare_cached(PAGE)?.query_map(params![before, limit], stored)?.collect()
        };
        self.read(SELECT, page).await
    }

    async fn count(&self) -> Result<u64, Error> {
        let count = |connection: &Connection| {
            connection.prepare_cached(COUNT)?.query_row([], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
        };
        self.read(SELECT, count).await
    }

    async fn purge(&self, keep: Duration, span: u32) -> Result<u64, Error> {
        let write = Write::purge(keep, span);
        self.writer().write(write.statement(), write).await?.purged()
    }

    async fn close(&self) {
        Sqlite::close(self).await;
    }
}

fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored {
        seq: row.get(0)?,
        source: row.get(1)?,
        id: row.get(2)?,
        kind: row.get(3)?,
        body: row.get(4)?,
        received_at: row.get(5)?,
    })
}
