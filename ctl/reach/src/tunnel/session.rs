//! One connection to a relay: HTTP/2 over a port-forward, or over whatever a test gives it.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, Connection, SendRequest};
use h2::{Ping, PingPong};
use http::uri::Authority;
use http::{Method, Request, StatusCode, Uri};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

use super::{DialError, TunnelStream};
use crate::error_chain::root_cause;
use crate::flow::{self, Gauge, Windows};
use crate::proxy_status::{self, Refusal};

/// From the preface to the relay's answer. A relay that listens answers in a millisecond; one that does not is reported
/// on the error channel as soon.
const ANSWER: Duration = Duration::from_secs(5);

/// When a connection counts as made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Established {
    /// At once; the first dial shows whether anybody is there. Spares a round trip.
    OnFirstUse,
    /// When the relay has answered.
    OnAnswer,
}

/// What became of a CONNECT that gave no stream.
#[derive(Debug)]
pub(super) enum ConnectFailed {
    /// The relay said why.
    Refused(DialError),
    /// The relay is gone, or going; nothing reached the target.
    Lost(String),
}

pub(super) struct Session {
    requests: SendRequest<Bytes>,
    gauge: Arc<Gauge>,
    shared: Arc<Shared>,
    pod: String,
}

#[derive(Debug, Default)]
struct Shared {
    heard: AtomicBool,
    end: OnceLock<String>,
}

impl Session {
    /// Starts HTTP/2 on `io`. The error is why the relay was not there.
    pub(super) async fn open<S>(io: S, pod: &str, established: Established) -> Result<Self, String>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let shared = Arc::<Shared>::default();
        let io = Heard { io, shared: Arc::clone(&shared) };
        let (requests, mut connection) = Builder::new()
            .initial_window_size(flow::STREAM_WINDOW)
            .initial_connection_window_size(flow::CONNECTION_WINDOW)
            .max_frame_size(flow::FRAME)
            .max_header_list_size(8 << 10)
            .enable_push(false)
            .handshake::<_, Bytes>(io)
            .await
            .map_err(|error| why(&error))?;
        let ping = connection.ping_pong();
        let gauge = Arc::<Gauge>::default();
        tokio::spawn(drive(connection, Windows::new(Arc::clone(&gauge)), Arc::clone(&shared)));
        let session = Self { requests, gauge, shared, pod: pod.to_owned() };
        if established == Established::OnAnswer {
            session.answered(ping).await?;
        }
        Ok(session)
    }

    async fn answered(&self, ping: Option<PingPong>) -> Result<(), String> {
        let Some(mut ping) = ping else { return Ok(()) };
        match timeout(ANSWER, ping.ping(Ping::opaque())).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(self.shared.end.get().cloned().unwrap_or_else(|| why(&error))),
            Err(_) => Err(format!("no answer within {ANSWER:?}")),
        }
    }

    pub(super) fn pod(&self) -> &str {
        &self.pod
    }

    pub(super) fn is_alive(&self) -> bool {
        self.shared.end.get().is_none()
    }

    /// Whether the relay ever sent anything on it.
    pub(super) fn heard_from(&self) -> bool {
        self.shared.heard.load(Ordering::Relaxed)
    }

    /// Why it ended.
    pub(super) fn end(&self) -> String {
        self.shared.end.get().cloned().unwrap_or_else(|| "it was closed".to_owned())
    }

    /// Takes no more dials; streams that are open stay.
    pub(super) fn close(&self, cause: &str) {
        let _ = self.shared.end.set(cause.to_owned());
    }

    /// A stream to `target`.
    pub(super) async fn connect(&self, target: &Authority) -> Result<TunnelStream, ConnectFailed> {
        let lost =
            |error: h2::Error| ConnectFailed::Lost(self.shared.end.get().cloned().unwrap_or_else(|| why(&error)));
        let mut requests = self.requests.clone().ready().await.map_err(lost)?;
        let mut request = Request::new(());
        *request.method_mut() = Method::CONNECT;
        *request.uri_mut() = Uri::from(target.clone());
        let entered = self.gauge.enter();
        let (response, send) = requests.send_request(request, false).map_err(lost)?;
        let response = match response.await {
            Ok(response) => response,
            Err(error)
                if error.is_reset() && error.is_remote() && error.reason() != Some(h2::Reason::REFUSED_STREAM) =>
            {
                let cause = format!("the relay reset the stream: {error}");
                return Err(ConnectFailed::Refused(DialError::Lost { target: target.to_string(), cause }));
            }
            Err(error) => return Err(lost(error)),
        };
        if response.status() == StatusCode::OK {
            let peer = proxy_status::next_hop(response.headers());
            return Ok(TunnelStream::new(send, response.into_body(), peer, entered));
        }
        Err(ConnectFailed::Refused(refused(target, &response)))
    }
}

fn refused<B>(target: &Authority, response: &http::Response<B>) -> DialError {
    let target = target.to_string();
    let Some((refusal, detail)) = proxy_status::refusal(response.headers()) else {
        let cause = format!("the relay answered {} without a reason", response.status());
        return DialError::Lost { target, cause };
    };
    match refusal {
        Refusal::NoSuchName => DialError::NotFound { target, detail },
        Refusal::DnsError | Refusal::DnsTimeout => DialError::Dns { target, detail },
        Refusal::Prohibited => DialError::Prohibited { target, detail },
        Refusal::ConnectionRefused => DialError::Refused { target, detail },
        Refusal::ConnectionTimeout => DialError::TimedOut { target, detail },
        Refusal::Unroutable => DialError::Unreachable { target, detail },
        Refusal::Overloaded => DialError::Overloaded { target, detail },
        Refusal::BadRequest => DialError::BadTarget { target, detail },
    }
}

/// `host:port` as a CONNECT has it; an IPv6 address in brackets.
pub(super) fn authority(host: &str, port: u16) -> Result<Authority, DialError> {
    let bad = |detail: &str| DialError::BadTarget { target: format!("{host}:{port}"), detail: detail.to_owned() };
    if port == 0 {
        return Err(bad("a port is a number from 1 to 65535"));
    }
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let text = match bare.parse::<std::net::Ipv6Addr>() {
        Ok(address) => format!("[{address}]:{port}"),
        Err(_) if host.is_empty() || host.contains([':', '@']) => return Err(bad("not a host name or address")),
        Err(_) => format!("{host}:{port}"),
    };
    Authority::try_from(text).map_err(|_| bad("not a host name or address"))
}

/// Runs the connection until it breaks, or the session is dropped and its streams have ended.
async fn drive<S>(mut connection: Connection<Heard<S>, Bytes>, mut windows: Windows, shared: Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let ended = poll_fn(|cx| {
        windows.poll_adjust(cx, |size| connection.set_initial_window_size(size).is_ok());
        Pin::new(&mut connection).poll(cx)
    });
    let cause = match ended.await {
        Ok(()) => "the relay ended".to_owned(),
        Err(error) => why(&error),
    };
    let _ = shared.end.set(cause);
}

/// What the kubelet said, where it said something; the operating system's words otherwise.
fn why(error: &h2::Error) -> String {
    if let Some(io) = error.get_io() {
        return root_cause(io);
    }
    if error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR) {
        return "the relay is ending".to_owned();
    }
    error.to_string()
}

/// Notes when the first bytes come.
struct Heard<S> {
    io: S,
    shared: Arc<Shared>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Heard<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.shared.heard.store(true, Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heard<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
