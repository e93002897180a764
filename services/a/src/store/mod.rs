//! A's database: messages, their outbox, and the keys that make a request idempotent.
//!
//! One trait, [`Backend`], has two implementations, each with its own SQL and its own migrations. Writes are the same
//! values for both ([`Write`]) and go through the group commit of the crate `database`; [`Store`] is what the rest of
//! A sees.
//!
//! The rows of the two tables have different lives. `messages` is written twice, when a message comes and when it ends,
//! and has no index but its key, to which identifiers are appended in the order of time: a million old messages cost
//! nothing. `outbox` has a row for each message that is not delivered yet, and is what retries and leases change.
//!
//! Times are unix milliseconds. A body is text, exactly as it was posted.

mod kept;
pub mod postgres;
pub mod sqlite;
mod write;

use std::future::Future;
use std::time::Duration;

use api::message::State;
use database::{Error, Writer};
use outbox::{Claim, Claimed, Depth, Expiry, Settlement, Storage, Sweep};
use uuid::Uuid;

pub(crate) use kept::time_of;
pub use kept::{Kept, Listed};
pub use postgres::PostgresStore;
pub use sqlite::SqliteStore;
pub use write::{Accepted, Done, Key, Lease, New, Redelivery, Write};

/// How long an idempotency key is kept.
pub(crate) const KEY_LIFE: Duration = Duration::from_hours(24);

/// A database that holds A's tables.
pub trait Backend: Clone + Send + Sync + 'static {
    fn writer(&self) -> &Writer<Write, Done>;

    /// The message `id`.
    fn get(&self, id: Uuid) -> impl Future<Output = Result<Option<Kept>, Error>> + Send;

    /// What [`Store::accept`] would answer for a key that is known; nothing is written.
    fn known(&self, key: Key) -> impl Future<Output = Result<Option<Accepted>, Error>> + Send;

    /// Messages, the newest first.
    fn list(&self, page: Page) -> impl Future<Output = Result<Listed, Error>> + Send;

    /// Those of `ids` that are not pending.
    fn ended(&self, ids: Vec<Uuid>) -> impl Future<Output = Result<Vec<Uuid>, Error>> + Send;

    /// How full the outbox is; at most `most` rows are counted.
    fn depth(&self, most: i64) -> impl Future<Output = Result<Depth, Error>> + Send;

    /// Commits what is queued, and closes.
    fn close(&self) -> impl Future<Output = ()> + Send;
}

/// A part of the list.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Messages before this one, which the page before ended with.
    pub before: Uuid,
    pub state: Option<State>,
    pub limit: u16,
}

/// What A does with its database.
#[derive(Clone, Debug)]
pub struct Store<B>(pub B);

impl<B: Backend> Store<B> {
    /// Writes a message and its outbox row, and its idempotency key where it has one, in one transaction.
    pub async fn accept(&self, new: New) -> Result<Accepted, Error> {
        match self.write(Write::Accept(new)).await? {
            Done::Accepted(accepted) => Ok(accepted),
            other => Err(other.unexpected()),
        }
    }

    /// Puts a message that was given up into the outbox again, if it was created after `not_before`.
    pub async fn redeliver(&self, id: Uuid, not_before: i64) -> Result<Redelivery, Error> {
        match self.write(Write::Redeliver { id, not_before, now: outbox::time::now() }).await? {
            Done::Redelivered(redelivery) => Ok(redelivery),
            other => Err(other.unexpected()),
        }
    }

    async fn write(&self, write: Write) -> Result<Done, Error> {
        let (statement, bytes) = (write.statement(), write.bytes());
        self.0.writer().write_sized(statement, write, bytes).await
    }
}

impl<B: Backend> Storage for Store<B> {
    async fn claim(&self, claim: Claim) -> Result<Claimed, Error> {
        match self.write(Write::Claim(claim)).await? {
            Done::Claimed(claimed) => Ok(claimed),
            other => Err(other.unexpected()),
        }
    }

    async fn settle(&self, settlement: Settlement) -> Result<(), Error> {
        self.write(Write::Settle(settlement)).await.map(|_| ())
    }

    async fn give_back(&self, owner: Uuid, ids: Vec<Uuid>) -> Result<(), Error> {
        self.write(Write::GiveBack { owner, ids }).await.map(|_| ())
    }

    async fn expire(&self, expiry: Expiry) -> Result<Vec<Uuid>, Error> {
        match self.write(Write::Expire(expiry)).await? {
            Done::Expired(ids) => Ok(ids),
            other => Err(other.unexpected()),
        }
    }

    async fn ended(&self, ids: Vec<Uuid>) -> Result<Vec<Uuid>, Error> {
        self.0.ended(ids).await
    }

    async fn depth(&self, most: u64) -> Result<Depth, Error> {
        self.0.depth(i64::try_from(most).unwrap_or(i64::MAX)).await
    }

    async fn purge(&self, sweep: Sweep) -> Result<Option<Uuid>, Error> {
        match self.write(Write::Purge(sweep)).await? {
            Done::Purged(next) => Ok(next),
            other => Err(other.unexpected()),
        }
    }

    async fn forget_keys(&self, limit: usize) -> Result<usize, Error> {
        match self.write(Write::ForgetKeys(limit)).await? {
            Done::Forgotten(count) => Ok(count),
            other => Err(other.unexpected()),
        }
    }
}
