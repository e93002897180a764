//! Reads that take long, and what they do to others: there is one connection for all of them.

use std::time::{Duration, Instant};

use database::Error;
use database::postgres::tokio_postgres::{self, NoTls};
use test_postgres::Relay;
use tokio::task::JoinHandle;

use crate::store::{Db, SELECT, postgres, until};

/// One that runs `sql` so many times.
fn spawn(db: &Db, sql: &'static str, times: usize) -> JoinHandle<Result<(), Error>> {
    let Db::Postgres(db) = db.clone() else { unreachable!() };
    tokio::spawn(async move {
        let read = async move |session: database::postgres::Session| {
            for _ in 0..times {
                session.query(sql, &[]).await?;
            }
            Ok(())
        };
        db.read(SELECT, read).await
    })
}

fn detail(outcome: Result<(), Error>) -> String {
    match outcome {
        Err(Error::Unavailable { detail }) => detail,
        other => panic!("{other:?}"),
    }
}

/// The connection for reads: the one that commits is made first.
const READS: usize = 1;

#[tokio::test]
async fn a_connection_for_reads_that_broke_is_made_anew_once() {
    let Some(server) = test_postgres::shared() else { return };
    let database = server.database();
    let relay = Relay::to(&database.url()).await;
    let db = postgres(relay.url()).opened().await;
    let (admin, connection) = tokio_postgres::connect(&database.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    let pending: Vec<_> = (0..8).map(|_| spawn(&db, "SELECT pg_sleep(30)", 1)).collect();
    let sleeping =
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'SELECT pg_sleep%'";
    until("they are under way", async || !admin.query(sleeping, &[]).await.unwrap().is_empty()).await;

    relay.cut(READS);
    for read in pending {
        detail(read.await.unwrap());
    }
    until("reads are possible again", async || db.ids().await.is_ok()).await;
    assert_eq!(relay.connections(), 3, "two at the start, and a new one");
    db.close().await;
}

#[tokio::test]
async fn a_read_that_takes_too_long_takes_no_other_with_it() {
    let Some(server) = test_postgres::shared() else { return };
    let database = server.database();
    let relay = Relay::to(&database.url()).await;
    let db = postgres(relay.url()).opened().await;
    let long = spawn(&db, "SELECT pg_sleep(0.2)", 500);
    while !long.is_finished() {
        assert_eq!(db.ids().await, Ok(vec![]));
    }
    let told = detail(long.await.unwrap());
    assert!(told.contains("did not answer within"), "{told}");
    for _ in 0..20 {
        assert_eq!(db.ids().await, Ok(vec![]));
    }
    assert_eq!(relay.connections(), 2);
    db.close().await;
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_ended_by_the_server_before_others_give_up() {
    let Some(server) = test_postgres::shared() else { return };
    let database = server.database();
    let relay = Relay::to(&database.url()).await;
    let db = postgres(relay.url()).opened().await;
    let started = Instant::now();
    let long = [1, 2].map(|_| spawn(&db, "SELECT pg_sleep(60)", 1));
    assert_eq!(db.ids().await, Ok(vec![]), "what is behind them waits, and is read");
    // On one of 10 s each it would be 20, and nobody waits for longer than 15.
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    for read in long {
        let told = detail(read.await.unwrap());
        assert!(told.contains("57014"), "{told}");
    }
    assert_eq!(relay.connections(), 2);
    db.close().await;
}

#[tokio::test]
async fn a_connection_for_reads_that_falls_silent_is_given_up_and_made_anew() {
    let Some(server) = test_postgres::shared() else { return };
    let database = server.database();
    let relay = Relay::to(&database.url()).await;
    let db = postgres(relay.url()).opened().await;
    relay.freeze(READS);
    let told = db.ids().await;
    assert!(matches!(&told, Err(Error::Unavailable { detail }) if detail.contains("did not answer")), "{told:?}");
    until("reads are possible again", async || db.ids().await.is_ok()).await;
    assert_eq!(relay.connections(), 3);
    db.close().await;
}
