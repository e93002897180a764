//! One question for a message, and what its answer means; the time between two.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::{HeaderMap, RETRY_AFTER};
use http::response::Parts;
use jiff::Timestamp;
use tokio::time::timeout;
use upstream::Kind;

use super::LARGEST;
use super::message::Message;
use crate::commands::call::exchange::{self, Line};
use crate::commands::call::refused;
use crate::commands::call::request::Outgoing;
use crate::commands::call::route::Open;
use crate::error::{Error, ExitCode};

/// A pod that went without a word would else hold the one question until `--timeout`.
const ANSWER_AT_MOST: Duration = Duration::from_secs(10);
/// Most messages are delivered within milliseconds.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What came of a question.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly every one is an answer, and lives for one step")]
pub(super) enum Polled {
    Answered {
        head: Parts,
        body: Bytes,
        message: Message,
    },
    /// Not now; `after` is what the service asks for.
    Later {
        why: String,
        after: Option<Duration>,
    },
}

/// The time before the next question.
#[derive(Debug)]
pub(super) struct Pace {
    next: Duration,
    not_before: Option<Duration>,
}

impl Default for Pace {
    fn default() -> Self {
        Self { next: FIRST_PAUSE, not_before: None }
    }
}

impl Pace {
    /// The service wants to be left alone so long.
    pub(super) fn not_before(&mut self, after: Option<Duration>) {
        self.not_before = after;
    }

    pub(super) fn pause(&mut self) -> Duration {
        let pause = self.next.max(self.not_before.take().unwrap_or_default());
        self.next = (self.next * 2).min(LONGEST_PAUSE);
        pause
    }
}

/// Asks once. An error is one that no repetition cures.
pub(super) async fn ask(line: &Line, open: &Open, question: &Outgoing) -> Result<Polled, Error> {
    let asked = async {
        let response = match line.ask(open, question).await? {
            Ok(response) => response,
            Err(cause) => return unanswered(&cause, open, question),
        };
        let (head, body) = response.into_parts();
        match body.bytes(LARGEST).await {
            Ok(body) => judge(head, body, open, question),
            Err(cause) => unanswered(&cause, open, question),
        }
    };
    match timeout(ANSWER_AT_MOST, asked).await {
        Ok(polled) => polled,
        Err(_) => Ok(Polled::Later { why: format!("no answer within {ANSWER_AT_MOST:?}"), after: None }),
    }
}

fn unanswered(cause: &upstream::Error, open: &Open, question: &Outgoing) -> Result<Polled, Error> {
    match cause.kind() {
        // Pods come and go while a message waits.
        Kind::Connect | Kind::Broken | Kind::Timeout | Kind::Body => {
            Ok(Polled::Later { why: cause.report(), after: None })
        }
        _ => Err(lost(open, question).why(cause.report())),
    }
}

fn judge(head: Parts, body: Bytes, open: &Open, question: &Outgoing) -> Result<Polled, Error> {
    let status = head.status;
    match status {
        _ if status.is_success() => match Message::read(&body) {
            Some(message) => Ok(Polled::Answered { head, body, message }),
            None => Err(lost(open, question).why(format!("it answered {status}, and no JSON object with a `state`"))),
        },
        StatusCode::REQUEST_TIMEOUT
        | StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => {
            let after = retry_after(&head.headers, Timestamp::now());
            let asked = after.map_or(String::new(), |after| format!(", asked again in {after:?}"));
            Ok(Polled::Later { why: format!("the service answered {status}{asked}"), after })
        }
        _ => {
            let code = if status.as_u16() >= 400 { ExitCode::CalleeFailed } else { ExitCode::Failed };
            let what = format!("{} answered {status} while it was followed", question.shown_target());
            let error = Error::new(code, what).why(refused::said(&body)).place(open.way.place());
            Err(match question.target.service().filter(|_| status.is_server_error()) {
                Some(service) => error.next(exchange::logs(service, open)),
                None => error,
            })
        }
    }
}

fn lost(open: &Open, question: &Outgoing) -> Error {
    Error::new(ExitCode::Failed, format!("{} cannot be followed any further", question.shown_target()))
        .place(open.way.place())
}

/// `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse::<u32>().ok().map(|seconds| Duration::from_secs(seconds.into()));
    }
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    // A date that has passed means now.
    Some(Duration::try_from(at.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_come_quickly_at_first_and_then_every_second() {
        let mut pace = Pace::default();
        let millis: Vec<u128> = (0..7).map(|_| pace.pause().as_millis()).collect();
        assert_eq!(millis, [50, 100, 200, 400, 800, 1000, 1000]);
    }

    #[test]
    fn a_service_that_asks_for_time_gets_it_once() {
        let mut pace = Pace::default();
        pace.not_before(Some(Duration::from_secs(5)));
        assert_eq!(pace.pause(), Duration::from_secs(5));
        assert_eq!(pace.pause(), Duration::from_millis(100));
        pace.not_before(Some(Duration::from_millis(1)));
        assert_eq!(pace.pause(), Duration::from_millis(200), "no sooner than otherwise");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "1994-11-06T08:49:30Z".parse().unwrap();
        let after = |text: &'static str| {
            retry_after(&HeaderMap::from_iter([(RETRY_AFTER, http::HeaderValue::from_static(text))]), now)
        };
        assert_eq!(after("3"), Some(Duration::from_secs(3)));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::from_secs(7)));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:00 GMT"), Some(Duration::ZERO));
        for text in ["", "-1", "soon", "99999999999"] {
            assert_eq!(after(text), None, "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
