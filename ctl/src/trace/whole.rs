//! Whether a trace has arrived in full, and what is missing where it has not.
//!
//! Services export in batches of their own, so a trace grows for a while after its request was
//! answered. It is whole when its root is there, every parent that is named is there, and every
//! request that was sent (a CLIENT span) shows the work of its receiver (a SERVER span below it).
//! One service exports in the order in which spans end, so a SERVER span that has arrived brings
//! along all that ended before it.

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
}

/// What is missing from the tree. `root` is the span that began the trace by sending a request,
/// when the asker knows it; `outside` is a parent that lies with the asker's own caller and is not waited for.
pub(crate) fn gaps(tree: &Tree, root: Option<SpanId>, outside: Option<SpanId>) -> Vec<Gap> {
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
    gaps
}

/// Whether a service that takes part in the trace should have answered this span's request: not a
/// database, and not a request that never got an answer (no connection, no name).
fn expects_receiver(span: &Span) -> bool {
    let database = span.attributes.keys().any(|key| key.starts_with("db."));
    let answered = span.http_status().is_some() || !span.failed();
    span.kind == Kind::Client && !database && answered
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
        }
    }
}

#[cfg(test)]
#[path = "whole_tests.rs"]
mod tests;
