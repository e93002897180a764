use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::commands::call::tests::{Called, call_url};

/// A service that keeps its connections, gives these answers in turn, the last one for ever, and remembers what it was
/// asked.
struct Service {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    connections: usize,
    requests: Vec<String>,
}

impl Service {
    async fn start(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let (kept, answers) = (seen.clone(), Arc::new(answers));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                kept.lock().unwrap().connections += 1;
                tokio::spawn(serve(stream, kept.clone(), answers.clone()));
            }
        });
        Self { address, seen }
    }

    async fn call(&self, args: &[&str]) -> Called {
        call_url(&format!("http://{}/messages", self.address), args).await
    }

    fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().requests.clone()
    }
}

async fn serve(mut stream: TcpStream, seen: Arc<Mutex<Seen>>, answers: Arc<Vec<String>>) {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let n = stream.read(&mut piece).await.unwrap_or(0);
        if n == 0 {
            return;
        }
        request.extend_from_slice(&piece[..n]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.split_once("content-length: ").map_or("0", |(_, rest)| rest.split("\r\n").next().unwrap());
        if body.len() < length.parse::<usize>().unwrap() {
            continue;
        }
        request.clear();
        let at = {
            let mut seen = seen.lock().unwrap();
            seen.requests.push(text.clone());
            seen.requests.len() - 1
        };
        let answer = answers.get(at).or(answers.last()).unwrap();
        if answer.is_empty() {
            // The pod went: the connection ends without a word.
            return;
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}

fn accepted(headers: &str) -> String {
    answer("202 Accepted", headers, r#"{"id":"7","state":"pending","attempts":0}"#)
}

const LOCATION: &str = "location: /messages/7\r\n";
const APPLIED: &str = "location: /messages/7\r\npreference-applied: respond-async\r\n";
const PENDING: &str = r#"{"id":"7","state":"pending","attempts":2,"last_error":"service-b answered 503","next_attempt_at":"2026-01-31T23:59:59.123Z"}"#;
const DELIVERED: &str = r#"{"id":"7","state":"delivered","attempts":3}"#;
const DEAD: &str = r#"{"id":"7","state":"dead","attempts":1,"last_error":"service-b answered 400"}"#;

fn ok(body: &str) -> String {
    answer("200 OK", "", body)
}

const BODY: [&str; 2] = ["-d", r#"{"key":"value"}"#];

#[tokio::test]
async fn async_asks_for_an_early_answer_and_says_nothing_when_it_came_early() {
    let service = Service::start(vec![accepted(APPLIED)]).await;
    let called = service.call(&[&BODY[..], &["--async"]].concat()).await;
    assert_eq!((called.outcome, called.err.as_str()), (Ok(202), ""));
    assert_eq!(called.out, r#"{"id":"7","state":"pending","attempts":0}"#);
    assert!(service.requests()[0].contains("\r\nprefer: respond-async\r\n"), "{:?}", service.requests());
}

#[tokio::test]
async fn async_that_was_not_honoured_is_said_and_the_answer_printed() {
    let service = Service::start(vec![answer("201 Created", LOCATION, DELIVERED)]).await;
    for follow in [&[][..], &["--follow"]] {
        let called = service.call(&[&BODY[..], &["--async"], follow].concat()).await;
        assert_eq!((called.outcome, called.out.as_str()), (Ok(201), DELIVERED));
        assert!(called.err.contains("answered synchronously (201 Created"), "{}", called.err);
    }
}

#[tokio::test]
async fn a_message_is_followed_over_one_connection_until_it_is_delivered() {
    let service = Service::start(vec![accepted(APPLIED), ok(PENDING), ok(PENDING), ok(DELIVERED)]).await;
    let args = ["-H", "authorization: Bearer x", "-H", "idempotency-key: k", "--async", "--follow"];
    let called = service.call(&[&BODY[..], &args].concat()).await;
    assert_eq!(called.outcome, Ok(202));
    assert_eq!(called.out, DELIVERED, "one result, the last");
    assert_eq!(called.err, "", "what takes no second is not spoken of");
    let requests = service.requests();
    assert_eq!(requests.len(), 4);
    for request in &requests[1..] {
        assert!(request.starts_with("GET /messages/7 HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("authorization: Bearer x"), "{request}");
        for left_out in ["prefer", "idempotency-key", "content-type"] {
            assert!(!request.contains(left_out), "{left_out}: {request}");
        }
    }
    assert_eq!(service.seen.lock().unwrap().connections, 1);
}

#[tokio::test]
async fn an_answer_that_is_the_end_already_needs_no_question() {
    let service = Service::start(vec![answer("201 Created", "", DELIVERED)]).await;
    let called = service.call(&[&BODY[..], &["--follow"]].concat()).await;
    assert_eq!((called.outcome, called.out.as_str()), (Ok(201), DELIVERED));
    assert_eq!(service.requests().len(), 1);
}

#[tokio::test]
async fn include_prints_the_head_of_the_last_answer() {
    let service = Service::start(vec![accepted(LOCATION), ok(DELIVERED)]).await;
    let called = service.call(&[&BODY[..], &["--follow", "-i"]].concat()).await;
    assert_eq!(called.out, ok(DELIVERED));
}

#[tokio::test]
async fn verbose_says_how_often_it_was_asked() {
    let service = Service::start(vec![accepted(LOCATION), ok(PENDING), ok(DELIVERED)]).await;
    let called = service.call(&[&BODY[..], &["--follow", "-v"]].concat()).await;
    assert!(called.err.contains("message 7: delivered; 3 attempts; asked 2 times in "), "{}", called.err);
}

#[tokio::test]
async fn a_dead_message_is_printed_and_its_error_says_why_and_how_to_redeliver_it() {
    let service = Service::start(vec![accepted(LOCATION), ok(PENDING), ok(DEAD)]).await;
    let called = service.call(&[&BODY[..], &["--follow"]].concat()).await;
    assert_eq!(called.out, DEAD);
    let error = called.outcome.unwrap_err();
    assert_eq!(error.code(), ExitCode::CalleeFailed);
    let text = error.to_string();
    assert!(text.contains("message 7 is dead: it was given up after 1 attempt"), "{text}");
    assert!(text.contains("why: service-b answered 400"), "{text}");
    let redeliver = format!("next: msctl call -X POST http://{}/messages/7/redeliver", service.address);
    assert!(text.contains(&redeliver), "{text}");
}

#[tokio::test]
async fn a_message_that_was_refused_before_the_answer_came_is_dead_too() {
    let service = Service::start(vec![answer("202 Accepted", LOCATION, DEAD)]).await;
    let called = service.call(&[&BODY[..], &["--follow"]].concat()).await;
    assert_eq!(called.out, DEAD);
    let text = called.outcome.unwrap_err().to_string();
    assert!(text.contains("/messages/7/redeliver"), "{text}");
    assert_eq!(service.requests().len(), 1);
}

#[tokio::test]
async fn a_message_that_takes_too_long_is_told_with_what_keeps_it_and_how_to_look_later() {
    let service = Service::start(vec![accepted(LOCATION), ok(PENDING)]).await;
    let called = service.call(&[&BODY[..], &["--follow", "--timeout", "3s"]].concat()).await;
    assert_eq!(called.out, PENDING, "as far as it had come");
    let progress = "following message 7: pending; 2 attempts; service-b answered 503; next attempt at 2026-";
    assert_eq!(called.err.matches(progress).count(), 1, "live, and once: {}", called.err);
    let error = called.outcome.unwrap_err();
    assert_eq!(error.code(), ExitCode::TimedOut);
    let text = error.to_string();
    assert!(text.contains("not done within 3s") && text.contains("2 attempts; service-b answered 503"), "{text}");
    assert!(text.contains("why: message 7 is pending; it goes on without msctl"), "{text}");
    // The same command with a longer --timeout would send the message a second time.
    let next = format!("next: msctl call http://{}/messages/7 --follow", service.address);
    assert!(text.ends_with(&next) && text.matches("next: ").count() == 1, "{text}");
}

#[tokio::test]
async fn an_answer_without_a_place_to_follow_is_printed_and_said() {
    for (first, reason) in [
        (accepted(""), "it answered 202 Accepted without a Location"),
        (accepted("location: \r\n"), "it answered 202 Accepted without a Location"),
        (answer("200 OK", LOCATION, "Hello, World!"), "it answered 200 OK"),
        (answer("303 See Other", LOCATION, ""), "it answered 303 See Other"),
    ] {
        let service = Service::start(vec![first.clone()]).await;
        let called = service.call(&[&BODY[..], &["--follow"]].concat()).await;
        assert_eq!(called.out, first.split_once("\r\n\r\n").unwrap().1);
        let error = called.outcome.unwrap_err();
        assert_eq!(error.code(), ExitCode::Failed);
        for part in [reason, "where: namespace default", "next: leave out --follow"] {
            assert!(error.to_string().contains(part), "{part}: {error}");
        }
        assert_eq!(service.requests().len(), 1);
    }
}

#[tokio::test]
async fn another_host_is_not_gone_to() {
    let other = Service::start(vec![ok(DELIVERED)]).await;
    let location = format!("location: http://{}/messages/7\r\n", other.address);
    let service = Service::start(vec![accepted(&location)]).await;
    let called = service.call(&[&BODY[..], &["--follow"]].concat()).await;
    assert!(called.out.contains(r#""id":"7""#), "{}", called.out);
    let text = called.outcome.unwrap_err().to_string();
    assert!(text.contains(&format!("another host, {}", other.address)), "{text}");
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn an_absolute_location_on_the_same_host_is_followed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    assert_eq!(
        Base { authority: &address.to_string(), host: None, path: "/" }
            .resolve(&format!("http://{address}/messages/7")),
        Ok("/messages/7".to_owned())
    );
}

#[tokio::test]
async fn a_service_that_is_away_for_a_while_is_waited_for_as_long_as_it_asks() {
    let busy = answer("503 Service Unavailable", "retry-after: 2\r\n", "{}");
    let service = Service::start(vec![accepted(LOCATION), busy, String::new(), ok(DELIVERED)]).await;
    let began = Instant::now();
    let called = service.call(&[&BODY[..], &["--follow"]].concat()).await;
    assert_eq!((called.outcome, called.out.as_str()), (Ok(202), DELIVERED));
    assert!(began.elapsed() >= std::time::Duration::from_secs(2), "{:?}", began.elapsed());
    assert!(service.requests().len() >= 4, "{:?}", service.requests());
}

#[tokio::test]
async fn a_message_that_is_gone_is_an_error_in_the_services_words() {
    let gone = answer("404 Not Found", "", r#"{"title":"Not Found","detail":"there is no message 7"}"#);
    let service = Service::start(vec![accepted(LOCATION), gone]).await;
    let called = service.call(&[&BODY[..], &["--follow"]].concat()).await;
    let error = called.outcome.unwrap_err();
    assert_eq!(error.code(), ExitCode::CalleeFailed);
    let text = error.to_string();
    assert!(text.contains("/messages/7 answered 404 Not Found") && text.contains("there is no message 7"), "{text}");
    assert!(called.out.contains("pending"), "what was known of it: {}", called.out);
}

#[tokio::test]
async fn a_resource_without_a_state_is_not_asked_for_ever() {
    let service = Service::start(vec![accepted(LOCATION), ok("Hello, World!")]).await;
    let text = service.call(&[&BODY[..], &["--follow"]].concat()).await.outcome.unwrap_err().to_string();
    let look = format!("next: msctl call http://{}/messages/7", service.address);
    for part in ["no JSON object with a `state`", "where: namespace default", look.as_str()] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[tokio::test]
async fn an_answer_too_large_to_be_held_back_is_not_followed() {
    let large = answer("202 Accepted", LOCATION, &" ".repeat(super::LARGEST + 1));
    let service = Service::start(vec![large.clone()]).await;
    let called = service.call(&[&BODY[..], &["--follow"]].concat()).await;
    let text = called.outcome.unwrap_err().to_string();
    assert!(text.contains("cannot be followed") && text.contains("next: without --follow"), "{text}");
    assert_eq!(called.out, "");
    // A message may be it, too, once it is asked for.
    let service = Service::start(vec![accepted(LOCATION), large]).await;
    let called = service.call(&[&BODY[..], &["--follow"]].concat()).await;
    let text = called.outcome.unwrap_err().to_string();
    assert!(text.contains("cannot be followed any further") && text.contains("next: msctl call "), "{text}");
}

#[tokio::test]
async fn a_get_of_a_message_can_be_followed_too() {
    let service = Service::start(vec![ok(PENDING), ok(DELIVERED)]).await;
    let called = call_url(&format!("http://{}/messages/7", service.address), &["--follow"]).await;
    assert_eq!((called.outcome, called.out.as_str()), (Ok(200), DELIVERED));
    assert!(service.requests().iter().all(|request| request.starts_with("GET /messages/7 ")));
}

#[tokio::test]
async fn an_error_of_the_service_is_printed_as_ever() {
    let service = Service::start(vec![answer("422 Unprocessable Entity", "", "no object")]).await;
    let called = service.call(&[&BODY[..], &["--async", "--follow"]].concat()).await;
    assert_eq!((called.outcome, called.out.as_str()), (Ok(422), "no object"));
    assert!(called.err.contains("answered 422 Unprocessable Entity\n  why: no object\n"), "{}", called.err);
}
