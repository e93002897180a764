//! What the engine asks of a database. The SQL is the service's own.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use database::Error;
use uuid::Uuid;

/// The outbox's rows, as the engine needs them.
///
/// Writes are committed when their future is ready; each of them may be made again after [`Error::Unknown`], or any
/// other error, and changes nothing the second time.
pub trait Storage: Clone + Send + Sync + 'static {
    /// Leases rows whose time has come to `claim.owner`, those that wait longest first.
    fn claim(&self, claim: Claim) -> impl Future<Output = Result<Claimed, Error>> + Send;

    /// Records what became of one delivery.
    fn settle(&self, settlement: Settlement) -> impl Future<Output = Result<(), Error>> + Send;

    /// Ends `owner`'s leases on these rows: whoever looks next may take them.
    fn give_back(&self, owner: Uuid, ids: Vec<Uuid>) -> impl Future<Output = Result<(), Error>> + Send;

    /// Gives up what `expiry` says, and returns it.
    fn expire(&self, expiry: Expiry) -> impl Future<Output = Result<Vec<Uuid>, Error>> + Send;

    /// Those of `ids` whose messages are not pending any more.
    fn ended(&self, ids: Vec<Uuid>) -> impl Future<Output = Result<Vec<Uuid>, Error>> + Send;

    /// How full the outbox is; what is beyond `most` rows need not be counted.
    fn depth(&self, most: u64) -> impl Future<Output = Result<Depth, Error>> + Send;

    /// Deletes what `sweep` says. `None` when nothing is left, else where to go on.
    fn purge(&self, sweep: Sweep) -> impl Future<Output = Result<Option<Uuid>, Error>> + Send;

    /// Deletes at most `limit` idempotency keys whose time is over, and says how many they were.
    fn forget_keys(&self, limit: usize) -> impl Future<Output = Result<usize, Error>> + Send;
}

/// A message that is to be delivered.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Of version 7.
    pub id: Uuid,
    pub body: Body,
    /// Unix milliseconds.
    pub created_at: i64,
    /// When it was put into the outbox: later than `created_at` after it was given up and sent again.
    pub enqueued_at: i64,
    /// Deliveries that failed.
    pub attempts: u32,
    /// Of the request that brought it; deliveries belong to its trace.
    pub traceparent: Option<String>,
    pub tracestate: Option<String>,
}

/// A JSON text, shared by the write, the delivery and the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body(Arc<str>);

/// Rows to lease.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    pub owner: Uuid,
    pub limit: usize,
    /// What the rows' bodies may have together. The first row is taken whatever it has: none waits for ever.
    pub bytes: usize,
    pub lease: Duration,
    /// Rows of nobody may be taken this long before they are due.
    pub ahead: Duration,
}

/// What a [`Claim`] brought.
#[derive(Clone, Debug, Default)]
pub struct Claimed {
    pub rows: Vec<Outgoing>,
    /// A row whose time has come was left, because the bodies would have had too many bytes with it.
    pub cut: bool,
}

/// Rows that have waited for too long.
#[derive(Clone, Debug)]
pub struct Expiry {
    /// Those that were put into the outbox before this time, in unix milliseconds, and that nobody has a lease of.
    pub before: i64,
    pub limit: usize,
    /// Why, for one that has no error of a try.
    pub error: String,
}

/// What became of a delivery.
#[derive(Clone, Debug)]
pub struct Settlement {
    pub id: Uuid,
    /// Who had the lease.
    pub owner: Uuid,
    /// Unix milliseconds.
    pub at: i64,
    pub settled: Settled,
}

/// See [`Settlement`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The receiver has it: the row goes, whoever had the lease, and also when the message had been given up.
    Delivered,
    /// It failed, and is due again `after` this long. Nothing changes unless the lease is still the owner's.
    Again { error: String, after: Duration },
    /// It is given up. Nothing changes unless the lease is still the owner's.
    Dead { error: String, attempts: u32 },
}

/// How full the outbox is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    pub rows: u64,
    /// When the oldest message in it was created, in unix milliseconds.
    pub oldest: Option<i64>,
}

/// Old rows to delete, a few at a time.
#[derive(Clone, Copy, Debug)]
pub struct Sweep {
    /// Messages after this one.
    pub after: Uuid,
    /// Messages before this one that are not pending: identifiers sort by time, so this is a range of the key.
    pub before: Uuid,
    /// Rows to look at, at most.
    pub limit: usize,
}

impl Body {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: Into<Arc<str>>> From<T> for Body {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}
