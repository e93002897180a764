//! Error answers: `application/problem+json` ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)) with the trace id.
//!
//! Handlers return [`Failure`]; whatever the router itself would answer with another body is made one by [`dress`].

use api::Problem;
use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT, CONNECTION, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};

/// An error answer.
#[derive(Clone, Debug)]
pub struct Failure {
    status: StatusCode,
    problem: Box<Problem>,
    headers: HeaderMap,
}

impl Failure {
    /// An answer with `status`; `detail` tells a person what went wrong this time, and nothing of what only we may
    /// know.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error");
        Self {
            status,
            problem: Box::new(Problem::new(status.as_u16(), title).with_detail(detail)),
            headers: HeaderMap::new(),
        }
    }

    /// 503, to be tried again after `seconds`.
    pub fn unavailable(detail: impl Into<String>, seconds: u32) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).with_header(RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// 415, with the media type that is taken.
    pub(crate) fn unsupported(detail: impl Into<String>, taken: &'static str) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail).with_header(ACCEPT, HeaderValue::from_static(taken))
    }

    /// The same answer, naming the path of its request.
    #[must_use]
    pub fn at(mut self, path: &str) -> Self {
        self.problem.instance = Some(path.to_owned());
        self
    }

    /// The same answer with one more header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The same answer as the connection's last: the rest of the request is not read.
    #[must_use]
    pub(crate) fn closing(self) -> Self {
        self.with_header(CONNECTION, HeaderValue::from_static("close"))
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The body as it would be sent now.
    pub(crate) fn json(&self) -> Vec<u8> {
        // Strings and a number: there is nothing that serialisation could fail on.
        serde_json::to_vec(&self.problem).unwrap_or_default()
    }
}

impl IntoResponse for Failure {
    fn into_response(mut self) -> Response {
        if self.problem.trace_id.is_none() {
            self.problem.trace_id = telemetry::current_trace_id();
        }
        let mut response = Response::new(Body::from(self.json()));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(Problem::CONTENT_TYPE));
        response
    }
}

/// `app` with problems for unknown paths (404) and wrong methods (405; the router adds `Allow`).
pub fn dress(app: Router) -> Router {
    app.fallback(not_found).method_not_allowed_fallback(wrong_method)
}

async fn not_found(uri: Uri) -> Failure {
    let path = uri.path();
    Failure::new(StatusCode::NOT_FOUND, format!("there is nothing at {path}")).at(path)
}

async fn wrong_method(method: Method, uri: Uri) -> Failure {
    let path = uri.path();
    let detail = format!("{path} can't be used with {method}; see Allow");
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, detail).at(path)
}
