//! What is not new while new messages stream in.

use std::sync::Arc;
use std::time::Duration;

use api::message::State;
use service_a::store::{Backend, PostgresStore, SqliteStore, Store};
use tokio::task::JoinSet;

use crate::client::{post, until};
use crate::dead::left_behind;
use crate::double::{Behaviour, Double};
use crate::service::{Directory, Service, config};

/// More than are delivered at one time, so that there is never a pause between them.
const WAITING: usize = 60;
const CONCURRENCY: usize = 2;

#[tokio::test]
async fn leases_that_ran_out_and_retries_are_not_crowded_out_on_sqlite() {
    let directory = Directory::new();
    let path = directory.0.join("a.sqlite3");
    both(directory.url(), |context| SqliteStore::open(path, context)).await;
}

#[tokio::test]
async fn leases_that_ran_out_and_retries_are_not_crowded_out_on_postgres() {
    let Some(server) = test_postgres::shared() else { return };
    let database = server.database();
    let url = <database::Url as runtime::env::Value>::parse(&database.url()).unwrap();
    let database::Url::Postgres(postgres) = url.clone() else { panic!("{url:?}") };
    both(url, |context| PostgresStore::open(postgres, context)).await;
}

async fn both<B: Backend>(url: database::Url, open: impl FnOnce(runtime::Context) -> B) {
    let b = Arc::new(Double::start());
    b.behave(Behaviour::Slow(Duration::from_millis(10)));
    let mut config = config(b.uri(), url);
    config.messages.concurrency = CONCURRENCY;
    let a = Service::start(config).await;
    let store = Store(open(a.context.clone()));

    let mut stream = JoinSet::new();
    stream.spawn(stream_in(a.address, Arc::clone(&b)));
    b.until(WAITING).await;
    let mut left = Vec::new();
    while left.len() < 5 {
        left.push(left_behind(&store).await.0);
    }
    b.script([Behaviour::Status(500)]);
    let mut failed = None;
    let found = async {
        while failed.is_none() {
            failed = b.failed();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), found).await.expect("one is refused");
    left.extend(failed);
    for id in left {
        // While the stream goes on.
        until(a.address, &id, |message| message.state == State::Delivered).await;
    }
    assert!(stream.try_join_next().is_none(), "the stream goes on");
    stream.shutdown().await;
    store.0.close().await;
    a.stop().await;
}

/// Keeps so many messages waiting for their delivery.
async fn stream_in(a: std::net::SocketAddr, b: Arc<Double>) {
    let mut posted = 0;
    loop {
        while posted < b.count() + WAITING {
            assert_eq!(post(a, &[("prefer", "respond-async")], "{}").await.status, 202);
            posted += 1;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
