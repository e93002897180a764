//! A stand-in for B that applies everything at once: what it leaves is A's own work.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use super::http::Reader;

#[derive(Clone, Debug)]
pub(crate) struct Sink {
    pub(crate) address: SocketAddr,
    received: Arc<AtomicUsize>,
}

impl Sink {
    /// Answers for as long as the runtime runs that this is called in.
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let sink = Self { address, received: Arc::default() };
        let accepting = sink.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let sink = accepting.clone();
                tokio::spawn(async move { sink.answer(client).await });
            }
        });
        sink
    }

    pub(crate) fn received(&self) -> usize {
        self.received.load(Ordering::Relaxed)
    }

    async fn answer(&self, mut client: TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        let mut requests = Reader::new();
        while let Some(request) = requests.next(&mut client, "ce-id").await? {
            let id = request.header.unwrap_or_default();
            let body = format!(r#"{{"id":"{id}","source":"/service-a","outcome":"applied"}}"#);
            let answer = format!(
                "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\nlocation: /messages/{id}\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            client.write_all(answer.as_bytes()).await?;
            self.received.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}
