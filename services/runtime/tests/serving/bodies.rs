//! Request bodies: too large, too slow, of the wrong kind; and answers that nobody reads.

use std::time::Duration;

use crate::support::{Wire, ask, config, start};
use axum::Router;
use axum::routing::{get, post};
use runtime::{Json, Limits};
use serde_json::Value;

fn app() -> Router {
    Router::new()
        .route("/", post(async |Json(value): Json<Value>| value.to_string()))
        .route("/number", post(async |Json(number): Json<u8>| number.to_string()))
        .route("/greeting", get(async || "hello"))
        .route("/large", get(async || "x".repeat(32 * 1024 * 1024)))
}

fn json(path: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}")
}

#[tokio::test]
async fn json_is_taken_whole_or_in_chunks() {
    let server = start(app(), config(Limits::default()));
    let answer = ask(server.traffic, &json("/", "application/json", r#"{"key":"value"}"#)).await;
    assert_eq!((answer.status(), answer.body.as_str()), (200, r#"{"key":"value"}"#));

    let chunked = "POST / HTTP/1.1\r\nhost: a\r\ncontent-type: application/json; charset=utf-8\r\n\
                   transfer-encoding: chunked\r\n\r\n3\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n";
    assert_eq!(ask(server.traffic, chunked).await.body, "[1,2]");
}

#[tokio::test]
async fn what_is_not_json_is_400_another_shape_422_another_type_415() {
    let server = start(app(), config(Limits::default()));
    ask(server.traffic, &json("/", "application/json", "{\"key\":")).await.is_problem(400, "not JSON");
    ask(server.traffic, &json("/", "application/json", "")).await.is_problem(400, "not JSON");
    ask(server.traffic, &json("/number", "application/json", "\"x\"")).await.is_problem(422, "shape");
    let answer = ask(server.traffic, &json("/", "text/plain", "{}")).await;
    answer.is_problem(415, "text/plain");
    assert_eq!(answer.header("accept"), Some("application/json"));
    let bare = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}";
    ask(server.traffic, bare).await.is_problem(415, "no Content-Type");
}

#[tokio::test]
async fn a_body_over_the_cap_is_413_announced_or_not() {
    let server = start(app(), config(Limits { max_body: 1000, ..Limits::default() }));
    let large = format!("\"{}\"", "x".repeat(998));
    assert_eq!(ask(server.traffic, &json("/", "application/json", &large)).await.status(), 200);

    let larger = format!("\"{}\"", "x".repeat(999));
    ask(server.traffic, &json("/", "application/json", &larger)).await.is_problem(413, "1000 bytes");
    let chunked = format!(
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n\
         3e9\r\n{larger}\r\n0\r\n\r\n"
    );
    ask(server.traffic, &chunked).await.is_problem(413, "1000 bytes");
}

#[tokio::test]
async fn a_413_survives_megabytes_that_are_still_being_sent() {
    let server = start(app(), config(Limits::default()));
    let huge = json("/", "application/json", &"x".repeat(8 * 1024 * 1024));
    ask(server.traffic, &huge).await.is_problem(413, "65536 bytes");
}

#[tokio::test]
async fn a_stalled_body_is_408_and_closes_the_connection() {
    let server = start(app(), config(Limits { body_timeout: Duration::from_millis(200), ..Limits::default() }));
    let mut wire = Wire::open(server.traffic).await;
    wire.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{\"a\"").await;

    let answer = wire.answer().await;

    answer.is_problem(408, "did not arrive");
    assert_eq!(answer.header("connection"), Some("close"));
    wire.0.shutdown_now().await;
    assert_eq!(wire.rest().await, b"");
}

#[tokio::test]
async fn an_answer_that_does_not_wait_for_the_body_says_that_it_is_the_last() {
    let server = start(app(), config(Limits::default()));
    let sized = "content-length: 9\r\n\r\n{\"a\"";
    let chunked = "transfer-encoding: chunked\r\n\r\n4\r\n{\"a\"\r\n";
    for (line, status) in [
        ("POST / HTTP/1.1\r\ncontent-type: text/plain", 415),
        ("POST /nowhere HTTP/1.1", 404),
        ("DELETE / HTTP/1.1", 405),
        ("GET /greeting HTTP/1.1", 200),
    ] {
        for body in [sized, chunked] {
            let mut wire = Wire::open(server.traffic).await;
            wire.send(format!("{line}\r\nhost: a\r\n{body}")).await;
            let answer = wire.answer().await;
            assert_eq!((answer.status(), answer.header("connection")), (status, Some("close")), "{line}");
            assert_eq!(wire.rest().await, b"");
        }
    }
}

#[tokio::test]
async fn a_connection_whose_bodies_are_read_to_their_end_is_kept() {
    let server = start(app(), config(Limits::default()));
    let mut wire = Wire::open(server.traffic).await;
    let chunked = "POST / HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
                   transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    for (request, status) in [
        (json("/", "application/json", "{}"), 200),
        (chunked.to_owned(), 200),
        (json("/", "application/json", "{"), 400),
        (json("/number", "application/json", "\"x\""), 422),
    ] {
        wire.send(&request).await;
        let answer = wire.answer().await;
        assert_eq!((answer.status(), answer.header("connection")), (status, None), "{request}");
    }
}

#[tokio::test]
async fn an_answer_that_nobody_reads_ends_its_connection() {
    let limits = Limits { write_timeout: Duration::from_millis(200), max_connections: 1, ..Limits::default() };
    let server = start(app(), config(limits));
    let mut deaf = Wire::open(server.traffic).await;
    deaf.send(crate::support::get("/large")).await;
    // The only place is free again once the connection was given up.
    let freed = async {
        while ask(server.traffic, &crate::support::get("/nothing")).await.status() == 503 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, freed).await.expect("the place to be freed");
}

/// Closing our side, as a client does that is done.
trait ShutdownNow {
    async fn shutdown_now(&mut self);
}

impl ShutdownNow for tokio::net::TcpStream {
    async fn shutdown_now(&mut self) {
        use tokio::io::AsyncWriteExt as _;
        self.shutdown().await.unwrap();
    }
}
