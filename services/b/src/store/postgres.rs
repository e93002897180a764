//! B's statements for Postgres.

use api::message::Outcome;
use async_trait::async_trait;
use database::postgres::tokio_postgres::{self, Row};
use database::postgres::{Apply, Postgres, Session, Transaction};
use database::{Context, Error, Migrations, PostgresUrl, Step};

use super::page::{PAGE_BYTES, Page};
use super::{Arrival, Done, SELECT, Store, Stored, Sweep, Swept, Write, applies_before_recording};

const MIGRATIONS: Migrations =
    Migrations { steps: &[Step { version: 1, oldest_program: 1, sql: include_str!("migrations/postgres-1.sql") }] };

/// A batch in one statement: arrays of sources, ids, types and bodies, in the order of their keys and without doubles.
/// Returns the places, from 1 on, of the events that were new.
///
/// Rows are inserted in the order of the keys, so that two replicas with the same events wait for each other in one
/// direction only. Times are the database's: the replicas' clocks do not matter.
pub const RECORD: &str = "\
    WITH arrived AS (\
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) \
            WITH ORDINALITY AS row (source, id, type, body, place)\
    ), recorded AS (\
        INSERT INTO inbox (source, id) SELECT source, id FROM arrived ORDER BY place \
            ON CONFLICT DO NOTHING RETURNING source, id\
    ), new AS (\
        SELECT arrived.* FROM recorded JOIN arrived USING (source, id)\
    ), applied AS (\
        INSERT INTO messages (source, id, type, body, received_at) \
            SELECT source, id, type, body, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint \
            FROM new ORDER BY place\
    ) \
    SELECT place FROM new";

/// By sequence, which is nearly the order of the times: no look at the rest of the table, and no index on the time. Rows
/// that another replica is purging are left to it.
///
/// Parameters: after, how many, milliseconds. Returns how many are forgotten, and where to go on.
const PURGE: &str = "\
    WITH clock AS MATERIALIZED (\
        SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now\
    ), looked AS MATERIALIZED (\
        SELECT seq, received_at <= now - $3::bigint AS due, received_at > now AS ahead \
        FROM (SELECT seq, received_at FROM messages WHERE seq > $1 ORDER BY seq LIMIT $2::bigint) few, clock\
    ), old AS MATERIALIZED (\
        SELECT seq, source, id FROM messages WHERE seq = ANY(ARRAY(SELECT seq FROM looked WHERE due)) \
        ORDER BY seq FOR UPDATE SKIP LOCKED\
    ), forgotten AS (\
        DELETE FROM inbox USING old WHERE inbox.source = old.source AND inbox.id = old.id\
    ), deleted AS (\
        DELETE FROM messages WHERE seq = ANY(ARRAY(SELECT seq FROM old)) RETURNING 1\
    ) \
    SELECT (SELECT count(*) FROM deleted), \
        (SELECT max(seq) FROM looked HAVING count(*) = $2 AND bool_or(due OR ahead))";

const FIND: &str = "SELECT seq, source, id, type, body, received_at FROM messages \
     WHERE id = $1 AND ($2::text IS NULL OR source = $2) ORDER BY source, seq LIMIT 2";

/// Rows until their text exceeds a page, and whether another comes after each. What is on another page is not read:
/// texts of that size are kept apart from their rows, with their lengths in the rows.
///
/// Parameters: before, limit, bytes.
const PAGE: &str = "\
    WITH few AS (\
        SELECT seq, source, id, type, body, received_at FROM messages WHERE seq < $1 ORDER BY seq DESC LIMIT $2::bigint + 1\
    ), measured AS (\
        SELECT *, row_number() OVER newest AS place, lead(seq) OVER newest IS NOT NULL AS followed, \
            sum(octet_length(source) + octet_length(id) + octet_length(type) + octet_length(body)) \
                OVER (newest ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS above \
        FROM few WINDOW newest AS (ORDER BY seq DESC)\
    ) \
    SELECT seq, source, id, type, body, received_at, followed FROM measured \
    WHERE place <= $2 AND coalesce(above, 0) <= $3::bigint ORDER BY seq DESC";

const COUNT: &str = "SELECT count(*) FROM messages";

