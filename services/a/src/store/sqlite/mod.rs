//! A's tables in `SQLite`: one host.

mod apply;
mod sql;

use std::path::PathBuf;

use api::message::State;
use database::sqlite::{Sqlite, rusqlite};
use database::{Context, Error, Migrations, Statement, Step, Writer};
use outbox::Depth;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use uuid::Uuid;

use super::kept::{PENDING, state, time_of};
use super::{Accepted, Backend, Done, Kept, Key, Listed, Page, Write};

pub use apply::Apply;
pub use sql::{CLAIM, INSERT_MESSAGE, INSERT_OUTBOX};

const MIGRATIONS: Migrations =
    Migrations { steps: &[Step { version: 1, oldest_program: 1, sql: include_str!("0001.sql") }] };

const READ: Statement = Statement { operation: "SELECT", table: "messages" };
const KEYS: Statement = Statement { operation: "SELECT", table: "idempotency_keys" };
const COUNT: Statement = Statement { operation: "SELECT", table: "outbox" };

/// A file.
#[derive(Clone, Debug)]
pub struct SqliteStore(Sqlite<Write, Done>);

impl SqliteStore {
    /// Returns at once; the file is opened and migrated meanwhile.
    pub fn open(path: PathBuf, context: Context) -> Self {
        Self(Sqlite::open(path, MIGRATIONS, Apply, context))
    }
}

impl Backend for SqliteStore {
    fn writer(&self) -> &Writer<Write, Done> {
        self.0.writer()
    }

    async fn get(&self, id: Uuid) -> Result<Option<Kept>, Error> {
        self.0.read(READ, move |c| c.prepare_cached(sql::GET)?.query_row([id.as_bytes()], kept).optional()).await
    }

    async fn known(&self, key: Key) -> Result<Option<Accepted>, Error> {
        self.0.read(KEYS, move |c| apply::known(c, &key, outbox::time::now())).await
    }

    async fn list(&self, page: Page) -> Result<Listed, Error> {
        self.0.read(READ, move |c| list(c, page)).await
    }

    async fn ended(&self, ids: Vec<Uuid>) -> Result<Vec<Uuid>, Error> {
        let read = move |c: &Connection| {
            let mut select = c.prepare_cached(sql::STATE)?;
            let mut ended = Vec::new();
            for id in ids {
                let state: Option<i16> = select.query_row([id.as_bytes()], |row| row.get(0)).optional()?;
                if state.is_some_and(|state| state != PENDING) {
                    ended.push(id);
                }
            }
            Ok(ended)
        };
        self.0.read(READ, read).await
    }

    async fn depth(&self, most: i64) -> Result<Depth, Error> {
        let read = move |c: &Connection| {
            let rows: i64 = c.prepare_cached(sql::DEPTH)?.query_row([most], |row| row.get(0))?;
            let oldest: Option<[u8; 16]> = c.prepare_cached(sql::OLDEST)?.query_row([], |row| row.get(0)).optional()?;
            let oldest = oldest.and_then(|id| time_of(Uuid::from_bytes(id)));
            Ok(Depth { rows: rows.unsigned_abs(), oldest })
        };
        self.0.read(COUNT, read).await
    }

    async fn close(&self) {
        self.0.close().await;
    }
}

fn list(connection: &Connection, page: Page) -> rusqlite::Result<Listed> {
    let sql = match page.state {
        None => sql::LIST,
        Some(State::Pending) => sql::LIST_PENDING,
        Some(State::Delivered) => sql::LIST_DELIVERED,
        Some(State::Dead) => sql::LIST_DEAD,
    };
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query(params![page.before.as_bytes(), i64::from(page.limit) + 1])?;
    let mut listed = Listed::new(page.limit);
    while let Some(row) = rows.next()? {
        if !listed.push(kept(row)?) {
            break;
        }
    }
    Ok(listed)
}

fn kept(row: &Row<'_>) -> rusqlite::Result<Kept> {
    Ok(Kept {
        id: Uuid::from_bytes(row.get(0)?),
        state: state(row.get(1)?),
        attempts: row.get(2)?,
        created_at: row.get(3)?,
        delivered_at: row.get(4)?,
        next_attempt_at: row.get(5)?,
        last_error: row.get(6)?,
        body: row.get(7)?,
    })
}
