//! The services' own statements in the barest loop that keeps the same promise: what it counts is committed and synced.

use std::path::Path;

use database::postgres::tokio_postgres::types::ToSql;
use database::sqlite::rusqlite::{self, Connection, Transaction, TransactionBehavior, params};
use futures::future::{join_all, try_join3};
use outbox::time::now;
use uuid::Uuid;

use super::connect::{postgres, sqlite};
use super::databases::{Databases, Kind};
use super::load;
use super::rate::{Progress, Rate, counted};

/// Of `SQLite`, which has one writer: messages that share a sync, as of 64 clients of a service.
pub(super) const SHARING: u64 = 50;
/// Of Postgres, which lets the commits of several connections share one.
const CONNECTIONS: usize = 32;

/// About 100 bytes, as in the requests.
const BODY: &str =
    r#"{"order":"8a6e0804-2bd0-4672-b79d-d97027f9071a","customer":4711,"items":[1,2,3],"note":"two lines"}"#;
const SOURCE: &str = "/service-a";
const KIND: &str = "dev.msctl.message.created.v1";

/// What the bare loop of `kind` is; `sharing` rows of `SQLite` share a transaction.
pub(crate) fn shape(kind: Kind, sharing: u64) -> String {
    match kind {
        Kind::Sqlite => format!("1 connection, {sharing} a transaction"),
        Kind::Postgres => format!("{CONNECTIONS} connections, 1 a transaction"),
    }
}

/// What A does for a message.
pub(crate) fn messages(databases: &Databases, kind: Kind) -> Rate {
    let database = databases.migrated(kind, api::a::NAME);
    counted(None, databases.pid(kind), |progress| match kind {
        Kind::Sqlite => in_sqlite(database.path(), progress, 1, insert_message),
        Kind::Postgres => in_postgres(database.url(), progress, service_a::store::postgres::INSERT, || {
            let nothing = vec![None::<&str>];
            vec![
                Box::new(vec![Uuid::now_v7()]),
                Box::new(vec![now()]),
                Box::new(nothing.clone()),
                Box::new(nothing),
                Box::new(vec![BODY]),
                Box::new(vec![None::<Uuid>]),
                Box::new(vec![0_i64]),
            ]
        }),
    })
}

/// What A does for a message on `SQLite`, many with one sync.
pub(crate) fn messages_sharing(databases: &Databases) -> Rate {
    let database = databases.migrated(Kind::Sqlite, api::a::NAME);
    counted(None, None, |progress| in_sqlite(database.path(), progress, SHARING, insert_message))
}

pub(super) fn insert_message(transaction: &Transaction<'_>) -> rusqlite::Result<usize> {
    use service_a::store::sqlite::{INSERT_MESSAGE, INSERT_OUTBOX};

    let (id, now) = (Uuid::now_v7(), now());
    let message = params![id.as_bytes(), now, None::<&str>, None::<&str>, BODY];
    transaction.prepare_cached(INSERT_MESSAGE)?.execute(message)?;
    let row = params![id.as_bytes(), now, None::<[u8; 16]>, 0, now, None::<&str>];
    transaction.prepare_cached(INSERT_OUTBOX)?.execute(row)
}

/// What B does for an event.
pub(crate) fn events(databases: &Databases, kind: Kind) -> Rate {
    use service_b::store::{POSTGRES_RECORD, SQLITE_APPLY, SQLITE_RECORD};

    let database = databases.migrated(kind, api::b::NAME);
    counted(None, databases.pid(kind), |progress| match kind {
        Kind::Sqlite => in_sqlite(database.path(), progress, SHARING, |transaction| {
            let id = Uuid::now_v7().to_string();
            let new = transaction.prepare_cached(SQLITE_RECORD)?.execute([SOURCE, &id])?;
            assert_eq!(new, 1, "an identifier that was there before");
            transaction.prepare_cached(SQLITE_APPLY)?.execute(params![SOURCE, id, KIND, BODY, now()])
        }),
        Kind::Postgres => in_postgres(database.url(), progress, POSTGRES_RECORD, || {
            let id = Uuid::now_v7().to_string();
            vec![Box::new(vec![SOURCE]), Box::new(vec![id]), Box::new(vec![KIND]), Box::new(vec![BODY])]
        }),
    })
}

/// One connection, one transaction of so many after the other.
fn in_sqlite(
    path: &Path,
    progress: &Progress,
    sharing: u64,
    apply: impl Fn(&Transaction<'_>) -> rusqlite::Result<usize>,
) {
    let mut connection: Connection = sqlite(path);
    while !progress.is_enough() {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).expect("BEGIN");
        for _ in 0..sharing {
            apply(&transaction).expect("a row that is new");
        }
        transaction.commit().expect("COMMIT");
        progress.add(sharing);
    }
}

/// Every connection for itself. BEGIN, statement and COMMIT go to the server together: one round trip, as in the
/// services.
fn in_postgres(url: &str, progress: &Progress, sql: &str, parameters: impl Fn() -> Vec<Box<dyn ToSql + Sync>>) {
    let connection = || async {
        let client = postgres(url).await;
        let statement = client.prepare(sql).await.expect("a statement");
        while !progress.is_enough() {
            let parameters = parameters();
            let parameters: Vec<_> = parameters.iter().map(AsRef::as_ref).collect();
            let all = try_join3(
                client.batch_execute("BEGIN"),
                client.query(&statement, &parameters),
                client.batch_execute("COMMIT"),
            );
            all.await.expect("a row that is new");
            progress.add(1);
        }
    };
    load::runtime().block_on(join_all((0..CONNECTIONS).map(|_| connection())));
}