pub(super) fn open(url: PostgresUrl, context: Context) -> Postgres<Write, Done> {
    Postgres::open(url, MIGRATIONS, Batch, context)
}

struct Batch;

impl Apply<Write, Done> for Batch {
    async fn apply(
        &mut self,
        transaction: &Transaction<'_>,
        writes: &mut [Write],
    ) -> Result<Vec<Done>, tokio_postgres::Error> {
        let mut done = vec![Done::recorded(false); writes.len()];
        let columns = Columns::of(writes);
        if applies_before_recording() {
            fault::apply(transaction, &columns).await?;
            for place in fault::record(transaction, &columns).await? {
                done[columns.indices[place]] = Done::recorded(true);
            }
        } else if !columns.indices.is_empty() {
            let Columns { sources, ids, kinds, bodies, .. } = &columns;
            for row in transaction.query(RECORD, &[sources, ids, kinds, bodies]).await? {
                done[columns.indices[place(&row)?]] = Done::recorded(true);
            }
        }
        // After the inserts: it waits for nobody, so nobody who waits for it can be waited for.
        for (write, done) in writes.iter().zip(&mut done) {
            if let Write::Purge(sweep) = write {
                *done = Done::Purged(purge(transaction, *sweep).await?);
            }
        }
        Ok(done)
    }
}

async fn purge(transaction: &Transaction<'_>, sweep: Sweep) -> Result<Swept, tokio_postgres::Error> {
    let row = transaction.query_opt(PURGE, &[&sweep.after, &i64::from(sweep.span), &sweep.keep()]).await?;
    let Some(row) = row else { return Ok(Swept { forgotten: 0, next: None }) };
    Ok(Swept { forgotten: row.try_get::<_, i64>(0)?.unsigned_abs(), next: row.try_get(1)? })
}

/// The place in the arrays, from 0 on.
fn place(row: &Row) -> Result<usize, tokio_postgres::Error> {
    let place: i64 = row.try_get(0)?;
    Ok(usize::try_from(place).unwrap_or_default().saturating_sub(1))
}

/// A batch's events as arrays, sorted by key; of those that are there twice the first.
#[derive(Debug, Default)]
struct Columns<'a> {
    sources: Vec<&'a str>,
    ids: Vec<&'a str>,
    kinds: Vec<&'a str>,
    bodies: Vec<&'a str>,
    /// Where in the batch each of them is.
    indices: Vec<usize>,
}

impl<'a> Columns<'a> {
    fn of(writes: &'a [Write]) -> Self {
        let mut arrivals: Vec<(usize, &Arrival)> = Vec::with_capacity(writes.len());
        for (index, write) in writes.iter().enumerate() {
            if let Write::Record(arrival) = write {
                arrivals.push((index, arrival));
            }
        }
        let key = |arrival: &'a Arrival| (arrival.source.as_str(), arrival.id.as_str());
        // Stable: among equal keys the first in the batch stays the first.
        arrivals.sort_by_key(|(_, arrival)| key(arrival));
        arrivals.dedup_by_key(|(_, arrival)| key(arrival));
        let mut columns = Self::default();
        for (index, arrival) in arrivals {
            columns.sources.push(&arrival.source);
            columns.ids.push(&arrival.id);
            columns.kinds.push(&arrival.kind);
            columns.bodies.push(&arrival.body);
            columns.indices.push(index);
        }
        columns
    }
}

/// What the tests must find: the effect is committed before the inbox is asked.
mod fault {
    use super::{Columns, Transaction, place, tokio_postgres};

    const APPLY: &str = "INSERT INTO messages (source, id, type, body, received_at) \
         SELECT *, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint \
         FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])";
    const RECORD: &str = "\
        WITH arrived AS (\
            SELECT * FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS row (source, id, place)\
        ), recorded AS (\
            INSERT INTO inbox (source, id) SELECT source, id FROM arrived ORDER BY place \
                ON CONFLICT DO NOTHING RETURNING source, id\
        ) \
        SELECT place FROM recorded JOIN arrived USING (source, id)";

