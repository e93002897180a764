use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::output::tests::captured;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn expected() -> Expected {
    Expected { trace: TRACE.parse().unwrap(), root: "1".parse().unwrap(), outside: None, delivery: Delivery::Unknown }
}

fn span(id: u64, parent: u64, service: &str, kind: &str) -> String {
    let references = match parent {
        0 => String::new(),
        _ => format!(r#"{{"refType":"CHILD_OF","traceID":"{TRACE}","spanID":"{parent:x}"}}"#),
    };
    format!(
        r#"{{"spanID":"{id:x}","operationName":"GET","references":[{references}],"startTime":{},"duration":9,
        "tags":[{{"key":"span.kind","value":"{kind}"}}],"processID":"{service}"}}"#,
        1000 + id
    )
}

fn answer(spans: &[String]) -> String {
    format!(
        r#"{{"data":[{{"traceID":"{TRACE}","spans":[{}],"processes":{{
        "msctl":{{"serviceName":"msctl"}},"service-a":{{"serviceName":"service-a"}}}}}}]}}"#,
        spans.join(",")
    )
}

/// A Jaeger that gives these answers in turn, the last one for ever; an answer is a status and a body.
async fn jaeger(answers: Vec<(u16, String)>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut answers = answers.into_iter().peekable();
        while let Ok((mut stream, _)) = listener.accept().await {
            let (status, body) = answers.peek().cloned().unwrap();
            if answers.len() > 1 {
                answers.next();
            }
            let mut request = [0; 4096];
            if stream.read(&mut request).await.unwrap_or(0) == 0 {
                continue;
            }
            let head = format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        }
    });
    address
}

async fn printed(answers: Vec<(u16, String)>, within: Duration) -> (Result<(), Error>, String, String) {
    printed_of(expected(), answers, within).await
}

async fn printed_of(
    expected: Expected,
    answers: Vec<(u16, String)>,
    within: Duration,
) -> (Result<(), Error>, String, String) {
    let (printer, out, err) = captured();
    let address = jaeger(answers).await;
    let named: Jaeger = Jaeger::asked(&crate::collector::place(&format!("x:{}", address.port())).unwrap());
    let api = QueryApi::new(Connector::direct(Duration::from_secs(5)), address.to_string());
    let result = print_from(expected, &named, &api, "shop", Bound::from_now(within), &printer).await;
    (result, out.text(), err.text())
}

/// Long enough for an answer on a busy machine.
const SOON: Duration = Duration::from_secs(2);
const LATER: Duration = Duration::from_secs(20);

fn whole() -> Vec<String> {
    vec![span(1, 0, "msctl", "internal"), span(2, 1, "msctl", "client"), span(3, 2, "service-a", "server")]
}

