//! A database that hangs, or that somebody else holds.

use std::process::Command;
use std::time::{Duration, Instant};

use api::message::State;
use database::postgres::tokio_postgres::{self, Client, NoTls};
use database::sqlite::rusqlite;

use crate::client::{Answer, get, post, until};
use crate::double::{Behaviour, Double};
use crate::service::{Service, a_and_b, config};

/// Processes that are stopped, until this is dropped.
struct Stopped(Vec<String>);

impl Stopped {
    fn new(pids: impl IntoIterator<Item = u32>) -> Self {
        let stopped = Self(pids.into_iter().map(|pid| pid.to_string()).collect());
        stopped.signal("STOP");
        stopped
    }

    fn signal(&self, name: &str) {
        // A worker of the server's own may have ended meanwhile; the rest get their signal.
        let _ = Command::new("kill").args(["-s", name]).args(&self.0).output();
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        self.signal("CONT");
    }
}

/// A on a fresh database of `server`, with time for slow deliveries.
async fn a_on(server: &test_postgres::Server, b: &Double) -> (Service, test_postgres::Database) {
    let database = server.database();
    let url = <database::Url as runtime::env::Value>::parse(&database.url()).unwrap();
    let mut config = config(b.uri(), url);
    config.upstream_timeout = Duration::from_secs(15);
    config.messages.wait = Duration::from_secs(15);
    (Service::start(config).await, database)
}

async fn admin(database: &test_postgres::Database) -> Client {
    let (admin, connection) = tokio_postgres::connect(&database.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    admin
}

fn is_away(answer: &Answer) {
    assert!(answer.problem(503).contains("database"), "{answer:?}");
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
}

#[tokio::test]
async fn who_waits_is_answered_in_time_when_the_database_hangs_after_the_commit() {
    let Some(server) = test_postgres::private(test_postgres::Options::default()) else { return };
    let b = Double::start();
    let (a, _database) = a_on(&server, &b).await;
    b.script([Behaviour::Slow(Duration::from_secs(4))]);
    let (began, address) = (Instant::now(), a.address);
    let posted = tokio::spawn(async move { post(address, &[("prefer", "wait=1")], r#"{"n":1}"#).await });
    // It is on its way to B, so it is committed.
    b.until(1).await;
    let stopped = Stopped::new(server.processes());
    let answer = posted.await.unwrap();
    assert_eq!((answer.status, answer.message().state), (202, State::Pending), "{answer:?}");
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert_eq!(answer.header("preference-applied"), Some("wait=1"));
    assert_eq!(answer.message().body.get(), r#"{"n":1}"#);

    drop(stopped);
    until(a.address, &answer.message().id, |message| message.state == State::Delivered).await;
    a.stop().await;
}

#[tokio::test]
async fn who_joins_a_wait_is_answered_in_time_when_the_database_hangs_meanwhile() {
    let Some(server) = test_postgres::private(test_postgres::Options::default()) else { return };
    let b = Double::start();
    let (a, database) = a_on(&server, &b).await;
    b.behave(Behaviour::Slow(Duration::from_secs(8)));
    let key = ("idempotency-key", "k");
    let first = post(a.address, &[key, ("prefer", "respond-async")], "{}").await;
    assert_eq!(first.status, 202);
    let (began, address) = (Instant::now(), a.address);
    let joined = tokio::spawn(async move { post(address, &[key, ("prefer", "wait=2")], "{}").await });
    // Nothing tells from outside that it has read the message's state: half of its wait is long enough.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let stopped = Stopped::new(server.processes());
    let answer = joined.await.unwrap();
    assert_eq!((answer.status, answer.message().id), (202, first.message().id), "{answer:?}");
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    drop(stopped);

    // Now only reads hang: the state of the message is not known, and not made up.
    let reader = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() \
        AND query LIKE 'SELECT (SELECT count(*) FROM (SELECT 1 FROM outbox%'";
    let admin = admin(&database).await;
    // The outbox is sampled every 10 s at the least, and that seldom after a sample that took long.
    let pid = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            if let [row] = admin.query(reader, &[]).await.unwrap().as_slice() {
                return row.get::<_, i32>(0).unsigned_abs();
            }
        }
    });
    let stopped = Stopped::new([pid.await.expect("a connection that reads")]);
    let began = Instant::now();
    let answer = post(a.address, &[key, ("prefer", "wait=1")], "{}").await;
    is_away(&answer);
    assert!(answer.problem(503).contains("the message is stored"), "{answer:?}");
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    drop(stopped);
    b.behave(Behaviour::Take);
    until(a.address, &first.message().id, |message| message.state == State::Delivered).await;
    a.stop().await;
}

#[tokio::test]
async fn large_messages_that_wait_for_a_database_that_hangs_are_bounded_by_bytes() {
    const LARGE: usize = 60_000;
    /// What may wait, in bytes.
    const MOST: usize = 32 * 1024 * 1024;
    let Some(server) = test_postgres::private(test_postgres::Options::default()) else { return };
    let b = Double::start();
    let (a, _database) = a_on(&server, &b).await;
    let stopped = Stopped::new(server.processes());
    let (address, body) = (a.address, format!("{{\"a\":\"{}\"}}", "x".repeat(LARGE)));
    let mut posts = tokio::task::JoinSet::new();
    for _ in 0..MOST / LARGE * 3 / 2 {
        let body = body.clone();
        posts.spawn(async move { post(address, &[], &body).await });
    }
    // Others are told that they have waited for too long.
    let refused = loop {
        let answer = posts.join_next().await.expect("one that found no room").unwrap();
        if answer.problem(503).contains("too many requests are waiting") {
            break answer;
        }
    };
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    drop(stopped);
    posts.abort_all();
    used(&a).await;
    a.stop().await;
}

#[tokio::test]
async fn a_file_that_another_program_locks_is_503_and_used_once_it_is_free() {
    let (a, _b, directory) = a_and_b().await;
    let other = rusqlite::Connection::open(directory.0.join("a.sqlite3")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    locked(&a).await;
    other.execute_batch("ROLLBACK").unwrap();
    used(&a).await;
    none_of_the_refused_is_there(&a).await;
}

#[tokio::test]
async fn tables_that_another_session_locks_are_503_and_used_once_they_are_free() {
    let Some(server) = test_postgres::shared() else { return };
    let b = Double::start();
    let (a, database) = a_on(server, &b).await;
    let other = admin(&database).await;
    other.batch_execute("BEGIN; LOCK TABLE messages, outbox IN SHARE ROW EXCLUSIVE MODE").await.unwrap();
    locked(&a).await;
    other.batch_execute("ROLLBACK").await.unwrap();
    used(&a).await;
    none_of_the_refused_is_there(&a).await;
    a.stop().await;
}

async fn locked(a: &Service) {
    let began = Instant::now();
    is_away(&post(a.address, &[], "{}").await);
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
    assert_eq!(get(a.address, "/messages").await.body, r#"{"messages":[]}"#, "reads go on");
    assert_eq!(get(a.address, "/").await.status, 200);
}

/// Posts until that is possible again.
async fn used(a: &Service) {
    let used = async { while post(a.address, &[], r#"{"n":2}"#).await.status != 201 {} };
    tokio::time::timeout(Duration::from_secs(20), used).await.expect("used again in time");
}

async fn none_of_the_refused_is_there(a: &Service) {
    let listed: api::message::Messages = serde_json::from_str(&get(a.address, "/messages").await.body).unwrap();
    assert!(listed.messages.iter().all(|message| message.body.get() == r#"{"n":2}"#), "what was refused is not there");
}
