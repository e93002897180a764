//! Streams through a relay: what a caller sees of a target, and of other callers.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use futures::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::super::session::{ConnectFailed, Established, Session, authority};
use super::super::{DialError, TunnelStream};
use super::{echo, soon, target};
use crate::relay::testing::TestRelay;
use crate::relay::{Ended, RelayConfig};

async fn session(relay: &TestRelay) -> Session {
    let socket = TcpStream::connect(relay.address).await.unwrap();
    Session::open(socket, "relay", Established::OnAnswer).await.unwrap()
}

async fn started() -> (TestRelay, Session) {
    let relay = TestRelay::start(RelayConfig::default()).await;
    let session = session(&relay).await;
    (relay, session)
}

async fn dial(session: &Session, to: SocketAddr) -> TunnelStream {
    soon(connect(session, &to.ip().to_string(), to.port())).await.unwrap()
}

async fn connect(session: &Session, host: &str, port: u16) -> Result<TunnelStream, ConnectFailed> {
    session.connect(&authority(host, port).unwrap()).await
}

async fn refusal(session: &Session, host: &str, port: u16) -> DialError {
    match soon(connect(session, host, port)).await {
        Err(ConnectFailed::Refused(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn bytes_reach_the_target_and_come_back_unchanged() {
    let (_relay, session) = started().await;
    let to = echo().await;
    let stream = dial(&session, to).await;
    assert_eq!(stream.peer(), Some(to));
    let sent: Vec<u8> = (0..4 << 20).map(|at: u32| (at % 251) as u8).collect();
    let (mut read, mut write) = tokio::io::split(stream);
    let writer = async {
        write.write_all(&sent).await.unwrap();
        write.shutdown().await.unwrap();
    };
    let mut received = Vec::new();
    let reader = async { read.read_to_end(&mut received).await.unwrap() };
    soon(async { tokio::join!(writer, reader) }).await;
    assert!(received == sent, "{} of {} bytes came back as sent", received.len(), sent.len());
}

#[tokio::test]
async fn a_caller_that_has_sent_everything_still_reads_the_answer() {
    let (_relay, session) = started().await;
    let to = target(|mut socket| async move {
        let mut request = Vec::new();
        socket.read_to_end(&mut request).await.unwrap();
        socket.write_all(format!("{} bytes", request.len()).as_bytes()).await.unwrap();
    })
    .await;
    let mut stream = dial(&session, to).await;
    stream.write_all(b"question").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await.unwrap();
    assert_eq!(answer, "8 bytes");
}

#[tokio::test]
async fn a_target_that_has_sent_everything_still_reads_the_rest() {
    let (_relay, session) = started().await;
    let (tell, mut told) = mpsc::channel(1);
    let to = target(move |mut socket| {
        let tell = tell.clone();
        async move {
            socket.shutdown().await.unwrap();
            let mut rest = String::new();
            socket.read_to_string(&mut rest).await.unwrap();
            tell.send(rest).await.unwrap();
        }
    })
    .await;
    let mut stream = dial(&session, to).await;
    assert_eq!(soon(stream.read(&mut [0u8; 1])).await.unwrap(), 0);
    stream.write_all(b"the rest").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(soon(told.recv()).await.as_deref(), Some("the rest"));
}

#[tokio::test]
async fn a_target_that_resets_is_an_error_and_no_end_of_file() {
    let (_relay, session) = started().await;
    let to = target(|mut socket| async move {
        socket.write_all(b"half an ans").await.unwrap();
        let mut request = [0u8; 4];
        socket.read_exact(&mut request).await.unwrap();
        socket.set_zero_linger().unwrap();
    })
    .await;
    let mut stream = dial(&session, to).await;
    let mut first = [0u8; 11];
    soon(stream.read_exact(&mut first)).await.unwrap();
    stream.write_all(b"more").await.unwrap();
    let error = soon(stream.read(&mut first)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_target_sees_a_reset_when_the_caller_gives_up() {
    let (_relay, session) = started().await;
    let (tell, mut told) = mpsc::channel(1);
    let to = target(move |mut socket| {
        let tell = tell.clone();
        async move {
            let ended = socket.read(&mut [0u8; 16]).await.map_err(|error| error.kind());
            tell.send(ended).await.unwrap();
        }
    })
    .await;
    drop(dial(&session, to).await);
    assert_eq!(soon(told.recv()).await, Some(Err(ErrorKind::ConnectionReset)));
}

#[tokio::test]
async fn an_answer_given_before_the_request_was_read_arrives_whole() {
    let (_relay, session) = started().await;
    let to = target(|mut socket| async move {
        socket.write_all(b"too large").await.unwrap();
        socket.shutdown().await.unwrap();
        // Closed with unread data: the system resets the connection.
        let _ = socket.readable().await;
    })
    .await;
    let mut stream = dial(&session, to).await;
    let _ = stream.write_all(&vec![0u8; 64 << 10]).await;
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await.unwrap();
    assert_eq!(answer, "too large");
}

#[tokio::test]
async fn many_downloads_that_nobody_reads_do_not_hold_up_another() {
    let (_relay, session) = started().await;
    let endless = target(|mut socket| async move {
        let junk = vec![0u8; 64 << 10];
        while socket.write_all(&junk).await.is_ok() {}
    })
    .await;
    let mut stalled = Vec::new();
    for _ in 0..100 {
        let mut stream = dial(&session, endless).await;
        // It flows, then nobody reads on.
        soon(stream.read_exact(&mut [0u8; 1024])).await.unwrap();
        stalled.push(stream);
    }
    round_trip(&session, echo().await, 1 << 20).await;
    drop(stalled);
}

#[tokio::test]
async fn many_uploads_that_no_target_reads_do_not_hold_up_another() {
    let (_relay, session) = started().await;
    let (_never, never) = tokio::sync::watch::channel(());
    let deaf = target(move |socket| {
        let mut never = never.clone();
        async move {
            let _ = never.changed().await;
            drop(socket);
        }
    })
    .await;
    let mut stalled = Vec::new();
    for _ in 0..100 {
        let mut stream = dial(&session, deaf).await;
        let junk = vec![0u8; 64 << 10];
        // Until its window and the buffers behind it are full.
        while tokio::time::timeout(Duration::from_millis(30), stream.write_all(&junk)).await.is_ok() {}
        stalled.push(stream);
    }
    round_trip(&session, echo().await, 1 << 20).await;
    drop(stalled);
}

#[tokio::test]
async fn three_hundred_streams_at_once_all_get_their_own_bytes() {
    let (_relay, session) = started().await;
    let to = echo().await;
    soon(join_all((0..300).map(|_| round_trip(&session, to, 16 << 10)))).await;
    // And the windows are large again afterwards.
    round_trip(&session, to, 2 << 20).await;
}

async fn round_trip(session: &Session, to: SocketAddr, size: usize) {
    let (mut read, mut write) = tokio::io::split(dial(session, to).await);
    let sent = vec![7u8; size];
    let mut received = vec![0u8; size];
    let both = async { tokio::try_join!(write.write_all(&sent), read.read_exact(&mut received)) };
    soon(both).await.unwrap();
    assert!(received == sent);
}

#[tokio::test]
async fn addresses_outside_the_policy_are_refused_with_the_reason() {
    let relay = TestRelay::strict(RelayConfig::default()).await;
    let session = session(&relay).await;
    for (address, reason) in [
        ("127.0.0.1", "loopback"),
        ("169.254.169.254", "link-local"),
        ("::1", "loopback"),
        ("203.0.113.7", "outside the ranges"),
    ] {
        let error = refusal(&session, address, 80).await;
        assert!(matches!(error, DialError::Prohibited { .. }), "{error:?}");
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[tokio::test]
async fn a_port_where_nothing_listens_is_refused() {
    let (_relay, session) = started().await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = refusal(&session, "127.0.0.1", port).await;
    assert!(matches!(error, DialError::Refused { .. }), "{error:?}");
    assert_eq!(error.to_string(), format!("cannot connect to 127.0.0.1:{port}: 127.0.0.1:{port}: connection refused"));
}

#[tokio::test]
async fn a_host_that_is_no_name_is_not_found() {
    let (_relay, session) = started().await;
    let error = refusal(&session, "a..b", 80).await;
    assert!(matches!(error, DialError::NotFound { .. }), "{error:?}");
}

#[tokio::test]
async fn more_streams_than_allowed_are_refused_and_the_others_stay() {
    let relay = TestRelay::start(RelayConfig { max_streams: 1, ..RelayConfig::default() }).await;
    let session = session(&relay).await;
    let to = echo().await;
    let mut first = dial(&session, to).await;
    let error = refusal(&session, "127.0.0.1", to.port()).await;
    assert!(matches!(error, DialError::Overloaded { .. }), "{error:?}");
    first.write_all(b"x").await.unwrap();
    assert_eq!(soon(first.read_u8()).await.unwrap(), b'x');
}

#[tokio::test]
async fn a_relay_that_is_told_to_stop_lets_open_streams_finish() {
    let patient = RelayConfig { drain_timeout: Duration::from_mins(1), ..RelayConfig::default() };
    let relay = TestRelay::start(patient).await;
    let session = session(&relay).await;
    let mut stream = dial(&session, echo().await).await;
    relay.stop();
    // Once it refuses new streams, the open one still works.
    let refused_by_the_target = async || {
        let outcome = connect(&session, "127.0.0.1", 1).await;
        outcome.is_err_and(|error| matches!(error, ConnectFailed::Refused(_)))
    };
    soon(async { while refused_by_the_target().await {} }).await;
    soon(stream.write_all(b"last words")).await.unwrap();
    soon(stream.shutdown()).await.unwrap();
    let mut echoed = String::new();
    soon(stream.read_to_string(&mut echoed)).await.unwrap();
    assert_eq!(echoed, "last words");
    drop((stream, session));
    assert_eq!(soon(relay.ended()).await, Ended::Signal);
}

#[tokio::test]
async fn a_relay_that_nobody_uses_ends_itself_and_says_so_to_those_connected() {
    // Long enough for a busy machine to connect before it is over.
    let relay = TestRelay::start(RelayConfig { idle_timeout: Duration::from_secs(2), ..RelayConfig::default() }).await;
    let session = session(&relay).await;
    assert_eq!(soon(relay.ended()).await, Ended::Idle);
    assert!(matches!(soon(connect(&session, "127.0.0.1", 1)).await, Err(ConnectFailed::Lost(_))));
}

#[tokio::test]
async fn losing_the_relay_resets_its_streams() {
    let relay = TestRelay::start(RelayConfig::default()).await;
    let (near, mut far) = tokio::io::duplex(64 << 10);
    let mut socket = TcpStream::connect(relay.address).await.unwrap();
    let between = tokio::spawn(async move { tokio::io::copy_bidirectional(&mut far, &mut socket).await });
    let session = Session::open(near, "relay", Established::OnAnswer).await.unwrap();
    let mut stream = dial(&session, echo().await).await;
    between.abort();
    let error = soon(stream.read(&mut [0u8; 1])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(matches!(soon(connect(&session, "127.0.0.1", 1)).await, Err(ConnectFailed::Lost(_))));
    assert!(!session.is_alive());
}

#[test]
fn a_target_is_written_as_connect_has_it() {
    assert_eq!(authority("service-b.demo", 8001).unwrap(), "service-b.demo:8001");
    assert_eq!(authority("::1", 80).unwrap(), "[::1]:80");
    assert_eq!(authority("[fd00::1]", 80).unwrap(), "[fd00::1]:80");
    for (host, port) in [("", 80), ("a b", 80), ("user@host", 80), ("a:1", 80), ("host", 0)] {
        assert!(matches!(authority(host, port), Err(DialError::BadTarget { .. })), "{host}:{port}");
    }
}
