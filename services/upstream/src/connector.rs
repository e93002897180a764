//! New connections: how long they may take to come about, and how long they are kept.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::time::{Instant, timeout};
use tower::Service;

use crate::error::BoxError;
use crate::jitter;

/// What opens connections for a [`Client`](crate::Client): a `tower::Service<Uri>` as hyper-util's client takes it.
/// Implemented for every type that fits.
pub trait Connector:
    Service<Uri, Response = Self::Io, Error = Self::Failure, Future = Self::Opening> + Clone + Send + Sync + 'static
{
    type Io: Read + Write + Connection + Unpin + Send + 'static;
    type Failure: Into<BoxError>;
    type Opening: Future<Output = Result<Self::Io, Self::Failure>> + Send + 'static;
}

impl<C> Connector for C
where
    C: Service<Uri> + Clone + Send + Sync + 'static,
    C::Response: Read + Write + Connection + Unpin + Send + 'static,
    C::Error: Into<BoxError>,
    C::Future: Send + 'static,
{
    type Io = C::Response;
    type Failure = C::Error;
    type Opening = C::Future;
}

/// A connector whose connections must come about in time, and know when they are too old.
#[derive(Clone, Debug)]
pub(crate) struct Aging<C> {
    pub(crate) connector: C,
    pub(crate) connect_timeout: Duration,
    pub(crate) max_age: Duration,
}

/// When a connection is not to be used any more; every answer that came over it has this among its extensions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UseUntil(pub(crate) Instant);

impl<C: Connector> Service<Uri> for Aging<C> {
    type Response = Aged<C::Io>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Aged<C::Io>, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let opening = timeout(self.connect_timeout, self.connector.call(uri));
        let within = self.connect_timeout;
        let age = self.max_age / 2 + jitter::up_to(self.max_age / 2);
        Box::pin(async move {
            let io = opening.await.map_err(|_elapsed| ConnectTimeout(within))?.map_err(Into::into)?;
            Ok(Aged { io, until: Instant::now() + age })
        })
    }
}

/// Nobody answered the attempt to connect.
#[derive(Debug)]
struct ConnectTimeout(Duration);

impl fmt::Display for ConnectTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no connection within {:?}", self.0)
    }
}

impl StdError for ConnectTimeout {}

/// A connection that knows when it is too old.
#[derive(Debug)]
pub(crate) struct Aged<T> {
    io: T,
    until: Instant,
}

impl<T: Connection> Connection for Aged<T> {
    fn connected(&self) -> Connected {
        self.io.connected().extra(UseUntil(self.until))
    }
}

impl<T: Read + Unpin> Read for Aged<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl<T: Write + Unpin> Write for Aged<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }
}
