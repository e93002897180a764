//! The Leases that a command holds, each with what exists of its service; given back on every way out.

use std::time::Duration;

use reach::Cluster;

use super::inventory::Inventory;
use super::lock::{Lock, LockError};
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
#[derive(Debug, Default)]
pub(crate) struct Held(Vec<Entry>);

impl Held {
    /// Takes one more; several are taken in the order of their names, so that two commands never wait for each other
    /// in a circle. Returns the inventory that was left there.
    pub(crate) async fn take(
        &mut self,
        cluster: &Cluster,
        service: &str,
        wanted: &Inventory,
        printer: &Printer,
    ) -> Result<Inventory, LockError> {
        let (lock, before) = Lock::acquire(cluster, service, wanted, |line| printer.live(vec![line])).await?;
        printer.clear_live();
        // Until the work is done, anything of both may exist.
        self.0.push(Entry { lock, inventory: before.union(wanted) });
        Ok(before)
    }

    /// What is known to exist of `service` now.
    pub(crate) fn settle(&mut self, service: &str, inventory: Inventory) {
        if let Some(entry) = self.0.iter_mut().find(|entry| entry.lock.service() == service) {
            entry.inventory = inventory;
        }
    }

    /// Resolves when one of them is lost to somebody else.
    pub(crate) async fn lost(&self) -> Error {
        if self.0.is_empty() {
            return std::future::pending().await;
        }
        let losses = self.0.iter().map(|entry| Box::pin(entry.lock.lost()));
        futures::future::select_all(losses).await.0
    }

    /// Gives all back, at once.
    pub(crate) async fn release(self, printer: &Printer) {
        let releases = self.0.into_iter().map(|Entry { lock, inventory }| async move {
            let service = lock.service().to_owned();
            match tokio::time::timeout(LIMIT, lock.release(&inventory)).await {
                Ok(Ok(())) => {}
                Ok(Err(cause)) => printer.warning(&format!(
                    "the Lease of {service} could not be given back ({cause}); it expires in 15 s"
                )),
                Err(_) => printer.warning(&format!(
                    "the Lease of {service} could not be given back in time; it expires in 15 s"
                )),
            }
        });
        futures::future::join_all(releases).await;
    }
}
