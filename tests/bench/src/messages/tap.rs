//! A relay between A and B that notes when B has said that it applied an event.
//!
//! The same clock as the client's, and B's word: what it answers is committed.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

use super::http::Reader;

#[derive(Clone, Debug)]
pub(crate) struct Tap {
    pub(crate) address: SocketAddr,
    applied: Arc<Mutex<Vec<(Uuid, Instant)>>>,
}

impl Tap {
    /// Relays to `to` for as long as the runtime runs that this is called in.
    pub(crate) async fn open(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let tap = Self { address, applied: Arc::default() };
        let accepting = tap.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let tap = accepting.clone();
                // Either side may close a connection that it keeps no longer.
                tokio::spawn(async move { tap.relay(client, to).await });
            }
        });
        tap
    }

    /// All events that were applied until now, in the order of B's answers.
    pub(crate) fn applied(&self) -> Vec<(Uuid, Instant)> {
        self.applied.lock().expect("no panic while it is held").clone()
    }

    async fn relay(&self, mut client: TcpStream, to: SocketAddr) -> io::Result<()> {
        let mut server = TcpStream::connect(to).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (mut requests, mut answers) = (Reader::new(), Reader::new());
        while let Some(request) = requests.next(&mut client, "ce-id").await? {
            let id = request.header.and_then(|id| id.parse().ok());
            server.write_all(request.bytes).await?;
            let Some(answer) = answers.next(&mut server, "").await? else { break };
            if answer.status == 201
                && let Some(id) = id
            {
                self.applied.lock().expect("no panic while it is held").push((id, Instant::now()));
            }
            client.write_all(answer.bytes).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = "POST /events HTTP/1.1\r\nHost: b\r\nce-id: 01890a5d-ac96-774b-bcce-b302099a8057\r\nContent-Length: 2\r\n\r\n{}";

    /// Answers the first event with 503, every other with 201.
    async fn fake_b(listener: TcpListener) {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut reader = Reader::new();
        for status in ["503 Service Unavailable", "201 Created"] {
            reader.next(&mut stream, "").await.unwrap().unwrap();
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    }

    #[test]
    fn only_what_b_applied_is_noted_and_all_is_passed_on() {
        super::super::load::runtime().block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let tap = Tap::open(listener.local_addr().unwrap()).await;
            tokio::spawn(fake_b(listener));
            let mut client = TcpStream::connect(tap.address).await.unwrap();
            let mut reader = Reader::new();
            for (status, applied) in [(503, 0), (201, 1)] {
                client.write_all(EVENT.as_bytes()).await.unwrap();

                let answer = reader.next(&mut client, "").await.unwrap().unwrap();

                assert_eq!((answer.status, tap.applied().len()), (status, applied));
            }
        });
    }
}
