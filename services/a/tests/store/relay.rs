//! A relay between a store and its Postgres that counts what the server sends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Ends, with its connections, when it is dropped.
pub(crate) struct Relay {
    pub(crate) url: String,
    bytes: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Relay {
    /// To the server of `url`, `postgres://USER@ADDRESS:PORT/DATABASE`.
    pub(crate) async fn to(url: &str) -> Self {
        let (user, rest) = url.split_once('@').unwrap();
        let (server, database) = rest.split_once('/').unwrap();
        let server: SocketAddr = server.parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{user}@{}/{database}", listener.local_addr().unwrap());
        let bytes = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        tasks.spawn({
            let bytes = Arc::clone(&bytes);
            async move {
                // With the set, every connection ends.
                let mut serving = JoinSet::new();
                while let Ok((client, _)) = listener.accept().await {
                    serving.spawn(serve(client, server, Arc::clone(&bytes)));
                }
            }
        });
        Self { url, bytes, _tasks: tasks }
    }

    /// Bytes that the server has sent.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

async fn serve(client: TcpStream, server: SocketAddr, bytes: Arc<AtomicUsize>) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let counted = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
            bytes.fetch_add(read, Ordering::Relaxed);
            if to_client.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        _ = copy(&mut from_client, &mut to_server) => {}
        () = counted => {}
    }
}
