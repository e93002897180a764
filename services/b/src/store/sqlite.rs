//! B's statements for `SQLite`.

use std::path::PathBuf;

use api::message::Outcome;
use async_trait::async_trait;
use database::sqlite::rusqlite::{self, Connection, Row, params};
use database::sqlite::{Apply, Sqlite};
use database::{Context, Error, Migrations, Step};

use super::page::{Filling, Page};
use super::{Arrival, Done, SELECT, Store, Stored, Sweep, Swept, Write, applies_before_recording};

const MIGRATIONS: Migrations = Migrations {
    steps: &[
        Step { version: 1, oldest_program: 1, sql: include_str!("migrations/sqlite-1.sql") },
        Step { version: 2, oldest_program: 1, sql: include_str!("migrations/sqlite-2.sql") },
    ],
};

/// Changes one row when the event is new: source, id.
pub const RECORD: &str = "INSERT INTO inbox (source, id) VALUES (?1, ?2) ON CONFLICT DO NOTHING";

/// Source, id, type, body, Unix milliseconds.
pub const APPLY: &str = "INSERT INTO messages (source, id, type, body, received_at) VALUES (?1, ?2, ?3, ?4, ?5)";

/// By sequence, which is nearly the order of the times: no look at the rest of the table, and no index on the time.
const LOOK: &str = "SELECT seq, received_at FROM messages WHERE seq > ?1 ORDER BY seq LIMIT ?2";
const FORGET: &str = "DELETE FROM inbox WHERE (source, id) = (SELECT source, id FROM messages WHERE seq = ?1)";
const DELETE: &str = "DELETE FROM messages WHERE seq = ?1";

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
            Write::Purge(sweep) => purge(transaction, *sweep, now).map(Done::Purged),
        };
        writes.iter().map(one).collect()
    }
}

fn apply(connection: &Connection, arrival: &Arrival, now: i64) -> rusqlite::Result<()> {
    let Arrival { source, id, kind, body } = arrival;
    connection.prepare_cached(APPLY)?.execute(params![source, id, kind, body, now]).map(drop)
}

fn purge(connection: &Connection, sweep: Sweep, now: i64) -> rusqlite::Result<Swept> {
    let due = now.saturating_sub(sweep.keep());
    let mut look = connection.prepare_cached(LOOK)?;
    let looked: Vec<(i64, i64)> = look
        .query_map(params![sweep.after, sweep.span], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let (mut forget, mut delete) = (connection.prepare_cached(FORGET)?, connection.prepare_cached(DELETE)?);
    let mut forgotten = 0;
    for (seq, _) in looked.iter().filter(|(_, received_at)| *received_at <= due) {
        forget.execute([seq])?;
        forgotten += delete.execute([seq])? as u64;
    }
    let goes_on = looked.len() == sweep.span as usize && looked.iter().any(|(_, at)| *at <= due || *at > now);
    Ok(Swept { forgotten, next: looked.last().filter(|_| goes_on).map(|(seq, _)| *seq) })
}

/// Steps from row to row and stops: what is on another page is not read.
fn page(connection: &Connection, before: i64, limit: u32) -> rusqlite::Result<Page> {
    let mut select = connection.prepare_cached(PAGE)?;
    let mut rows = select.query(params![before, i64::from(limit) + 1])?;
    let mut filling = Filling::new(limit);
    while let Some(row) = rows.next()? {
        if filling.is_full() {
            return Ok(filling.page(true));
        }
        filling.push(stored(row)?);
    }
    Ok(filling.page(false))
}

#[async_trait]
impl Store for Sqlite<Write, Done> {
    async fn record(&self, arrival: Arrival) -> Result<Outcome, Error> {
        let write = Write::Record(arrival);
        let (statement, bytes) = (write.statement(), write.bytes());
        self.writer().write_sized(statement, write, bytes).await?.outcome()
    }

    async fn find(&self, id: String, source: Option<String>) -> Result<Vec<Stored>, Error> {
        let find = move |connection: &Connection| {
            connection.prepare_cached(FIND)?.query_map(params![id, source], stored)?.collect()
        };
        self.read(SELECT, find).await
    }

    async fn page(&self, before: Option<i64>, limit: u32) -> Result<Page, Error> {
        let before = before.unwrap_or(i64::MAX);
        self.read(SELECT, move |connection: &Connection| page(connection, before, limit)).await
    }

    async fn count(&self) -> Result<u64, Error> {
        let count = |connection: &Connection| {
            connection.prepare_cached(COUNT)?.query_row([], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
        };
        self.read(SELECT, count).await
    }

    async fn purge(&self, sweep: Sweep) -> Result<Swept, Error> {
        let write = Write::Purge(sweep);
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
