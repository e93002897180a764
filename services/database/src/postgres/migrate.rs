//! The schema's steps, by whichever replica comes first.

use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::Error as PgError;

use super::PATIENCE;
use super::failure::unavailable;
use super::session::Session;
use crate::schema::{self, Stored};
use crate::{Error, Migrations};

/// Waits for others that migrate the same database. The number is ours; it means nothing else.
const LOCK: &str = "BEGIN; SET LOCAL statement_timeout = '10min'; SET LOCAL lock_timeout = '5s'; \
    SELECT pg_advisory_xact_lock(7263517061825302)";

/// How long a step may take: a little longer than the server lets it.
const STEP: Duration = Duration::from_secs(10 * 60 + PATIENCE.as_secs());

const EXISTS: &str = "SELECT to_regclass('database_schema') IS NOT NULL";

pub(crate) async fn migrate(session: &Session, migrations: Migrations) -> Result<(), Error> {
    // Without a lock first: most starts find nothing to do, and a role that may not create tables is enough for them.
    let now = within(PATIENCE, stored(session)).await?;
    if migrations.missing(now)?.is_empty() {
        return Ok(());
    }
    let done = steps(session, migrations).await;
    if done.is_err() {
        let _ = within(PATIENCE, session.client().batch_execute("ROLLBACK")).await;
    }
    done
}

async fn steps(session: &Session, migrations: Migrations) -> Result<(), Error> {
    let client = session.client();
    within(PATIENCE, client.batch_execute(LOCK)).await?;
    within(PATIENCE, client.batch_execute(schema::TABLE)).await?;
    let from = within(PATIENCE, stored(session)).await?;
    let steps = migrations.missing(from)?;
    for step in steps {
        within(STEP, client.batch_execute(step.sql)).await?;
    }
    if !steps.is_empty() {
        within(PATIENCE, client.batch_execute(&Migrations::store(from, steps))).await?;
    }
    within(PATIENCE, client.batch_execute("COMMIT")).await?;
    if !steps.is_empty() {
        tracing::info!(from = from.version, to = migrations.program(), "migrated");
    }
    Ok(())
}

/// The server's own bounds are of no use when it hangs.
async fn within<T>(patience: Duration, work: impl Future<Output = Result<T, PgError>>) -> Result<T, Error> {
    match timeout(patience, work).await {
        Ok(done) => done.map_err(|error| unavailable(&error)),
        Err(_) => Err(Error::unavailable(format!("it did not answer within {patience:?}"))),
    }
}

async fn stored(session: &Session) -> Result<Stored, PgError> {
    let client = session.client();
    if !client.query_one(EXISTS, &[]).await?.try_get::<_, bool>(0)? {
        return Ok(Stored::default());
    }
    let Some(row) = client.query_opt(schema::READ, &[]).await? else {
        return Ok(Stored::default());
    };
    let number = |column| row.try_get::<_, i32>(column).map(i32::unsigned_abs);
    Ok(Stored { version: number(0)?, oldest_program: number(1)? })
}
