//! From the messages of a port-forward WebSocket to bytes and back.
//!
//! The protocol (`v4.channel.k8s.io`, kubelet's `portforward/websocket.go`): each binary message starts with a channel
//! number. For one port, channel 0 carries data and channel 1 one error text; each opens with a message that holds the
//! port, little-endian. The server closes the socket when the pod's end is closed. There is no sign for a half-close
//! towards the pod: shutting down flushes, and what the pod still sends is read.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use futures::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Interval, MissedTickBehavior, interval_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{self, Message};

use crate::coalesce::{FULL, Turn};

const DATA: u8 = 0;
const ERROR: u8 = 1;
/// Load balancers drop connections that are silent for a minute.
const PING_EVERY: Duration = Duration::from_secs(25);

/// One port of a pod as a byte stream. Any end but a clean one is an error, never an end of file.
pub(crate) struct PodStream<S> {
    socket: WebSocketStream<S>,
    port: u16,
    opened: [bool; 2],
    inbound: Bytes,
    /// The message being gathered: the channel, then data.
    out: BytesMut,
    turn: Turn,
    pings: Interval,
    /// Nothing has come since the last ping.
    silent: bool,
    closed: bool,
}

impl<S> std::fmt::Debug for PodStream<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PodStream").field("port", &self.port).field("closed", &self.closed).finish_non_exhaustive()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> PodStream<S> {
    pub(crate) fn new(socket: WebSocketStream<S>, port: u16) -> Self {
        let mut pings = interval_at(tokio::time::Instant::now() + PING_EVERY, PING_EVERY);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            socket,
            port,
            opened: [false; 2],
            inbound: Bytes::new(),
            out: BytesMut::new(),
            turn: Turn::default(),
            pings,
            silent: false,
            closed: false,
        }
    }

    fn accept(&mut self, message: Message) -> io::Result<()> {
        self.silent = false;
        match message {
            Message::Binary(bytes) => self.accept_binary(bytes),
            Message::Close(_) => {
                self.closed = true;
                Ok(())
            }
            // Pongs are queued by the library; texts are not part of the protocol and harmless.
            _ => Ok(()),
        }
    }

    fn accept_binary(&mut self, mut bytes: Bytes) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let channel = bytes.get_u8();
        let Some(opened) = self.opened.get_mut(usize::from(channel)) else {
            return Err(protocol(format!("a message came on channel {channel}, which was never opened")));
        };
        if !std::mem::replace(opened, true) {
            return match <[u8; 2]>::try_from(bytes.as_ref()) {
                Ok(port) if u16::from_le_bytes(port) == self.port => Ok(()),
                _ => Err(protocol(format!("channel {channel} did not open with port {}", self.port))),
            };
        }
        match channel {
            ERROR if !bytes.is_empty() => Err(reported(&bytes, self.port)),
            DATA => {
                self.inbound = bytes;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Pings on time; fails when nothing at all came since the ping before.
    fn poll_alive(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while self.pings.poll_tick(cx).is_ready() {
            if std::mem::replace(&mut self.silent, true) {
                return Err(io::Error::new(ErrorKind::TimedOut, "the API server stopped answering"));
            }
            // A socket too busy to take a ping needs none.
            if let Poll::Ready(ready) = Pin::new(&mut self.socket).poll_ready(cx) {
                ready.map_err(broken)?;
                Pin::new(&mut self.socket).start_send(Message::Ping(Bytes::new())).map_err(broken)?;
                let _ = Pin::new(&mut self.socket).poll_flush(cx).map_err(broken)?;
            }
        }
        Ok(())
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.out.is_empty() {
            ready!(Pin::new(&mut self.socket).poll_ready(cx)).map_err(broken)?;
            let message = Message::Binary(self.out.split().freeze());
            Pin::new(&mut self.socket).start_send(message).map_err(broken)?;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for PodStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if !this.inbound.is_empty() {
                let taken = this.inbound.len().min(buf.remaining());
                buf.put_slice(&this.inbound.split_to(taken));
                return Poll::Ready(Ok(()));
            }
            if this.closed {
                return Poll::Ready(Ok(()));
            }
            match Pin::new(&mut this.socket).poll_next(cx) {
                Poll::Ready(Some(Ok(message))) => this.accept(message)?,
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(broken(error))),
                Poll::Ready(None) => {
                    return Poll::Ready(Err(io::Error::new(
                        ErrorKind::ConnectionReset,
                        "the port-forward was cut off",
                    )));
                }
                Poll::Pending => {
                    this.poll_alive(cx)?;
                    return Poll::Pending;
                }
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for PodStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.out.len() + buf.len() > FULL {
            ready!(this.poll_drain(cx))?;
        }
        if this.out.is_empty() {
            this.out.reserve(buf.len() + 1);
            this.out.extend_from_slice(&[DATA]);
        }
        this.out.extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.out.is_empty() {
            ready!(this.turn.poll_give(cx));
            ready!(this.poll_drain(cx))?;
        }
        Pin::new(&mut this.socket).poll_flush(cx).map_err(broken)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.socket).poll_flush(cx).map_err(broken)
    }
}

fn protocol(text: String) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, text)
}

/// "error forwarding port N to pod X, uid : CAUSE", where a refused connection has a cause of many lines' length.
fn reported(bytes: &[u8], port: u16) -> io::Error {
    let told = String::from_utf8_lossy(bytes);
    let told = told.trim();
    tracing::debug!(told, "the port-forward failed");
    if told.contains("connection refused") {
        let refused = format!("nothing listens on port {port} of the pod");
        return io::Error::new(ErrorKind::ConnectionRefused, refused);
    }
    let cause = told.split_once("uid : ").map_or(told, |(_, cause)| cause);
    io::Error::new(ErrorKind::ConnectionReset, cause.to_owned())
}

fn broken(error: tungstenite::Error) -> io::Error {
    match error {
        tungstenite::Error::Io(error) => error,
        other => io::Error::new(ErrorKind::ConnectionReset, other.to_string()),
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
