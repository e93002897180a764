//! What is old goes, and nothing else.

use std::time::Duration;

use api::message::Outcome;
use service_b::store::{Sweep, Swept};

use crate::support::Database;
use crate::{HOUR, arrival, on_both, opened, purged};

on_both!(
    what_is_old_is_forgotten_a_little_at_a_time_and_what_is_young_is_kept,
    a_sweep_goes_on_behind_the_last_until_all_is_young,
    what_lies_in_the_future_is_passed_over,
    a_number_is_never_given_again,
);

async fn what_is_old_is_forgotten_a_little_at_a_time_and_what_is_young_is_kept(database: &Database) {
    let store = opened(&database.url).await;
    assert_eq!(purged(&store, Duration::ZERO, 100).await, 0, "of nothing");
    for id in 0..5 {
        store.record(arrival("/a", &id.to_string())).await.unwrap();
    }
    assert_eq!(purged(&store, HOUR, 100).await, 0, "all are young");
    assert_eq!(store.record(arrival("/a", "0")).await.unwrap(), Outcome::Ignored);

    for (forgotten, left) in [(2, 3), (2, 1), (1, 0), (0, 0)] {
        assert_eq!(purged(&store, Duration::ZERO, 2).await, forgotten);
        assert_eq!(store.count().await.unwrap(), left);
    }
    assert_eq!(store.record(arrival("/a", "0")).await.unwrap(), Outcome::Applied, "it is not remembered any more");
}

async fn a_sweep_goes_on_behind_the_last_until_all_is_young(database: &Database) {
    let store = opened(&database.url).await;
    for id in 0..7 {
        store.record(arrival("/a", &id.to_string())).await.unwrap();
    }
    database.other().await.run("UPDATE messages SET received_at = 1 WHERE id IN ('0', '2', '3')").await;
    let sweep = |after| store.purge(Sweep { after, keep: HOUR, span: 2 });

    let first = sweep(i64::MIN).await.unwrap();
    let second = sweep(first.next.unwrap()).await.unwrap();
    let third = sweep(second.next.unwrap()).await.unwrap();

    assert_eq!((first.forgotten, second.forgotten), (1, 2));
    assert_eq!(third, Swept { forgotten: 0, next: None });
    assert_eq!(store.count().await.unwrap(), 4);
}

async fn what_lies_in_the_future_is_passed_over(database: &Database) {
    let store = opened(&database.url).await;
    for id in 0..10 {
        store.record(arrival("/a", &id.to_string())).await.unwrap();
    }
    // A clock was a year ahead for the first five.
    let year = outbox::time::now() + 365 * 24 * 3_600_000;
    let other = database.other().await;
    other.run(&format!("UPDATE messages SET received_at = {year} WHERE id < '5'")).await;

    let (mut from, mut forgotten) = (Some(i64::MIN), 0);
    while let Some(after) = from {
        let swept = store.purge(Sweep { after, keep: Duration::ZERO, span: 2 }).await.unwrap();
        forgotten += swept.forgotten;
        from = swept.next;
    }

    assert_eq!((forgotten, store.count().await.unwrap()), (5, 5));
    assert_eq!(store.record(arrival("/a", "4")).await.unwrap(), Outcome::Ignored, "it is remembered until its time");
    assert_eq!(store.record(arrival("/a", "5")).await.unwrap(), Outcome::Applied);
}

/// A cursor is a number; what comes after it was made must not be found behind it.
async fn a_number_is_never_given_again(database: &Database) {
    let store = opened(&database.url).await;
    let mut highest = 0;
    // All are gone; then the newest are, and older ones stay.
    for (round, ids) in [3, 1, 4, 2].into_iter().enumerate() {
        for id in 0..ids {
            store.record(arrival("/a", &format!("{round}-{id}"))).await.unwrap();
        }
        let rows = store.page(None, 10).await.unwrap().rows;
        let (newest, oldest) = (rows[0].seq, rows[ids - 1].seq);
        assert!(oldest > highest, "round {round}: {oldest} is not above {highest}");
        highest = newest;
        if round == 2 {
            let other = database.other().await;
            other.run(&format!("DELETE FROM messages WHERE seq > {}", rows[ids - 1].seq)).await;
        } else {
            purged(&store, Duration::ZERO, 10).await;
        }
    }
}
