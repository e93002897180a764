//! Any way as a connector of hyper-util's clients.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tower::Service;

use crate::direct;
use crate::tunnel::{DialError, Tunnel, TunnelStream};
use crate::way::Way;

/// Connects to `http` URIs, each by the host and port it names, 80 when it names none.
#[derive(Debug, Clone)]
pub struct Connector {
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Relay(Tunnel),
    Direct(Duration),
    Local(Dial),
}

/// Dials what runs on this machine under a name of its own.
#[derive(Clone)]
struct Dial(Arc<dyn Fn(String, u16) -> Dialling + Send + Sync>);

type Dialling = BoxFuture<'static, Result<UnixStream, DialError>>;

impl fmt::Debug for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dial")
    }
}

impl Connector {
    /// Through a relay.
    pub fn relay(tunnel: Tunnel) -> Self {
        Self { kind: Kind::Relay(tunnel) }
    }

    /// Without a detour; each dial, name resolution included, within `limit`.
    pub fn direct(limit: Duration) -> Self {
        Self { kind: Kind::Direct(limit) }
    }

    /// Through whoever runs the services on this machine: `dial` gets host and port, and bounds its own time.
    pub fn local<F, D>(dial: F) -> Self
    where
        F: Fn(String, u16) -> D + Send + Sync + 'static,
        D: Future<Output = Result<UnixStream, DialError>> + Send + 'static,
    {
        let dial = move |host, port| -> Dialling { Box::pin(dial(host, port)) };
        Self { kind: Kind::Local(Dial(Arc::new(dial))) }
    }

    pub fn way(&self) -> Way {
        match self.kind {
            Kind::Relay(_) => Way::Relay,
            Kind::Direct(_) => Way::Direct,
            Kind::Local(_) => Way::Local,
        }
    }

    /// A connection to `port` of `host`.
    ///
    /// # Errors
    /// See [`DialError`].
    pub async fn dial(&self, host: &str, port: u16) -> Result<Stream, DialError> {
        match &self.kind {
            Kind::Relay(tunnel) => tunnel.dial(host, port).await.map(Stream::Relay),
            Kind::Direct(limit) => direct::dial(host, port, *limit).await.map(Stream::Direct),
            Kind::Local(dial) => (dial.0)(host.to_owned(), port).await.map(Stream::Local),
        }
    }

    async fn dial_uri(&self, uri: &Uri) -> Result<Stream, DialError> {
        let bad = |detail: &str| DialError::BadTarget { target: uri.to_string(), detail: detail.to_owned() };
        if uri.scheme_str().is_some_and(|scheme| scheme != "http") {
            return Err(bad("only http is spoken on this way"));
        }
        let host = uri.host().ok_or_else(|| bad("it names no host"))?;
        self.dial(host, uri.port_u16().unwrap_or(80)).await
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = DialError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, DialError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.dial_uri(&uri).await.map(TokioIo::new) })
    }
}

/// A connection by one of the ways.
#[derive(Debug)]
pub enum Stream {
    Relay(TunnelStream),
    Direct(TcpStream),
    Local(UnixStream),
}

macro_rules! either {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Stream::Relay($stream) => $call,
            Stream::Direct($stream) => $call,
            Stream::Local($stream) => $call,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        either!(self, stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        match self {
            Self::Relay(stream) => stream.connected(),
            Self::Direct(stream) => stream.connected(),
            Self::Local(_) => Connected::new(),
        }
    }
}
