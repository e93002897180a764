//! A service's one address: a TCP balancer on 127.0.0.1 over the replicas that are ready.
//!
//! It does what kube-proxy does for a Service: each new connection goes to the next ready replica, and stays there
//! until one of its ends closes it, also when that replica is not ready any more. So whoever drains a replica takes it
//! off the list first, and waits for the connections that it has.

mod accept;
mod connection;
mod copy;
mod holder;
mod listen;
mod pool;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

pub(crate) use accept::{accept, pause};
pub(crate) use copy::{Outcome, both_ways};
pub use holder::{Holder, holder};
pub use listen::{PortTaken, listen};
pub use pool::{Backend, Count, Traffic};

use pool::Pool;

/// Connections at a time. Each takes two descriptors, so a process whose limit is lower meets that one first; then new
/// ones wait in the kernel's queue until others have ended.
const MAX_CONNECTIONS: usize = 4096;

/// The balancer of one service. Dropping it frees the port; connections that are open go on.
#[derive(Debug)]
pub struct Balancer {
    pool: Arc<Pool>,
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Balancer {
    /// Listens on `port` of 127.0.0.1; 0 lets the system choose one. Nobody is ready yet.
    ///
    /// # Errors
    /// When the port can't be listened on, with the process that holds it where that can be known.
    pub async fn bind(port: u16) -> Result<Self, PortTaken> {
        let listener = listen(port).await?;
        let address = listener.local_addr().map_err(|error| PortTaken { port, holder: None, cause: error.kind() })?;
        Ok(Self::on(listener, address, MAX_CONNECTIONS))
    }

    fn on(listener: TcpListener, address: SocketAddr, cap: usize) -> Self {
        let pool = Arc::new(Pool::default());
        let accepting = tokio::spawn(run(listener, Arc::clone(&pool), Arc::new(Semaphore::new(cap))));
        Self { pool, address, accepting }
    }

    /// Where clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// New connections go to these from now on, one after the other; to none of them, and they are reset.
    pub fn set(&self, ready: Vec<Backend>) {
        self.pool.set(ready);
    }

    /// The open connections of each replica that is ready or still has some. One that is on its way to a replica
    /// counts: a replica that left the list and is not in here gets no more requests.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        self.traffic().replicas.into_iter().fold(BTreeMap::new(), |mut counts, count| {
            *counts.entry(count.replica).or_default() += count.open;
            counts
        })
    }

    /// The same with totals.
    pub fn traffic(&self) -> Traffic {
        self.pool.traffic()
    }

    /// What others may know of it while it lives.
    pub fn door(&self) -> Door {
        Door { address: self.address, pool: Arc::downgrade(&self.pool) }
    }

    /// Frees the port, and returns when it is free.
    pub async fn close(mut self) {
        self.accepting.abort();
        // Cancelled, which is what was asked for.
        let _ = (&mut self.accepting).await;
    }
}

/// Where a balancer listens, and whether anybody is behind it: for who would rather hear that beforehand than be reset.
#[derive(Clone, Debug)]
pub struct Door {
    address: SocketAddr,
    pool: Weak<Pool>,
}

impl Door {
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether a replica is ready to take a connection.
    pub fn is_open(&self) -> bool {
        self.pool.upgrade().is_some_and(|pool| pool.has_ready())
    }
}

impl PartialEq for Door {
    fn eq(&self, other: &Self) -> bool {
        self.pool.ptr_eq(&other.pool)
    }
}

impl Eq for Door {}

impl Drop for Balancer {
    fn drop(&mut self) {
        // The task ends when the runtime comes to it; until then nobody is let in.
        self.pool.set(Vec::new());
        self.accepting.abort();
    }
}

/// Accepts until it is aborted. The tasks of the connections are on their own.
async fn run(listener: TcpListener, pool: Arc<Pool>, slots: Arc<Semaphore>) {
    loop {
        let client = accept(&listener).await;
        if let Ok(slot) = Arc::clone(&slots).try_acquire_owned() {
            let pool = Arc::clone(&pool);
            tokio::spawn(async move {
                connection::serve(client, &pool).await;
                drop(slot);
            });
        } else {
            pool.refuse(&client);
        }
    }
}
