//! A double of B: takes events over HTTP, remembers them, and misbehaves as told.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Uri;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// What the double does with an event.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Behaviour {
    Take,
    /// After this long.
    Slow(Duration),
    Status(u16),
    /// With `Retry-After`, in seconds.
    Throttle(u16, u32),
    /// Reads the whole request, and closes the connection.
    Close,
}

#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Event {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub(crate) fn id(&self) -> &str {
        self.header("ce-id").unwrap()
    }
}

#[derive(Debug, Default)]
struct State {
    events: Vec<Event>,
    connections: usize,
    /// The last event that was answered with a status of its own.
    failed: Option<String>,
    script: VecDeque<Behaviour>,
    usual: Option<Behaviour>,
}

#[derive(Debug)]
pub(crate) struct Double {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    serving: Option<JoinSet<()>>,
}

impl Double {
    pub(crate) fn start() -> Self {
        let mut double = Self { address: "127.0.0.1:0".parse().unwrap(), state: Arc::default(), serving: None };
        double.back();
        double
    }

    pub(crate) fn uri(&self) -> Uri {
        format!("http://{}", self.address).parse().unwrap()
    }

    /// Closes the port and every connection.
    pub(crate) async fn leave(&mut self) {
        if let Some(mut serving) = self.serving.take() {
            serving.shutdown().await;
        }
    }

    /// Opens the port again.
    pub(crate) fn back(&mut self) {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(self.address).unwrap();
        let listener = socket.listen(1024).unwrap();
        self.address = listener.local_addr().unwrap();
        let mut serving = JoinSet::new();
        serving.spawn(accept(listener, self.state.clone()));
        self.serving = Some(serving);
    }

    pub(crate) fn behave(&self, behaviour: Behaviour) {
        self.state.lock().unwrap().usual = Some(behaviour);
    }

    /// For the next events; then what is usual.
    pub(crate) fn script(&self, behaviours: impl IntoIterator<Item = Behaviour>) {
        self.state.lock().unwrap().script.extend(behaviours);
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.state.lock().unwrap().events.clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.state.lock().unwrap().events.len()
    }

    /// The message that was answered with a status of its own last.
    pub(crate) fn failed(&self) -> Option<String> {
        self.state.lock().unwrap().failed.clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }

    /// Waits until so many events have come.
    pub(crate) async fn until(&self, count: usize) -> Vec<Event> {
        let waited = timeout(Duration::from_secs(20), async {
            while self.state.lock().unwrap().events.len() < count {
                sleep(Duration::from_millis(2)).await;
            }
        });
        waited.await.unwrap_or_else(|_| panic!("{} of {count} events came", self.events().len()));
        self.events()
    }
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    // With the set, every connection ends.
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        state.lock().unwrap().connections += 1;
        connections.spawn(serve(socket, state.clone()));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(mut socket: TcpStream, state: Arc<Mutex<State>>) {
    let mut buffer = Vec::new();
    while let Some(event) = read(&mut socket, &mut buffer).await {
        let behaviour = {
            let mut state = state.lock().unwrap();
            let behaviour = state.script.pop_front().or(state.usual).unwrap_or(Behaviour::Take);
            if let Behaviour::Status(_) = behaviour {
                state.failed = Some(event.id().to_owned());
            }
            state.events.push(event);
            behaviour
        };
        let (status, more) = match behaviour {
            Behaviour::Take => (201, String::new()),
            Behaviour::Slow(time) => {
                sleep(time).await;
                (201, String::new())
            }
            Behaviour::Status(status) => (status, String::new()),
            Behaviour::Throttle(status, seconds) => (status, format!("retry-after: {seconds}\r\n")),
            Behaviour::Close => return,
        };
        let answer = format!("HTTP/1.1 {status} Status\r\ncontent-length: 2\r\n{more}\r\n{{}}");
        if socket.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read(socket: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Event> {
    loop {
        if let Some(end) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let head = String::from_utf8(buffer[..end].to_vec()).unwrap();
            let event = Event { head, body: String::new() };
            let length: usize = event.header("content-length").map_or(0, |text| text.parse().unwrap());
            if buffer.len() >= end + 4 + length {
                let body = String::from_utf8(buffer[end + 4..end + 4 + length].to_vec()).unwrap();
                buffer.drain(..end + 4 + length);
                return Some(Event { body, ..event });
            }
        }
        if socket.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}
