//! Request heads that are not to be answered as if nothing were wrong with them.

use std::time::{Duration, Instant};

use crate::support::{PATIENCE, Wire, ask, config, start};
use axum::Router;
use axum::routing::get;
use runtime::Limits;
use tokio::time::timeout;

fn app() -> Router {
    Router::new().route("/", get(async || "hello").post(async |body: String| body))
}

/// Short enough to be waited for, long enough for a busy machine to send a head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(2);

fn short() -> Limits {
    Limits { head_timeout: HEAD_TIMEOUT, ..Limits::default() }
}

#[tokio::test]
async fn contradictory_and_unreadable_heads_are_400_problems_and_the_last_on_their_connection() {
    let server = start(app(), config(Limits::default()));
    let cases = [
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", "both"),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n", "both"),
        ("GET / HTTP/1.1\r\n\r\n", "Host"),
        ("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", "more than one Host"),
        ("GET / HTTP/1.1\nhost: a\n\n", "LF"),
        ("GET / HTTP/1.1\r\nhost: a\r\nno colon\r\n\r\n", "not HTTP/1.1"),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: x\r\n\r\n", "Content-Length"),
        ("\u{16}\u{3}\u{1}\u{2}", "not HTTP/1.1"),
    ];
    for (request, detail) in cases {
        let mut wire = Wire::open(server.traffic).await;
        // What follows a refused head must not be taken for a request.
        wire.send(format!("{request}GET / HTTP/1.1\r\nhost: a\r\n\r\n")).await;
        let answer = wire.answer().await;
        answer.is_problem(400, detail);
        assert_eq!(answer.header("connection"), Some("close"));
        assert_eq!(wire.rest().await, b"", "{request:?}");
    }
}

#[tokio::test]
async fn http_1_0_needs_no_host() {
    let server = start(app(), config(Limits::default()));
    assert_eq!(ask(server.traffic, "GET / HTTP/1.0\r\n\r\n").await.status(), 200);
}

#[tokio::test]
async fn requests_before_a_refused_one_are_answered_first() {
    let server = start(app(), config(Limits::default()));
    let mut wire = Wire::open(server.traffic).await;
    wire.send("GET / HTTP/1.1\r\nhost: a\r\n\r\nPOST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhiGET / HTTP/1.1\r\n\r\n")
        .await;
    assert_eq!(wire.answer().await.body, "hello");
    assert_eq!(wire.answer().await.body, "hi");
    wire.answer().await.is_problem(400, "Host");
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_is_read_like_any_other() {
    let server = start(app(), config(Limits::default()));
    let mut wire = Wire::open(server.traffic).await;
    for _ in 0..2 {
        for byte in b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        {
            wire.send([*byte]).await;
        }
        assert_eq!(wire.answer().await.body, "abcde");
    }
}

#[tokio::test]
async fn half_open_heads_are_closed_all_of_them_while_others_are_served() {
    let server = start(app(), config(short()));
    let mut slow = Vec::new();
    for _ in 0..200 {
        let mut wire = Wire::open(server.traffic).await;
        wire.send("GET / HTTP/1.1\r\nhost: a\r\nx: ").await;
        slow.push(wire);
    }
    assert_eq!(ask(server.traffic, "GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.body, "hello");
    for wire in &mut slow {
        wire.answer().await.is_problem(408, "in time");
        assert_eq!(wire.rest().await, b"");
    }
}

#[tokio::test]
async fn a_head_that_drips_is_closed_at_the_same_deadline() {
    let server = start(app(), config(short()));
    let Wire(socket) = Wire::open(server.traffic).await;
    let (mut reading, mut writing) = socket.into_split();
    let begun = Instant::now();
    let dripping = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt as _;
        let mut pace = tokio::time::interval(Duration::from_millis(100));
        writing.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n").await.unwrap();
        while writing.write_all(b"x: y\r\n").await.is_ok() {
            pace.tick().await;
        }
    });
    let mut answer = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut reading, &mut answer);
    // A reset is an end too: this client never stops sending.
    let _ = timeout(PATIENCE, read).await.expect("an end while the head still drips");

    assert!(answer.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&answer));
    assert!(begun.elapsed() >= HEAD_TIMEOUT, "{:?}", begun.elapsed());
    dripping.abort();
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let limits = Limits { head_timeout: Duration::from_millis(200), ..Limits::default() };
    let server = start(app(), config(limits));
    assert_eq!(Wire::open(server.traffic).await.rest().await, b"");
}

#[tokio::test]
async fn a_kept_connection_outlives_the_head_timeout_and_ends_with_the_idle_timeout() {
    let idle_timeout = HEAD_TIMEOUT + Duration::from_secs(1);
    let server = start(app(), config(Limits { idle_timeout, ..short() }));
    let mut wire = Wire::open(server.traffic).await;
    // Before the request, because the server may be idle before the client has read its answer.
    let begun = Instant::now();
    wire.send(crate::support::get("/")).await;
    wire.answer().await;

    assert_eq!(wire.rest().await, b"");

    assert!(begun.elapsed() >= idle_timeout, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_head_over_the_limit_is_431_and_the_answer_survives_what_is_still_being_sent() {
    let server = start(app(), config(Limits { max_head: 1024, ..Limits::default() }));
    let mut wire = Wire::open(server.traffic).await;
    wire.send(format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "y".repeat(100_000))).await;
    wire.answer().await.is_problem(431, "larger");
}

#[tokio::test]
async fn another_version_is_505() {
    let server = start(app(), config(Limits::default()));
    ask(server.traffic, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.is_problem(505, "HTTP/1.1");
}