    pub(super) async fn apply(
        transaction: &Transaction<'_>,
        columns: &Columns<'_>,
    ) -> Result<(), tokio_postgres::Error> {
        let Columns { sources, ids, kinds, bodies, .. } = columns;
        transaction.execute(APPLY, &[sources, ids, kinds, bodies]).await?;
        transaction.execute("COMMIT", &[]).await?;
        transaction.execute("BEGIN", &[]).await.map(drop)
    }

    pub(super) async fn record(
        transaction: &Transaction<'_>,
        columns: &Columns<'_>,
    ) -> Result<Vec<usize>, tokio_postgres::Error> {
        transaction.query(RECORD, &[&columns.sources, &columns.ids]).await?.iter().map(place).collect()
    }
}

#[async_trait]
impl Store for Postgres<Write, Done> {
    async fn record(&self, arrival: Arrival) -> Result<Outcome, Error> {
        let write = Write::Record(arrival);
        let (statement, bytes) = (write.statement(), write.bytes());
        self.writer().write_sized(statement, write, bytes).await?.outcome()
    }

    async fn find(&self, id: String, source: Option<String>) -> Result<Vec<Stored>, Error> {
        let rows = self.read(SELECT, async move |session: Session| session.query(FIND, &[&id, &source]).await).await?;
        all(&rows)
    }

    async fn page(&self, before: Option<i64>, limit: u32) -> Result<Page, Error> {
        let (before, rows, bytes) = (before.unwrap_or(i64::MAX), i64::from(limit), i64::try_from(PAGE_BYTES));
        let bytes = bytes.unwrap_or(i64::MAX);
        let page = async move |session: Session| {
            let mut page = Page { rows: Vec::new(), more: false };
            for row in session.query(PAGE, &[&before, &rows, &bytes]).await? {
                page.more = row.try_get(6)?;
                page.rows.push(stored(&row)?);
            }
            Ok(page)
        };
        self.read(SELECT, page).await
    }

    async fn count(&self) -> Result<u64, Error> {
        let rows = self.read(SELECT, async |session: Session| session.query(COUNT, &[]).await).await?;
        let count = rows.first().map_or(Ok(0), |row| row.try_get::<_, i64>(0)).map_err(|error| unreadable(&error))?;
        Ok(count.unsigned_abs())
    }

    async fn purge(&self, sweep: Sweep) -> Result<Swept, Error> {
        let write = Write::Purge(sweep);
        self.writer().write(write.statement(), write).await?.purged()
    }

    async fn close(&self) {
        Postgres::close(self).await;
    }
}

fn all(rows: &[Row]) -> Result<Vec<Stored>, Error> {
    rows.iter().map(stored).collect::<Result<_, _>>().map_err(|error| unreadable(&error))
}

fn stored(row: &Row) -> Result<Stored, tokio_postgres::Error> {
    Ok(Stored {
        seq: row.try_get(0)?,
        source: row.try_get(1)?,
        id: row.try_get(2)?,
        kind: row.try_get(3)?,
        body: row.try_get(4)?,
        received_at: row.try_get(5)?,
    })
}

/// A column of another type: somebody else changed the schema.
fn unreadable(error: &tokio_postgres::Error) -> Error {
    Error::Unavailable { detail: format!("a row can't be read: {error}") }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Two replicas whose batches have another order would wait for each other; the same event twice in one statement
    /// would be applied twice.
    #[test]
    fn a_batch_is_sorted_by_key_and_has_each_event_once() {
        let record = |source: &str, id: &str, body: &str| {
            Write::Record(Arrival { source: source.into(), id: id.into(), kind: "t".into(), body: body.into() })
        };
        let writes = [
            record("/b", "1", "b1"),
            record("/a", "2", "first"),
            Write::Purge(Sweep { after: 0, keep: Duration::ZERO, span: 1 }),
            record("/a", "2", "second"),
            record("/a", "10", "a10"),
        ];

        let columns = Columns::of(&writes);

        assert_eq!(columns.sources, ["/a", "/a", "/b"]);
        assert_eq!(columns.ids, ["10", "2", "1"]);
        assert_eq!(columns.bodies, ["a10", "first", "b1"]);
        assert_eq!(columns.indices, [4, 1, 0]);
    }
}
