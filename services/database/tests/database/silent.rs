//! Servers that stop answering while they are opened.

use std::net::SocketAddr;

use database::Error;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::store::{postgres, row, until};

#[tokio::test]
async fn a_server_that_falls_silent_while_it_is_opened_is_given_up() {
    // While the session is set up, and while the schema is looked at.
    tokio::join!(given_up_after(0), given_up_after(1));
}

async fn given_up_after(answers: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut serving = JoinSet::new();
    serving.spawn(accept(listener, answers));
    let db = postgres(&url(address));
    until("it is told", async || {
        matches!(db.write(row(1)).await, Err(Error::Unavailable { detail }) if detail.contains("did not answer within"))
    })
    .await;
}

fn url(address: SocketAddr) -> String {
    format!("postgres://postgres@{address}/a?sslmode=disable")
}

async fn accept(listener: TcpListener, answers: usize) {
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        connections.spawn(async move { serve(socket, answers).await.unwrap() });
    }
}

/// Lets the client in, answers so many of its simple queries, and says nothing more
/// (<https://www.postgresql.org/docs/current/protocol-message-formats.html>).
async fn serve(mut socket: TcpStream, answers: usize) -> std::io::Result<()> {
    const AUTHENTICATED: &[u8] = b"R\0\0\0\x08\0\0\0\0";
    const READY: &[u8] = b"Z\0\0\0\x05I";
    const DONE: &[u8] = b"C\0\0\0\x08SET\0";
    let length = socket.read_u32().await?;
    skip(&mut socket, length).await?;
    socket.write_all(&[AUTHENTICATED, READY].concat()).await?;
    for _ in 0..answers {
        assert_eq!(socket.read_u8().await?, b'Q');
        let length = socket.read_u32().await?;
        skip(&mut socket, length).await?;
        socket.write_all(&[DONE, READY].concat()).await?;
    }
    std::future::pending().await
}

/// Reads a message's rest; its length counts itself.
async fn skip(socket: &mut TcpStream, length: u32) -> std::io::Result<()> {
    let mut rest = vec![0; length as usize - 4];
    socket.read_exact(&mut rest).await.map(|_| ())
}
