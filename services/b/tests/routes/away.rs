//! A database that is not there: at the start, later, and never.

use std::time::Duration;

use database::Url;
use test_postgres::{Kill, Options};

use crate::client::B;
use crate::support::{self, Folder, eventually, parsed};

const WEEK: Duration = Duration::from_hours(168);

async fn everything_but_the_seed_is_to_be_tried_again(b: &B) {
    let greeting = b.get("/").await;
    assert_eq!((greeting.status(), greeting.body()), (200, "Hello, ServiceB!"));
    assert_eq!(b.probe("/livez").await.status(), 200);
    b.event("1").await.is_to_be_tried_again();
    for path in ["/messages", "/messages/1", "/stats"] {
        b.get(path).await.is_to_be_tried_again();
    }
}

#[tokio::test]
async fn without_a_database_b_greets_and_says_what_to_set() {
    let b = B::ready(&Url::None).await;
    everything_but_the_seed_is_to_be_tried_again(&b).await;
    b.event("1").await.is_problem(503, "set DATABASE_URL", "/events");
    b.get("/stats").await.is_problem(503, "set DATABASE_URL", "/stats");
    assert_eq!(b.probe("/readyz").await.status(), 200);
    // What is malformed stays malformed.
    b.post(&[("content-type", "application/json")], "{}").await.is_problem(400, "specversion is missing", "/events");
}

#[tokio::test]
async fn a_file_that_can_not_be_opened_at_the_start_is_opened_once_it_can() {
    let folder = Folder::new();
    let missing = folder.path().join("later");
    let b = B::start(&Url::Sqlite(missing.join("b.sqlite3")), WEEK);
    everything_but_the_seed_is_to_be_tried_again(&b).await;
    assert_eq!(b.probe("/readyz").await.status(), 503);

    std::fs::create_dir(&missing).unwrap();

    support::ready(&b.health).await;
    assert_eq!(b.event("1").await.status(), 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_is_away_at_the_start_and_later_is_used_again_once_it_is_back() {
    let Some(server) = test_postgres::private(Options::default()) else { return };
    let url = parsed(server.url());
    server.stop().unwrap();
    let b = B::start(&url, WEEK);
    everything_but_the_seed_is_to_be_tried_again(&b).await;
    assert_eq!(b.probe("/readyz").await.status(), 503);

    server.restart().unwrap();
    support::ready(&b.health).await;
    assert_eq!(b.event("1").await.status(), 201);

    server.kill(Kill::Everything).unwrap();
    everything_but_the_seed_is_to_be_tried_again(&b).await;
    assert_eq!(b.probe("/readyz").await.status(), 200, "ready stays ready");

    server.restart().unwrap();
    let back = async || Some(b.event("1").await.status()).filter(|status| *status != 503);
    assert_eq!(eventually("back", back).await, 200, "what was acknowledged is remembered");
    assert_eq!(
        eventually("read again", async || Some(b.get("/stats").await).filter(|a| a.status() == 200)).await.status(),
        200
    );
}
