//! One batch to the collector: a deadline, retries where OTLP allows them, and the reason when it fails
//! (<https://opentelemetry.io/docs/specs/otlp/#otlphttp-response>).

use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderMap, Request, Response, StatusCode};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};
use prost::Message;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::causes::causes;
use crate::metrics::Reason;

/// Attempts at one batch; the deadline may end them sooner.
const ATTEMPTS: u32 = 5;
/// Before the second attempt; doubled before each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// A collector that asks for more than this is asked again sooner.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// Of an answer's body, in a message.
const SHOWN_BODY: usize = 200;

/// Why a batch was lost.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) reason: Reason,
    pub(super) message: String,
}

/// What the exporter's own result does not tell.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    failure: Mutex<LastFailure>,
    rejected: AtomicU64,
}

#[derive(Debug, Default)]
struct LastFailure {
    /// Of the batch that is being sent.
    reason: Option<Reason>,
    /// Of whichever batch was last.
    message: Option<String>,
}

impl Outcomes {
    pub(super) fn failed(&self, failure: Failure) {
        let mut last = self.failure();
        last.reason = Some(failure.reason);
        last.message = Some(failure.message);
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failure().reason.is_some()
    }

    pub(super) fn take_reason(&self) -> Option<Reason> {
        self.failure().reason.take()
    }

    pub(super) fn take_rejected(&self) -> u64 {
        self.rejected.swap(0, Ordering::Relaxed)
    }

    pub(super) fn last_failure(&self) -> Option<String> {
        self.failure().message.clone()
    }

    fn failure(&self) -> MutexGuard<'_, LastFailure> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The transport, with a deadline and retries around it.
#[derive(Debug)]
pub(super) struct Delivery {
    client: Arc<dyn HttpClient>,
    timeout: Duration,
    outcomes: Arc<Outcomes>,
    /// The collector asked to be left alone until then.
    not_before: Mutex<Option<Instant>>,
    jitter: RandomIdGenerator,
}

/// What one attempt came to.
enum Attempt {
    Done(Response<Bytes>),
    Final(Failure),
    Again { failure: Failure, after: Option<Duration> },
}

impl Delivery {
    pub(super) fn new(client: Arc<dyn HttpClient>, timeout: Duration, outcomes: Arc<Outcomes>) -> Self {
        Self { client, timeout, outcomes, not_before: Mutex::default(), jitter: RandomIdGenerator::default() }
    }

    async fn deliver(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, Failure> {
        let deadline = Instant::now() + self.timeout;
        self.wait_until_welcome(deadline).await?;
        let mut pause = FIRST_PAUSE;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let (failure, after) = match self.attempt(request, deadline).await {
                Attempt::Done(response) => return Ok(response),
                Attempt::Final(failure) => return Err(failure),
                Attempt::Again { failure, after } => (failure, after),
            };
            let again_at = Instant::now() + after.unwrap_or_else(|| self.jittered(pause));
            if after.is_some() {
                *self.not_before() = Some(again_at);
            }
            if attempts == ATTEMPTS || again_at >= deadline {
                return Err(failure);
            }
            sleep_until(again_at).await;
            pause *= 2;
        }
    }

    /// A batch that would have to wait past its deadline is lost without asking.
    async fn wait_until_welcome(&self, deadline: Instant) -> Result<(), Failure> {
        let Some(not_before) = *self.not_before() else {
            return Ok(());
        };
        if not_before >= deadline {
            let message = "the collector asked for a longer pause than a batch may wait".to_owned();
            return Err(Failure { reason: Reason::Overloaded, message });
        }
        sleep_until(not_before).await;
        *self.not_before() = None;
        Ok(())
    }

    async fn attempt(&self, request: &Request<Bytes>, deadline: Instant) -> Attempt {
        let uri = request.uri();
        match timeout_at(deadline, self.client.send_bytes(request.clone())).await {
            Err(_elapsed) => {
                let message = format!("no answer from {uri} within {:?}", self.timeout);
                Attempt::Final(Failure { reason: Reason::Timeout, message })
            }
            Ok(Err(error)) => {
                let message = format!("can't reach {uri}: {}", causes(error.as_ref()));
                Attempt::Again { failure: Failure { reason: Reason::Unreachable, message }, after: None }
            }
            Ok(Ok(response)) if response.status().is_success() => {
                self.note_rejected(response.body());
                Attempt::Done(response)
            }
            Ok(Ok(response)) => judge(uri, &response),
        }
    }

    /// A collector may take a batch and refuse some of its spans. An answer that is not one of OTLP's says nothing.
    fn note_rejected(&self, body: &Bytes) {
        let Some(partial) =
            ExportTraceServiceResponse::decode(body.clone()).ok().and_then(|response| response.partial_success)
        else {
            return;
        };
        if let Ok(rejected @ 1..) = u64::try_from(partial.rejected_spans) {
            self.outcomes.rejected.fetch_add(rejected, Ordering::Relaxed);
            let message = format!("the collector rejected {rejected} spans: {}", partial.error_message);
            self.outcomes.failure().message = Some(message);
        }
    }

    /// Between half of `pause` and all of it.
    fn jittered(&self, pause: Duration) -> Duration {
        let bytes = self.jitter.new_span_id().to_bytes();
        let share = u32::from(u16::from_be_bytes([bytes[0], bytes[1]]));
        pause / 2 + pause / 2 * share / u32::from(u16::MAX)
    }

    fn not_before(&self) -> MutexGuard<'_, Option<Instant>> {
        self.not_before.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl HttpClient for Delivery {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        self.deliver(&request).await.map_err(|failure| {
            let message = failure.message.clone();
            self.outcomes.failed(failure);
            message.into()
        })
    }
}

/// Four status codes may be tried again; all others that are not a success mean that the batch is not wanted.
fn judge(uri: impl Display, response: &Response<Bytes>) -> Attempt {
    let status = response.status();
    let body = String::from_utf8_lossy(response.body());
    let shown: String = body.chars().filter(|c| !c.is_control()).take(SHOWN_BODY).collect();
    let message = format!("{uri} answered {status} {shown}").trim_end().to_owned();
    match status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Attempt::Again {
            failure: Failure { reason: Reason::Overloaded, message },
            after: retry_after(response.headers(), SystemTime::now()),
        },
        _ => Attempt::Final(Failure { reason: Reason::Rejected, message }),
    }
}

/// Seconds, or a date (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let pause = match value.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(value).ok()?.duration_since(now).unwrap_or_default(),
    };
    Some(pause.min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn header(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:30 GMT").unwrap();
        assert_eq!(retry_after(&header("3"), now), Some(Duration::from_secs(3)));
        assert_eq!(retry_after(&header("Sun, 06 Nov 1994 08:49:37 GMT"), now), Some(Duration::from_secs(7)));
        assert_eq!(retry_after(&header("Sun, 06 Nov 1994 08:49:00 GMT"), now), Some(Duration::ZERO));
        assert_eq!(retry_after(&header("86400"), now), Some(LONGEST_PAUSE));
        assert_eq!(retry_after(&header("soon"), now), None);
    }
}
