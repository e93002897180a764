//! What is written, and what became of it.

use std::time::Duration;

use database::{Error, Statement};
use outbox::{Body, Claim, Claimed, Expiry, Outgoing, Settled, Settlement, Sweep};
use uuid::Uuid;

/// One write; a batch of them is one transaction.
#[derive(Clone, Debug)]
pub enum Write {
    Accept(New),
    Settle(Settlement),
    Claim(Claim),
    GiveBack { owner: Uuid, ids: Vec<Uuid> },
    Expire(Expiry),
    Redeliver { id: Uuid, not_before: i64, now: i64 },
    Purge(Sweep),
    ForgetKeys(usize),
}

/// A message to be written.
#[derive(Clone, Debug)]
pub struct New {
    pub id: Uuid,
    pub body: Body,
    pub created_at: i64,
    pub traceparent: Option<String>,
    pub tracestate: Option<String>,
    /// `None`: the outbox row is anybody's.
    pub lease: Option<Lease>,
    pub key: Option<Key>,
}

/// Whose an outbox row is from its birth on, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Lease {
    pub owner: Uuid,
    pub time: Duration,
}

/// `Idempotency-Key`, and what it stands for.
#[derive(Clone, Debug)]
pub struct Key {
    pub text: String,
    /// SHA-256 of the body.
    pub body_hash: [u8; 32],
}

impl Key {
    /// What it means that the key stands for the message `id`, whose body has this hash.
    pub(super) fn stands_for(&self, hash: &[u8], id: Uuid) -> Accepted {
        if *hash == self.body_hash { Accepted::Known(id) } else { Accepted::KeyUsed }
    }
}

/// What became of a [`Write`] of the same name.
#[derive(Clone, Debug)]
pub enum Done {
    Accepted(Accepted),
    Settled,
    Claimed(Claimed),
    GivenBack,
    Expired(Vec<Uuid>),
    Redelivered(Redelivery),
    /// Where to go on, when there may be more.
    Purged(Option<Uuid>),
    Forgotten(usize),
}

/// What became of a new message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is written.
    New,
    /// The same request came before, and made this message. Nothing is written.
    Known(Uuid),
    /// Another request came with the same key. Nothing is written.
    KeyUsed,
}

/// What became of a wish for redelivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redelivery {
    /// It is pending again.
    Pending,
    /// It was not given up.
    NotDead(api::message::State),
    TooOld,
    Unknown,
}

impl Write {
    /// Names its span.
    pub(super) fn statement(&self) -> Statement {
        let (operation, table) = match self {
            Self::Accept(_) => ("INSERT", "messages"),
            Self::Settle(Settlement { settled: Settled::Again { .. }, .. })
            | Self::Claim(_)
            | Self::GiveBack { .. } => ("UPDATE", "outbox"),
            Self::Settle(_) | Self::Expire(_) => ("DELETE", "outbox"),
            Self::Redeliver { .. } => ("INSERT", "outbox"),
            Self::Purge(_) => ("DELETE", "messages"),
            Self::ForgetKeys(_) => ("DELETE", "idempotency_keys"),
        };
        Statement { operation, table }
    }

    /// What it holds of a client's request, in bytes. What comes from the engine holds next to nothing, and makes room.
    pub(super) fn bytes(&self) -> usize {
        let Self::Accept(new) = self else { return 0 };
        let texts =
            [&new.traceparent, &new.tracestate].into_iter().flatten().chain(new.key.as_ref().map(|key| &key.text));
        new.body.as_str().len() + texts.map(String::len).sum::<usize>()
    }
}

impl Done {
    /// A backend that answers another question than it was asked is a mistake in this crate.
    pub(super) fn unexpected(&self) -> Error {
        tracing::error!(done = ?self, "the store answered another question");
        Error::Defect { detail: "the store answered another question".to_owned() }
    }
}

impl New {
    /// The same message on its way.
    pub fn outgoing(&self) -> Outgoing {
        Outgoing {
            id: self.id,
            body: self.body.clone(),
            created_at: self.created_at,
            enqueued_at: self.created_at,
            attempts: 0,
            traceparent: self.traceparent.clone(),
            tracestate: self.tracestate.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_to_another_question_is_our_own_defect_and_nobodys_row() {
        assert_eq!(Done::Settled.unexpected().kind(), "defect");
    }

    #[test]
    fn a_message_weighs_what_its_request_brought() {
        let mut new = New {
            id: Uuid::nil(),
            body: "{\"a\":1}".into(),
            created_at: 0,
            traceparent: Some("12345".to_owned()),
            tracestate: None,
            lease: None,
            key: None,
        };
        assert_eq!(Write::Accept(new.clone()).bytes(), 12);
        new.key = Some(Key { text: "key".to_owned(), body_hash: [0; 32] });
        assert_eq!(Write::Accept(new).bytes(), 15);
        assert_eq!(Write::ForgetKeys(100).bytes(), 0);
    }
}
