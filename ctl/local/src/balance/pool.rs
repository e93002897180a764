//! Whose turn it is, and how many connections each replica has.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;

/// A replica that takes connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// The replica's name.
    pub replica: String,
    pub address: SocketAddr,
}

/// What went through a balancer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Traffic {
    /// The ready replicas in their order, then those that are not ready any more and still have connections.
    pub replicas: Vec<Count>,
    /// Connections that were reset at once: nobody was ready or took them, or there were too many.
    pub refused: u64,
}

/// The connections of one replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Count {
    pub replica: String,
    /// Now.
    pub open: usize,
    /// Since it became ready.
    pub total: u64,
}

#[derive(Debug, Default)]
pub(super) struct Pool {
    members: Mutex<Members>,
    turn: AtomicUsize,
    refused: AtomicU64,
}

#[derive(Debug, Default)]
struct Members {
    ready: Vec<Slot>,
    /// Not ready any more.
    leaving: Vec<Slot>,
}

impl Pool {
    pub(super) fn set(&self, ready: Vec<Backend>) {
        let mut members = self.members();
        let mut known: Vec<Slot> = members.ready.iter().chain(&members.leaving).cloned().collect();
        members.ready = ready
            .into_iter()
            .map(|backend| match known.iter().position(|slot| slot.backend == backend) {
                Some(at) => known.swap_remove(at),
                None => Slot { backend, tally: Arc::default() },
            })
            .collect();
        known.retain(Slot::is_busy);
        members.leaving = known;
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.members().ready.is_empty()
    }

    /// Whose turn a new connection is: the place on the list to begin with.
    pub(super) fn turn(&self) -> usize {
        self.turn.fetch_add(1, Ordering::Relaxed)
    }

    /// The first replica from `turn` on that is ready now and was not `tried`. It counts as having the connection from
    /// here on, under the lock that [`set`](Self::set) takes: a replica that leaves the list without connections gets
    /// none any more.
    pub(super) fn pick(&self, turn: usize, tried: &[SocketAddr]) -> Option<(SocketAddr, Open)> {
        let members = self.members();
        let ready = &members.ready;
        (0..ready.len())
            .map(|step| &ready[turn.wrapping_add(step) % ready.len()])
            .find(|slot| !tried.contains(&slot.backend.address))
            .map(|slot| (slot.backend.address, slot.open()))
    }

    /// Resets a connection that goes nowhere: the client hears at once, as from a port where nobody listens.
    pub(super) fn refuse(&self, client: &TcpStream) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let _ = client.set_zero_linger();
    }

    pub(super) fn traffic(&self) -> Traffic {
        let mut members = self.members();
        members.leaving.retain(Slot::is_busy);
        let replicas = members.ready.iter().chain(&members.leaving).map(Slot::count).collect();
        Traffic { replicas, refused: self.refused.load(Ordering::Relaxed) }
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A replica and its connections.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    backend: Backend,
    tally: Arc<Tally>,
}

#[derive(Debug, Default)]
struct Tally {
    open: AtomicUsize,
    total: AtomicU64,
}

impl Slot {
    fn open(&self) -> Open {
        self.tally.open.fetch_add(1, Ordering::Relaxed);
        Open(Arc::clone(&self.tally))
    }

    fn is_busy(&self) -> bool {
        self.tally.open.load(Ordering::Relaxed) > 0
    }

    fn count(&self) -> Count {
        Count {
            replica: self.backend.replica.clone(),
            open: self.tally.open.load(Ordering::Relaxed),
            total: self.tally.total.load(Ordering::Relaxed),
        }
    }
}

/// A connection that counts as open while this lives.
#[derive(Debug)]
pub(super) struct Open(Arc<Tally>);

impl Open {
    /// The replica took it.
    pub(super) fn kept(self) -> Self {
        self.0.total.fetch_add(1, Ordering::Relaxed);
        self
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backend(replica: &str, port: u16) -> Backend {
        Backend { replica: replica.to_owned(), address: SocketAddr::from(([127, 0, 0, 1], port)) }
    }

    /// In which order a connection asks the replicas.
    fn ports(pool: &Pool) -> Vec<u16> {
        let (turn, mut tried) = (pool.turn(), Vec::new());
        while let Some((address, _)) = pool.pick(turn, &tried) {
            tried.push(address);
        }
        tried.iter().map(SocketAddr::port).collect()
    }

    fn connected(pool: &Pool) -> Open {
        pool.pick(pool.turn(), &[]).unwrap().1.kept()
    }

    #[test]
    fn each_turn_begins_with_the_next_replica_and_asks_each_once() {
        let pool = Pool::default();
        assert!(ports(&pool).is_empty());
        pool.set(vec![backend("a", 1), backend("b", 2), backend("c", 3)]);
        let turns: Vec<_> = (0..4).map(|_| ports(&pool)).collect();
        assert_eq!(turns, [[2, 3, 1], [3, 1, 2], [1, 2, 3], [2, 3, 1]]);
    }

    #[test]
    fn a_list_that_changes_meanwhile_is_asked_as_it_is_then() {
        let pool = Pool::default();
        let (a, b) = (backend("a", 1), backend("b", 2));
        pool.set(vec![a.clone()]);
        let turn = pool.turn();
        let (first, open) = pool.pick(turn, &[]).unwrap();
        assert_eq!(first, a.address);
        drop(open);
        pool.set(vec![a, b.clone()]);
        assert_eq!(pool.pick(turn, &[first]).unwrap().0, b.address);
        pool.set(vec![]);
        assert!(pool.pick(turn, &[first]).is_none());
    }

    #[test]
    fn a_replica_that_left_is_counted_while_it_has_connections() {
        let pool = Pool::default();
        pool.set(vec![backend("a", 1)]);
        let open = connected(&pool);
        pool.set(vec![backend("b", 2)]);
        let count = |replica: &str, open, total| Count { replica: replica.to_owned(), open, total };
        assert_eq!(pool.traffic().replicas, [count("b", 0, 0), count("a", 1, 1)]);

        drop(open);
        assert_eq!(pool.traffic().replicas, [count("b", 0, 0)]);
    }

    #[test]
    fn a_replica_that_stays_or_comes_back_keeps_its_counts() {
        let pool = Pool::default();
        pool.set(vec![backend("a", 1)]);
        let open = connected(&pool);
        pool.set(vec![]);
        pool.set(vec![backend("b", 2), backend("a", 1)]);
        assert_eq!(pool.traffic().replicas[1], Count { replica: "a".to_owned(), open: 1, total: 1 });
        drop(open);
        pool.set(vec![backend("a", 9)]);
        assert_eq!(pool.traffic().replicas, [Count { replica: "a".to_owned(), open: 0, total: 0 }], "another address");
    }
}
