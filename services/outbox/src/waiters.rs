//! Those who wait for a message to arrive.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, oneshot};
use uuid::Uuid;

use crate::Ended;

/// Waiting requests by message. One that is given up leaves nothing behind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waiters(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    map: Mutex<HashMap<Uuid, Vec<Waiter>>>,
    some: Notify,
}

/// What ended, or `None` when somebody else ended it, and only the database knows how.
type Waiter = oneshot::Sender<Option<Ended>>;

/// One who waits.
#[derive(Debug)]
pub struct Waiting {
    id: Uuid,
    waiters: Waiters,
    receiver: oneshot::Receiver<Option<Ended>>,
}

impl Waiters {
    pub(crate) fn wait(&self, id: Uuid) -> Waiting {
        let (sender, receiver) = oneshot::channel();
        let first = self.with(|map| {
            map.entry(id).or_default().push(sender);
            map.len() == 1
        });
        if first {
            self.0.some.notify_one();
        }
        Waiting { id, waiters: self.clone(), receiver }
    }

    pub(crate) fn end(&self, id: Uuid, ended: Option<&Ended>) {
        let waiting = self.with(|map| map.remove(&id));
        for waiter in waiting.into_iter().flatten() {
            // Whoever is gone needs no answer.
            let _ = waiter.send(ended.cloned());
        }
    }

    /// Waits until there is somebody.
    pub(crate) async fn some(&self) {
        while self.with(|map| map.is_empty()) {
            self.0.some.notified().await;
        }
    }

    /// The messages that are waited for.
    pub(crate) fn ids(&self) -> Vec<Uuid> {
        self.with(|map| map.keys().copied().collect())
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<Uuid, Vec<Waiter>>) -> T) -> T {
        act(&mut self.0.map.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Waiting {
    /// Until the message is delivered or given up; never, when neither happens. `None` when another process did it.
    pub async fn ended(&mut self) -> Option<Ended> {
        match (&mut self.receiver).await {
            Ok(ended) => ended,
            // The engine is gone, and nobody will tell.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.receiver.close();
        self.waiters.with(|map| {
            if let Some(waiting) = map.get_mut(&self.id) {
                waiting.retain(|waiter| !waiter.is_closed());
                if waiting.is_empty() {
                    map.remove(&self.id);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_who_wait_are_told_and_those_who_gave_up_leave_nothing() {
        let waiters = Waiters::default();
        let (id, other) = (Uuid::now_v7(), Uuid::now_v7());
        let (mut first, second, third) = (waiters.wait(id), waiters.wait(id), waiters.wait(other));
        drop(second);
        assert_eq!(waiters.ids().len(), 2);

        waiters.end(id, None);
        assert_eq!(first.ended().await, None);
        assert_eq!(waiters.ids(), [other]);

        drop((first, third));
        assert!(waiters.ids().is_empty());
    }
}
