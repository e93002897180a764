use std::sync::Arc;

use api::message::Outcome;
use service_b::store::Store;
use tokio::task::JoinSet;

use crate::support::Database;
use crate::{arrival, on_both, opened, purged};

on_both!(
    one_event_fifty_times_at_once_is_applied_once,
    two_replicas_apply_each_event_once_whatever_the_order,
    purging_beside_writes_loses_nothing,
);

async fn one_event_fifty_times_at_once_is_applied_once(database: &Database) {
    let store = opened(&database.url).await;
    let outcomes = all_at_once(std::iter::repeat_n((store.clone(), "1".to_owned()), 50)).await;
    assert_eq!(applied(&outcomes), 1);
    assert_eq!(store.count().await.unwrap(), 1);
}

/// The orders are opposite and the batches large: without an order of the inserts, Postgres would find deadlocks.
async fn two_replicas_apply_each_event_once_whatever_the_order(database: &Database) {
    let (first, second) = (opened(&database.url).await, opened(&database.url).await);
    for round in 0..10 {
        let ids: Vec<_> = (0..200).map(|id| format!("{round}-{id}")).collect();
        let up = ids.iter().map(|id| (first.clone(), id.clone()));
        let down = ids.iter().rev().map(|id| (second.clone(), id.clone()));
        let outcomes = all_at_once(up.zip(down).flat_map(|(one, other)| [one, other])).await;
        assert_eq!((applied(&outcomes), outcomes.len()), (200, 400));
    }
    assert_eq!(first.count().await.unwrap(), 2_000);
}

async fn purging_beside_writes_loses_nothing(database: &Database) {
    let (first, second) = (opened(&database.url).await, opened(&database.url).await);
    let purges: Vec<_> = [first.clone(), second.clone()]
        .into_iter()
        .map(|store| {
            tokio::spawn(async move {
                let mut forgotten = 0;
                for _ in 0..40 {
                    forgotten += purged(&store, std::time::Duration::ZERO, 20).await;
                }
                forgotten
            })
        })
        .collect();
    let events = (0..400).map(|id| (if id % 2 == 0 { &first } else { &second }.clone(), id.to_string()));
    let outcomes = all_at_once(events).await;
    let mut forgotten = 0;
    for purge in purges {
        forgotten += purge.await.unwrap();
    }
    assert_eq!(applied(&outcomes), 400);
    assert_eq!(first.count().await.unwrap() + forgotten, 400);
}

async fn all_at_once(events: impl Iterator<Item = (Arc<dyn Store>, String)>) -> Vec<Outcome> {
    let mut tasks = JoinSet::new();
    for (store, id) in events {
        tasks.spawn(async move { store.record(arrival("/a", &id)).await.unwrap() });
    }
    tasks.join_all().await
}

fn applied(outcomes: &[Outcome]) -> usize {
    outcomes.iter().filter(|outcome| **outcome == Outcome::Applied).count()
}