#[tokio::test]
async fn a_trace_that_grows_is_printed_once_it_is_whole() {
    let not_found = (404, r#"{"data":null,"errors":[{"code":404,"msg":"trace not found"}]}"#.to_owned());
    let answers = vec![not_found, (200, answer(&whole()[..1])), (200, answer(&whole()[..2])), (200, answer(&whole()))];
    let (result, out, err) = printed(answers, LATER).await;
    assert_eq!(result, Ok(()));
    assert!(out.contains("3 spans") && out.contains("service-a GET"), "{out}");
    assert_eq!(err, "");
}

/// The first whole tree is that of the call: the delivery comes after it.
fn with_delivery() -> Vec<String> {
    [whole(), vec![span(4, 3, "service-a", "client"), span(5, 4, "service-a", "server")]].concat()
}

#[tokio::test]
async fn a_message_that_arrived_is_shown_with_its_delivery() {
    let answers = vec![(200, answer(&whole())), (200, answer(&with_delivery()[..4])), (200, answer(&with_delivery()))];
    let (result, out, err) = printed_of(expected().with(Delivery::Arrived), answers, LATER).await;
    assert_eq!((result, err.as_str()), (Ok(()), ""));
    assert!(out.contains("5 spans"), "{out}");
}

#[tokio::test]
async fn a_delivery_in_another_trace_is_said_to_be_there() {
    let (result, out, err) = printed_of(expected().with(Delivery::Arrived), vec![(200, answer(&whole()))], SOON).await;
    assert_eq!(result, Ok(()));
    assert!(out.contains("3 spans"), "{out}");
    assert!(err.contains("no span of the delivery") && err.contains("the call that first sent the message"), "{err}");
}

#[tokio::test]
async fn what_has_not_arrived_in_time_is_named() {
    let (result, out, err) = printed(vec![(200, answer(&whole()[..2]))], SOON).await;
    assert_eq!(result, Ok(()));
    assert!(out.contains("2 spans"), "{out}");
    assert!(err.contains("not whole") && err.contains("no span of what answered `msctl GET`"), "{err}");
    assert!(err.contains(&format!("msctl trace {TRACE}")), "{err}");
}

#[tokio::test]
async fn a_jaeger_that_stays_broken_is_an_error_that_says_so() {
    let (result, out, _) = printed(vec![(503, "starting".to_owned())], SOON).await;
    let error = result.unwrap_err();
    assert_eq!((error.code(), out.as_str()), (ExitCode::Failed, ""));
    let text = error.to_string();
    assert!(text.contains("the call was answered") && text.contains("503"), "{text}");
}

#[tokio::test]
async fn a_jaeger_that_stumbles_once_is_asked_again() {
    let answers = vec![(503, "starting".to_owned()), (200, answer(&whole()))];
    let (result, out, _) = printed(answers, LATER).await;
    assert_eq!(result, Ok(()));
    assert!(out.contains("3 spans"), "{out}");
}

#[tokio::test]
async fn something_else_than_jaeger_is_not_waited_for() {
    let began = Instant::now();
    let (result, _, _) = printed(vec![(200, "Hello, World!".to_owned())], LATER).await;
    assert!(result.unwrap_err().to_string().contains("is not Jaeger's query API"));
    assert!(began.elapsed() < LATER);
}

#[tokio::test]
async fn no_jaeger_at_all_is_said_at_once_with_what_to_do() {
    let (printer, out, _) = captured();
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let api = QueryApi::new(Connector::direct(Duration::from_secs(5)), nobody.to_string());
    let began = Instant::now();
    let jaeger = Jaeger::guess();
    let asked = print_from(expected(), &jaeger, &api, "shop", Bound::from_now(LATER), &printer);
    let error = asked.await.unwrap_err();
    assert!(began.elapsed() < LATER);
    let text = error.to_string();
    assert!(text.contains("the call was answered") && text.contains("--jaeger"), "{text}");
    assert_eq!(out.text(), "");
}

#[tokio::test]
async fn a_jaeger_whose_name_nobody_knows_is_one_to_deploy() {
    let (printer, ..) = captured();
    let api = QueryApi::new(Connector::direct(LATER), "jaeger.invalid:16686".to_owned());
    let jaeger = Jaeger::guess();
    let asked = print_from(expected(), &jaeger, &api, "shop", Bound::from_now(LATER), &printer);
    let text = asked.await.unwrap_err().to_string();
    assert!(text.contains("next: msctl deploy jaeger -n shop brings one"), "{text}");
}

#[tokio::test]
async fn a_trace_that_does_not_come_is_asked_for_less_and_less_often() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (printer, ..) = captured();
    let api = QueryApi::new(Connector::direct(Duration::from_secs(5)), address.to_string());
    let jaeger = Jaeger::guess();
    let asked = print_from(expected(), &jaeger, &api, "shop", Bound::from_now(SOON), &printer);
    let mut questions = 0;
    let answers = async {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            questions += 1;
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(b"HTTP/1.1 503 x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").await;
        }
    };
    tokio::select! {
        outcome = asked => assert!(outcome.is_err()),
        () = answers => {}
    }
    // 25 + 50 + 100 + 200 ms, then every 250 ms.
    assert!((1..=12).contains(&questions), "{questions} questions in {SOON:?}");
}
