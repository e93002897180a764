//! An answer that is an error: what its body says in few words, and what to do about it.

use http::StatusCode;
use serde::Deserialize;

use super::exchange;
use super::request::Outgoing;
use super::route::Open;
use crate::error::{Error, ExitCode};

/// Nothing is wrong with what was asked.
const AGAIN: [StatusCode; 3] = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];

/// What is read of a body to say it in few words; a problem is shorter.
pub(super) const READ: usize = 16 << 10;

/// The error for it, beside the body itself, which is the result. `body` may be only its beginning.
pub(super) fn error(target: &str, status: StatusCode, body: &[u8], open: &Open, outgoing: &Outgoing) -> Error {
    let said = said(body);
    let why = if said.is_empty() { "the service says no more".to_owned() } else { said };
    let next = match outgoing.target.service() {
        _ if status == StatusCode::PAYLOAD_TOO_LARGE && !outgoing.body.is_empty() => {
            format!("send a smaller body; this one has {} bytes", outgoing.body.len())
        }
        Some(service) if status.is_server_error() => exchange::logs(service, open),
        _ if AGAIN.contains(&status) => "ask again in a few seconds".to_owned(),
        _ => "change what is asked: path, method, headers or body".to_owned(),
    };
    Error::new(ExitCode::CalleeFailed, format!("{target} answered {status}"))
        .why(why)
        .place(open.way.place())
        .next(next)
}

/// A problem's detail or title (RFC 9457), else how the body begins.
pub(super) fn said(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Problem {
        detail: Option<String>,
        title: Option<String>,
    }
    let text = match serde_json::from_slice::<Problem>(body) {
        Ok(Problem { detail: Some(text), .. } | Problem { title: Some(text), .. }) => text,
        // Cut off in the middle of a letter it is text all the same; what is packed is none.
        _ => match std::str::from_utf8(body) {
            Ok(text) => text.to_owned(),
            Err(cause) if cause.error_len().is_none() => String::from_utf8_lossy(body).into_owned(),
            Err(_) => String::new(),
        },
    };
    text.trim().chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_in_its_own_words() {
        assert_eq!(said(br#"{"title":"Not Found","detail":"there is no message 7"}"#), "there is no message 7");
        assert_eq!(said(br#"{"title":"Not Found"}"#), "Not Found");
        assert_eq!(said(b" gone \n"), "gone");
        assert_eq!(said(&[b'x'; 900]).len(), 200);
        assert_eq!(said(b"caf\xc3"), "caf\u{fffd}");
        assert_eq!(said(b"\x1f\x8b\x08\x00"), "");
    }
}
