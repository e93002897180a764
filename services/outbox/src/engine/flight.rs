//! The messages that are in this process's memory.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

#[derive(Clone, Debug, Default)]
pub(crate) struct Flights(Arc<Mutex<HashSet<Uuid>>>);

/// One of them; gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Flight {
    id: Uuid,
    flights: Flights,
}

impl Flights {
    /// `None` when it is in memory already: its lease ran out here, and was taken anew by a claim of our own.
    pub(crate) fn begin(&self, id: Uuid) -> Option<Flight> {
        self.with(|ids| ids.insert(id)).then(|| Flight { id, flights: self.clone() })
    }

    pub(crate) fn has(&self, id: Uuid) -> bool {
        self.with(|ids| ids.contains(&id))
    }

    pub(crate) fn count(&self) -> usize {
        self.with(|ids| ids.len())
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashSet<Uuid>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.flights.with(|ids| ids.remove(&self.id));
    }
}
