use http::{Request, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::double::{DEADLINE, Receiver, gzip, request, statement};
use super::*;
use crate::Limits;

#[tokio::test]
async fn a_body_that_is_too_long_packed_or_not_is_refused() {
    let config = Config { max_body: 100_000, ..Config::default() };
    let receiver = Receiver::with(config, Store::default()).await;
    let long = vec![b' '; 500_000];
    let answered = receiver.post("application/json", long.clone()).await;
    assert_eq!(
        (answered.status, &answered.json()["message"]),
        (StatusCode::PAYLOAD_TOO_LARGE, &json!("the body is longer than 100000 bytes"))
    );
    let packed = Request::post("/").header("content-type", "application/json").header("content-encoding", "gzip");
    let answered = receiver.send(packed, "/v1/traces", gzip(&long)).await;
    assert_eq!(answered.status, StatusCode::PAYLOAD_TOO_LARGE);
    receiver.post_json(&request("service-a", &json!([statement()]))).await;
}

#[tokio::test]
async fn a_body_waits_while_others_take_all_the_room() {
    let config = Config { max_bodies: 64 << 10, body_timeout: DEADLINE, ..Config::default() };
    let receiver = Receiver::with(config, Store::default()).await;
    let mut first = receiver.connect().await;
    let head = "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 65536\r\nexpect: 100-continue\r\n\r\n";
    first.write_all(head.as_bytes()).await.unwrap();
    // It has its room by now.
    first.read_exact(&mut [0; 25]).await.unwrap();
    let mut second = std::pin::pin!(receiver.post("application/json", vec![b' '; 500]));
    assert!(timeout(Duration::from_millis(100), &mut second).await.is_err());
    first.write_all(&vec![b' '; 65536]).await.unwrap();
    let answered = timeout(DEADLINE, second).await.unwrap();
    assert_eq!(answered.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_body_that_unpacks_to_more_than_there_is_room_for_is_put_off() {
    let config = Config { max_bodies: 64 << 10, ..Config::default() };
    let receiver = Receiver::with(config, Store::default()).await;
    let packed = || Request::post("/").header("content-type", "application/json").header("content-encoding", "gzip");
    let answered = receiver.send(packed(), "/v1/traces", gzip(&vec![b' '; 100_000])).await;
    assert_eq!(answered.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!((answered.header("retry-after"), &answered.json()["code"]), ("1", &json!(14)));
    // Its part is free again.
    for _ in 0..10 {
        let body = request("service-a", &json!([statement()])).to_string();
        assert_eq!(receiver.send(packed(), "/v1/traces", gzip(body.as_bytes())).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let config = Config { body_timeout: Duration::from_millis(50), ..Config::default() };
    let receiver = Receiver::with(config, Store::default()).await;
    let mut slow = receiver.connect().await;
    let head = "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{";
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(DEADLINE, slow.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[tokio::test]
async fn a_head_that_does_not_come_is_not_waited_for() {
    let config = Config { head_timeout: Duration::from_millis(50), ..Config::default() };
    let receiver = Receiver::with(config, Store::default()).await;
    let mut slow = receiver.connect().await;
    slow.write_all(b"POST /v1/traces HTTP/1.1\r\nhost:").await.unwrap();
    let ended = timeout(DEADLINE, slow.read_to_end(&mut Vec::new())).await;
    assert!(ended.is_ok());
}

#[tokio::test]
async fn a_connection_beyond_the_cap_waits_for_its_turn() {
    let config = Config { max_connections: 2, ..Config::default() };
    let receiver = Receiver::with(config, Store::default()).await;
    let ask = b"GET /api/services HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut connection = receiver.connect().await;
        connection.write_all(ask).await.unwrap();
        assert!(connection.read(&mut [0; 512]).await.unwrap() > 0);
        open.push(connection);
    }
    let mut third = receiver.connect().await;
    third.write_all(ask).await.unwrap();
    let mut answer = [0; 512];
    assert!(timeout(Duration::from_millis(100), third.read(&mut answer)).await.is_err());
    open.pop();
    assert!(timeout(DEADLINE, third.read(&mut answer)).await.unwrap().unwrap() > 0);
}

#[tokio::test]
async fn a_stop_closes_the_listener_and_lets_a_request_in_flight_end() {
    let receiver = Receiver::with(Config { grace: DEADLINE, ..Config::default() }, Store::default()).await;
    let body = request("service-a", &json!([statement()])).to_string();
    let mut slow = receiver.connect().await;
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n",
        body.len()
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    // It is read by now.
    let mut answer = vec![0; 25];
    slow.read_exact(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 100 "));
    receiver.stop.cancel();
    let refused = async {
        while TcpStream::connect(&receiver.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, refused).await.unwrap();
    slow.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(DEADLINE, slow.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    timeout(DEADLINE, receiver.served).await.unwrap().unwrap().unwrap();
    assert_eq!(receiver.store.stats().spans, 1);
}

#[tokio::test]
async fn a_trace_that_is_dropped_while_it_is_read_breaks_the_answer_off() {
    let receiver = Receiver::with(Config::default(), Store::new(Limits { bytes: 1 << 20 })).await;
    let spans = |trace: u128, count: u64| -> Vec<Value> {
        let one = |id: u64| {
            let mut span = statement();
            span["traceId"] = json!(format!("{trace:032x}"));
            span["spanId"] = json!(format!("{id:016x}"));
            span
        };
        (1..=count).map(one).collect()
    };
    receiver.post_json(&request("service-a", &json!(spans(1, 2500)))).await;
    let mut answer = answer::Answer::new(receiver.store.clone(), vec![receiver.store.find(1).unwrap()]);
    let piece = http_body_util::BodyExt::frame(&mut answer).await.unwrap().unwrap().into_data().unwrap();
    assert!(piece.starts_with(br#"{"data":[{"traceID":"#));
    for trace in 2.. {
        if receiver.store.find(1).is_none() {
            break;
        }
        receiver.post_json(&request("service-a", &json!(spans(trace, 500)))).await;
    }
    assert!(http_body_util::BodyExt::frame(&mut answer).await.unwrap().is_err());
    assert!(http_body_util::BodyExt::frame(&mut answer).await.is_none());
    // Asked for anew, it is as if it had never been.
    let nothing = answer::Answer::new(receiver.store.clone(), Vec::new());
    let nothing = http_body_util::BodyExt::collect(nothing).await.unwrap().to_bytes();
    assert_eq!(serde_json::from_slice::<Value>(&nothing).unwrap()["data"], json!([]));
}
