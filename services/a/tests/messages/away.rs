//! A B that is away, and back.

use std::time::{Duration, Instant};

use api::message::State;

use crate::client::{ask, get, post, until};
use crate::double::Behaviour;
use crate::service::{a_and_b, a_and_b_with};

#[tokio::test]
async fn a_b_that_is_back_is_found_within_seconds_and_saw_no_storm() {
    let (a, mut b, _directory) = a_and_b().await;
    b.leave().await;
    let mut ids = Vec::new();
    for _ in 0..100 {
        let answer = post(a.address, &[("prefer", "respond-async")], "{}").await;
        assert_eq!(answer.status, 202);
        ids.push(answer.message().id);
    }
    // Long enough for a hundred messages that back off alone to make many hundred tries.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let metrics = a.metrics().await;
    let attempts: u32 = metrics
        .lines()
        .find_map(|line| line.strip_prefix("outbox_attempts_total "))
        .and_then(|count| count.parse().ok())
        .unwrap();
    assert!((8..=100).contains(&attempts), "{attempts} attempts at a B that is away");
    assert!(metrics.contains("outbox_receiver_away_total 1\n"), "{metrics}");
    assert_eq!(get(a.address, "/").await.status, 200);

    b.back();
    let back = Instant::now();
    b.until(100).await;
    assert!(back.elapsed() < Duration::from_secs(6), "{:?}", back.elapsed());
    for id in ids {
        until(a.address, &id, |message| message.state == State::Delivered).await;
    }
    assert_eq!(b.events().len(), 100, "each once");
}

#[tokio::test]
async fn what_waits_for_too_long_for_a_b_that_is_away_is_given_up_also_without_a_try() {
    let (a, mut b, _directory) = a_and_b_with(|config| {
        config.messages.max_age = Duration::from_secs(2);
        config.messages.lease = Duration::from_secs(4);
        config.upstream_timeout = Duration::from_secs(1);
    })
    .await;
    b.leave().await;
    let mut ids = Vec::new();
    for _ in 0..100 {
        ids.push(post(a.address, &[("prefer", "respond-async")], "{}").await.message().id);
    }
    // One try in two seconds would take minutes for them.
    let mut untried = 0;
    for id in &ids {
        let dead = until(a.address, id, |message| message.state == State::Dead).await;
        assert!(dead.last_error.is_some(), "{dead:?}");
        untried += usize::from(dead.attempts == 0);
    }
    assert!(untried > 50, "{untried}");
    // They are counted when they are committed, a moment after they can be read.
    let counted = async {
        let told = ["outbox_dead_total 100\n", "outbox_deliveries_total{outcome=\"expired\"} 100\n"];
        loop {
            let metrics = a.metrics().await;
            if told.iter().all(|told| metrics.contains(told)) {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(5), counted).await.expect("each is counted once");

    b.back();
    let answer = ask(a.address, "POST", &format!("/messages/{}/redeliver", ids[0]), &[], b"").await;
    assert_eq!(answer.status, 202);
    until(a.address, &ids[0], |message| message.state == State::Delivered).await;
}

#[tokio::test]
async fn one_message_alone_finds_out_as_well() {
    let (a, mut b, _directory) = a_and_b().await;
    b.leave().await;
    let answer = post(a.address, &[("prefer", "wait=0")], "{}").await;
    assert_eq!(answer.status, 202);
    // By then its own next try would be seconds away.
    until(a.address, &answer.message().id, |message| message.attempts >= 9).await;
    b.back();
    let back = Instant::now();
    b.until(1).await;
    assert!(back.elapsed() < Duration::from_secs(4), "{:?}", back.elapsed());
}

#[tokio::test]
async fn a_b_that_refuses_everybody_is_asked_when_it_wants_to_be() {
    let (a, b, _directory) = a_and_b().await;
    b.behave(Behaviour::Throttle(503, 3));
    for _ in 0..30 {
        post(a.address, &[("prefer", "respond-async")], "{}").await;
    }
    b.until(8).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let asked = b.events().len();
    assert!(asked <= 30, "{asked}");
    b.behave(Behaviour::Take);
    b.until(asked + 30).await;
}
