//! A message as it is read from the database.

use api::message::{Message, State};
use outbox::time::rfc3339;
use serde_json::value::RawValue;
use uuid::Uuid;

/// A row of `messages`, with what its outbox row knows better while it is pending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub id: Uuid,
    pub body: String,
    pub state: State,
    pub attempts: i64,
    pub created_at: i64,
    pub delivered_at: Option<i64>,
    pub next_attempt_at: Option<i64>,
    pub last_error: Option<String>,
}

/// A page of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub messages: Vec<Kept>,
    /// Whether there are others after them.
    pub more: bool,
    limit: usize,
    bytes: usize,
}

/// Bodies of one page, in bytes; its last message may exceed it.
pub(super) const PAGE_BYTES: usize = 1024 * 1024;

/// The column `state`.
pub(super) const PENDING: i16 = 0;
pub(super) const DELIVERED: i16 = 1;
pub(super) const DEAD: i16 = 2;

impl Listed {
    pub(super) fn new(limit: u16) -> Self {
        Self { messages: Vec::new(), more: false, limit: limit.into(), bytes: 0 }
    }

    /// Takes the next message, or only notes that there is one more; whether another is of interest.
    pub(super) fn push(&mut self, kept: Kept) -> bool {
        self.more = self.messages.len() == self.limit || self.bytes > PAGE_BYTES;
        if !self.more {
            self.bytes += kept.body.len();
            self.messages.push(kept);
        }
        !self.more
    }

    /// The same where the database has not given all of the `total` rows that it found.
    pub(super) fn of(self, total: usize) -> Self {
        Self { more: self.more || total > self.messages.len(), ..self }
    }
}

/// A number that is none of ours was written by a newer program: not to be delivered by this one, as if it had ended.
pub(super) fn state(column: i16) -> State {
    match column {
        PENDING => State::Pending,
        DELIVERED => State::Delivered,
        _ => State::Dead,
    }
}

impl TryFrom<Kept> for Message {
    type Error = serde_json::Error;

    /// Fails when the stored body is no JSON, which only another program can have written.
    fn try_from(kept: Kept) -> Result<Self, serde_json::Error> {
        Ok(Self {
            id: kept.id.to_string(),
            state: kept.state,
            attempts: u32::try_from(kept.attempts).unwrap_or(u32::MAX),
            created_at: rfc3339(kept.created_at),
            delivered_at: kept.delivered_at.map(rfc3339),
            next_attempt_at: kept.next_attempt_at.map(rfc3339),
            last_error: kept.last_error,
            body: RawValue::from_string(kept.body)?,
        })
    }
}

/// The time in an identifier of version 7, in unix milliseconds.
pub(crate) fn time_of(id: Uuid) -> Option<i64> {
    let (seconds, nanos) = id.get_timestamp()?.to_unix();
    let millis = i64::try_from(seconds).ok()?.checked_mul(1_000)?;
    millis.checked_add(i64::from(nanos / 1_000_000))
}
