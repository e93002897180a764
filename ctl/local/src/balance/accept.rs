//! Taking connections, whatever becomes of the single one.

use std::io;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

/// How long to wait when the system has no descriptor or memory for a connection: those that are open will free some.
const PAUSE: Duration = Duration::from_millis(50);

/// The next connection, without Nagle's delay: what is passed on here was sent by somebody who meant it to go.
pub(crate) async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                // It fails on a connection that is gone already, as the first read will.
                let _ = client.set_nodelay(true);
                return client;
            }
            Err(error) => pause(&error).await,
        }
    }
}

/// A failure of the next connection alone is none of ours; any other may last.
pub(crate) async fn pause(error: &io::Error) {
    let gone = [io::ErrorKind::ConnectionAborted, io::ErrorKind::ConnectionReset, io::ErrorKind::Interrupted];
    if !gone.contains(&error.kind()) {
        sleep(PAUSE).await;
    }
}
