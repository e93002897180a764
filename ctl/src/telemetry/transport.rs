//! The way that spans take: a client of the collector over whatever leads to it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ::telemetry::{HttpClient, HttpError};
use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use reach::{Connector, DialError};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::collector::Source;

/// Bytes of a collector's answer that are read.
const ANSWER_MOST: usize = 64 << 10;

/// Where spans are exported to.
#[derive(Clone)]
pub(crate) struct Export {
    client: Client<Connector, Full<Bytes>>,
    /// The full URL for traces.
    endpoint: Uri,
    /// Who said that there is a collector.
    source: Source,
}

impl Export {
    pub(crate) fn new(connector: Connector, endpoint: Uri, source: Source) -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build(connector), endpoint, source }
    }

    /// How long a person waits for it at the end of a command.
    fn patience(&self) -> Duration {
        match self.source {
            Source::Asked | Source::Environment | Source::Deployment | Source::Up => Duration::from_millis(900),
            Source::Guess => Duration::from_millis(300),
        }
    }
}

impl fmt::Debug for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Export").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Default)]
enum Destination {
    /// The command is still finding out.
    #[default]
    Open,
    Nowhere,
    To(Box<Export>),
}

/// Why spans were not taken.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) message: String,
    /// Not merely that there is no collector where one usually is.
    pub(super) worth_saying: bool,
}

/// The exporter's client: waits until the destination is known, then posts.
#[derive(Debug)]
pub(super) struct Transport {
    destination: watch::Sender<Destination>,
    failure: Mutex<Option<Failure>>,
}

impl Default for Transport {
    fn default() -> Self {
        Self { destination: watch::Sender::new(Destination::Open), failure: Mutex::new(None) }
    }
}

impl Transport {
    pub(super) fn decide(&self, export: Option<Export>) {
        self.destination.send_replace(export.map_or(Destination::Nowhere, |export| Destination::To(Box::new(export))));
    }

    /// Nowhere, unless something was decided.
    pub(super) fn decide_if_open(&self) {
        self.destination.send_if_modified(|destination| match destination {
            Destination::Open => {
                *destination = Destination::Nowhere;
                true
            }
            Destination::Nowhere | Destination::To(_) => false,
        });
    }

    pub(super) fn has_destination(&self) -> bool {
        matches!(*self.destination.borrow(), Destination::To(_))
    }

    pub(super) fn failure(&self) -> Option<Failure> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn fail(&self, failure: Failure) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
    }

    async fn post(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let mut destination = self.destination.subscribe();
        let known = destination.wait_for(|known| !matches!(known, Destination::Open)).await?.clone();
        let Destination::To(export) = known else {
            return Ok(Response::new(Bytes::new()));
        };
        match export.post(request).await {
            Ok(response) => Ok(response),
            Err(cause) => {
                self.fail(export.explain(&cause));
                // An error would have the exporter try again and again, while a person waits for the prompt; the
                // way there has its own retries. What this stands for is in `failure`.
                let mut refused = Response::new(Bytes::new());
                *refused.status_mut() = StatusCode::FAILED_DEPENDENCY;
                Ok(refused)
            }
        }
    }
}

impl Export {
    async fn post(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let patience = self.patience();
        timeout(patience, self.exchange(request))
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {patience:?}").into()))
    }

    async fn exchange(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        *request.uri_mut() = self.endpoint.clone();
        let (head, body) = self.client.request(request.map(Full::new)).await?.into_parts();
        let body = Limited::new(body, ANSWER_MOST).collect().await?.to_bytes();
        Ok(Response::from_parts(head, body))
    }

    fn explain(&self, cause: &HttpError) -> Failure {
        let dial = DialError::find(&**cause);
        let absent = matches!(dial, Some(DialError::NotFound { .. } | DialError::Refused { .. }));
        let message = match dial {
            Some(dial) => dial.to_string(),
            None => format!("{}: {}", self.endpoint, root_cause(&**cause)),
        };
        let worth_saying = match self.source {
            Source::Asked | Source::Environment | Source::Up => true,
            Source::Deployment => !absent,
            Source::Guess => false,
        };
        Failure { message, worth_saying }
    }
}

/// The innermost error says what happened; those around it, where we were.
fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// What `async_trait` makes of the trait's method.
impl HttpClient for Transport {
    fn send_bytes<'life0, 'async_trait>(
        &'life0 self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(self.post(request))
    }
}

#[cfg(test)]
#[path = "transport_tests.rs"]
mod tests;
