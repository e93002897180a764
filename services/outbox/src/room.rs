//! How much of the outbox is held in memory.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A message weighs its body, or this if it is smaller: so a bound on the bytes is one on the number as well.
const LEAST: usize = 4 * 1024;
/// 4,096 small messages, fewer large ones: 16 MiB.
const OWN: usize = 4_096 * LEAST;
/// How large the rows of a claim are is known only when they are there, so each has this much set aside; together they
/// bring no more. Bodies may be larger where a service takes such.
const EACH: usize = 64 * 1024;
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
        Self { own: Arc::new(Semaphore::new(OWN)), claimed: Arc::new(Semaphore::new(CLAIMED * EACH)) }
    }

    /// A place for a new message with a body of so many bytes, if there is one.
    pub(crate) fn take(&self, bytes: usize) -> Option<Place> {
        let permit = self.own.clone().try_acquire_many_owned(u32::try_from(weight(bytes)).ok()?).ok()?;
        Some(Place(Some(permit)))
    }

    /// Places for as many claimed rows as fit, at most `most` of them.
    pub(crate) fn reserve(&self, most: usize) -> Option<Reserve> {
        let rows = most.min(self.claimed.available_permits() / EACH);
        let permits = u32::try_from(rows * EACH).ok().filter(|permits| *permits > 0)?;
        let permit = self.claimed.clone().try_acquire_many_owned(permits).ok()?;
        Some(Reserve { permit, rows })
    }
}

impl Reserve {
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// What their bodies may have together.
    pub(crate) fn bytes(&self) -> usize {
        self.rows * EACH
    }

    /// The place of one of them. One that is larger than all that was set aside, and comes alone, takes all of it.
    pub(crate) fn place(&mut self, bytes: usize) -> Place {
        let permits = weight(bytes).min(self.permit.num_permits());
        Place(self.permit.split(permits))
    }
}

fn weight(bytes: usize) -> usize {
    bytes.max(LEAST)
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
        assert_eq!(count(4 * 1024 * 1024), 4);
        assert_eq!(count(OWN + 1), 0, "it is left to a claim");
    }

    #[test]
    fn claimed_rows_weigh_what_they_have() {
        let room = Room::new();
        let mut reserve = room.reserve(32).unwrap();
        assert_eq!(reserve.bytes(), 2 * 1024 * 1024);
        let place = reserve.place(1024 * 1024);
        let larger_than_all = reserve.place(100 * 1024 * 1024);
        drop(reserve);
        assert_eq!(room.reserve(1_000).unwrap().rows(), CLAIMED - 32);
        drop(place);
        assert_eq!(room.reserve(1_000).unwrap().rows(), CLAIMED - 16);
        drop(larger_than_all);
        assert_eq!(room.reserve(1_000).unwrap().rows(), CLAIMED);
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
