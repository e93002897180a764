//! How much of the outbox is held in memory.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A message weighs its body, or this if it is smaller: so a bound on the bytes is one on the number as well.
const LEAST: usize = 4 * 1024;
/// 4,096 small messages, fewer large ones: 16 MiB.
const OWN: usize = 4_096 * LEAST;
/// What a claim may bring is known only when it is there, so each row has this much set aside.
const LARGEST: usize = 64 * 1024;
/// Rows of one claim.
const CLAIMED: usize = 128;

/// Two rooms, so that neither new messages nor claimed ones crowd out the other.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    own: Arc<Semaphore>,
    claimed: Arc<Semaphore>,
}

/// The place of one message in memory, free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place(#[expect(dead_code, reason = "it is held, and dropped")] Option<OwnedSemaphorePermit>);

/// Places for the rows of a claim.
#[derive(Debug)]
pub(crate) struct Reserve {
    permit: OwnedSemaphorePermit,
    rows: usize,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self { own: Arc::new(Semaphore::new(OWN)), claimed: Arc::new(Semaphore::new(CLAIMED * LARGEST)) }
    }

    /// A place for a new message with a body of so many bytes, if there is one.
    pub(crate) fn take(&self, bytes: usize) -> Option<Place> {
        let permit = self.own.clone().try_acquire_many_owned(weight(bytes)).ok()?;
        Some(Place(Some(permit)))
    }

    /// Places for as many claimed rows as fit, at most `most` of them.
    pub(crate) fn reserve(&self, most: usize) -> Option<Reserve> {
        let rows = most.min(self.claimed.available_permits() / LARGEST);
        let permits = u32::try_from(rows * LARGEST).ok().filter(|permits| *permits > 0)?;
        let permit = self.claimed.clone().try_acquire_many_owned(permits).ok()?;
        Some(Reserve { permit, rows })
    }
}

impl Reserve {
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// The place of one of them.
    pub(crate) fn place(&mut self, bytes: usize) -> Place {
        Place(self.permit.split(weight(bytes) as usize))
    }
}

fn weight(bytes: usize) -> u32 {
    u32::try_from(bytes.clamp(LEAST, LARGEST)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_messages_are_bounded_by_number_and_large_ones_by_bytes() {
        let count = |bytes| {
            let room = Room::new();
            std::iter::from_fn(|| room.take(bytes)).collect::<Vec<_>>().len()
        };
        assert_eq!(count(2), 4_096);
        assert_eq!(count(64 * 1024), 256);
    }

    #[test]
    fn what_a_claim_did_not_need_is_free_again() {
        let room = Room::new();
        let mut reserve = room.reserve(1_000).unwrap();
        assert_eq!(reserve.rows(), CLAIMED);
        assert!(room.reserve(1).is_none());

        let places: Vec<_> = (0..16).map(|_| reserve.place(10)).collect();
        drop(reserve);
        assert_eq!(room.reserve(1_000).unwrap().rows(), CLAIMED - 1);
        drop(places);
        assert_eq!(room.reserve(1_000).unwrap().rows(), CLAIMED);
    }
}
