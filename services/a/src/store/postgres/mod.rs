//! A's tables in Postgres: shared by all replicas.

mod accept;
mod apply;
#[cfg(test)]
mod plans;
mod settle;
mod sql;

use api::message::State;
use database::postgres::{Postgres, Session, tokio_postgres};
use database::{Context, Error, Migrations, PostgresUrl, Statement, Step, Writer};
use outbox::Depth;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::kept::{PAGE_BYTES, state, time_of};
use super::{Accepted, Backend, Done, Kept, Key, Listed, Page, Write};

pub use apply::Apply;
pub use sql::{CLAIM, INSERT};

const MIGRATIONS: Migrations =
    Migrations { steps: &[Step { version: 1, oldest_program: 1, sql: include_str!("0001.sql") }] };

const READ: Statement = Statement { operation: "SELECT", table: "messages" };
const KEYS: Statement = Statement { operation: "SELECT", table: "idempotency_keys" };
const COUNT: Statement = Statement { operation: "SELECT", table: "outbox" };

/// A database on a server.
#[derive(Clone, Debug)]
pub struct PostgresStore(Postgres<Write, Done>);

impl PostgresStore {
    /// Returns at once; the connection is made and the schema migrated meanwhile.
    pub fn open(url: PostgresUrl, context: Context) -> Self {
        Self(Postgres::open(url, MIGRATIONS, Apply, context))
    }
}

impl Backend for PostgresStore {
    fn writer(&self) -> &Writer<Write, Done> {
        self.0.writer()
    }

    async fn get(&self, id: Uuid) -> Result<Option<Kept>, Error> {
        let read = async move |session: Session| match session.query_opt(sql::GET, &[&id]).await? {
            Some(row) => kept(&row).map(Some),
            None => Ok(None),
        };
        self.0.read(READ, read).await
    }

    async fn known(&self, key: Key) -> Result<Option<Accepted>, Error> {
        let read = async move |session: Session| match session.query_opt(sql::KEY, &[&key.text]).await? {
            Some(row) => Ok(Some(key.stands_for(row.try_get(0)?, row.try_get(1)?))),
            None => Ok(None),
        };
        self.0.read(KEYS, read).await
    }

    async fn list(&self, page: Page) -> Result<Listed, Error> {
        let sql = match page.state {
            None => sql::LIST,
            Some(State::Pending) => sql::LIST_PENDING,
            Some(State::Delivered) => sql::LIST_DELIVERED,
            Some(State::Dead) => sql::LIST_DEAD,
        };
        let limit = i64::from(page.limit) + 1;
        let bytes = i64::try_from(PAGE_BYTES).unwrap_or(i64::MAX);
        let read = async move |session: Session| {
            let (mut listed, mut total) = (Listed::new(page.limit), 0_i64);
            for row in session.query(sql, &[&page.before, &limit, &bytes]).await? {
                total = row.try_get(8)?;
                if !listed.push(kept(&row)?) {
                    break;
                }
            }
            Ok(listed.of(usize::try_from(total).unwrap_or_default()))
        };
        self.0.read(READ, read).await
    }

    async fn ended(&self, ids: Vec<Uuid>) -> Result<Vec<Uuid>, Error> {
        let read = async move |session: Session| {
            let set = session.execute(sql::USE_INDEXES_ALWAYS, &[]);
            let params: [&(dyn ToSql + Sync); 1] = [&ids];
            let (_, rows) = tokio::try_join!(set, session.query(sql::ENDED, &params))?;
            rows.iter().map(|row| row.try_get(0)).collect()
        };
        self.0.read(READ, read).await
    }

    async fn depth(&self, most: i64) -> Result<Depth, Error> {
        let read = async move |session: Session| {
            let Some(row) = session.query_opt(sql::DEPTH, &[&most]).await? else { return Ok(Depth::default()) };
            let rows: i64 = row.try_get(0)?;
            let oldest: Option<Uuid> = row.try_get(1)?;
            Ok(Depth { rows: rows.unsigned_abs(), oldest: oldest.and_then(time_of) })
        };
        self.0.read(COUNT, read).await
    }

    async fn close(&self) {
        self.0.close().await;
    }
}

fn kept(row: &Row) -> Result<Kept, tokio_postgres::Error> {
    Ok(Kept {
        id: row.try_get(0)?,
        state: state(row.try_get(1)?),
        attempts: row.try_get(2)?,
        created_at: row.try_get(3)?,
        delivered_at: row.try_get(4)?,
        next_attempt_at: row.try_get(5)?,
        last_error: row.try_get(6)?,
        body: row.try_get(7)?,
    })
}
