//! A store for tests of what asks it, and how often.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use api::message::Outcome;
use async_trait::async_trait;
use database::Error;
use tokio::time::sleep;

use super::{Arrival, Page, Store, Stored, Sweep, Swept};

#[derive(Debug, Default)]
pub(crate) struct Double {
    /// How long a count or a purge takes.
    pub(crate) takes: Duration,
    pub(crate) away: AtomicBool,
    /// A count fails, after what it takes.
    pub(crate) too_large: AtomicBool,
    pub(crate) rows: AtomicU64,
    pub(crate) counts: AtomicU64,
    pub(crate) purges: AtomicU64,
}

impl Double {
    fn check(&self) -> Result<(), Error> {
        if self.away.load(Ordering::Relaxed) { Err(Error::NotConfigured) } else { Ok(()) }
    }
}

#[async_trait]
impl Store for Double {
    async fn record(&self, _arrival: Arrival) -> Result<Outcome, Error> {
        Err(Error::NotConfigured)
    }

    async fn find(&self, _id: String, _source: Option<String>) -> Result<Vec<Stored>, Error> {
        Err(Error::NotConfigured)
    }

    async fn page(&self, _before: Option<i64>, _limit: u32) -> Result<Page, Error> {
        Err(Error::NotConfigured)
    }

    /// What is there when it begins.
    async fn count(&self) -> Result<u64, Error> {
        self.check()?;
        self.counts.fetch_add(1, Ordering::Relaxed);
        let rows = self.rows.load(Ordering::Relaxed);
        sleep(self.takes).await;
        if self.too_large.load(Ordering::Relaxed) { Err(Error::Overloaded) } else { Ok(rows) }
    }

    /// All rows are old.
    async fn purge(&self, sweep: Sweep) -> Result<Swept, Error> {
        self.check()?;
        self.purges.fetch_add(1, Ordering::Relaxed);
        sleep(self.takes).await;
        let rows = self.rows.load(Ordering::Relaxed);
        let forgotten = rows.min(sweep.span.into());
        self.rows.store(rows - forgotten, Ordering::Relaxed);
        Ok(Swept { forgotten, next: (forgotten == u64::from(sweep.span)).then_some(0) })
    }

    async fn close(&self) {}
}
