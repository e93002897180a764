//! What holds for both databases.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use database::Error;
use database::postgres::Postgres;
use database::sqlite::Sqlite;
use database::{Migrations, PostgresUrl, Step};
use runtime::{Health, Readiness};

use crate::collector::no_telemetry;
use crate::store::{Db, Dir, SCHEMA, Store, Write, context, postgres, row, sqlite, until};

/// A fresh database, opened with one schema or another.
enum Fresh {
    Sqlite(Dir),
    Postgres(test_postgres::Database),
}

impl Fresh {
    fn open(&self) -> Db {
        match self {
            Self::Sqlite(dir) => sqlite(&dir.file()),
            Self::Postgres(database) => postgres(&database.url()),
        }
    }

    fn open_with(&self, migrations: Migrations, health: &Health) -> Db {
        let context = database::Context { health: health.clone(), ..context(&no_telemetry()) };
        match self {
            Self::Sqlite(dir) => Db::Sqlite(Sqlite::open(dir.file(), migrations, Store, context)),
            Self::Postgres(database) => {
                let url = PostgresUrl::parse(&database.url()).unwrap();
                Db::Postgres(Postgres::open(url, migrations, Store, context))
            }
        }
    }
}

macro_rules! on_both {
    ($($name:ident)*) => {
        mod on_sqlite {
            $(#[tokio::test] async fn $name() { super::$name(super::Fresh::Sqlite(super::Dir::new())).await; })*
        }
        mod on_postgres {
            $(#[tokio::test] async fn $name() {
                let Some(server) = test_postgres::shared() else { return };
                super::$name(super::Fresh::Postgres(server.database())).await;
            })*
        }
    };
}

on_both! {
    what_is_written_is_read_again
    writes_at_one_time_are_one_batch
    one_bad_row_harms_no_other
    a_write_whose_caller_goes_away_is_committed_all_the_same
    what_is_queued_at_the_end_is_committed
    many_openers_at_once_migrate_once_and_lose_nothing
    a_service_is_ready_once_its_schema_is_there
    an_older_program_works_beside_a_newer_schema_until_that_excludes_it
    a_migration_that_fails_leaves_nothing_behind
    a_broken_statement_is_no_rows_fault
    a_store_that_miscounts_commits_nothing_and_is_told_so
}

async fn what_is_written_is_read_again(fresh: Fresh) {
    let db = fresh.open().opened().await;
    for id in [3, 1, 2] {
        assert_eq!(db.write(row(id)).await, Ok(1), "alone in its batch");
    }
    assert_eq!(db.ids().await, Ok(vec![1, 2, 3]));
    db.close().await;
    assert!(matches!(db.write(row(4)).await, Err(Error::Unavailable { .. })));
    assert_eq!(fresh.open().opened().await.ids().await, Ok(vec![1, 2, 3]));
}

async fn writes_at_one_time_are_one_batch(fresh: Fresh) {
    let db = fresh.open().opened().await;
    let writes: Vec<_> = (0..64).map(|id| spawn(&db, row(id))).collect();
    let mut sizes = BTreeSet::new();
    for write in writes {
        sizes.insert(write.await.unwrap().unwrap());
    }
    assert_eq!(sizes, BTreeSet::from([64]), "they were ready at the same time");
    assert_eq!(db.ids().await.unwrap().len(), 64);
}

async fn one_bad_row_harms_no_other(fresh: Fresh) {
    let db = fresh.open().opened().await;
    db.write(row(7)).await.unwrap();
    let bad = Write::Row { id: 100, body: String::new() };
    let writes: Vec<_> =
        (0..20).map(row).chain([bad]).chain((20..40).map(row)).map(|write| spawn(&db, write)).collect();

    let mut refused = Vec::new();
    for (index, write) in writes.into_iter().enumerate() {
        match write.await.unwrap() {
            Ok(_) => {}
            Err(Error::Refused { detail }) => refused.push((index, detail)),
            Err(other) => panic!("{index}: {other}"),
        }
    }

    let indexes: Vec<_> = refused.iter().map(|(index, _)| *index).collect();
    assert_eq!(indexes, [7, 20], "the id that was there, and the empty body: {refused:?}");
    assert!(refused.iter().all(|(_, detail)| !detail.contains("body 7")), "{refused:?}");
    assert_eq!(db.ids().await, Ok((0..40).collect()));
    let alone = db.write(row(7)).await;
    assert!(matches!(alone, Err(Error::Refused { .. })), "{alone:?}");
}

async fn a_write_whose_caller_goes_away_is_committed_all_the_same(fresh: Fresh) {
    let db = fresh.open().opened().await;
    let given_up = tokio::select! {
        biased;
        outcome = db.write(row(1)) => Some(outcome),
        // The write has been handed over by then, and nothing else has run.
        () = std::future::ready(()) => None,
    };
    assert_eq!(given_up, None);
    until("the row is there", async || db.ids().await == Ok(vec![1])).await;
}

async fn what_is_queued_at_the_end_is_committed(fresh: Fresh) {
    let db = fresh.open().opened().await;
    let writes: Vec<_> = (0..600).map(|id| spawn(&db, row(id))).collect();
    // Until each of them has handed its row over.
    for _ in 0..600 {
        tokio::task::yield_now().await;
    }
    db.close().await;
    for write in writes {
        write.await.unwrap().unwrap();
    }
    assert_eq!(fresh.open().opened().await.ids().await.unwrap().len(), 600);
}

