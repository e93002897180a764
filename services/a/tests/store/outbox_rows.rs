//! Leases and claims.

use std::collections::HashSet;
use std::time::Duration;

use outbox::{Claim, Settled, Settlement, Storage as _};
use service_a::store::{Accepted, Backend, New};
use uuid::Uuid;

use crate::fixture::{Fixture, LONG, again, new};

crate::on_both!(
    rows_of_nobody_are_claimed_once_with_all_that_a_delivery_needs,
    a_lease_is_its_owners_until_it_runs_out,
    a_failure_after_the_lease_was_lost_changes_nothing,
    retries_are_claimed_when_due_or_ahead_of_it,
    a_claim_brings_so_many_bytes_those_that_wait_longest_first_and_one_row_at_least,
    leases_that_were_given_back_are_anybodys,
    two_replicas_never_claim_the_same_row,
    two_replicas_may_record_the_same_deliveries,
    writes_of_every_kind_share_a_batch,
);

async fn rows_of_nobody_are_claimed_once_with_all_that_a_delivery_needs<B: Backend>(fixture: Fixture<B>) {
    let traced = New {
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
        tracestate: Some("vendor=1".to_owned()),
        ..new("{}")
    };
    fixture.store.accept(traced.clone()).await.unwrap();
    let claimed = fixture.claim(Uuid::now_v7()).await;
    assert_eq!(claimed.len(), 1);
    let (row, expected) = (&claimed[0], traced.outgoing());
    assert_eq!((row.id, &row.body, row.attempts), (expected.id, &expected.body, 0));
    assert_eq!((row.created_at, row.enqueued_at), (expected.created_at, expected.enqueued_at));
    assert_eq!((&row.traceparent, &row.tracestate), (&expected.traceparent, &expected.tracestate));
    assert!(fixture.claim(Uuid::now_v7()).await.is_empty(), "it is leased");
}

async fn a_lease_is_its_owners_until_it_runs_out<B: Backend>(fixture: Fixture<B>) {
    let (owner, other) = (Uuid::now_v7(), Uuid::now_v7());
    let long = fixture.accept(Some((owner, LONG))).await;
    let short = fixture.accept(Some((owner, Duration::ZERO))).await;
    // Not before its time either.
    let claimed: Vec<_> = fixture.claim_ahead(other, LONG * 2).await.iter().map(|row| row.id).collect();
    assert_eq!(claimed, [short.id]);
    // What was learnt while the lease was lost still counts.
    fixture.settle(short.id, owner, Settled::Delivered).await;
    fixture.settle(long.id, owner, Settled::Delivered).await;
    assert_eq!(fixture.store.0.depth(10).await.unwrap().rows, 0);
}

async fn a_failure_after_the_lease_was_lost_changes_nothing<B: Backend>(fixture: Fixture<B>) {
    let (owner, other) = (Uuid::now_v7(), Uuid::now_v7());
    let message = fixture.accept(Some((owner, Duration::ZERO))).await;
    assert_eq!(fixture.claim(other).await.len(), 1);
    fixture.settle(message.id, owner, again(Duration::ZERO)).await;
    let kept = fixture.get(message.id).await;
    assert_eq!((kept.attempts, kept.next_attempt_at, kept.last_error), (0, None, None));
    assert!(fixture.claim(owner).await.is_empty(), "it is still the other's");
}

async fn retries_are_claimed_when_due_or_ahead_of_it<B: Backend>(fixture: Fixture<B>) {
    let owner = Uuid::now_v7();
    for after in [Duration::ZERO, LONG / 2, LONG * 2] {
        let message = fixture.accept(Some((owner, LONG))).await;
        fixture.settle(message.id, owner, again(after)).await;
    }
    assert_eq!(fixture.claim(owner).await.len(), 1);
    let ahead = fixture.claim_ahead(owner, LONG).await;
    assert_eq!(ahead.len(), 1);
    assert_eq!(ahead[0].attempts, 1);
    assert_eq!(fixture.claim_ahead(owner, LONG * 3).await.len(), 1);
}

async fn a_claim_brings_so_many_bytes_those_that_wait_longest_first_and_one_row_at_least<B: Backend>(
    fixture: Fixture<B>,
) {
    let owner = Uuid::now_v7();
    let mut ids = Vec::new();
    for (place, length) in [300, 300, 400, 5_000, 100].into_iter().enumerate() {
        let message = new(&format!("{{\"a\":\"{}\"}}", "ä".repeat((length - 8) / 2)));
        fixture.store.accept(message.clone()).await.unwrap();
        // Those before it have waited for ages.
        fixture.raw(&format!("UPDATE outbox SET available_at = {place} WHERE available_at > 100")).await;
        ids.push(message.id);
    }
    let mut claimed = Vec::new();
    for (bytes, rows, cut) in [(999, 2, true), (1_000, 1, true), (1_000, 1, true), (1_000, 1, false), (1_000, 0, false)]
    {
        let claim = Claim { owner, limit: 100, bytes, lease: LONG, ahead: Duration::ZERO };
        let brought = fixture.store.claim(claim).await.unwrap();
        assert_eq!((brought.rows.len(), brought.cut), (rows, cut), "{bytes} bytes after {}", claimed.len());
        claimed.extend(brought.rows.iter().map(|row| row.id));
    }
    assert_eq!(claimed, ids);
}

