//! B's database: which events were applied, and B's own copy of each.
//!
//! An event is applied in the transaction that records it: the inbox row and the message are both there or both
//! missing. The inbox's key alone keeps events single. Messages have none, so that a fault in that would be seen as two
//! rows instead of as an error.

#[cfg(test)]
pub(crate) mod double;
mod none;
mod page;
mod postgres;
mod sqlite;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use api::message::Outcome;
use async_trait::async_trait;
use database::{Context, Error, Statement, Url};

pub use page::Page;
pub use postgres::RECORD as POSTGRES_RECORD;
pub use sqlite::{APPLY as SQLITE_APPLY, RECORD as SQLITE_RECORD};

/// Bytes of an event's `id`, and of its `source`. Both are a key: a row of Postgres' index holds 2,704 bytes.
pub const LONGEST_KEY: usize = 1024;

/// An event that arrived. `source` and `id` have [`LONGEST_KEY`] bytes at most; no text has a NUL character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    pub source: String,
    pub id: String,
    /// The event's `type`.
    pub kind: String,
    /// A JSON object, as it was written.
    pub body: String,
}

/// B's copy of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Higher than those of all that were applied before, but for events that were applied at the same time.
    pub seq: i64,
    pub source: String,
    pub id: String,
    pub kind: String,
    pub body: String,
    /// Unix milliseconds.
    pub received_at: i64,
}

/// Old events to forget, a few at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// Only those that were applied after this `seq`.
    pub after: i64,
    /// How long events are remembered.
    pub keep: Duration,
    /// Events to look at, at most.
    pub span: u32,
}

/// What became of a [`Sweep`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swept {
    pub forgotten: u64,
    /// What the next one is to come after. None once all that it looked at is young: so is what came later.
    ///
    /// A time that lies in the future says nothing of what came later: a clock was wrong, and was set back. Such an
    /// event is passed over until its time has come, and what came after it may then stay for one `keep` longer.
    pub next: Option<i64>,
}

/// What a database is asked. Every wait ends: with an answer, or with the reason why there is none.
#[async_trait]
pub trait Store: Debug + Send + Sync {
    /// Records `arrival` and applies it, unless it was recorded before.
    async fn record(&self, arrival: Arrival) -> Result<Outcome, Error>;

    /// The copies of the event `id`, of `source` or of any, by source: two at most, since more than one is ambiguous.
    async fn find(&self, id: String, source: Option<String>) -> Result<Vec<Stored>, Error>;

    /// Up to `limit` copies that were applied before the one with `before`, the newest first; fewer where they are
    /// large.
    async fn page(&self, before: Option<i64>, limit: u32) -> Result<Page, Error>;

    /// How many copies there are.
    async fn count(&self) -> Result<u64, Error>;

    /// Forgets what is older than `sweep.keep` among the `sweep.span` events after `sweep.after`.
    async fn purge(&self, sweep: Sweep) -> Result<Swept, Error>;

    /// Commits what is queued, and closes.
    async fn close(&self);
}

/// The store behind `url`. Returns at once: the database is opened, and migrated, in the background.
pub fn open(url: Url, context: Context) -> Arc<dyn Store> {
    match url {
        Url::None => Arc::new(none::Nothing),
        Url::Sqlite(path) => Arc::new(sqlite::open(path, context)),
        Url::Postgres(url) => Arc::new(postgres::open(url, context)),
    }
}

/// What the writer is handed.
#[derive(Clone, Debug)]
enum Write {
    Record(Arrival),
    Purge(Sweep),
}

/// What became of it.
#[derive(Clone, Copy, Debug)]
enum Done {
    Recorded(Outcome),
    Purged(Swept),
}

impl Sweep {
    /// In milliseconds.
    fn keep(&self) -> i64 {
        i64::try_from(self.keep.as_millis()).unwrap_or(i64::MAX)
    }
}

impl Write {
    fn statement(&self) -> Statement {
        match self {
            Self::Record(_) => Statement { operation: "INSERT", table: "inbox" },
            Self::Purge(_) => Statement { operation: "DELETE", table: "inbox" },
        }
    }

    /// What it holds of a request, in bytes.
    fn bytes(&self) -> usize {
        let Self::Record(arrival) = self else { return 0 };
        arrival.source.len() + arrival.id.len() + arrival.kind.len() + arrival.body.len()
    }
}

impl Done {
    const fn recorded(new: bool) -> Self {
        Self::Recorded(if new { Outcome::Applied } else { Outcome::Ignored })
    }

    /// Of a record. The other kind can't come back for one.
    fn outcome(self) -> Result<Outcome, Error> {
        match self {
            Self::Recorded(outcome) => Ok(outcome),
            Self::Purged(_) => Err(mixed_up()),
        }
    }

    /// Of a purge.
    fn purged(self) -> Result<Swept, Error> {
        match self {
            Self::Purged(swept) => Ok(swept),
            Self::Recorded(_) => Err(mixed_up()),
        }
    }
}

fn mixed_up() -> Error {
    Error::Unknown { detail: "the writer answered another write".to_owned() }
}

const SELECT: Statement = Statement { operation: "SELECT", table: "messages" };

/// Whether the tests' fault is planted: events are applied in a transaction of their own, before the inbox is asked.
fn applies_before_recording() -> bool {
    failpoints::planted("apply-before-recording")
}
