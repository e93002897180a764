//! The ids of traces that were dropped.

use std::collections::{HashSet, VecDeque};

use super::size;

/// The last dropped traces; an older one that still gets spans begins anew, as a torso. By then it has been
/// quiet for as long as it took to fill the store, and many thousand traces more.
#[derive(Debug)]
pub(super) struct Dropped {
    most: usize,
    ids: HashSet<u128>,
    order: VecDeque<u128>,
}

impl Dropped {
    /// Remembers so many as take a fortieth of a store's bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { most: limit / 2048, ids: HashSet::new(), order: VecDeque::new() }
    }

    pub(super) fn add(&mut self, id: u128) {
        if self.order.len() == self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        if self.ids.insert(id) {
            self.order.push_back(id);
        }
    }

    pub(super) fn contains(&self, id: u128) -> bool {
        self.ids.contains(&id)
    }

    /// Bytes in use.
    pub(super) fn bytes(&self) -> usize {
        size::set(&self.ids) + size::block(self.order.capacity() * size_of::<u128>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_when_there_are_too_many() {
        let mut dropped = Dropped::new(1 << 20);
        let most = dropped.most as u128;
        for id in 0..=most {
            dropped.add(id);
        }
        assert!(!dropped.contains(0) && dropped.contains(1) && dropped.contains(most));
        assert_eq!((dropped.ids.len(), dropped.order.len()), (512, 512));
        assert!(dropped.bytes() < (1 << 20) / 30, "{}", dropped.bytes());
    }
}
