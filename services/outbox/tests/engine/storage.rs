//! A storage that holds nothing and answers as it is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use database::Error;
use outbox::{Claim, Claimed, Depth, Expiry, Settlement, Storage, Sweep};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

#[derive(Clone, Debug, Default)]
pub(crate) struct Told(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    depths: VecDeque<(Duration, Result<u64, Error>)>,
    refused: Option<Error>,
    settlements: usize,
    claimed: VecDeque<Claimed>,
    claims: Vec<Instant>,
}

impl Told {
    /// What the next sample is answered, and after how long. After the last of them it is 0 rows at once.
    pub(crate) fn depth(&self, after: Duration, rows: Result<u64, Error>) {
        self.0.lock().unwrap().depths.push_back((after, rows));
    }

    /// What the next claim brings; nothing after the last of them.
    pub(crate) fn claimed(&self, claimed: Claimed) {
        self.0.lock().unwrap().claimed.push_back(claimed);
    }

    /// When claims were made.
    pub(crate) fn claims(&self) -> Vec<Instant> {
        self.0.lock().unwrap().claims.clone()
    }

    pub(crate) fn refuse_settlements(&self, error: Error) {
        self.0.lock().unwrap().refused = Some(error);
    }

    /// How often something was to be recorded.
    pub(crate) fn settlements(&self) -> usize {
        self.0.lock().unwrap().settlements
    }
}

impl Storage for Told {
    async fn claim(&self, _: Claim) -> Result<Claimed, Error> {
        let mut inner = self.0.lock().unwrap();
        inner.claims.push(Instant::now());
        Ok(inner.claimed.pop_front().unwrap_or_default())
    }

    async fn settle(&self, _: Settlement) -> Result<(), Error> {
        let mut inner = self.0.lock().unwrap();
        inner.settlements += 1;
        inner.refused.clone().map_or(Ok(()), Err)
    }

    async fn give_back(&self, _: Uuid, _: Vec<Uuid>) -> Result<(), Error> {
        Ok(())
    }

    async fn expire(&self, _: Expiry) -> Result<Vec<Uuid>, Error> {
        Ok(Vec::new())
    }

    async fn ended(&self, _: Vec<Uuid>) -> Result<Vec<Uuid>, Error> {
        Ok(Vec::new())
    }

    async fn depth(&self, _: u64) -> Result<Depth, Error> {
        let next = self.0.lock().unwrap().depths.pop_front();
        let Some((after, rows)) = next else { return Ok(Depth::default()) };
        sleep(after).await;
        rows.map(|rows| Depth { rows, oldest: None })
    }

    async fn purge(&self, _: Sweep) -> Result<Option<Uuid>, Error> {
        Ok(None)
    }

    async fn forget_keys(&self, _: usize) -> Result<usize, Error> {
        Ok(0)
    }
}
