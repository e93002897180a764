//! What the proxy answers by itself: a problem for people (RFC 9457), and `Proxy-Status` (RFC 9209) for those who see
//! fields only, as users of `curl -v` do when a CONNECT fails.

use api::Problem;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::Full;

use crate::names::DialError;

const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// Why a request was not passed on, or its answer not back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// RFC 9209, section 2.3.
    error: &'static str,
    pub(crate) detail: String,
}

impl Refusal {
    /// The request itself is wrong.
    pub(super) fn malformed(detail: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error: "http_request_error", detail: detail.into() }
    }

    /// There was a connection, and no whole answer on it.
    pub(super) fn no_answer(detail: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_GATEWAY, error: "http_response_incomplete", detail: detail.into() }
    }

    /// It was for the proxy itself, as its last recipient.
    pub(super) fn last_recipient() -> Self {
        let detail = "Max-Forwards was 0, and there is nothing of the proxy's own to tell".to_owned();
        Self { status: StatusCode::NOT_IMPLEMENTED, error: "http_request_denied", detail }
    }

    pub(super) fn answer(&self) -> Response<Full<Bytes>> {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let problem = Problem::new(self.status.as_u16(), title).with_detail(&*self.detail);
        // Strings and a number: there is nothing that serialisation could fail on.
        let mut response = Response::new(Full::from(serde_json::to_vec(&problem).unwrap_or_default()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(Problem::CONTENT_TYPE));
        if let Ok(status) = format!("msctl; error={}; details={}", self.error, quoted(&self.detail)).try_into() {
            headers.insert(PROXY_STATUS, status);
        }
        response
    }
}

impl From<DialError> for Refusal {
    fn from(error: DialError) -> Self {
        let (status, token) = match &error {
            DialError::Name { .. } => (StatusCode::BAD_GATEWAY, "destination_not_found"),
            DialError::NotReady { .. } => (StatusCode::SERVICE_UNAVAILABLE, "destination_unavailable"),
            DialError::NoHost { .. } => (StatusCode::BAD_GATEWAY, "dns_error"),
            DialError::Refused { .. } => (StatusCode::BAD_GATEWAY, "connection_refused"),
            DialError::TimedOut { .. } => (StatusCode::GATEWAY_TIMEOUT, "connection_timeout"),
            DialError::Unreachable { .. } => (StatusCode::BAD_GATEWAY, "destination_ip_unroutable"),
        };
        Self { status, error: token, detail: error.to_string() }
    }
}

/// An RFC 8941 string: printable ASCII, quotes and backslashes escaped.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            ' '..='~' => out.push(letter),
            _ => out.push('?'),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detail_fits_into_a_field_whatever_it_holds() {
        let refusal = Refusal::malformed("no \"a\\b\"\nin ä");
        let field = refusal.answer().headers()[PROXY_STATUS].clone();
        assert_eq!(field, r#"msctl; error=http_request_error; details="no \"a\\b\"?in ?""#);
    }
}
