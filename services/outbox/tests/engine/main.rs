//! The engine over a storage that does as it is told.
#![expect(clippy::unwrap_used, reason = "tests; clippy.toml allows it in test functions, not in what they share")]

mod storage;

use std::time::Duration;

use database::Error;
use outbox::{Claimed, Engine, Mode, Outgoing, Receiver, Settings};
use telemetry::{Identity, Telemetry};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use storage::Told;

fn start(storage: &Told) -> Engine<Told> {
    let receiver = Receiver {
        name: "nobody",
        url: http::Uri::from_static("http://127.0.0.1:1/events"),
        path: "/events",
        user_agent: "tests/0",
        source: "/tests",
        kind: "test",
    };
    let settings = Settings {
        receiver,
        mode: Mode::Active,
        timeout: Duration::from_secs(5),
        concurrency: 4,
        lease: Duration::from_secs(30),
        max_age: Duration::from_hours(1),
        retention: Duration::from_hours(2),
        limit: 10,
    };
    let identity = Identity { service_name: "tests", service_version: "0" };
    let telemetry = Telemetry::new(identity, &telemetry::Settings::default(), None).unwrap();
    Engine::start(storage.clone(), settings, &telemetry)
}

/// So old that it is given up without being sent: all that is left is to record that.
fn old(body: &str) -> Outgoing {
    Outgoing {
        id: Uuid::now_v7(),
        body: body.into(),
        created_at: 0,
        enqueued_at: 0,
        attempts: 0,
        traceparent: None,
        tracestate: None,
    }
}

#[tokio::test(start_paused = true)]
async fn samples_go_on_soon_after_one_that_failed_slowly_and_after_one_that_was_slow() {
    let storage = Told::default();
    storage.depth(Duration::from_secs(15), Err(Error::Unavailable { detail: "away".to_owned() }));
    storage.depth(Duration::from_secs(3), Ok(20));
    storage.depth(Duration::ZERO, Ok(3));
    let engine = start(&storage);
    let full = async {
        while engine.admit().is_ok() {
            sleep(Duration::from_millis(100)).await;
        }
    };
    // 15 s until it fails, a second's pause, and 3 s for the next.
    timeout(Duration::from_secs(20), full).await.expect("the failure does not put off the next sample");
    let began = Instant::now();
    let roomy = async {
        while engine.admit().is_err() {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(Duration::from_secs(12), roomy).await.expect("a slow sample does not put off the next for long");
    assert!(began.elapsed() > Duration::from_secs(5), "it is made less often: {:?}", began.elapsed());
    engine.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_can_not_be_recorded_is_given_up_with_the_process_and_not_before() {
    let storage = Told::default();
    storage.refuse_settlements(Error::Unavailable { detail: "away".to_owned() });
    let engine = start(&storage);
    let id = Uuid::now_v7();
    engine.deliver(engine.ticket(2), Outgoing { id, ..old("{}") });
    sleep(Duration::from_mins(1)).await;
    let tried = storage.settlements();
    assert!(tried > 10, "it is tried again as long as the process runs: {tried}");

    engine.stop().await;
    let tried = storage.settlements();
    sleep(Duration::from_mins(5)).await;
    assert_eq!(storage.settlements(), tried, "nobody is left who could record it");
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_left_a_row_for_its_bytes_is_followed_by_another_at_once() {
    let storage = Told::default();
    storage.claimed(Claimed { rows: vec![old("{}")], cut: true });
    storage.claimed(Claimed { rows: vec![old("{}")], cut: false });
    let engine = start(&storage);
    let three = async {
        while storage.claims().len() < 3 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(5), three).await.expect("claims");
    let [first, second, third] = storage.claims()[..] else { panic!("{:?}", storage.claims()) };
    assert_eq!(second, first);
    assert!(third > second, "nothing was left, so it is the next look's");
    engine.stop().await;
}
