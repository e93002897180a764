//! What an engine is told.

use std::time::Duration;

use http::Uri;
use http::uri::PathAndQuery;
use runtime::env::Value;

/// Bounds and times of an outbox.
#[derive(Clone, Debug)]
pub struct Settings {
    pub receiver: Receiver,
    pub mode: Mode,
    /// For one delivery, from connecting to the answer's end.
    pub timeout: Duration,
    /// Deliveries at one time.
    pub concurrency: usize,
    /// How long a row belongs to who leased it. At least twice `timeout`.
    pub lease: Duration,
    /// A message that could not be delivered for so long is given up: when it fails once more, or while the receiver stays
    /// away.
    pub max_age: Duration,
    /// How long both sides keep messages. Longer than `max_age`.
    pub retention: Duration,
    /// Messages waiting at one time; beyond them no more are taken.
    pub limit: u64,
}

/// Whether this process delivers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    #[default]
    Active,
    /// It takes messages, and leaves them to others, or to a later time.
    Paused,
}

/// Who gets the events, and what they say of where they come from.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// For log lines, and for the `last_error` of a message.
    pub name: &'static str,
    pub url: Uri,
    /// The route's template, for spans.
    pub path: &'static str,
    pub user_agent: &'static str,
    /// The `source` of every event; with the message's identifier it is what makes an event unique.
    pub source: &'static str,
    /// The `type` of every event.
    pub kind: &'static str,
}

impl Value for Mode {
    const ALLOWED: &'static str = "active or paused";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "active" => Some(Self::Active),
            "paused" => Some(Self::Paused),
            _ => None,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Active => "active".to_owned(),
            Self::Paused => "paused".to_owned(),
        }
    }
}

impl Receiver {
    /// `path` at `service`, which is `http://HOST[:PORT]`.
    pub fn url(service: &Uri, path: &'static str) -> Uri {
        let mut parts = service.clone().into_parts();
        parts.path_and_query = Some(PathAndQuery::from_static(path));
        Uri::from_parts(parts).unwrap_or_else(|_| service.clone())
    }
}

impl Settings {
    /// A message that is this old must not be sent again: the receiver forgets what it has applied after `retention`,
    /// and would apply it a second time. A minute is left for a delivery under way and for clocks that differ, less
    /// where the retention is short.
    pub fn last_delivery(&self) -> Duration {
        self.retention.saturating_sub(Duration::from_mins(1).min(self.retention / 10))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_go_to_their_path_at_the_receivers_address() {
        let url = Receiver::url(&Uri::from_static("http://[::1]:8001"), "/events");
        assert_eq!(url, "http://[::1]:8001/events");
    }
}
