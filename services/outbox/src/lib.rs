//! Messages between services that are neither lost nor doubled: the transactional outbox, and `CloudEvents` over HTTP.
//!
//! The sender writes a message and a row of its outbox in one transaction, and answers its client after the commit. An
//! [`Engine`] in the same process delivers it; the row is deleted when the receiver has it. Whatever happens in
//! between, a row that is there will be delivered (at least once), and a receiver that records `(source, id)` in the
//! transaction that applies the event applies it once. Nothing else is needed for the promise; the rest of this page is
//! how it stays cheap, and why each step may fail.
//!
//! # Acknowledged means committed
//! An answer that promises a message comes after its commit, never before. When the outcome of a commit is not known
//! (the connection broke in it), the client is told just that and nothing is promised: the message is there or not. If
//! it is, its lease runs out and it is delivered. A retry with the same idempotency key finds it; without a key it is a
//! second message, as the API says. A request that is given up by its client goes on to its commit all the same.
//!
//! # Leases
//! A row belongs to one process at a time: `lease_owner`, until `available_at`. It is born leased to the process that
//! wrote it, which delivers it from memory without another query. Everybody claims rows whose time has come: leases
//! that ran out, retries that are due, rows that were born unleased because no place was left in memory. A claim is
//! committed before the HTTP call; no lock and no transaction is held across it.
//!
//! Leases save work; they keep nothing correct. So none of these is an error:
//! - **A lease runs out during the call.** Another process claims the row and delivers it as well. The receiver ignores
//!   one of them. To make it rare, a delivery begins only while the lease, by the monotonic clock and counted from
//!   before the write, lasts longer than the call may take.
//! - **Two processes deliver the same row.** Both record it as delivered; the second changes nothing.
//! - **The record of a delivery can't be written.** The message stays in memory and the write is tried again; should the
//!   process end first, the row is still there, its lease runs out, and the receiver ignores the second delivery.
//! - **A failure is recorded late**, after somebody else took the row. It changes nothing: failures count only while the
//!   lease is one's own. Success always counts: that the receiver has the message is a fact, whoever learnt it.
//! - **A redelivery is asked for while an old delivery is still under way.** The message was given up, gets a new row,
//!   and then the old delivery succeeds after all: the row is deleted, and the message is delivered. Or it fails: the
//!   row is not its own any more, and is left alone.
//!
//! # Clocks
//! Lease times are the database's clock where it is shared (Postgres), else the machine's (`SQLite`, one host). A clock
//! that jumps makes leases end early or late: a delivery more, or a wait. Whether there is time for a call is asked of
//! the monotonic clock. Identifiers (UUID version 7) carry the time of their making; retention is a range of them.
//!
//! A receiver forgets what it applied after its retention. A message must not be sent after that, also not by a
//! redelivery: it is given up a little before ([`Settings::last_delivery`]), by the time in its identifier. The clocks of
//! sender and receiver may differ by less than that little.
//!
//! # When the receiver is away
//! Each message backs off by itself, with jitter, and its row says when it is due: a process that ends takes nothing with
//! it. After some failures in a row a gate that all deliveries pass closes, and one message at a time finds out whether
//! the receiver is back, every two seconds at the latest. It goes on with everything that waits then, due or not. What has
//! waited longer than [`Settings::max_age`] is not kept for that: it is given up while the receiver stays away, without
//! a try of its own. That begins a minute after the gate has closed: a receiver that comes up together with this process
//! gets most of what is old nevertheless.
//!
//! # What it costs
//! For a message that is delivered at the first try: one insert and one delete, each in a group commit with whatever
//! else is being written, and one HTTP call over a kept connection. Besides, one claim in half a second and one sample
//! in a second for each process. No query reads the messages that were delivered before.
//!
//! Messages are delivered in no order.

mod backoff;
mod courier;
pub mod cursor;
mod engine;
pub mod event;
mod gate;
mod metrics;
pub mod query;
mod room;
mod settings;
mod storage;
pub mod time;
mod waiters;

pub use engine::{Engine, Full, Ticket};
pub use settings::{Mode, Receiver, Settings};
pub use storage::{Body, Claim, Claimed, Depth, Expiry, Outgoing, Settled, Settlement, Storage, Sweep};
pub use waiters::Waiting;

/// How a message ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub state: api::message::State,
    /// Deliveries that were tried.
    pub attempts: u32,
    /// Unix milliseconds.
    pub at: i64,
    /// Why it was given up.
    pub error: Option<String>,
}
