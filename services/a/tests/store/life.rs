//! A message from its commit to its end.

use api::message::State;
use outbox::Settled;
use service_a::store::{Backend, Redelivery};
use uuid::Uuid;

use crate::fixture::{Fixture, LONG, again, dead, new};

crate::on_both!(
    bodies_come_back_as_they_were_posted,
    a_delivered_message_leaves_the_outbox_and_keeps_its_state,
    a_failure_is_kept_with_the_message_until_it_is_delivered,
    a_message_that_is_given_up_is_dead,
    a_late_success_is_a_success,
    only_dead_messages_are_delivered_again_and_only_young_ones,
    what_there_is_not_is_not_found,
);

async fn bodies_come_back_as_they_were_posted<B: Backend>(fixture: Fixture<B>) {
    let nested = format!("{{\"a\":{}1{}}}", "[".repeat(20_000), "]".repeat(20_000));
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(64 * 1024 - 8));
    let bodies = [r#"{"a": "\u0000", "a":1e400 }"#, "{\"ä\":\"\u{10ffff}'\"}", "{}", &nested, &large];
    for body in bodies {
        let message = new(body);
        fixture.store.accept(message.clone()).await.unwrap();
        assert_eq!(fixture.get(message.id).await.body, body);
    }
    let claimed: Vec<_> = fixture.claim(Uuid::now_v7()).await.iter().map(|row| row.body.as_str().to_owned()).collect();
    assert!(bodies.iter().all(|body| claimed.iter().any(|other| other == body)));
}

async fn a_delivered_message_leaves_the_outbox_and_keeps_its_state<B: Backend>(fixture: Fixture<B>) {
    let owner = Uuid::now_v7();
    let message = fixture.accept(Some((owner, LONG))).await;
    let kept = fixture.get(message.id).await;
    assert_eq!((kept.state, kept.attempts, kept.delivered_at, kept.next_attempt_at), (State::Pending, 0, None, None));
    assert_eq!(kept.created_at, message.created_at);

    // The second time changes nothing.
    for _ in 0..2 {
        fixture.settle(message.id, owner, Settled::Delivered).await;
        let kept = fixture.get(message.id).await;
        assert_eq!((kept.state, kept.attempts), (State::Delivered, 1));
        assert_eq!((kept.delivered_at, kept.last_error), (Some(1_700_000_000_123), None));
    }
    assert_eq!(fixture.store.0.depth(10).await.unwrap().rows, 0);
}

async fn a_failure_is_kept_with_the_message_until_it_is_delivered<B: Backend>(fixture: Fixture<B>) {
    let owner = Uuid::now_v7();
    let message = fixture.accept(Some((owner, LONG))).await;
    // The second time the lease is nobody's, and nothing changes.
    for _ in 0..2 {
        fixture.settle(message.id, owner, again(LONG)).await;
        let kept = fixture.get(message.id).await;
        assert_eq!((kept.state, kept.attempts), (State::Pending, 1));
        assert_eq!(kept.last_error.as_deref(), Some("b answered 500"));
        let next = kept.next_attempt_at.unwrap() - outbox::time::now();
        assert!((50_000..=60_100).contains(&next), "{next} ms");
    }
    fixture.settle(message.id, owner, Settled::Delivered).await;
    let kept = fixture.get(message.id).await;
    assert_eq!((kept.state, kept.attempts, kept.last_error), (State::Delivered, 2, None));
}

async fn a_message_that_is_given_up_is_dead<B: Backend>(fixture: Fixture<B>) {
    let (owner, stranger) = (Uuid::now_v7(), Uuid::now_v7());
    let message = fixture.accept(Some((owner, LONG))).await;
    fixture.settle(message.id, stranger, dead()).await;
    assert_eq!(fixture.get(message.id).await.state, State::Pending, "only its owner gives it up");
    fixture.settle(message.id, owner, dead()).await;
    let kept = fixture.get(message.id).await;
    assert_eq!((kept.state, kept.attempts), (State::Dead, 1));
    assert_eq!(kept.last_error.as_deref(), Some("b answered 400"));
    assert!(fixture.claim_ahead(stranger, LONG).await.is_empty());
}

async fn a_late_success_is_a_success<B: Backend>(fixture: Fixture<B>) {
    let owner = Uuid::now_v7();
    // Of a message that was given up, and of one that is on its way again.
    for redelivered in [false, true] {
        let message = fixture.accept(Some((owner, LONG))).await;
        fixture.settle(message.id, owner, dead()).await;
        if redelivered {
            assert_eq!(fixture.store.redeliver(message.id, 0).await.unwrap(), Redelivery::Pending);
        }
        fixture.settle(message.id, owner, Settled::Delivered).await;
        let kept = fixture.get(message.id).await;
        assert_eq!((kept.state, kept.attempts, kept.last_error), (State::Delivered, 2, None));
        assert!(fixture.claim(owner).await.is_empty());
    }
}

async fn only_dead_messages_are_delivered_again_and_only_young_ones<B: Backend>(fixture: Fixture<B>) {
    let owner = Uuid::now_v7();
    let message = fixture.accept(Some((owner, LONG))).await;
    let redeliver = |not_before| fixture.store.redeliver(message.id, not_before);
    assert_eq!(redeliver(0).await.unwrap(), Redelivery::NotDead(State::Pending));
    fixture.settle(message.id, owner, dead()).await;
    assert_eq!(redeliver(message.created_at).await.unwrap(), Redelivery::TooOld);
    assert_eq!(redeliver(message.created_at - 1).await.unwrap(), Redelivery::Pending);
    let kept = fixture.get(message.id).await;
    assert_eq!((kept.state, kept.attempts), (State::Pending, 1));
    assert!(kept.next_attempt_at.is_some() && kept.last_error.is_some());

    let claimed = fixture.claim(owner).await;
    assert_eq!(claimed.len(), 1);
    assert_eq!((claimed[0].id, claimed[0].attempts), (message.id, 1));
    assert!(claimed[0].enqueued_at >= message.created_at);
    fixture.settle(message.id, owner, Settled::Delivered).await;
    assert_eq!(redeliver(0).await.unwrap(), Redelivery::NotDead(State::Delivered));
}

async fn what_there_is_not_is_not_found<B: Backend>(fixture: Fixture<B>) {
    let (id, owner) = (Uuid::now_v7(), Uuid::now_v7());
    assert_eq!(fixture.store.0.get(id).await.unwrap(), None);
    assert_eq!(fixture.store.redeliver(id, 0).await.unwrap(), Redelivery::Unknown);
    for settled in [Settled::Delivered, again(LONG), dead()] {
        fixture.settle(id, owner, settled).await;
    }
    assert_eq!(fixture.store.0.get(id).await.unwrap(), None);
}
