//! The Leases that a command holds, each with what exists of its service; given back on every way out.

use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};
use reach::Cluster;

use super::inventory::Inventory;
use super::lock::{self, Holder, Lock, LockError};
use crate::error::Error;
use crate::output::Printer;

#[cfg(test)]
mod tests;

/// For giving back all: an API server that does not answer must not keep the command from ending, and the Leases
/// expire by themselves.
const LIMIT: Duration = Duration::from_secs(2);

/// One Lease.
#[derive(Debug)]
struct Entry {
    lock: Lock,
    inventory: Inventory,
}

/// A Lease that is being taken.
#[derive(Debug)]
struct Taking {
    service: String,
    before: Inventory,
}

/// All of a command's Leases.
#[derive(Debug)]
pub(crate) struct Held {
    cluster: Cluster,
    holder: Holder,
    entries: Vec<Entry>,
    /// Set while one is taken: whether it was is not known when that is cut off.
    taking: Option<Taking>,
}

impl Held {
    pub(crate) fn new(cluster: &Cluster) -> Self {
        Self { cluster: cluster.clone(), holder: Holder::new(cluster), entries: Vec::new(), taking: None }
    }

    /// Takes one more; several are taken in the order of their names, so that two commands never wait for each other
    /// in a circle. `waiting` is told what for. Returns the inventory that was left there; it is given back with that,
    /// unless `settle` says otherwise.
    pub(crate) async fn take(
        &mut self,
        service: &str,
        wanted: &Inventory,
        waiting: impl Fn(String),
    ) -> Result<Inventory, LockError> {
        let taking = self.taking.insert(Taking { service: service.to_owned(), before: Inventory::default() });
        let taken = Lock::acquire(&self.cluster, service, &self.holder, wanted, &mut taking.before, waiting).await;
        let before = self.taking.take().map(|taking| taking.before).unwrap_or_default();
        self.entries.push(Entry { lock: taken?, inventory: before.clone() });
        Ok(before)
    }

    /// What is known to exist of `service` now, or may exist from now on.
    pub(crate) fn settle(&mut self, service: &str, inventory: Inventory) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.lock.service() == service) {
            entry.inventory = inventory;
        }
    }

    /// Resolves when one of those that are held now is lost to somebody else.
    pub(crate) fn lost(&self) -> impl Future<Output = Error> + Send + use<> {
        let losses: Vec<_> = self.entries.iter().map(|entry| Box::pin(entry.lock.lost())).collect();
        async move {
            if losses.is_empty() {
                return std::future::pending().await;
            }
            futures::future::select_all(losses).await.0
        }
    }

    /// Gives all back, at once. `cut` ends that early: somebody is impatient.
    pub(crate) async fn release(self, cut: impl Future<Output = ()>, printer: &Printer) {
        let Self { cluster, holder, entries, taking } = self;
        let cluster = &cluster;
        let mut pending: Vec<String> = Vec::new();
        let mut releases: FuturesUnordered<BoxFuture<'_, (String, Result<(), kube::Error>)>> = FuturesUnordered::new();
        for Entry { lock, inventory } in entries {
            let service = lock.service().to_owned();
            pending.push(service.clone());
            releases.push(Box::pin(async move { (service, lock.release(&inventory).await) }));
        }
        if let Some(Taking { service, before }) = taking {
            pending.push(service.clone());
            releases.push(Box::pin(async move {
                let outcome = lock::abandon(cluster, &service, &holder, &before).await;
                (service, outcome)
            }));
        }
        let warn = |service: &str, cause: &str| {
            printer.warning(&format!("the Lease of {service} expires in 15 s, because {cause}"));
        };
        let (mut cut, mut limit) = (std::pin::pin!(cut), std::pin::pin!(tokio::time::sleep(LIMIT)));
        let cause = loop {
            tokio::select! {
                biased;
                next = releases.next() => match next {
                    None => return,
                    Some((service, outcome)) => {
                        pending.retain(|one| *one != service);
                        if let Err(cause) = outcome {
                            warn(&service, &cluster.explain("give it back", cause).to_string());
                        }
                    }
                },
                () = &mut cut => break "giving it back was interrupted",
                () = &mut limit => break "the API server does not answer",
            }
        };
        for service in pending {
            warn(&service, cause);
        }
    }
}

/// `work`, unless a Lease that it needs is lost first.
pub(crate) async fn unless_lost<T>(
    lost: impl Future<Output = Error>,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    tokio::select! {
        biased;
        done = work => done,
        lost = lost => Err(lost),
    }
}
