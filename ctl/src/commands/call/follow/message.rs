//! What a followed resource says of itself.

use std::fmt;

use api::message::State;
use serde::Deserialize;
use serde_json::Value;

/// The part of a message (`api::message::Message`) that tells how far it has come. Another service's resource needs a
/// `state` alone; what else it has may be of any type.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Message {
    state: String,
    #[serde(default)]
    id: Value,
    #[serde(default)]
    attempts: Value,
    #[serde(default)]
    last_error: Value,
    #[serde(default)]
    next_attempt_at: Value,
}

/// How a message ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::commands::call) enum Ending {
    Delivered,
    Dead,
}

impl Message {
    /// `None` where the bytes are no JSON object with a `state`.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// `None` while it is on its way; a state of another service's own is that too.
    pub(super) fn ending(&self) -> Option<Ending> {
        match self.state.as_str() {
            state if state == State::Delivered.as_str() => Some(Ending::Delivered),
            state if state == State::Dead.as_str() => Some(Ending::Dead),
            _ => None,
        }
    }

    /// `message ID`.
    pub(super) fn name(&self) -> String {
        match &self.id {
            Value::String(id) => format!("message {id}"),
            Value::Number(id) => format!("message {id}"),
            _ => "the message".to_owned(),
        }
    }

    /// `message ID is pending`.
    pub(super) fn standing(&self) -> String {
        format!("{} is {}", self.name(), self.state)
    }

    /// `2 attempts`; `None` before the first.
    pub(super) fn attempts(&self) -> Option<String> {
        match self.attempts.as_u64() {
            None | Some(0) => None,
            Some(1) => Some("1 attempt".to_owned()),
            Some(attempts) => Some(format!("{attempts} attempts")),
        }
    }

    pub(super) fn last_error(&self) -> Option<&str> {
        self.last_error.as_str().filter(|text| !text.is_empty())
    }
}

/// `message 0190…: pending; 2 attempts; service-b answered 503; next attempt at 2026-01-31T23:59:59.123Z`
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name(), self.state)?;
        if let Some(attempts) = self.attempts() {
            write!(f, "; {attempts}")?;
        }
        if let Some(error) = self.last_error() {
            write!(f, "; {error}")?;
        }
        match self.next_attempt_at.as_str() {
            Some(at) => write!(f, "; next attempt at {at}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Message {
        Message::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_message_as_a_writes_it_is_told_with_what_keeps_it() {
        let sent = api::message::Message {
            id: "0190".into(),
            state: State::Pending,
            attempts: 2,
            created_at: "2026-01-31T23:59:00.000Z".into(),
            delivered_at: None,
            next_attempt_at: Some("2026-01-31T23:59:59.123Z".into()),
            last_error: Some("service-b answered 503".into()),
            body: serde_json::value::RawValue::from_string("{}".into()).unwrap(),
        };
        let message = Message::read(&serde_json::to_vec(&sent).unwrap()).unwrap();
        assert_eq!(
            message.to_string(),
            "message 0190: pending; 2 attempts; service-b answered 503; next attempt at 2026-01-31T23:59:59.123Z"
        );
        assert_eq!(message.ending(), None);
    }

    #[test]
    fn what_has_not_happened_yet_is_not_told() {
        assert_eq!(read(r#"{"id":7,"state":"pending","attempts":0}"#).to_string(), "message 7: pending");
        assert_eq!(read(r#"{"id":[],"state":"queued","attempts":"x"}"#).to_string(), "the message: queued");
    }

    #[test]
    fn two_states_are_an_end() {
        assert_eq!(read(r#"{"state":"delivered"}"#).ending(), Some(Ending::Delivered));
        assert_eq!(read(r#"{"state":"dead"}"#).ending(), Some(Ending::Dead));
        assert_eq!(read(r#"{"state":"running"}"#).ending(), None);
    }

    #[test]
    fn what_has_no_state_is_no_message() {
        for text in ["", "Hello, World!", "[]", "{}", r#"{"state":7}"#] {
            assert!(Message::read(text.as_bytes()).is_none(), "{text}");
        }
    }
}
