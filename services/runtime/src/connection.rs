//! One connection, from accept to close.

use std::pin::pin;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::config::Limits;
use crate::drain::{Drain, Phase};
use crate::exchange::{Exchange, Routers};
use crate::wire::{Guard, Line};

/// What all connections of a port share.
#[derive(Clone, Debug)]
pub(crate) struct Port {
    pub(crate) routers: Arc<Routers>,
    pub(crate) drain: Drain,
    pub(crate) limits: Arc<Limits>,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Every request was answered.
    Complete,
    /// The shutdown's deadline passed with a request in flight.
    Cut,
}

impl Port {
    /// Serves one connection to its end.
    pub(crate) async fn serve(self, socket: TcpStream) -> End {
        // Answers are small and whole: waiting for more to send would only delay them.
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "a connection was gone before it was served");
            return End::Complete;
        }
        let line = Arc::new(Line::default());
        let guard = Guard::new(socket, line.clone(), self.drain.clone(), self.limits.clone());
        let exchange = Exchange {
            routers: self.routers,
            line: line.clone(),
            drain: self.drain.clone(),
            limits: self.limits.clone(),
        };
        let mut connection = http1::Builder::new()
            // The guard has its own: hyper's one clock would have to serve for a head and for an idle connection.
            .header_read_timeout(None)
            .max_buf_size(MAX_BUFFER.max(self.limits.max_head * 2))
            .serve_connection(TokioIo::new(guard), exchange);

        let ended = {
            let mut draining = pin!(self.drain.until(Phase::Draining));
            let mut drains = false;
            let mut cut = pin!(self.drain.until(Phase::Cut));
            loop {
                tokio::select! {
                    biased;
                    ended = &mut connection => break Some(ended),
                    // Polls the connection again: its idle deadline is nearer now.
                    () = &mut draining, if !drains => drains = true,
                    () = &mut cut, if drains => break None,
                }
            }
        };
        match ended {
            None if line.is_busy() => return End::Cut,
            None => return End::Complete,
            // The client's doing, whatever it is: a reset, an end in the midst of a request.
            Some(Err(error)) => tracing::debug!(%error, "a connection broke off"),
            Some(Ok(())) => {}
        }
        if let Some(socket) = connection.into_parts().io.into_inner().into_unfinished() {
            let linger = timeout(self.limits.linger, discard(socket));
            tokio::select! {
                _ = linger => {}
                () = self.drain.until(Phase::Cut) => {}
            }
        }
        End::Complete
    }
}

/// Bytes that hyper may buffer of one connection, in each direction.
const MAX_BUFFER: usize = 64 * 1024;

/// Reads until the client closes; hyper has already closed our side.
async fn discard(mut socket: TcpStream) {
    let mut bin = vec![0; 4096];
    while matches!(socket.read(&mut bin).await, Ok(1..)) {}
}
