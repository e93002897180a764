//! Idempotency keys.

use outbox::Storage as _;
use service_a::store::{Accepted, Backend, New};
use uuid::Uuid;

use crate::fixture::{Fixture, key, new};
use crate::outbox_rows::join;

crate::on_both!(
    the_same_request_makes_one_message_and_another_one_none,
    one_batch_may_hold_the_same_key_many_times,
    two_replicas_with_the_same_keys_make_one_message_each,
    a_key_that_is_too_old_is_free_again,
);

fn keyed(text: &str, body: u8) -> New {
    New { key: Some(key(text, body)), ..new("{}") }
}

async fn the_same_request_makes_one_message_and_another_one_none<B: Backend>(fixture: Fixture<B>) {
    let first = keyed("k", 1);
    assert_eq!(fixture.store.accept(first.clone()).await, Ok(Accepted::New));
    let (second, third) = (keyed("k", 1), keyed("k", 2));
    assert_eq!(fixture.store.accept(second.clone()).await, Ok(Accepted::Known(first.id)));
    assert_eq!(fixture.store.accept(third.clone()).await, Ok(Accepted::KeyUsed));
    for id in [second.id, third.id] {
        assert_eq!(fixture.store.0.get(id).await.unwrap(), None);
    }
    // The same without a write.
    assert_eq!(fixture.store.0.known(key("k", 1)).await, Ok(Some(Accepted::Known(first.id))));
    assert_eq!(fixture.store.0.known(key("k", 2)).await, Ok(Some(Accepted::KeyUsed)));
    assert_eq!(fixture.store.0.known(key("K", 2)).await, Ok(None));
    assert_eq!(fixture.store.accept(keyed("K", 2)).await, Ok(Accepted::New), "keys have their case");
    assert_eq!(fixture.claim(Uuid::now_v7()).await.len(), 2);
}

async fn one_batch_may_hold_the_same_key_many_times<B: Backend>(fixture: Fixture<B>) {
    let mut requests = Vec::new();
    for n in 0..60 {
        requests.push(keyed(["a", "b", "c"][n % 3], u8::from(n >= 30)));
        requests.push(new("{}"));
    }
    let outcomes = join(requests.iter().map(|new| fixture.store.accept(new.clone()))).await;
    let mut firsts = std::collections::HashMap::new();
    for (new, outcome) in requests.iter().zip(outcomes) {
        let outcome = outcome.unwrap();
        let Some(key) = &new.key else {
            assert_eq!(outcome, Accepted::New);
            continue;
        };
        let (hash, id) = *firsts.entry(key.text.clone()).or_insert((key.body_hash, new.id));
        let expected = match (id == new.id, hash == key.body_hash) {
            (true, _) => Accepted::New,
            (false, true) => Accepted::Known(id),
            (false, false) => Accepted::KeyUsed,
        };
        assert_eq!(outcome, expected);
    }
    assert_eq!(fixture.store.0.depth(1000).await.unwrap().rows, 63);
}

async fn two_replicas_with_the_same_keys_make_one_message_each<B: Backend>(fixture: Fixture<B>) {
    for round in 0..20 {
        let texts: Vec<_> = (0..10).map(|n| format!("{round}-{n}")).collect();
        let ours = texts.iter().map(|text| fixture.store.accept(keyed(text, 1)));
        // In the opposite order: two that wait for each other would both be given up.
        let theirs = texts.iter().rev().map(|text| fixture.other.accept(keyed(text, 1)));
        let (ours, mut theirs) = tokio::join!(join(ours), join(theirs));
        theirs.reverse();
        for (our, their) in ours.into_iter().zip(theirs) {
            let news = [our.unwrap(), their.unwrap()].iter().filter(|one| **one == Accepted::New).count();
            assert_eq!(news, 1);
        }
    }
    assert_eq!(fixture.store.0.depth(1000).await.unwrap().rows, 200);
}

async fn a_key_that_is_too_old_is_free_again<B: Backend>(fixture: Fixture<B>) {
    let first = keyed("k", 1);
    assert_eq!(fixture.store.accept(first.clone()).await, Ok(Accepted::New));
    assert_eq!(fixture.store.forget_keys(10).await, Ok(0), "it is kept for a day");
    // The same a minute before the day is over, and a minute after.
    let minutes_later =
        |minutes: i64| format!("UPDATE idempotency_keys SET expires_at = expires_at - {minutes} * 60000");
    fixture.raw(&minutes_later(24 * 60 - 1)).await;
    assert_eq!(fixture.store.0.known(key("k", 1)).await, Ok(Some(Accepted::Known(first.id))));
    fixture.raw(&minutes_later(2)).await;
    assert_eq!(fixture.store.0.known(key("k", 1)).await, Ok(None));
    let second = keyed("k", 2);
    assert_eq!(fixture.store.accept(second.clone()).await, Ok(Accepted::New));
    assert_eq!(fixture.store.accept(keyed("k", 2)).await, Ok(Accepted::Known(second.id)));
    fixture.raw("UPDATE idempotency_keys SET expires_at = 1").await;
    assert_eq!(fixture.store.forget_keys(10).await, Ok(1));
    assert_eq!(fixture.store.forget_keys(10).await, Ok(0));
}
