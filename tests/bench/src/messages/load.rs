//! Clients of A and B: one thread, connections that are kept, requests that are written beforehand.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use uuid::Uuid;

use super::http::Reader;
use super::rate::Progress;

pub(crate) const CLIENTS: usize = 64;
/// No answer takes longer, or the run has failed.
const PATIENCE: Duration = Duration::from_secs(30);
/// Where a request carries an id of its own.
const PLACE: &str = "00000000-0000-0000-0000-000000000000";

/// A request, of which only an id changes.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    bytes: Vec<u8>,
    /// Where the id is, if there is one.
    id: Option<usize>,
    /// What the answer has to be.
    status: u16,
}

impl Request {
    /// `POST /messages`, to be answered as soon as it is committed; the body is about 100 bytes long.
    pub(crate) fn message() -> Self {
        let body = format!(r#"{{"order":"{PLACE}","customer":4711,"items":[1,2,3],"note":"two lines"}}"#);
        Self::new(api::a::MESSAGES_PATH, "Prefer: respond-async\r\n", &body, 202)
    }

    /// `POST /events` in binary mode, as A sends it.
    pub(crate) fn event() -> Self {
        let attributes = format!(
            "ce-specversion: 1.0\r\nce-id: {PLACE}\r\nce-source: /service-a\r\n\
             ce-type: dev.msctl.message.created.v1\r\nce-time: 2026-01-31T23:59:59.123Z\r\n"
        );
        let body = r#"{"order":"8a6e0804-2bd0-4672-b79d-d97027f9071a","customer":4711,"items":[1,2,3],"note":"none"}"#;
        Self::new(api::b::EVENTS_PATH, &attributes, body, 201)
    }

    fn new(path: &str, headers: &str, body: &str, status: u16) -> Self {
        let text = format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Self { id: text.find(PLACE), bytes: text.into_bytes(), status }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    fn with_new_id(&mut self) -> &[u8] {
        if let Some(place) = self.id {
            Uuid::now_v7().hyphenated().encode_lower(&mut self.bytes[place..place + PLACE.len()]);
        }
        &self.bytes
    }
}

/// `CLIENTS` clients, each of which sends its next request when the last one is answered, until it is enough.
pub(crate) fn closed_loop(address: SocketAddr, request: &Request, progress: &Progress) {
    let client = || async {
        let mut connection = Connection::open(address, request.clone()).await;
        while !progress.is_enough() {
            connection.exchange().await;
            progress.add(1);
        }
    };
    runtime().block_on(join_all((0..CLIENTS).map(|_| client())));
}

/// Exactly `count` requests, by all clients together, as fast as they are answered.
pub(crate) fn fill(address: SocketAddr, request: &Request, count: usize) {
    let client = |share: usize| async move {
        let mut connection = Connection::open(address, request.clone()).await;
        for _ in 0..share {
            connection.exchange().await;
        }
    };
    let shares = (0..CLIENTS).map(|k| count / CLIENTS + usize::from(k < count % CLIENTS));
    runtime().block_on(join_all(shares.map(client)));
}

/// A message that A has acknowledged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Acknowledged {
    pub(crate) id: Uuid,
    /// When the request was to be sent.
    pub(crate) due: Instant,
    /// When the answer was there.
    pub(crate) at: Instant,
}

/// One request every `interval`, whether the ones before are answered or not, until `count` are sent.
///
/// The clients take turns; one that is still busy when its turn comes sends late, and `due` says by how much.
pub(crate) async fn open_loop(
    address: SocketAddr,
    request: &Request,
    count: usize,
    interval: Duration,
) -> Vec<Acknowledged> {
    let all = Mutex::new(Vec::with_capacity(count));
    let connections = join_all((0..CLIENTS).map(|_| Connection::open(address, request.clone()))).await;
    let start = Instant::now() + interval;
    let client = |k: usize, mut connection: Connection| {
        let all = &all;
        async move {
            for turn in (k..count).step_by(CLIENTS) {
                let due = start + interval * u32::try_from(turn).expect("some thousand turns");
                tokio::time::sleep_until(due.into()).await;
                let id = connection.exchange().await.expect("a Location");
                all.lock().expect("one thread").push(Acknowledged { id, due, at: Instant::now() });
            }
        }
    };
    join_all(connections.into_iter().enumerate().map(|(k, connection)| client(k, connection))).await;
    all.into_inner().expect("one thread")
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    reader: Reader,
    request: Request,
}

impl Connection {
    async fn open(address: SocketAddr, request: Request) -> Self {
        let stream = TcpStream::connect(address).await.expect("a connection");
        stream.set_nodelay(true).expect("a socket option");
        Self { stream, reader: Reader::new(), request }
    }

    /// Sends the request and waits for its answer; gives the id at the end of its `Location`.
    async fn exchange(&mut self) -> Option<Uuid> {
        self.stream.write_all(self.request.with_new_id()).await.expect("a written request");
        let answer = tokio::time::timeout(PATIENCE, self.reader.next(&mut self.stream, "location"));
        let answer = answer.await.expect("an answer in time").expect("an answer").expect("an answer before the end");
        assert_eq!(answer.status, self.request.status, "{}", String::from_utf8_lossy(answer.bytes));
        answer.header?.rsplit('/').next()?.parse().ok()
    }
}
