//! Both ends of the control socket, with a supervisor that does as its test says.

mod dials;
mod double;
mod streams;

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::*;
use crate::Kind;
use crate::names::DialError;
use double::{Setting, service};

/// For what happens at once, on a machine that is busy with other things.
const SOON: Duration = Duration::from_secs(30);

async fn soon<T>(work: impl Future<Output = T>) -> T {
    timeout(SOON, work).await.expect("it takes too long")
}

/// What the server says to bytes that our own client would not send.
async fn raw(setting: &Setting, request: &str) -> String {
    let mut stream = UnixStream::connect(setting.client.socket()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await.unwrap();
    answer
}

#[tokio::test]
async fn info_and_status_arrive_whole() {
    let setting = Setting::new();
    assert_eq!(soon(setting.client.info()).await.unwrap(), setting.info);
    assert_eq!(soon(setting.client.status()).await.unwrap(), setting.supervisor.status);
    assert_eq!(setting.supervisor.status.len(), 1);
}

#[tokio::test]
async fn what_nobody_understands_is_an_error_with_a_status() {
    let setting = Setting::new();
    for (request, status, text) in [
        ("GET /nothing HTTP/1.1", "404 Not Found", "has nothing at /nothing"),
        ("GET /apply HTTP/1.1", "405 Method Not Allowed", "/apply takes POST only"),
        ("POST /scale HTTP/1.1\r\ncontent-length: 2", "400 Bad Request", "missing field `name`"),
        ("CONNECT service-a HTTP/1.1", "400 Bad Request", "is no HOST:PORT"),
    ] {
        let answer = raw(&setting, &format!("{request}\r\nhost: up\r\nconnection: close\r\n\r\n{{}}")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{request}: {answer}");
        let error: Error = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        assert_eq!(error.kind, Kind::Usage);
        assert!(error.to_string().contains(text), "{error}");
    }
}

#[tokio::test]
async fn a_body_without_end_is_refused() {
    let setting = Setting::new();
    let mut stream = UnixStream::connect(setting.client.socket()).await.unwrap();
    stream.write_all(b"POST /apply HTTP/1.1\r\nhost: up\r\ncontent-length: 99999999\r\n\r\n").await.unwrap();
    let (mut reads, mut writes) = stream.into_split();
    // Ends when the server has had enough.
    let sending = tokio::spawn(async move { while writes.write_all(&[b' '; 4096]).await.is_ok() {} });
    let mut answer = Vec::new();
    let _ = soon(reads.read_to_end(&mut answer)).await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("length limit exceeded"), "{answer}");
    soon(sending).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_end_is_not_waited_for() {
    let setting = Setting::new();
    // Nothing but its deadline ends it.
    assert_eq!(raw(&setting, "GET /status HTTP/1.1\r\nhost:").await, "");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let setting = Setting::new();
    let answer = raw(&setting, "POST /apply HTTP/1.1\r\nhost: up\r\ncontent-length: 9\r\n\r\n{").await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("it did not come within 10 s"), "{answer}");
}

#[tokio::test]
async fn a_socket_where_nobody_answers_says_what_to_do() {
    let setting = Setting::new();
    let client = Client::new(setting.folder.join("other.sock"));
    let error = client.status().await.unwrap_err();
    assert_eq!(error.next, ["msctl up"], "{error}");
    assert!(error.to_string().contains("other.sock"), "{error}");
    assert!(matches!(client.dial("service-a", 80).await, Err(DialFailure::Control(_))));
}

#[tokio::test]
async fn an_answer_of_another_version_is_said_to_be_one() {
    let setting = Setting::new();
    let socket = setting.folder.join("other.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let answering = async {
        let (mut server, _) = listener.accept().await.unwrap();
        let mut start = [0; 1024];
        let _ = server.read(&mut start).await.unwrap();
        server.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"new\":true").await.unwrap();
    };
    let client = Client::new(socket.clone());
    let (info, ()) = soon(async { tokio::join!(client.info(), answering) }).await;
    assert!(info.unwrap_err().next[0].contains("another version"));
}

#[tokio::test]
async fn everything_ends_when_it_is_told_to_and_an_answer_on_its_way_arrives() {
    let setting = Setting::new();
    let (events, _) = tokio::sync::mpsc::channel(1);
    let client = setting.client.clone();
    let asking = tokio::spawn(async move { client.scale("service-a", 2, events).await });
    soon(setting.supervisor.began()).await;
    setting.stop.cancel();
    setting.supervisor.finish(Ok(()));
    assert_eq!(soon(asking).await.unwrap().unwrap().replicas, 2);
    soon(setting.served).await.unwrap();
    assert!(setting.client.status().await.is_err());
}
