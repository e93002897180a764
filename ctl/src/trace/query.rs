//! Jaeger's query API over any way to it.
//!
//! Paths: `/api/traces/{id}`, `/api/traces?service=…&limit=…`, `/api/services`; answers: `jaeger`.
//! <https://www.jaegertracing.io/docs/latest/architecture/apis/#internal-http-json>

use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper_util::client::legacy::{Client, connect::Connect};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::de::DeserializeOwned;

use super::id::IdError;
use super::jaeger::{Answer, WireTrace};
use super::{Trace, TraceId};

/// Bytes of an answer that are read at most: some hundred thousand spans.
const ANSWER_MOST: usize = 256 << 20;
/// Traces to choose the latest from: a store may answer in any order.
const RECENT: usize = 20;

/// A client of one Jaeger. Connections are kept, so that asking again costs one round trip.
#[derive(Debug, Clone)]
pub(crate) struct QueryApi<C> {
    client: Client<C, Empty<Bytes>>,
    /// `HOST:PORT`.
    authority: String,
}

/// Why Jaeger did not answer, or not with a trace.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QueryError {
    #[error("cannot ask Jaeger at {authority}")]
    Unreachable { authority: String, source: hyper_util::client::legacy::Error },
    #[error("Jaeger at {authority} broke off its answer")]
    Broken { authority: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("the answer of Jaeger at {authority} is larger than {} MiB", ANSWER_MOST >> 20)]
    TooLarge { authority: String },
    #[error("Jaeger at {authority} answered {status}{}", said(message))]
    Refused { authority: String, status: StatusCode, message: String },
    /// Jaeger's own 404, for a trace that it does not have.
    #[error("Jaeger at {authority} does not have it")]
    Absent { authority: String },
    #[error("what {authority} answers is not Jaeger's query API")]
    Foreign { authority: String, source: serde_json::Error },
    #[error("Jaeger at {authority} sent a span with a malformed id")]
    Id { authority: String, source: IdError },
    #[error("`{authority}` is no host and port")]
    Address { authority: String, source: http::Error },
}

fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

impl<C> QueryApi<C>
where
    C: Connect + Clone + Send + Sync + 'static,
{
    /// `authority` is `HOST:PORT`; nothing is sent yet.
    pub(crate) fn new(connector: C, authority: impl Into<String>) -> Self {
        let client = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector);
        Self { client, authority: authority.into() }
    }

    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// The spans of a trace that have arrived so far; `None` when there is none.
    pub(crate) async fn trace(&self, id: TraceId) -> Result<Option<Trace>, QueryError> {
        // Raw: clocks are put right here, where it is said too.
        match self.get::<WireTrace>(&format!("/api/traces/{id}?raw=true")).await {
            Ok(traces) => Ok(self.spans(traces)?.into_iter().find(|trace| trace.id == id)),
            Err(QueryError::Absent { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The trace of a service that began last.
    pub(crate) async fn latest(&self, service: &str) -> Result<Option<Trace>, QueryError> {
        let service = query_escape(service);
        let path = format!("/api/traces?service={service}&limit={RECENT}&raw=true");
        let traces = self.spans(self.get::<WireTrace>(&path).await?)?;
        let began = |trace: &Trace| trace.spans.iter().map(|span| span.start).min();
        Ok(traces.into_iter().filter(|trace| !trace.spans.is_empty()).max_by_key(began))
    }

    /// Names of the services that have sent spans.
    pub(crate) async fn services(&self) -> Result<Vec<String>, QueryError> {
        self.get("/api/services").await
    }

    fn spans(&self, traces: Vec<WireTrace>) -> Result<Vec<Trace>, QueryError> {
        let malformed = |source| QueryError::Id { authority: self.authority.clone(), source };
        traces.into_iter().map(|trace| Trace::try_from(trace).map_err(malformed)).collect()
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, QueryError> {
        let authority = || self.authority.clone();
        let uri = Uri::builder().scheme("http").authority(self.authority.as_str()).path_and_query(path);
        let request = uri
            .build()
            .and_then(|uri| Request::get(uri).header(http::header::ACCEPT, "application/json").body(Empty::new()))
            .map_err(|source| QueryError::Address { authority: authority(), source })?;
        let response = self
            .client
            .request(request)
            .await
            .map_err(|source| QueryError::Unreachable { authority: authority(), source })?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_MOST).collect().await.map_err(|source| {
            if source.is::<LengthLimitError>() {
                QueryError::TooLarge { authority: authority() }
            } else {
                QueryError::Broken { authority: authority(), source }
            }
        })?;
        let body = body.to_bytes();
        if !status.is_success() {
            return Err(match (status, fault(&body)) {
                // Another server's 404 means that this is no Jaeger at all.
                (StatusCode::NOT_FOUND, Ok(_)) => QueryError::Absent { authority: authority() },
                (_, Ok(message) | Err(message)) => QueryError::Refused { authority: authority(), status, message },
            });
        }
        let answer: Answer<T> =
            serde_json::from_slice(&body).map_err(|source| QueryError::Foreign { authority: authority(), source })?;
        Ok(answer.data)
    }
}

/// What an answer with an error status says: in Jaeger's words, else the beginning of something else's.
fn fault(body: &[u8]) -> Result<String, String> {
    match serde_json::from_slice::<Answer<serde::de::IgnoredAny>>(body) {
        Ok(answer) => Ok(answer.errors.into_iter().map(|fault| fault.msg).collect::<Vec<_>>().join("; ")),
        Err(_) => Err(String::from_utf8_lossy(body).chars().filter(|c| !c.is_control()).take(200).collect()),
    }
}

/// Escapes all but the unreserved characters of RFC 3986, section 2.3.
fn query_escape(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
        out
    })
}

#[cfg(test)]
#[path = "query_tests.rs"]
mod tests;
