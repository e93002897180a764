//! One try at a call, and what its failure means.

use std::error::Error as StdError;
use std::io;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{HttpInfo, capture_connection};
use telemetry::client::{ClientSpan, Hop};
use tokio::time::{Instant, timeout_at};

use crate::client::Template;
use crate::connector::{Aging, Connector, UseUntil};
use crate::error::{Error, Kind, Target};

/// hyper's client: the pool of connections.
pub(crate) type Pool<C> = legacy::Client<Aging<C>, Full<Bytes>>;

/// A try that failed.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) error: Error,
    again: Again,
}

/// When a request may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Again {
    /// None of it was sent.
    Safe,
    /// It may have been worked on.
    IfIdempotent,
    /// It would fail in the same way, or there is no time left.
    Never,
}

impl Failed {
    /// Whether the same request may be tried again without the risk of doing its work twice.
    pub(crate) fn may_repeat(&self, method: &Method) -> bool {
        match self.again {
            Again::Safe => true,
            // RFC 9110, section 9.2.2.
            Again::IfIdempotent => {
                matches!(
                    *method,
                    Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE
                )
            }
            Again::Never => false,
        }
    }
}

/// Sends `request`, which had `resends` tries before this one, and waits for the answer's head.
pub(crate) async fn attempt<C: Connector>(
    pool: &Pool<C>,
    request: &Request<Bytes>,
    target: &Target,
    resends: u32,
    deadline: Instant,
) -> Result<Response<Incoming>, Failed> {
    let span = ClientSpan::start(&Hop {
        method: request.method(),
        uri: request.uri(),
        template: request.extensions().get().map(|Template(template)| *template),
        resend_count: resends,
    });
    let mut sent = request.clone().map(Full::new);
    span.inject(sent.headers_mut());
    let connection = capture_connection(&mut sent);

    let answer = match timeout_at(deadline, span.run(pool.request(sent))).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(cause)) => return Err(fail(span, judge(cause, target))),
        Err(_elapsed) => {
            let error = Error::new(Kind::Timeout, target.clone(), None);
            return Err(fail(span, Failed { error, again: Again::Never }));
        }
    };
    if let Some(info) = answer.extensions().get::<HttpInfo>() {
        span.peer(info.remote_addr());
    }
    if answer.extensions().get().is_some_and(|UseUntil(until)| Instant::now() >= *until)
        && let Some(connected) = connection.connection_metadata().as_ref()
    {
        // The pool does not take it back.
        connected.poison();
    }
    span.answered(answer.status(), answer.version());
    Ok(answer)
}

fn fail(span: ClientSpan, failed: Failed) -> Failed {
    span.failed(failed.error.kind().as_str(), &failed.error);
    failed
}

fn judge(cause: legacy::Error, target: &Target) -> Failed {
    let (kind, again) = if cause.is_connect() {
        (Kind::Connect, Again::Safe)
    } else if let Some(hyper) = find::<hyper::Error>(&cause) {
        if hyper.is_canceled() {
            // hyper gave the request back: its connection was closed before any of it was written.
            (Kind::Broken, Again::Safe)
        } else if hyper.is_incomplete_message() || hyper.is_closed() || is_broken_connection(hyper) {
            (Kind::Broken, Again::IfIdempotent)
        } else {
            (Kind::Protocol, Again::Never)
        }
    } else {
        (Kind::Protocol, Again::Never)
    };
    // hyper-util's own layer says "client error (Connect)" and nothing more.
    let source = match own_cause(cause) {
        Ok(inner) => inner,
        Err(cause) => cause.into(),
    };
    Failed { error: Error::new(kind, target.clone(), Some(source)), again }
}

/// The cause below hyper-util's own layer, as text where it can't be taken out.
fn own_cause(cause: legacy::Error) -> Result<Box<dyn StdError + Send + Sync>, legacy::Error> {
    let mut texts: Vec<String> = Vec::new();
    let mut next = StdError::source(&cause);
    while let Some(error) = next {
        let text = error.to_string();
        // Layers repeat each other: "tcp connect error", "Connection refused", "Connection refused".
        if texts.last() != Some(&text) {
            texts.push(text);
        }
        next = error.source();
    }
    if texts.is_empty() {
        return Err(cause);
    }
    Ok(Box::new(Caused { text: texts.join(": "), cause }))
}

/// hyper-util's error, told by its causes.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
struct Caused {
    text: String,
    /// Not a `source`, which would tell the same again; kept for `Debug`.
    cause: legacy::Error,
}

fn is_broken_connection(error: &hyper::Error) -> bool {
    find::<io::Error>(error).is_some_and(|io| {
        matches!(
            io.kind(),
            io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::NotConnected
                | io::ErrorKind::UnexpectedEof
                | io::ErrorKind::TimedOut
        )
    })
}

fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
