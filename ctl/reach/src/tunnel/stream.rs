//! One CONNECT as a byte stream.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h2::{Reason, RecvStream, SendStream};
use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::flow::{Entered, FRAME};

/// A connection to a target, through the relay. Ends in each direction for itself; an end that is not clean is an error
/// of kind [`ConnectionReset`](ErrorKind::ConnectionReset), never an end of file.
pub struct TunnelStream {
    send: SendStream<Bytes>,
    receive: RecvStream,
    unread: Bytes,
    peer: Option<SocketAddr>,
    _entered: Entered,
}

impl TunnelStream {
    pub(super) fn new(
        send: SendStream<Bytes>,
        receive: RecvStream,
        peer: Option<SocketAddr>,
        entered: Entered,
    ) -> Self {
        Self { send, receive, unread: Bytes::new(), peer, _entered: entered }
    }

    /// The address that the relay dialled.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    fn release(&mut self, bytes: usize) -> io::Result<()> {
        self.receive.flow_control().release_capacity(bytes).map_err(|error| broken(&error))
    }
}

impl fmt::Debug for TunnelStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TunnelStream").field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl AsyncRead for TunnelStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while self.unread.is_empty() {
            match ready!(self.receive.poll_data(cx)) {
                None => return Poll::Ready(Ok(())),
                // The target answered in full and did not want the rest of the request (RFC 9113 section 8.1).
                Some(Err(error)) if error.is_reset() && error.reason() == Some(Reason::NO_ERROR) => {
                    return Poll::Ready(Ok(()));
                }
                Some(Err(error)) => return Poll::Ready(Err(broken(&error))),
                Some(Ok(data)) => self.unread = data,
            }
        }
        let taken = self.unread.len().min(buf.remaining());
        buf.put_slice(&self.unread[..taken]);
        self.unread.advance(taken);
        // Only what was taken: a reader that stops holds the sender back.
        self.release(taken)?;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for TunnelStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let wanted = buf.len().min(FRAME as usize);
        self.send.reserve_capacity(wanted);
        let capacity = match ready!(self.send.poll_capacity(cx)) {
            Some(Ok(capacity)) => capacity,
            Some(Err(error)) => return Poll::Ready(Err(broken(&error))),
            None => return Poll::Ready(Err(self.why_closed(cx))),
        };
        let written = capacity.min(wanted);
        self.send.send_data(Bytes::copy_from_slice(&buf[..written]), false).map_err(|error| broken(&error))?;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The connection's own task sends, together with what other streams have.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.send.send_data(Bytes::new(), true) {
            Ok(()) => Poll::Ready(Ok(())),
            // Shut down twice, or reset meanwhile.
            Err(_) => match self.send.poll_reset(cx) {
                Poll::Ready(Ok(reason)) if reason != Reason::NO_ERROR => Poll::Ready(Err(broken(&reason.into()))),
                Poll::Ready(Err(error)) if error.is_io() || error.is_go_away() => Poll::Ready(Err(broken(&error))),
                _ => Poll::Ready(Ok(())),
            },
        }
    }
}

impl TunnelStream {
    fn why_closed(&mut self, cx: &mut Context<'_>) -> io::Error {
        match self.send.poll_reset(cx) {
            Poll::Ready(Ok(Reason::NO_ERROR)) | Poll::Pending => {
                io::Error::new(ErrorKind::BrokenPipe, "the target takes no more data")
            }
            Poll::Ready(Ok(reason)) => broken(&reason.into()),
            Poll::Ready(Err(error)) => broken(&error),
        }
    }
}

fn broken(error: &h2::Error) -> io::Error {
    let what = match error.reason() {
        Some(Reason::CONNECT_ERROR) => "the target reset the connection".to_owned(),
        Some(Reason::CANCEL) => "the relay gave the connection up".to_owned(),
        _ => format!("the connection to the relay was lost: {error}"),
    };
    io::Error::new(ErrorKind::ConnectionReset, what)
}

impl Connection for TunnelStream {
    fn connected(&self) -> Connected {
        let connected = Connected::new();
        match self.peer {
            Some(peer) => connected.extra(peer),
            None => connected,
        }
    }
}
