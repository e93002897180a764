//! No database: what needs one says so.

use api::message::Outcome;
use async_trait::async_trait;
use database::Error;

use super::{Arrival, Page, Store, Stored, Sweep, Swept};

#[derive(Clone, Copy, Debug)]
pub(super) struct Nothing;

#[async_trait]
impl Store for Nothing {
    async fn record(&self, _arrival: Arrival) -> Result<Outcome, Error> {
        Err(Error::NotConfigured)
    }

    async fn find(&self, _id: String, _source: Option<String>) -> Result<Vec<Stored>, Error> {
        Err(Error::NotConfigured)
    }

    async fn page(&self, _before: Option<i64>, _limit: u32) -> Result<Page, Error> {
        Err(Error::NotConfigured)
    }

    async fn count(&self) -> Result<u64, Error> {
        Err(Error::NotConfigured)
    }

    async fn purge(&self, _sweep: Sweep) -> Result<Swept, Error> {
        Err(Error::NotConfigured)
    }

    async fn close(&self) {}
}
