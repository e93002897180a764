//! A database that is not there.

use std::time::Duration;

use api::message::State;

use crate::client::{Answer, ask, get, post, until};
use crate::double::{Behaviour, Double};
use crate::service::{Directory, Service, config};

/// The seed's answers need no database.
async fn the_seed_answers(a: &Service) {
    assert_eq!(get(a.address, "/").await.body, "Hello, World!");
    let json = [("content-type", "application/json")];
    assert_eq!(ask(a.address, "POST", "/", &json, b"{}").await.body, "Hello, World!");
}

fn is_away(answer: &Answer) {
    assert!(answer.problem(503).contains("database"), "{answer:?}");
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
}

async fn every_route_says_503(a: &Service) {
    let id = "0199c0de-0000-7000-8000-000000000000";
    is_away(&post(a.address, &[], "{}").await);
    is_away(&get(a.address, "/messages").await);
    is_away(&get(a.address, &format!("/messages/{id}")).await);
    is_away(&ask(a.address, "POST", &format!("/messages/{id}/redeliver"), &[], b"").await);
}

/// Posts until the database is back.
async fn back(a: &Service) {
    let back = async { while post(a.address, &[], "{}").await.status != 201 {} };
    tokio::time::timeout(Duration::from_secs(20), back).await.expect("back in time");
}

#[tokio::test]
async fn none_is_ready_and_says_what_to_set() {
    let b = Double::start();
    let a = Service::begin(config(b.uri(), database::Url::None));
    assert_eq!(a.context.health.readiness(), runtime::Readiness::Ready);
    the_seed_answers(&a).await;
    every_route_says_503(&a).await;
    assert!(post(a.address, &[], "{}").await.body.contains("DATABASE_URL"));
    a.stop().await;
}

#[tokio::test]
async fn away_at_the_start_is_alive_and_not_ready_and_comes_by_itself() {
    let (b, directory) = (Double::start(), Directory::new());
    let missing = directory.0.join("volume");
    let a = Service::begin(config(b.uri(), database::Url::Sqlite(missing.join("a.sqlite3"))));
    the_seed_answers(&a).await;
    every_route_says_503(&a).await;
    assert!(matches!(a.context.health.readiness(), runtime::Readiness::WaitingFor(_)));

    std::fs::create_dir(&missing).unwrap();
    a.ready().await;
    assert_eq!(post(a.address, &[], "{}").await.status, 201);
    a.stop().await;
}

#[tokio::test]
async fn lost_later_is_still_ready_and_nothing_acknowledged_is_lost() {
    let Some(server) = test_postgres::private(test_postgres::Options::default()) else { return };
    let b = Double::start();
    let url = {
        let database = server.database();
        let url = database.url();
        // It ends with the server.
        std::mem::forget(database);
        <database::Url as runtime::env::Value>::parse(&url).unwrap()
    };
    let mut config = config(b.uri(), url);
    config.upstream_timeout = Duration::from_secs(10);
    let a = Service::start(config).await;
    assert_eq!(post(a.address, &[], "{}").await.status, 201);

    // One is on its way to B when the database goes: what becomes of it can't be recorded.
    b.script([Behaviour::Slow(Duration::from_millis(800))]);
    let under_way = post(a.address, &[("prefer", "respond-async")], "{}").await;
    assert_eq!(under_way.status, 202);
    b.until(2).await;

    server.kill(test_postgres::Kill::Everything).unwrap();
    let lost = async { while post(a.address, &[], "{}").await.status != 503 {} };
    tokio::time::timeout(Duration::from_secs(10), lost).await.expect("lost in time");
    every_route_says_503(&a).await;
    the_seed_answers(&a).await;
    assert_eq!(a.context.health.readiness(), runtime::Readiness::Ready);
    assert!(a.metrics().await.contains("database_up 0\n"));

    server.restart().unwrap();
    back(&a).await;
    assert!(a.metrics().await.contains("database_up 1\n"));
    let id = under_way.message().id;
    until(a.address, &id, |message| message.state == State::Delivered).await;
    assert_eq!(b.events().iter().filter(|event| event.id() == id).count(), 1, "it was recorded later, not sent again");
    a.stop().await;
}
