//! The Leases that a command holds, each with what exists of its service; given back on every way out.

use std::time::Duration;

use reach::Cluster;

use super::inventory::Inventory;
use super::lock::{self, Holder, Lock, LockError};
use crate::error::Error;
use crate::output::Printer;

/// An API server that does not answer must not keep the command from ending: the Leases expire by themselves.
const LIMIT: Duration = Duration::from_secs(5);

/// One Lease.
#[derive(Debug)]
struct Entry {
    lock: Lock,
    inventory: Inventory,
}

/// All of a command's Leases.
#[derive(Debug)]
pub(crate) struct Held {
    cluster: Cluster,
    holder: Holder,
    entries: Vec<Entry>,
    /// A service whose Lease is being taken: whether it was is not known when that is cut off.
    taking: Option<String>,
}

impl Held {
    pub(crate) fn new(cluster: &Cluster) -> Self {
        Self { cluster: cluster.clone(), holder: Holder::new(cluster), entries: Vec::new(), taking: None }
    }

    /// Takes one more; several are taken in the order of their names, so that two commands never wait for each other
    /// in a circle. Returns the inventory that was left there.
    pub(crate) async fn take(
        &mut self,
        service: &str,
        wanted: &Inventory,
        printer: &Printer,
    ) -> Result<Inventory, LockError> {
        self.taking = Some(service.to_owned());
        let waiting = |line| printer.live(vec![line]);
        let taken = Lock::acquire(&self.cluster, service, &self.holder, wanted, waiting).await;
        self.taking = None;
        printer.clear_live();
        let (lock, before) = taken?;
        // Until the work is done, anything of both may exist.
        self.entries.push(Entry { lock, inventory: before.union(wanted) });
        Ok(before)
    }

    /// What is known to exist of `service` now.
    pub(crate) fn settle(&mut self, service: &str, inventory: Inventory) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.lock.service() == service) {
            entry.inventory = inventory;
        }
    }

    /// Resolves when one of them is lost to somebody else.
    pub(crate) async fn lost(&self) -> Error {
        if self.entries.is_empty() {
            return std::future::pending().await;
        }
        let losses = self.entries.iter().map(|entry| Box::pin(entry.lock.lost()));
        futures::future::select_all(losses).await.0
    }

    /// Gives all back, at once.
    pub(crate) async fn release(self, printer: &Printer) {
        let Self { cluster, holder, entries, taking } = self;
        let releases = entries.into_iter().map(|Entry { lock, inventory }| async move {
            let service = lock.service().to_owned();
            (service, tokio::time::timeout(LIMIT, lock.release(&inventory)).await)
        });
        let mut outcomes = futures::future::join_all(releases).await;
        if let Some(service) = taking {
            let outcome = tokio::time::timeout(LIMIT, lock::abandon(&cluster, &service, &holder)).await;
            outcomes.push((service, outcome));
        }
        for (service, outcome) in outcomes {
            let cause = match outcome {
                Ok(Ok(())) => continue,
                Ok(Err(cause)) => cluster.explain("give it back", cause).to_string(),
                Err(_) => "the API server does not answer".to_owned(),
            };
            printer.warning(&format!("the Lease of {service} expires in 15 s, because {cause}"));
        }
    }
}