async fn leases_that_were_given_back_are_anybodys<B: Backend>(fixture: Fixture<B>) {
    let (owner, other) = (Uuid::now_v7(), Uuid::now_v7());
    let ours = fixture.accept(Some((owner, LONG))).await;
    let theirs = fixture.accept(Some((other, LONG))).await;
    fixture.store.give_back(owner, vec![ours.id, theirs.id, Uuid::now_v7()]).await.unwrap();
    let claimed: Vec<_> = fixture.claim(Uuid::now_v7()).await.iter().map(|row| row.id).collect();
    assert_eq!(claimed, [ours.id]);
}

async fn two_replicas_never_claim_the_same_row<B: Backend>(fixture: Fixture<B>) {
    let messages: Vec<_> = (0..200).map(|_| new("{}")).collect();
    let writes = messages.iter().map(|message| fixture.store.accept(message.clone()));
    assert!(join(writes).await.into_iter().all(|accepted| accepted == Ok(Accepted::New)));
    let claim = |replica: u8| {
        let store = if replica.is_multiple_of(2) { fixture.store.clone() } else { fixture.other.clone() };
        async move {
            store
                .claim(Claim { owner: Uuid::now_v7(), limit: 10, bytes: usize::MAX, lease: LONG, ahead: LONG })
                .await
                .unwrap()
                .rows
        }
    };
    let claimed: Vec<Uuid> = join((0..20).map(claim)).await.into_iter().flatten().map(|row| row.id).collect();
    let distinct: HashSet<_> = claimed.iter().collect();
    assert_eq!(distinct.len(), claimed.len());
    let rest = fixture
        .store
        .claim(Claim { owner: Uuid::now_v7(), limit: 200, bytes: usize::MAX, lease: LONG, ahead: LONG })
        .await
        .unwrap();
    assert_eq!(claimed.len() + rest.rows.len(), 200);
}

async fn two_replicas_may_record_the_same_deliveries<B: Backend>(fixture: Fixture<B>) {
    let owner = Uuid::now_v7();
    for _ in 0..5 {
        let messages: Vec<_> = (0..60).map(|_| new("{}")).collect();
        join(messages.iter().map(|message| fixture.store.accept(message.clone()))).await;
        let delivered = |id| Settlement { id, owner, at: 1, settled: Settled::Delivered };
        let ours = messages.iter().map(|message| fixture.store.settle(delivered(message.id)));
        // In the opposite order: two that wait for each other would both be given up.
        let theirs = messages.iter().rev().map(|message| fixture.other.settle(delivered(message.id)));
        let (ours, theirs) = tokio::join!(join(ours), join(theirs));
        assert!(ours.into_iter().chain(theirs).all(|recorded| recorded == Ok(())));
        for message in messages {
            assert_eq!(fixture.get(message.id).await.attempts, 1);
        }
    }
}

async fn writes_of_every_kind_share_a_batch<B: Backend>(fixture: Fixture<B>) {
    let owner = Uuid::now_v7();
    let mut leased = Vec::new();
    for _ in 0..4 {
        leased.push(fixture.accept(Some((owner, LONG))).await.id);
    }
    let fresh = new(r#"{"fresh":1}"#);
    let (accepted, (), (), (), claimed, ()) = tokio::join!(
        fixture.store.accept(fresh.clone()),
        fixture.settle(leased[0], owner, Settled::Delivered),
        fixture.settle(leased[1], owner, again(LONG)),
        fixture.settle(leased[2], owner, crate::fixture::dead()),
        fixture.claim(Uuid::now_v7()),
        async { fixture.store.give_back(owner, vec![leased[3]]).await.unwrap() },
    );
    assert_eq!(accepted, Ok(Accepted::New));
    let rest = fixture.claim(Uuid::now_v7()).await;
    let ids: HashSet<_> = claimed.iter().chain(&rest).map(|row| row.id).collect();
    assert_eq!(ids, HashSet::from([fresh.id, leased[3]]));
}

/// All of them at once, in order.
pub(crate) async fn join<T>(futures: impl IntoIterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut futures: Vec<_> = futures.into_iter().map(|future| (Some(Box::pin(future)), None)).collect();
    std::future::poll_fn(|context| {
        for (future, output) in &mut futures {
            if let Some(pending) = future
                && let std::task::Poll::Ready(ready) = pending.as_mut().poll(context)
            {
                *output = Some(ready);
                *future = None;
            }
        }
        if futures.iter().all(|(future, _)| future.is_none()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    futures.into_iter().filter_map(|(_, output)| output).collect()
}