async fn many_openers_at_once_migrate_once_and_lose_nothing(fresh: Fresh) {
    let all: Vec<_> = (0..8).map(|_| fresh.open()).collect();
    let mut writes = Vec::new();
    for (opener, db) in (0..).zip(all) {
        let db = db.opened().await;
        writes.extend((0..100).map(|id| spawn(&db, row(opener * 100 + id))));
    }
    for write in writes {
        write.await.unwrap().unwrap();
    }
    assert_eq!(fresh.open().opened().await.ids().await, Ok((0..800).collect()));
}

async fn a_service_is_ready_once_its_schema_is_there(fresh: Fresh) {
    let health = Health::new();
    let db = fresh.open_with(SCHEMA, &health);
    assert_eq!(health.readiness(), Readiness::WaitingFor(vec!["the database's migrations"]));
    let early = db.write(row(1)).await;
    assert!(matches!(early, Err(Error::Unavailable { .. })), "{early:?}");
    until("the service is ready", async || health.readiness() == Readiness::Ready).await;
    let opened = Instant::now();
    assert_eq!(db.ids().await, Ok(vec![]), "who is told that it is ready may read");
    assert_eq!(db.write(row(1)).await, Ok(1), "and write");
    assert!(opened.elapsed() < Duration::from_secs(5), "{:?}", opened.elapsed());
}

async fn an_older_program_works_beside_a_newer_schema_until_that_excludes_it(fresh: Fresh) {
    const EXPANDED: Migrations = Migrations {
        steps: &[
            SCHEMA.steps[0],
            SCHEMA.steps[1],
            Step { version: 3, oldest_program: 2, sql: "ALTER TABLE more ADD x INTEGER" },
        ],
    };
    const CONTRACTED: Migrations = Migrations {
        steps: &[
            EXPANDED.steps[0],
            EXPANDED.steps[1],
            EXPANDED.steps[2],
            Step { version: 4, oldest_program: 3, sql: "DROP TABLE more" },
        ],
    };
    let newer = fresh.open_with(EXPANDED, &Health::new()).opened().await;
    let older = fresh.open().opened().await;
    older.write(row(1)).await.unwrap();
    newer.write(row(2)).await.unwrap();
    newer.close().await;
    older.close().await;

    fresh.open_with(CONTRACTED, &Health::new()).opened().await.close().await;
    let health = Health::new();
    let excluded = fresh.open_with(SCHEMA, &health);
    let too_new = Error::TooNew { version: 4, oldest_program: 3, program: 2 };
    until("it says why", async || excluded.write(row(3)).await == Err(too_new.clone())).await;
    assert_ne!(health.readiness(), Readiness::Ready);
    assert_eq!(fresh.open_with(EXPANDED, &Health::new()).opened().await.ids().await, Ok(vec![1, 2]));
}

async fn a_migration_that_fails_leaves_nothing_behind(fresh: Fresh) {
    const BROKEN: Migrations = Migrations {
        steps: &[
            SCHEMA.steps[0],
            Step { version: 2, oldest_program: 1, sql: "CREATE TABLE half (id BIGINT); NONSENSE" },
        ],
    };
    let health = Health::new();
    let broken = fresh.open_with(BROKEN, &health);
    until("it says why", async || {
        matches!(broken.write(row(1)).await, Err(Error::Unavailable { detail }) if detail.contains("NONSENSE"))
    })
    .await;
    assert_ne!(health.readiness(), Readiness::Ready);
    drop(broken);
    let db = fresh.open().opened().await;
    db.write(Write::Sql("CREATE TABLE half (id BIGINT)")).await.expect("there is none");
}

async fn a_broken_statement_is_no_rows_fault(fresh: Fresh) {
    let db = fresh.open().opened().await;
    let outcome = db.write(Write::Sql("INSERT INTO nowhere VALUES (1)")).await;
    assert!(matches!(&outcome, Err(Error::Unavailable { detail }) if detail.contains("nowhere")), "{outcome:?}");
    let patience = Duration::from_secs(5);
    let after = async { until("it goes on", async || db.write(row(1)).await.is_ok()).await };
    tokio::time::timeout(patience, after).await.expect("it goes on at once, or soon");
}

async fn a_store_that_miscounts_commits_nothing_and_is_told_so(fresh: Fresh) {
    let db = fresh.open().opened().await;
    let defect = |given, writes| {
        Err(Error::Defect { detail: format!("its statements gave {given} outcomes for {writes} writes") })
    };
    let writes: Vec<_> = [row(1), Write::Forgotten { id: 2 }, row(3)].map(|write| spawn(&db, write)).into();
    for write in writes {
        assert_eq!(write.await.unwrap(), defect(2, 3), "whose the two outcomes are, nobody knows");
    }
    db.write(row(7)).await.expect("it goes on");
    // A bad row has the batch applied singly.
    let writes: Vec<_> = [row(4), row(7), Write::Forgotten { id: 5 }].map(|write| spawn(&db, write)).into();
    for write in writes {
        assert_eq!(write.await.unwrap(), defect(0, 1));
    }
    assert_eq!(db.ids().await, Ok(vec![7]));
    assert_eq!(db.write(row(8)).await, Ok(1), "at once");
}

fn spawn(db: &Db, write: Write) -> tokio::task::JoinHandle<Result<usize, Error>> {
    let db = db.clone();
    tokio::spawn(async move { db.write(write).await })
}
