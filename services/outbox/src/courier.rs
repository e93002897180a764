//! One delivery: a `CloudEvent` in binary mode, and what its answer means.

use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use upstream::{Client, Template};

use crate::event::Event;
use crate::settings::{Receiver, Settings};
use crate::storage::Outgoing;

/// What of an answer is read: enough for a problem, and for the connection to be kept.
const MAX_ANSWER: usize = 64 * 1024;
/// What of a failure is kept with the message, in characters.
const MAX_ERROR: usize = 300;

/// Delivers events over kept connections.
#[derive(Debug)]
pub(crate) struct Courier {
    client: Client,
    receiver: Receiver,
}

/// What an answer, or none, means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Delivered,
    /// It would be refused every time.
    Refused(String),
    /// It may succeed another time.
    Failed {
        error: String,
        /// `Retry-After`.
        asked: Option<Duration>,
        /// Whether nobody else can be served now either.
        away: bool,
    },
}

impl Courier {
    pub(crate) fn new(settings: &Settings) -> Self {
        let client = Client::new(upstream::Config {
            timeout: settings.timeout,
            pool_max_idle: settings.concurrency,
            // A connection that was closed while it was idle is worth a second try at once. Whatever else fails backs off.
            max_retries: 1,
            user_agent: HeaderValue::try_from(settings.receiver.user_agent).ok(),
            ..upstream::Config::default()
        });
        Self { client, receiver: settings.receiver.clone() }
    }

    /// Delivers `message` in the context of its trace.
    pub(crate) async fn deliver(&self, message: &Outgoing) -> Verdict {
        let request = match self.request(message) {
            Ok(request) => request,
            Err(error) => return Verdict::Refused(brief(&format!("it can't be written as an event: {error}"))),
        };
        let name = self.receiver.name;
        let (head, body) = match self.client.send(request).await {
            Ok(answer) => answer.into_parts(),
            Err(error) => {
                tracing::debug!("{name} did not answer: {}", error.report());
                let error = format!("{name} did not answer: {}", error.kind().what());
                return Verdict::Failed { error, asked: None, away: true };
            }
        };
        // Read to its end, else the connection is lost; what the receiver did is told by its status alone.
        let body = body.bytes(MAX_ANSWER).await.unwrap_or_default();
        judge(name, head.status, &head.headers, &body)
    }

    fn request(&self, message: &Outgoing) -> Result<Request<bytes::Bytes>, crate::event::Error> {
        let mut event = Event::new(message.id.to_string(), self.receiver.source, self.receiver.kind)
            .with_time(message.created_at)
            .with_json(bytes::Bytes::from_owner(message.body.clone()));
        // Where the message was created; the request's own traceparent, which the client adds, is this attempt's
        // (https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/distributed-tracing.md).
        if let Some(traceparent) = &message.traceparent {
            event = event.with_extension("traceparent", traceparent.as_str());
        }
        if let Some(tracestate) = message.tracestate.as_deref().filter(|state| !state.is_empty()) {
            event = event.with_extension("tracestate", tracestate);
        }
        let (headers, body) = event.write_binary()?;
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.headers_mut() = headers;
        request.uri_mut().clone_from(&self.receiver.url);
        request.extensions_mut().insert(Template(self.receiver.path));
        Ok(request)
    }
}

fn judge(name: &str, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Verdict {
    if status.is_success() {
        return Verdict::Delivered;
    }
    let told = serde_json::from_slice::<api::Problem>(body).ok().and_then(|problem| problem.detail);
    let error = match told {
        Some(detail) => brief(&format!("{name} answered {status}: {detail}")),
        None => format!("{name} answered {status}"),
    };
    match status {
        // What is wrong is the message: it would be wrong the next time as well.
        StatusCode::BAD_REQUEST
        | StatusCode::CONFLICT
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNSUPPORTED_MEDIA_TYPE
        | StatusCode::UNPROCESSABLE_ENTITY => Verdict::Refused(error),
        // Everything else may be cured: also 401, 404, 405 or a redirect, which tell of a receiver that is not yet, or no
        // longer, what it should be.
        _ => {
            let away = matches!(
                status,
                StatusCode::TOO_MANY_REQUESTS
                    | StatusCode::BAD_GATEWAY
                    | StatusCode::SERVICE_UNAVAILABLE
                    | StatusCode::GATEWAY_TIMEOUT
            );
            Verdict::Failed { error, asked: retry_after(headers), away }
        }
    }
}

/// RFC 9110, section 10.2.3: seconds, or a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(std::time::SystemTime::now()).unwrap_or_default())
}

/// For a column and for a person: bounded, in one line. Postgres takes no NUL.
fn brief(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_ERROR).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, retry_after: Option<&str>, body: &str) -> Verdict {
        let mut headers = HeaderMap::new();
        if let Some(value) = retry_after {
            headers.insert(RETRY_AFTER, value.parse().unwrap());
        }
        judge("service-b", StatusCode::from_u16(status).unwrap(), &headers, body.as_bytes())
    }

    #[test]
    fn what_is_wrong_with_the_message_is_not_tried_again_and_everything_else_is() {
        for status in [200, 201, 202, 204] {
            assert_eq!(judged(status, None, ""), Verdict::Delivered);
        }
        for status in [400, 409, 413, 415, 422] {
            assert!(matches!(judged(status, None, ""), Verdict::Refused(_)), "{status}");
        }
        for status in [301, 401, 403, 404, 405, 408, 500, 501] {
            assert!(matches!(judged(status, None, ""), Verdict::Failed { away: false, .. }), "{status}");
        }
        for status in [429, 502, 503, 504] {
            assert!(matches!(judged(status, None, ""), Verdict::Failed { away: true, .. }), "{status}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let asked = |value: &str| match judged(503, Some(value), "") {
            Verdict::Failed { asked, .. } => asked,
            other => panic!("{other:?}"),
        };
        assert_eq!(asked("7"), Some(Duration::from_secs(7)));
        let date = httpdate::fmt_http_date(std::time::SystemTime::now() + Duration::from_mins(1));
        assert!(asked(&date).is_some_and(|asked| (50..=60).contains(&asked.as_secs())));
        assert_eq!(asked("Fri, 01 Jan 1999 00:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(asked("soon"), None);
    }

    #[test]
    fn the_receivers_detail_is_kept_in_one_short_line_without_nul() {
        let body =
            serde_json::to_string(&api::Problem::new(400, "Bad Request").with_detail("ce-id:\n\0missing")).unwrap();
        let Verdict::Refused(error) = judged(400, None, &body) else { panic!("refused") };
        assert_eq!(error, "service-b answered 400 Bad Request: ce-id:  missing");

        let long = serde_json::to_string(&api::Problem::new(400, "").with_detail("ä".repeat(5_000))).unwrap();
        let Verdict::Refused(error) = judged(400, None, &long) else { panic!("refused") };
        assert_eq!(error.chars().count(), MAX_ERROR);
    }
}
