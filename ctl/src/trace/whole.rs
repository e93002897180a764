//! Whether a trace has arrived in full, and what is missing where it has not.
//!
//! Services export in batches of their own, so a trace grows for a while after its request was
//! answered. It is whole when its root is there, every parent that is named is there, and every
//! request that was sent (a CLIENT span) shows the work of its receiver (a SERVER span below it). A
//! database's CLIENT span has no receiver: databases send no spans.
//! One service exports in the order in which spans end, so a SERVER span that has arrived brings
//! along all that ended before it. A delivery may come long after the answer: who knows that there
//! was one waits for it as well.

use std::fmt;

use super::span::Kind;
use super::tree::{Entry, Tree};
use super::{Span, SpanId};

/// Something that a whole trace would have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Gap {
    /// Nothing has arrived.
    Empty,
    /// The span that began the trace has not arrived.
    Root(SpanId),
    /// The root is there, and the request that it sent is not.
    Request,
    /// A span names a parent that has not arrived.
    Parent { missing: SpanId, child: String },
    /// A request was sent, and the receiver's span has not arrived.
    Receiver { sender: String, to: Option<String> },
    /// A message was delivered or given up, and no request for it has arrived.
    Delivery,
}

/// What the asker knows of the trace.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known {
    /// The span that began it by sending a request.
    pub(crate) root: Option<SpanId>,
    /// A parent that lies with the asker's own caller and is not waited for.
    pub(crate) outside: Option<SpanId>,
    pub(crate) delivery: Delivery,
}

/// What became of a message that a service took and sends on by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// There is none, or nobody waited for it.
    #[default]
    Unknown,
    /// The other service has it.
    Arrived,
    /// It was tried, and given up.
    GivenUp,
}

/// What is missing from the tree.
pub(crate) fn gaps(tree: &Tree, known: Known) -> Vec<Gap> {
    let Known { root, outside, delivery } = known;
    if tree.rows.is_empty() {
        return vec![Gap::Empty];
    }
    let mut gaps = Vec::new();
    if let Some(root) = root
        && !tree.spans().any(|placed| placed.span.id == root)
    {
        gaps.push(Gap::Root(root));
    }
    for (at, row) in tree.rows.iter().enumerate() {
        match &row.entry {
            // The root's own absence has been said.
            Entry::Missing(id) if Some(*id) == root || Some(*id) == outside => {}
            Entry::Missing(id) => {
                let child = tree.children(at).next().map(|placed| placed.span.title());
                gaps.push(Gap::Parent { missing: *id, child: child.unwrap_or_default() });
            }
            Entry::Span(placed) => {
                let sent = tree.children(at).any(|below| below.span.kind == Kind::Client);
                if Some(placed.span.id) == root && !sent {
                    gaps.push(Gap::Request);
                }
                let received = tree.children(at).any(|below| below.span.kind == Kind::Server);
                if expects_receiver(&placed.span) && !received {
                    gaps.push(Gap::Receiver { sender: placed.span.title(), to: peer(&placed.span) });
                }
            }
        }
    }
    if !delivery_is_there(tree, delivery) {
        gaps.push(Gap::Delivery);
    }
    gaps
}

/// Whether a request that a service sent for its own caller's message is there: one that was received, where the message
/// arrived.
fn delivery_is_there(tree: &Tree, delivery: Delivery) -> bool {
    // Rows at or below a SERVER span; parents stand before their children.
    let mut served: Vec<bool> = Vec::with_capacity(tree.rows.len());
    let mut there = delivery == Delivery::Unknown;
    for (at, row) in tree.rows.iter().enumerate() {
        let below = row.parent.is_some_and(|parent| served[parent]);
        let Entry::Span(placed) = &row.entry else {
            served.push(below);
            continue;
        };
        let span = &placed.span;
        served.push(below || span.kind == Kind::Server);
        let received = || !span.failed() && tree.children(at).any(|below| below.span.kind == Kind::Server);
        let sent = below && span.kind == Kind::Client && !span.is_database();
        there |= sent && (delivery == Delivery::GivenUp || received());
    }
    there
}

/// Whether a service that takes part in the trace should have answered this span's request: not a
/// database, and not a request that never got an answer (no connection, no name).
fn expects_receiver(span: &Span) -> bool {
    let answered = span.http_status().is_some() || !span.failed();
    span.kind == Kind::Client && !span.is_database() && answered
}

/// Whom a CLIENT span called.
fn peer(span: &Span) -> Option<String> {
    ["server.address", "peer.service", "net.peer.name"]
        .iter()
        .find_map(|attribute| span.text(attribute))
        .map(str::to_owned)
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "no span has arrived"),
            Self::Root(id) => write!(f, "the root span {id} has not arrived"),
            Self::Request => write!(f, "the span of the request itself has not arrived"),
            Self::Parent { missing, child } => {
                write!(f, "span {missing}, the parent of `{child}`, has not arrived")
            }
            Self::Receiver { sender, to: Some(to) } => {
                write!(f, "no span of {to}, which answered `{sender}`, has arrived")
            }
            Self::Receiver { sender, to: None } => {
                write!(f, "no span of what answered `{sender}` has arrived")
            }
            Self::Delivery => {
                write!(
                    f,
                    "no span of the delivery has arrived; it is in the trace of the call that first sent the message"
                )
            }
        }
    }
}

#[cfg(test)]
#[path = "whole_tests.rs"]
mod tests;
