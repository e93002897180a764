//! Leaving without losing a request.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{PATIENCE, Wire, ask, config, start};
use axum::Router;
use axum::routing::get;
use runtime::{Drained, Limits, ServeConfig, ServeError};
use tokio::sync::Notify;
use tokio::time::timeout;

/// `/slow` answers once it is released, `/large` with more than the system takes for a client that does not read.
fn app(release: Arc<Notify>) -> Router {
    let slow = async move || {
        release.notified().await;
        "slow"
    };
    let large = async || "x".repeat(32 * 1024 * 1024);
    Router::new().route("/", get(async || "hello")).route("/slow", get(slow)).route("/large", get(large))
}

/// With time for a client that is slow to ask again.
fn delayed(delay: Duration) -> ServeConfig {
    ServeConfig { drain_delay: delay, ..config(Limits { drain_idle: PATIENCE, ..Limits::default() }) }
}

async fn ended(ended: tokio::task::JoinHandle<Result<Drained, ServeError>>) -> Result<Drained, ServeError> {
    timeout(PATIENCE, ended).await.expect("an end in time").unwrap()
}

async fn until_unready(server: &crate::support::Running) {
    let unready = async {
        while ask(server.admin, &crate::support::get("/readyz")).await.status() != 503 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, unready).await.expect("readiness to fail");
}

#[tokio::test]
async fn during_the_delay_readiness_fails_and_traffic_is_served_with_a_request_to_leave() {
    let server = start(app(Arc::default()), delayed(Duration::from_hours(1)));
    let kept = kept(server.traffic).await;

    server.trigger.pull();
    until_unready(&server).await;

    for mut wire in [kept, Wire::open(server.traffic).await] {
        wire.send(crate::support::get("/")).await;
        let answer = wire.answer().await;
        assert_eq!((answer.status(), answer.header("connection")), (200, Some("close")));
        assert_eq!(wire.rest().await, b"");
    }
    assert_eq!(ask(server.admin, &crate::support::get("/livez")).await.status(), 200);
    // Asked again, it goes on without the rest of the delay.
    server.trigger.pull();
    ended(server.ended).await.unwrap();
}

#[tokio::test]
async fn it_stays_while_connections_still_come_and_leaves_when_they_cease() {
    let delay = Duration::from_millis(500);
    let server = start(app(Arc::default()), ServeConfig { drain_timeout: PATIENCE * 6, ..delayed(delay) });

    server.trigger.pull();
    // Four times the delay, with pauses far below the one that it leaves after.
    for _ in 0..80 {
        assert_eq!(ask(server.traffic, &crate::support::get("/")).await.status(), 200);
        tokio::time::sleep(delay / 20).await;
    }

    ended(server.ended).await.unwrap();
}

#[tokio::test]
async fn connections_that_never_cease_hold_it_for_half_of_the_drain_at_most() {
    let drain_timeout = Duration::from_secs(2);
    let server = start(app(Arc::default()), ServeConfig { drain_timeout, ..delayed(Duration::from_millis(100)) });

    server.trigger.pull();
    let started = tokio::time::Instant::now();
    while tokio::net::TcpStream::connect(server.traffic).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert!(started.elapsed() < PATIENCE, "it never leaves");
    }

    assert!(started.elapsed() >= drain_timeout / 2, "{:?}", started.elapsed());
    ended(server.ended).await.unwrap();
}

#[tokio::test]
async fn a_request_in_flight_is_finished_after_the_listener_has_closed() {
    let release = Arc::new(Notify::new());
    let server = start(app(release.clone()), delayed(Duration::ZERO));
    let mut wire = Wire::open(server.traffic).await;
    wire.send(crate::support::get("/slow")).await;
    // Another answer on another connection tells that the first request has been read.
    ask(server.traffic, &crate::support::get("/")).await;

    server.trigger.pull();
    let closed = async {
        while tokio::net::TcpStream::connect(server.traffic).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, closed).await.expect("the listener to close");
    assert_eq!(ask(server.admin, &crate::support::get("/readyz")).await.status(), 503);
    release.notify_one();

    let answer = wire.answer().await;
    assert_eq!((answer.body.as_str(), answer.header("connection")), ("slow", Some("close")));
    ended(server.ended).await.unwrap();
}

#[tokio::test]
async fn a_kept_connection_that_asks_while_the_service_drains_is_answered_and_closed() {
    let server = start(app(Arc::default()), delayed(Duration::ZERO));
    let mut busy = kept(server.traffic).await;

    server.trigger.pull();
    until_unready(&server).await;
    busy.send(crate::support::get("/")).await;

    assert_eq!(busy.answer().await.header("connection"), Some("close"));
    assert_eq!(busy.rest().await, b"");
    ended(server.ended).await.unwrap();
}

