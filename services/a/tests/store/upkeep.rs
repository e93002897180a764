//! What is deleted or given up for its age.

use std::time::Duration;

use api::message::State;
use outbox::{Expiry, Settled, Storage as _, Sweep};
use service_a::store::{Backend, New};
use uuid::Uuid;

use crate::fixture::{Fixture, LONG, again, dead, new};

crate::on_both!(
    old_messages_are_deleted_a_few_at_a_time_and_pending_ones_never,
    what_waited_for_too_long_is_given_up_unless_somebody_has_it,
);

async fn old_messages_are_deleted_a_few_at_a_time_and_pending_ones_never<B: Backend>(fixture: Fixture<B>) {
    let owner = Uuid::now_v7();
    let (mut pending, mut ended) = (Vec::new(), Vec::new());
    for n in 0..20 {
        let id = fixture.accept(Some((owner, LONG))).await.id;
        match n % 4 {
            0 => pending.push(id),
            1 => {
                fixture.settle(id, owner, dead()).await;
                ended.push(id);
            }
            _ => {
                fixture.settle(id, owner, Settled::Delivered).await;
                ended.push(id);
            }
        }
    }
    let young = fixture.accept(Some((owner, LONG))).await.id;
    fixture.settle(young, owner, Settled::Delivered).await;

    let mut after = Some(Uuid::nil());
    let mut sweeps = 0;
    while let Some(next) = after {
        after = fixture.store.purge(Sweep { after: next, before: young, limit: 7 }).await.unwrap();
        sweeps += 1;
    }
    assert_eq!(sweeps, 3);
    for id in ended {
        assert_eq!(fixture.store.0.get(id).await.unwrap(), None);
    }
    for id in pending.into_iter().chain([young]) {
        fixture.get(id).await;
    }
}

async fn what_waited_for_too_long_is_given_up_unless_somebody_has_it<B: Backend>(fixture: Fixture<B>) {
    const HOUR: i64 = 3_600_000;
    let (owner, now) = (Uuid::now_v7(), outbox::time::now());
    let old = |lease: Option<Duration>| New {
        created_at: now - HOUR,
        lease: lease.map(|time| service_a::store::Lease { owner, time }),
        ..new("{}")
    };
    let untried = old(None);
    let (late, held, failed) = (old(Some(Duration::ZERO)), old(Some(LONG)), old(Some(LONG)));
    for message in [&untried, &late, &held, &failed] {
        fixture.store.accept(message.clone()).await.unwrap();
    }
    fixture.settle(failed.id, owner, again(LONG)).await;
    let young = fixture.accept(None).await;

    let expiry = Expiry { before: now - HOUR / 2, limit: 2, error: "away".to_owned() };
    let mut expired = Vec::new();
    for count in [2, 1, 0] {
        let ids = fixture.store.expire(expiry.clone()).await.unwrap();
        assert_eq!(ids.len(), count, "{ids:?}");
        expired.extend(ids);
    }
    expired.sort_unstable();
    assert_eq!(expired, [untried.id, late.id, failed.id], "identifiers sort by time");
    let failed_with = fixture.get(failed.id).await;
    assert_eq!((failed_with.state, failed_with.attempts), (State::Dead, 1));
    assert_ne!(failed_with.last_error.as_deref(), Some("away"), "its own says more");
    for id in [untried.id, late.id] {
        let kept = fixture.get(id).await;
        assert_eq!((kept.state, kept.attempts, kept.last_error.as_deref()), (State::Dead, 0, Some("away")));
    }
    for id in [held.id, young.id] {
        assert_eq!(fixture.get(id).await.state, State::Pending);
    }
    // It is gone from the outbox, and a delivery that was under way all the same is a fact.
    assert_eq!(fixture.store.0.depth(10).await.unwrap().rows, 2);
    fixture.settle(late.id, owner, Settled::Delivered).await;
    assert_eq!(fixture.get(late.id).await.state, State::Delivered);
}
