//! `Idempotency-Key` over HTTP.

use std::collections::HashSet;
use std::time::Duration;

use api::message::State;

use crate::client::post;
use crate::double::Behaviour;
use crate::service::{a_and_b, a_and_b_with};

#[tokio::test]
async fn the_same_request_twice_is_one_message() {
    let (a, b, _directory) = a_and_b().await;
    let key = ("idempotency-key", "k-1");
    let first = post(a.address, &[key], r#"{"n":1}"#).await;
    let second = post(a.address, &[key], r#"{"n":1}"#).await;
    assert_eq!((first.status, second.status), (201, 201));
    assert_eq!(first.body, second.body);
    assert_eq!(first.header("location"), second.header("location"));
    let spaced = post(a.address, &[key], " {\"n\":1}\r\n").await;
    assert_eq!(spaced.body, first.body, "space around the object is no part of it");
    assert!(post(a.address, &[key], r#"{"n": 1}"#).await.problem(422).contains("Idempotency-Key"));
    assert_eq!(b.events().len(), 1);
}

#[tokio::test]
async fn a_second_request_joins_the_wait_of_the_first() {
    let (a, b, _directory) = a_and_b_with(|config| {
        config.upstream_timeout = Duration::from_secs(15);
        config.messages.wait = Duration::from_secs(15);
    })
    .await;
    b.behave(Behaviour::Slow(Duration::from_secs(3)));
    let headers = [("idempotency-key", "k-1"), ("prefer", "respond-async")];
    let first = post(a.address, &headers, "{}").await;
    assert_eq!((first.status, first.message().state), (202, State::Pending));
    let still = post(a.address, &headers, "{}").await;
    assert_eq!((still.status, still.header("preference-applied")), (202, Some("respond-async")));
    let second = post(a.address, &headers[..1], "{}").await;
    assert_eq!((second.status, second.message().state), (201, State::Delivered));
    assert_eq!(first.message().id, second.message().id);
    let third = post(a.address, &headers, "{}").await;
    assert_eq!((third.status, third.header("preference-applied")), (201, None));
    assert_eq!(b.events().len(), 1);
}

#[tokio::test]
async fn many_at_once_are_one_message() {
    let (a, b, _directory) = a_and_b().await;
    let address = a.address;
    let posts: Vec<_> = (0..50)
        .map(|_| tokio::spawn(async move { post(address, &[("idempotency-key", "same")], "{}").await }))
        .collect();
    let mut ids = HashSet::new();
    for answer in posts {
        let answer = answer.await.unwrap();
        assert_eq!(answer.status, 201, "{answer:?}");
        ids.insert(answer.message().id);
    }
    assert_eq!(ids.len(), 1);
    assert_eq!(b.events().len(), 1);
}
