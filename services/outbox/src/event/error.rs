//! What is wrong with an event.

use http::StatusCode;

/// Why a message holds no event that can be taken, or an event can't be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("events are taken one a request; this is a batch")]
    Batched,
    /// The media type of an event format that is not known here.
    #[error("the event format {0} is not known; application/cloudevents+json is")]
    Format(String),
    /// The body of structured mode.
    #[error("the body is no event: {0}")]
    Envelope(String),
    /// `name` is the attribute's, without the `ce-` of its header; `data` and `data_base64` are told here too.
    #[error("{name} {reason}")]
    Attribute { name: String, reason: Reason },
}

/// What is wrong with an attribute; completes a sentence that begins with its name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    #[error("is missing")]
    Missing,
    #[error("is there more than once")]
    Repeated,
    #[error("is empty")]
    Empty,
    #[error("is {0:?}; 1.0 is the only version that is known")]
    Version(String),
    #[error("is no attribute's name: lower-case letters and digits only")]
    Name,
    #[error("can't be an attribute's name: it is reserved")]
    Reserved,
    #[error("must not be a header: Content-Type says it")]
    ContentType,
    #[error("has a character that no attribute may have: {:?}", .0)]
    Character(char),
    #[error("can't be read from its header: {0}")]
    Header(&'static str),
    #[error("is no URI reference (RFC 3986): {0}")]
    UriReference(&'static str),
    #[error("is no absolute URI (RFC 3986, section 4.3): {0}")]
    AbsoluteUri(&'static str),
    #[error("is no time of RFC 3339, such as 2026-01-31T23:59:59Z")]
    Time,
    #[error("is no media type (RFC 2046)")]
    MediaType,
    #[error("is a media type of CloudEvents, which binary mode can't carry")]
    Nested,
    #[error("must be {0}")]
    Json(&'static str),
    #[error("can't be read: {0}")]
    Unreadable(String),
    #[error("is {0}; JSON is taken only")]
    NotJson(String),
    #[error("{0}; a JSON object is taken only")]
    NotAnObject(String),
    #[error("and data_base64 exclude each other")]
    Both,
}

impl Error {
    pub(super) fn of(name: impl Into<String>, reason: Reason) -> Self {
        Self::Attribute { name: name.into(), reason }
    }

    /// The answer to whoever sent it: 415 for what is no single event in a known format, else 400.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Batched | Self::Format(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Envelope(_) | Self::Attribute { .. } => StatusCode::BAD_REQUEST,
        }
    }
}

/// What the sender wrote, for the error that quotes it: bounded, and without what could be more than text.
pub(super) fn shortened(text: &str) -> String {
    const MOST: usize = 60;
    let mut short: String = text.chars().take(MOST).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(MOST).is_some() {
        short.push('…');
    }
    short
}
