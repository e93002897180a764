//! Several processes on one database, and processes that come and go.

use std::time::{Duration, Instant};

use api::message::State;
use outbox::Mode;
use runtime::Context;
use service_a::store::{Backend, PostgresStore, SqliteStore, Store};

use crate::client::{post, until};
use crate::dead::{TRACE, left_behind};
use crate::double::{Behaviour, Double};
use crate::service::{Directory, Service, a_and_b_with, config};

#[tokio::test]
async fn a_lease_that_ran_out_is_taken_over() {
    let (a, b, directory) = a_and_b_with(|_| ()).await;
    let store = Store(SqliteStore::open(directory.0.join("a.sqlite3"), a.context.clone()));
    taken_over(&store, &b).await;
}

#[tokio::test]
async fn a_lease_that_ran_out_is_taken_over_on_postgres() {
    let Some(server) = test_postgres::shared() else { return };
    let (database, b) = (server.database(), Double::start());
    let url = <database::Url as runtime::env::Value>::parse(&database.url()).unwrap();
    let a = Service::start(config(b.uri(), url.clone())).await;
    let database::Url::Postgres(url) = url else { panic!("{url:?}") };
    let context: Context = a.context.clone();
    taken_over(&Store(PostgresStore::open(url, context)), &b).await;
    a.stop().await;
}

async fn taken_over<B: Backend>(store: &Store<B>, b: &Double) {
    let (id, began) = left_behind(store).await;
    let events = b.until(1).await;
    assert_eq!(events[0].id(), id);
    let traceparent = events[0].header("traceparent").unwrap();
    assert!(traceparent.starts_with(&format!("00-{TRACE}-")), "in the trace of its request: {traceparent}");
    assert!(began.elapsed() > Duration::from_millis(900), "not before the lease ran out: {:?}", began.elapsed());
}

#[tokio::test]
async fn who_waits_learns_that_another_process_delivered_its_message() {
    let (a, b, directory) = a_and_b_with(|config| config.messages.delivery = Mode::Paused).await;
    let other = Service::start(config(b.uri(), directory.url())).await;
    let began = Instant::now();
    let answer = post(a.address, &[], "{}").await;
    assert_eq!((answer.status, answer.message().state), (201, State::Delivered));
    assert!(began.elapsed() < Duration::from_secs(3), "not at the end of the wait: {:?}", began.elapsed());
    assert_eq!(answer.message().attempts, 1);
    other.stop().await;
}

#[tokio::test]
async fn a_process_that_stops_finishes_what_it_began_and_gives_the_rest_back() {
    let (a, b, directory) = a_and_b_with(|config| {
        config.messages.concurrency = 2;
        config.upstream_timeout = Duration::from_secs(10);
    })
    .await;
    // All are posted by then; and a process that stops waits for it.
    b.behave(Behaviour::Slow(Duration::from_secs(2)));
    let mut ids = Vec::new();
    for _ in 0..10 {
        ids.push(post(a.address, &[("prefer", "respond-async")], "{}").await.message().id);
    }
    b.until(2).await;
    a.stop().await;
    assert_eq!(b.events().len(), 2);

    b.behave(Behaviour::Take);
    let began = Instant::now();
    let next = Service::start(config(b.uri(), directory.url())).await;
    b.until(10).await;
    assert!(began.elapsed() < Duration::from_secs(12), "far before a lease of 30 s runs out: {:?}", began.elapsed());
    for id in ids {
        until(next.address, &id, |message| message.state == State::Delivered).await;
    }
    assert_eq!(b.events().len(), 10, "each once");
    next.stop().await;
}

#[tokio::test]
async fn two_processes_share_what_waits() {
    let (b, directory) = (Double::start(), Directory::new());
    let mut paused = config(b.uri(), directory.url());
    paused.messages.delivery = Mode::Paused;
    let taking = Service::start(paused).await;
    for _ in 0..300 {
        post(taking.address, &[("prefer", "respond-async")], "{}").await;
    }
    let first = Service::begin(config(b.uri(), directory.url()));
    let second = Service::begin(config(b.uri(), directory.url()));
    let events = b.until(300).await;
    let distinct: std::collections::HashSet<_> = events.iter().map(|event| event.id().to_owned()).collect();
    assert_eq!(distinct.len(), 300);
    first.stop().await;
    second.stop().await;
    assert_eq!(b.events().len(), 300, "each once");
}

#[tokio::test]
async fn what_b_may_have_forgotten_is_given_up_instead_of_delivered() {
    let (b, directory) = (Double::start(), Directory::new());
    let mut config = config(b.uri(), directory.url());
    config.messages.max_age = Duration::from_secs(3);
    config.messages.retention = Duration::from_secs(4);
    config.messages.delivery = Mode::Paused;
    let paused = Service::start(config.clone()).await;
    let id = post(paused.address, &[("prefer", "respond-async")], "{}").await.message().id;
    // There is nothing to wait for but the time.
    tokio::time::sleep(Duration::from_millis(3_900)).await;

    config.messages.delivery = Mode::Active;
    let active = Service::start(config).await;
    let expired = async {
        while !active.metrics().await.contains("outbox_deliveries_total{outcome=\"expired\"} 1\n") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), expired).await.expect("given up in time");
    assert!(b.events().is_empty(), "{id} was delivered");
    active.stop().await;
    paused.stop().await;
}

#[tokio::test]
async fn a_lease_that_runs_out_during_the_call_is_a_second_delivery_and_one_outcome() {
    let (b, directory) = (Double::start(), Directory::new());
    let mut slow = config(b.uri(), directory.url());
    slow.upstream_timeout = Duration::from_secs(10);
    // Hardly longer than a delivery may take, as no configuration allows.
    slow.messages.lease = Duration::from_secs(12);
    let (first, second) = (Service::start(slow.clone()).await, Service::start(slow).await);
    b.script([Behaviour::Slow(Duration::from_secs(5))]);
    let id = post(first.address, &[("prefer", "respond-async")], "{}").await.message().id;
    b.until(1).await;
    // Until it is the second that claims it; the first one knows that it is already on its way.
    let claimed = async {
        while b.events().len() < 2 {
            expire_leases(&directory);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), claimed).await.expect("claimed while the first call is under way");
    let message = until(second.address, &id, |message| message.state == State::Delivered).await;
    assert_eq!(message.attempts, 1, "the second delivery was the first to be recorded");
    // The first one's record, when it comes, changes nothing.
    first.stop().await;
    let after = until(second.address, &id, |_| true).await;
    assert_eq!((after.attempts, &after.delivered_at), (1, &message.delivered_at));
    assert!(b.events().iter().all(|event| event.id() == id));
    second.stop().await;
}

fn expire_leases(directory: &Directory) {
    let connection = database::sqlite::rusqlite::Connection::open(directory.0.join("a.sqlite3")).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    connection.execute("UPDATE outbox SET available_at = 0", []).unwrap();
}
