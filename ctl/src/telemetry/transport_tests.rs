use std::convert::Infallible;
use std::net::SocketAddr;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;

/// A collector that gives one answer, and says which paths it was sent to.
async fn collector(status: u16) -> (SocketAddr, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sent, paths) = mpsc::channel(8);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let sent = sent.clone();
            let answer = service_fn(move |request: Request<Incoming>| {
                sent.try_send(request.uri().path().to_owned()).unwrap();
                let response = Response::builder().status(status).body(Full::new(Bytes::from_static(b"said")));
                async move { Ok::<_, Infallible>(response.unwrap()) }
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
        }
    });
    (address, paths)
}

fn export(address: SocketAddr, source: Source) -> Export {
    let endpoint = format!("http://{address}/v1/traces").parse().unwrap();
    Export::new(Connector::direct(Duration::from_secs(5)), endpoint, source)
}

fn batch() -> Request<Bytes> {
    Request::post("http://collector/v1/traces").body(Bytes::from_static(b"spans")).unwrap()
}

async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn spans_wait_until_their_destination_is_known() {
    let (address, mut paths) = collector(200).await;
    let transport = Transport::default();
    let sending = transport.send_bytes(batch());
    tokio::pin!(sending);
    assert!(futures::poll!(&mut sending).is_pending());
    transport.decide(Some(export(address, Source::Deployment)));
    assert_eq!(sending.await.unwrap().status(), StatusCode::OK);
    assert_eq!(paths.recv().await.unwrap(), "/v1/traces");
    assert!(transport.failure().is_none());
}

#[tokio::test]
async fn spans_without_a_destination_are_dropped_without_a_word() {
    let transport = Transport::default();
    transport.decide_if_open();
    assert_eq!(transport.send_bytes(batch()).await.unwrap().status(), StatusCode::OK);
    assert!(transport.failure().is_none() && !transport.has_destination());
}

#[tokio::test]
async fn a_decision_is_not_undone_at_the_end() {
    let (address, _paths) = collector(200).await;
    let transport = Transport::default();
    transport.decide(Some(export(address, Source::Deployment)));
    transport.decide_if_open();
    assert!(transport.has_destination());
}

#[tokio::test]
async fn a_collector_that_nobody_asked_for_may_be_absent() {
    let transport = Transport::default();
    transport.decide(Some(export(nobody().await, Source::Deployment)));
    transport.send_bytes(batch()).await.unwrap();
    assert!(!transport.failure().unwrap().worth_saying);
}

#[tokio::test]
async fn a_collector_that_was_asked_for_is_missed_with_its_address() {
    let transport = Transport::default();
    let address = nobody().await;
    transport.decide(Some(export(address, Source::Asked)));
    let answer = transport.send_bytes(batch()).await.unwrap();
    assert!(answer.status().is_client_error(), "an exporter does not try that again");
    let failure = transport.failure().unwrap();
    assert!(failure.worth_saying);
    assert!(failure.message.contains(&address.to_string()), "{}", failure.message);
}

#[tokio::test]
async fn what_the_collector_answers_is_the_exporters_to_judge() {
    let (address, _paths) = collector(503).await;
    let transport = Transport::default();
    transport.decide(Some(export(address, Source::Deployment)));
    let answer = transport.send_bytes(batch()).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.body().as_ref()), (503, b"said".as_slice()));
}

#[tokio::test(start_paused = true)]
async fn a_guess_that_does_not_answer_is_left_soon_and_quietly() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let transport = Transport::default();
    transport.decide(Some(export(listener.local_addr().unwrap(), Source::Guess)));
    let began = tokio::time::Instant::now();
    transport.send_bytes(batch()).await.unwrap();
    assert!(began.elapsed() < Duration::from_millis(500));
    let failure = transport.failure().unwrap();
    assert!(!failure.worth_saying && failure.message.contains("no answer within"), "{}", failure.message);
}
