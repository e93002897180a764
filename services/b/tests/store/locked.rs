//! What Postgres makes wait: batches that are made up on purpose, behind rows that are not committed.

use std::sync::Arc;
use std::time::Duration;

use api::message::Outcome;
use database::postgres::tokio_postgres::{Client, NoTls, connect};
use service_b::store::Store;
use test_postgres::Database;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use crate::support::{self, PATIENCE, parsed};
use crate::{arrival, opened, purged};

/// A connection of the test's own.
async fn client(database: &Database) -> Client {
    let (client, connection) = connect(&database.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// A transaction that is recording `ids`: whoever records one of them waits for its end.
async fn recording(database: &Database, ids: &[&str]) -> Client {
    let client = client(database).await;
    client.batch_execute("BEGIN").await.unwrap();
    for id in ids {
        client.execute("INSERT INTO inbox (source, id) VALUES ('/a', $1)", &[id]).await.unwrap();
    }
    client
}

/// Until `count` transactions of the test's database wait for another.
async fn waiting(client: &Client, count: i64) {
    const WAITING: &str = "SELECT count(*) FROM pg_stat_activity \
         WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = 'transactionid'";
    let reached = async || (client.query_one(WAITING, &[]).await.unwrap().get::<_, i64>(0) >= count).then_some(());
    support::eventually("waiting", reached).await;
}

fn record(store: &Arc<dyn Store>, id: &str) -> JoinHandle<Outcome> {
    let (store, id) = (store.clone(), id.to_owned());
    tokio::spawn(async move { store.record(arrival("/a", &id)).await.unwrap() })
}

/// Queues `ids` behind a batch of `store` that waits: the next batch has all of them.
async fn queue(store: &Arc<dyn Store>, ids: impl Iterator<Item = String>) -> JoinSet<Outcome> {
    let mut tasks = JoinSet::new();
    for id in ids {
        let store = store.clone();
        tasks.spawn(async move { store.record(arrival("/a", &id)).await.unwrap() });
    }
    // Nothing tells that they are queued; were they not, the test would see less, and fail no less rightly.
    sleep(Duration::from_millis(50)).await;
    tasks
}

fn applied(outcomes: &[Outcome]) -> usize {
    outcomes.iter().filter(|outcome| **outcome == Outcome::Applied).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_event_several_times_in_one_batch_is_applied_once() {
    let Some(server) = test_postgres::shared() else { return };
    let database = server.database();
    let store = opened(&parsed(&database.url())).await;
    let held = recording(&database, &["first"]).await;
    let first = record(&store, "first");
    waiting(&held, 1).await;
    let rest = queue(&store, (0..60).map(|index| (index % 3).to_string())).await;
    held.batch_execute("ROLLBACK").await.unwrap();

    assert_eq!(first.await.unwrap(), Outcome::Applied);
    let outcomes = timeout(PATIENCE, rest.join_all()).await.unwrap();
    assert_eq!((applied(&outcomes), outcomes.len()), (3, 60));
    assert_eq!(store.count().await.unwrap(), 4);
}

/// Both batches have come to the event in the middle when they may go on. Were one of them upside down, each would hold
/// what the other needs next; the database would take a minute to find out, and the test has no such patience.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_of_two_replicas_never_wait_for_each_other() {
    const PATIENT: &str = "DO $$ BEGIN \
         EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = ''60s''', current_database()); END $$";
    let Some(server) = test_postgres::shared() else { return };
    let database = server.database();
    client(&database).await.batch_execute(PATIENT).await.unwrap();
    let (up, down) = (opened(&parsed(&database.url())).await, opened(&parsed(&database.url())).await);
    let firsts = recording(&database, &["up", "down"]).await;
    let middle = recording(&database, &["100"]).await;
    let first = [record(&up, "up"), record(&down, "down")];
    waiting(&firsts, 2).await;
    let upwards = queue(&up, (0..200).map(|id| format!("{id:03}"))).await;
    let downwards = queue(&down, (0..200).rev().map(|id| format!("{id:03}"))).await;
    firsts.batch_execute("ROLLBACK").await.unwrap();
    waiting(&middle, 2).await;
    middle.batch_execute("ROLLBACK").await.unwrap();

    let both = async { [upwards.join_all().await, downwards.join_all().await].concat() };
    let outcomes = timeout(Duration::from_secs(4), both).await.expect("no deadlock");
    assert_eq!((applied(&outcomes), outcomes.len()), (200, 400));
    for first in first {
        assert_eq!(first.await.unwrap(), Outcome::Applied);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purge_leaves_what_another_replica_is_purging_to_it() {
    let Some(server) = test_postgres::shared() else { return };
    let database = server.database();
    let store = opened(&parsed(&database.url())).await;
    for id in 0..5 {
        store.record(arrival("/a", &id.to_string())).await.unwrap();
    }
    let other = client(&database).await;
    other.batch_execute("BEGIN; SELECT FROM messages WHERE id = '0' FOR UPDATE").await.unwrap();

    let forgotten = timeout(Duration::from_secs(3), purged(&store, Duration::ZERO, 100)).await.expect("no wait");

    assert_eq!(forgotten, 4);
    other.batch_execute("COMMIT").await.unwrap();
    assert_eq!(purged(&store, Duration::ZERO, 100).await, 1);
}
