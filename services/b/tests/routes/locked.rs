//! Another program holds a lock that B needs.

use api::message::Stats;

use crate::client::B;
use crate::support::{self, Database, Other, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_of_another_program_is_503_until_it_is_given_up_on_sqlite() {
    locked(&support::sqlite(), "BEGIN IMMEDIATE").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_of_another_session_is_503_until_it_is_given_up_on_postgres() {
    if let Some(database) = support::postgres() {
        locked(&database, "BEGIN; LOCK TABLE inbox IN EXCLUSIVE MODE").await;
    }
}

async fn locked(database: &Database, lock: &str) {
    let b = B::ready(&database.url).await;
    assert_eq!(b.event("1").await.status(), 201);
    let other: Other = database.other().await;
    other.run(lock).await;

    let (new, known) = tokio::join!(b.event("2"), b.event("1"));
    new.is_to_be_tried_again();
    known.is_to_be_tried_again();
    // Nobody writes; reading goes on, and so does the service.
    assert_eq!(b.get("/messages/1").await.status(), 200);
    assert_eq!(b.probe("/readyz").await.status(), 200);

    other.run("ROLLBACK").await;
    let back = async || Some(b.event("2").await.status()).filter(|status| *status != 503);
    assert_eq!(eventually("back", back).await, 201, "nothing was written while it was locked");
    assert_eq!(b.event("1").await.status(), 200);
    assert_eq!(b.stats().await, Stats { messages: 2, applied: 2, ignored: 1 });
}
