use std::time::Duration;

use crate::client::B;
use crate::support::{self, Database, eventually};

#[tokio::test]
async fn an_event_is_forgotten_after_the_retention_on_sqlite() {
    forgotten(&support::sqlite()).await;
}

#[tokio::test]
async fn an_event_is_forgotten_after_the_retention_on_postgres() {
    if let Some(database) = support::postgres() {
        forgotten(&database).await;
    }
}

async fn forgotten(database: &Database) {
    let b = B::start(&database.url, Duration::from_secs(5));
    support::ready(&b.health).await;
    b.readable().await;
    assert_eq!(b.event("1").await.status(), 201);
    assert_eq!(b.event("1").await.status(), 200);
    eventually("forgotten", async || (b.get("/messages/1").await.status() == 404).then_some(())).await;
    assert_eq!(b.stats().await.messages, 0);
    assert_eq!(b.event("1").await.status(), 201);
    assert!(b.probe("/metrics").await.body().contains("inbox_purged_total 1\n"));
}
