//! What goes wrong on the way to B.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use api::message::State;

use crate::client::{post, until};
use crate::double::Behaviour;
use crate::service::{a_and_b, a_and_b_with};

#[tokio::test]
async fn what_may_succeed_later_is_tried_again() {
    let (a, b, _directory) = a_and_b().await;
    for (n, trouble) in [Behaviour::Status(500), Behaviour::Status(404), Behaviour::Status(503), Behaviour::Close]
        .into_iter()
        .enumerate()
    {
        b.script([trouble]);
        let answer = post(a.address, &[], "{}").await;
        assert_eq!((answer.status, answer.message().attempts), (201, 2), "{trouble:?}");
        let events = b.events();
        assert_eq!(events.len(), 2 * (n + 1), "{trouble:?}");
        assert_eq!(events[2 * n].id(), events[2 * n + 1].id(), "the same event comes again");
    }
    let metrics = a.metrics().await;
    assert!(metrics.contains("outbox_attempts_total 8\n"), "{metrics}");
    assert!(metrics.contains("outbox_deliveries_total{outcome=\"failed\"} 4\n"), "{metrics}");
    assert!(metrics.contains("outbox_deliveries_total{outcome=\"delivered\"} 4\n"), "{metrics}");
}

#[tokio::test]
async fn retry_after_is_waited_out() {
    let (a, b, _directory) = a_and_b().await;
    b.script([Behaviour::Throttle(503, 2)]);
    let began = Instant::now();
    assert_eq!(post(a.address, &[], "{}").await.status, 201);
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test]
async fn what_is_too_slow_counts_as_failed_and_is_tried_again() {
    let (a, b, _directory) = a_and_b_with(|config| config.messages.wait = Duration::from_secs(15)).await;
    b.script([Behaviour::Slow(Duration::from_mins(1))]);
    let answer = post(a.address, &[], "{}").await;
    assert_eq!((answer.status, answer.message().attempts), (201, 2));
}

#[tokio::test]
async fn a_message_that_fails_for_too_long_is_given_up() {
    let (a, b, _directory) = a_and_b_with(|config| config.messages.max_age = Duration::from_secs(4)).await;
    b.behave(Behaviour::Status(500));
    let answer = post(a.address, &[("prefer", "respond-async")], "{}").await;
    let dead = until(a.address, &answer.message().id, |message| message.state == State::Dead).await;
    assert!(dead.attempts > 1);
    assert_eq!(dead.last_error.as_deref(), Some("service-b answered 500 Internal Server Error"));
}

#[tokio::test]
async fn many_are_delivered_once_each_over_few_connections() {
    let (a, b, _directory) = a_and_b_with(|config| config.messages.concurrency = 8).await;
    let posts = (0..300).map(|n| {
        let address = a.address;
        tokio::spawn(async move {
            let prefer = if n % 2 == 0 { "respond-async" } else { "wait=5" };
            post(address, &[("prefer", prefer)], &format!("{{\"n\":{n}}}")).await.message().id
        })
    });
    let posts: Vec<_> = posts.collect();
    let mut ids = HashMap::new();
    for (n, id) in posts.into_iter().enumerate() {
        ids.insert(id.await.unwrap(), n);
    }
    let events = b.until(300).await;
    for event in &events {
        let n = ids.remove(event.id()).expect("each once");
        assert_eq!(event.body, format!("{{\"n\":{n}}}"));
    }
    assert!(b.connections() <= 8, "{}", b.connections());
}

#[tokio::test]
async fn a_client_that_goes_away_loses_nothing_and_delays_nothing() {
    use tokio::io::AsyncWriteExt as _;

    let (a, b, _directory) = a_and_b().await;
    let began = Instant::now();
    for _ in 0..20 {
        let mut socket = tokio::net::TcpStream::connect(a.address).await.unwrap();
        let request =
            "POST /messages HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
        socket.write_all(request.as_bytes()).await.unwrap();
        // Long enough for it to be read, and hardly for more.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let listed = || async {
        let list = crate::client::get(a.address, "/messages?limit=200").await;
        serde_json::from_str::<api::message::Messages>(&list.body).unwrap().messages
    };
    // Whatever was committed is delivered as soon as ever, and once; on a slow machine the last of them is committed while we
    // look, so both sides have to agree at one time.
    let agree = async {
        loop {
            let listed = listed().await;
            if listed.iter().all(|message| message.state == State::Delivered) && listed.len() == b.events().len() {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), agree).await.expect("long before a lease of 30 s runs out");
    assert!(began.elapsed() < Duration::from_secs(12));
}
