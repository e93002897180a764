//! One path for both ways.

use std::time::{Duration, Instant};

use api::message::{Messages, State};
use outbox::Mode;

use crate::client::{ask, get, post, until};
use crate::double::Behaviour;
use crate::service::{a_and_b, a_and_b_with};

#[tokio::test]
async fn a_message_that_b_has_is_201_and_b_has_all_of_it() {
    let (a, b, _directory) = a_and_b().await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let traced = [("traceparent", format!("00-{trace}-00f067aa0ba902b7-01")), ("tracestate", "vendor=1".to_owned())];
    let headers: Vec<_> = traced.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let body = r#"{ "a":"\u0000",   "b":[1e400] }"#;
    let answer = post(a.address, &headers, body).await;

    assert_eq!(answer.status, 201, "{answer:?}");
    let message = answer.message();
    assert_eq!((message.state, message.attempts), (State::Delivered, 1));
    assert!(message.delivered_at >= Some(message.created_at.clone()));
    assert_eq!(message.body.get(), body);
    let location = answer.header("location").unwrap();
    assert_eq!(location, format!("/messages/{}", message.id));
    assert_eq!(answer.header("preference-applied"), None);
    let read = get(a.address, location).await;
    assert_eq!((read.status, &read.body), (200, &answer.body));

    let events = b.events();
    assert_eq!(events.len(), 1);
    let event = &events[0];
    assert!(event.head.starts_with("POST /events HTTP/1.1\r\n"), "{}", event.head);
    assert_eq!(event.body, body);
    for (name, value) in [
        ("ce-specversion", "1.0"),
        ("ce-id", message.id.as_str()),
        ("ce-source", "/service-a"),
        ("ce-type", "dev.msctl.message.created.v1"),
        ("ce-time", message.created_at.as_str()),
        ("content-type", "application/json"),
        ("tracestate", "vendor=1"),
    ] {
        assert_eq!(event.header(name), Some(value), "{name}");
    }
    for name in ["traceparent", "ce-traceparent"] {
        assert!(event.header(name).unwrap().starts_with(&format!("00-{trace}-")), "{name}");
    }
}

#[tokio::test]
async fn who_does_not_want_to_wait_gets_202_at_once() {
    let (a, b, _directory) = a_and_b_with(|config| config.upstream_timeout = Duration::from_secs(15)).await;
    b.behave(Behaviour::Slow(Duration::from_secs(5)));
    let began = Instant::now();
    let answer = post(a.address, &[("prefer", "respond-async")], "{}").await;
    assert!(began.elapsed() < Duration::from_secs(4));
    assert_eq!((answer.status, answer.message().state), (202, State::Pending));
    assert_eq!(answer.header("preference-applied"), Some("respond-async"));
    let id = answer.message().id;
    assert_eq!(answer.header("location"), Some(format!("/messages/{id}").as_str()));
    until(a.address, &id, |message| message.state == State::Delivered).await;
}

#[tokio::test]
async fn a_wait_that_is_over_is_202_and_the_delivery_goes_on() {
    let (a, b, _directory) = a_and_b_with(|config| {
        config.upstream_timeout = Duration::from_secs(15);
        config.messages.wait = Duration::from_secs(15);
    })
    .await;
    b.behave(Behaviour::Slow(Duration::from_secs(4)));
    let answer = post(a.address, &[("prefer", "wait=1")], "{}").await;
    assert_eq!((answer.status, answer.message().state), (202, State::Pending));
    assert_eq!(answer.header("preference-applied"), Some("wait=1"));
    until(a.address, &answer.message().id, |message| message.state == State::Delivered).await;
    assert_eq!(b.events().len(), 1);
}

#[tokio::test]
async fn what_b_refuses_is_stored_and_dead_and_can_be_sent_again() {
    let (a, b, _directory) = a_and_b().await;
    b.script([Behaviour::Status(400)]);
    let answer = post(a.address, &[], "{}").await;
    let dead = answer.message();
    assert_eq!((answer.status, dead.state, dead.attempts), (202, State::Dead, 1));
    assert_eq!(dead.last_error.as_deref(), Some("service-b answered 400 Bad Request"));
    let listed: Messages = serde_json::from_str(&get(a.address, "/messages?state=dead").await.body).unwrap();
    assert_eq!(listed.messages[0].id, dead.id);

    let path = format!("/messages/{}/redeliver", dead.id);
    let again = ask(a.address, "POST", &path, &[], b"").await;
    assert_eq!(again.status, 202);
    assert_eq!(again.header("location"), Some(format!("/messages/{}", dead.id).as_str()));
    let delivered = until(a.address, &dead.id, |message| message.state == State::Delivered).await;
    assert_eq!((delivered.attempts, delivered.last_error), (2, None));
    assert!(ask(a.address, "POST", &path, &[], b"").await.problem(409).contains("delivered"));
    assert!(a.metrics().await.contains("outbox_dead_total 1\n"));
}

#[tokio::test]
async fn what_is_too_old_is_not_sent_again() {
    let (a, b, _directory) = a_and_b_with(|config| {
        config.messages.max_age = Duration::from_secs(3);
        config.messages.retention = Duration::from_secs(4);
    })
    .await;
    b.script([Behaviour::Status(422)]);
    let dead = post(a.address, &[], "{}").await.message();
    // There is nothing to wait for but the time; it is deleted within the next second or not yet.
    tokio::time::sleep(Duration::from_millis(3_900)).await;
    let path = format!("/messages/{}/redeliver", dead.id);
    assert!(ask(a.address, "POST", &path, &[], b"").await.problem(410).contains("RETENTION"));
    let gone = async {
        while get(a.address, &format!("/messages/{}", dead.id)).await.status != 404 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone).await.expect("deleted in time");
    ask(a.address, "POST", &path, &[], b"").await.problem(410);
    assert_eq!(b.events().len(), 1);
}

#[tokio::test]
async fn a_paused_service_takes_messages_until_the_outbox_is_full() {
    let (a, b, directory) = a_and_b_with(|config| {
        config.messages.delivery = Mode::Paused;
        config.messages.limit = 3;
        config.messages.wait = Duration::from_millis(200);
    })
    .await;
    let key = [("idempotency-key", "k")];
    let first = post(a.address, &key, "{}").await.message();
    for _ in 0..2 {
        let answer = post(a.address, &[], "{}").await;
        assert_eq!((answer.status, answer.message().state), (202, State::Pending));
    }
    // The gauge is sampled.
    let full = async {
        loop {
            let answer = post(a.address, &[], "{}").await;
            if answer.status != 202 {
                return answer;
            }
        }
    };
    let full = tokio::time::timeout(Duration::from_secs(10), full).await.expect("full in time");
    assert!(full.problem(503).contains("no more than 3"));
    assert_eq!(full.header("retry-after"), Some("1"));
    // What was taken before is no new message.
    let again = post(a.address, &key, "{}").await;
    assert_eq!((again.status, again.message().id), (202, first.id));
    post(a.address, &key, r#"{"another":"body"}"#).await.problem(422);
    post(a.address, &[("idempotency-key", "another")], "{}").await.problem(503);
    assert_eq!(get(a.address, "/").await.status, 200);
    assert!(a.metrics().await.contains("outbox_attempts_total 0\n"));
    assert!(b.events().is_empty());

    // Another process delivers them, and there is room again.
    let other = crate::service::Service::start(crate::service::config(b.uri(), directory.url())).await;
    let roomy = async { while post(a.address, &[], "{}").await.status == 503 {} };
    tokio::time::timeout(Duration::from_secs(10), roomy).await.expect("room in time");
    other.stop().await;
}