#[tokio::test]
async fn a_kept_connection_that_stays_idle_while_the_service_drains_is_closed_long_before_the_deadline() {
    let limits = Limits { drain_idle: Duration::from_millis(200), ..Limits::default() };
    let server = start(app(Arc::default()), ServeConfig { drain_timeout: PATIENCE * 6, ..config(limits) });
    let mut idle = kept(server.traffic).await;

    server.trigger.pull();

    assert_eq!(idle.rest().await, b"");
    ended(server.ended).await.unwrap();
}

/// A connection whose first request was answered.
async fn kept(address: SocketAddr) -> Wire {
    let mut wire = Wire::open(address).await;
    wire.send(crate::support::get("/")).await;
    assert_eq!(wire.answer().await.header("connection"), None);
    wire
}

#[tokio::test]
async fn what_is_in_flight_at_the_deadline_is_cut_and_said() {
    let config = ServeConfig { drain_timeout: Duration::from_millis(200), ..delayed(Duration::ZERO) };
    let server = start(app(Arc::default()), config);
    let mut wire = Wire::open(server.traffic).await;
    wire.send(crate::support::get("/slow")).await;
    ask(server.traffic, &crate::support::get("/")).await;

    server.trigger.pull();

    let error = ended(server.ended).await.unwrap_err();
    assert!(matches!(error, ServeError::Cut(1)), "{error}");
    assert!(error.to_string().contains("DRAIN_TIMEOUT"));
}

#[tokio::test]
async fn an_answer_that_has_not_left_at_the_deadline_is_cut_and_said() {
    let config = ServeConfig { drain_timeout: Duration::from_millis(200), ..delayed(Duration::ZERO) };
    let server = start(app(Arc::default()), config);
    let mut deaf = Wire::open(server.traffic).await;
    deaf.send(crate::support::get("/large")).await;
    // The answer is under way, and the rest of it is not read.
    deaf.0.readable().await.unwrap();

    server.trigger.pull();

    let error = ended(server.ended).await.unwrap_err();
    assert!(matches!(error, ServeError::Cut(1)), "{error}");
}

#[tokio::test]
async fn asking_again_cuts_each_step_short() {
    let server = start(app(Arc::default()), delayed(Duration::from_hours(1)));
    let mut wire = Wire::open(server.traffic).await;
    wire.send(crate::support::get("/slow")).await;
    ask(server.traffic, &crate::support::get("/")).await;

    server.trigger.pull();
    until_unready(&server).await;
    server.trigger.pull();
    server.trigger.pull();

    assert!(matches!(ended(server.ended).await, Err(ServeError::Cut(1))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steady_load_of_kept_connections_moves_to_another_replica_and_loses_nothing() {
    let leaving = start(app(Arc::default()), delayed(Duration::from_millis(300)));
    let staying = start(app(Arc::default()), delayed(Duration::ZERO));
    let tally = Arc::new(Tally::default());
    let mut clients = Vec::new();
    for _ in 0..32 {
        let first = Wire::open(leaving.traffic).await;
        clients.push(tokio::spawn(client(first, staying.traffic, tally.clone())));
    }
    tally.until(1_000).await;

    leaving.trigger.pull();
    ended(leaving.ended).await.unwrap();

    tally.until(tally.answered.load(Ordering::Relaxed) + 1_000).await;
    tally.enough.store(true, Ordering::Relaxed);
    for client in clients {
        timeout(PATIENCE, client).await.expect("the client to end").unwrap();
    }
    assert_eq!(tally.asked.load(Ordering::Relaxed), tally.answered.load(Ordering::Relaxed));
}

#[derive(Default)]
struct Tally {
    asked: AtomicUsize,
    answered: AtomicUsize,
    enough: AtomicBool,
}

impl Tally {
    async fn until(&self, answers: usize) {
        let reached = async {
            while self.answered.load(Ordering::Relaxed) < answers {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, reached).await.expect("load");
    }
}

/// Asks on its connection to the first replica until that one asks it to leave, then on one to the second.
async fn client(mut first: Wire, second: SocketAddr, tally: Arc<Tally>) {
    ask_until_asked_to_leave(&mut first, &tally).await;
    ask_until_asked_to_leave(&mut Wire::open(second).await, &tally).await;
}

async fn ask_until_asked_to_leave(wire: &mut Wire, tally: &Tally) {
    while !tally.enough.load(Ordering::Relaxed) {
        tally.asked.fetch_add(1, Ordering::Relaxed);
        wire.send(crate::support::get("/")).await;
        let answer = wire.answer().await;
        assert_eq!(answer.status(), 200);
        tally.answered.fetch_add(1, Ordering::Relaxed);
        if answer.header("connection") == Some("close") {
            break;
        }
    }
}
