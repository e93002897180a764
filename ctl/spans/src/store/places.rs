//! Where traces are kept, each by the number of its place.

use super::size;
use super::trace::Trace;

/// Places of a block. Blocks never move: a single list would have to be copied to grow, when memory is scarce already.
const BLOCK: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Places {
    blocks: Vec<Box<[Option<Trace>]>>,
    free: Vec<u32>,
}

impl Places {
    pub(super) fn put(&mut self, trace: Trace) -> u32 {
        if self.free.is_empty() {
            self.add_block();
        }
        let place = self.free.pop().unwrap_or_default();
        if let Some(free) = self.place(place) {
            *free = Some(trace);
        }
        place
    }

    fn add_block(&mut self) {
        // More than memory holds.
        let first = u32::try_from(self.blocks.len() * BLOCK).unwrap_or(u32::MAX);
        self.blocks.push((0..BLOCK).map(|_| None).collect());
        self.free.extend((0..BLOCK).rev().map(|place| first.saturating_add(u32::try_from(place).unwrap_or(u32::MAX))));
    }

    fn place(&mut self, place: u32) -> Option<&mut Option<Trace>> {
        let place = place as usize;
        self.blocks.get_mut(place / BLOCK)?.get_mut(place % BLOCK)
    }

    pub(super) fn get(&self, place: u32) -> Option<&Trace> {
        let place = place as usize;
        self.blocks.get(place / BLOCK)?.get(place % BLOCK)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, place: u32) -> Option<&mut Trace> {
        self.place(place)?.as_mut()
    }

    pub(super) fn take(&mut self, place: u32) -> Option<Trace> {
        let trace = self.place(place)?.take()?;
        self.free.push(place);
        Some(trace)
    }

    /// Bytes in use, but for what the traces themselves point to.
    pub(super) fn bytes(&self) -> usize {
        let blocks = self.blocks.len() * size::block(BLOCK * size_of::<Option<Trace>>());
        blocks + size::list(&self.blocks) + size::list(&self.free)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_given_again_when_it_is_free() {
        let mut places = Places::default();
        let numbers: Vec<_> = (0..1000).map(|id| places.put(Trace::new(id, 0))).collect();
        assert!(numbers.iter().zip(0..).all(|(place, id)| places.get(*place).unwrap().id == id));
        let blocks = places.blocks.len();
        for place in &numbers[..500] {
            assert!(places.take(*place).is_some() && places.take(*place).is_none());
        }
        let again: Vec<_> = (0..500).map(|id| places.put(Trace::new(id + 5000, 0))).collect();
        assert!(again.iter().all(|place| numbers[..500].contains(place) && places.get(*place).unwrap().id >= 5000));
        assert_eq!(places.blocks.len(), blocks);
    }
}
