//! The spans of one trace.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, DefaultHasher};

use super::services;
use super::size;
use super::unpacked;
use crate::cursor::{Cursor, put_number};

/// Spans above which a set of their ids is kept; below it, looking through them is as quick.
const FEW: u32 = 16;

/// Ids are random, and the store is the user's own: no need for keys, which every set would have to hold.
type Ids = HashSet<u64, BuildHasherDefault<DefaultHasher>>;

#[derive(Debug)]
pub(super) struct Trace {
    pub(super) id: u128,
    /// Packed spans, each after its length.
    spans: Vec<u8>,
    pub(super) count: u32,
    /// Of its spans, where they are many.
    ids: Option<Box<Ids>>,
    /// When it came: tells it from a later trace in its place.
    pub(super) born: u64,
    /// When its last span came, in turns.
    pub(super) turn: u64,
    /// The earliest start of a span, in nanoseconds since 1970.
    pub(super) began: u64,
    /// Numbers of the services' names.
    pub(super) services: Vec<u32>,
}

impl Trace {
    pub(super) fn new(id: u128, born: u64) -> Self {
        let (spans, services) = (Vec::new(), Vec::new());
        Self { id, spans, count: 0, ids: None, born, turn: 0, began: u64::MAX, services }
    }

    pub(super) fn contains(&self, span: u64) -> bool {
        match &self.ids {
            Some(ids) => ids.contains(&span),
            None => self.spans_from(0).any(|(_, packed)| unpacked::id(packed) == Some(span)),
        }
    }

    /// Adds a span that it does not contain.
    pub(super) fn push(&mut self, id: u64, packed: &[u8]) {
        // Room in small steps: doubling would leave a third of all memory unused.
        let needed = packed.len() + 4;
        if self.spans.capacity() - self.spans.len() < needed {
            self.spans.reserve_exact(needed.max(self.spans.len() / 4));
        }
        put_number(&mut self.spans, packed.len());
        self.spans.extend_from_slice(packed);
        self.count += 1;
        match &mut self.ids {
            Some(ids) => _ = ids.insert(id),
            None if self.count > FEW => {
                let ids = self.spans_from(0).filter_map(|(_, packed)| unpacked::id(packed)).collect();
                self.ids = Some(Box::new(ids));
            }
            None => {}
        }
    }

    /// The packed spans from a place on, each with the place after it. The first place is 0.
    pub(super) fn spans_from(&self, place: usize) -> impl Iterator<Item = (usize, &[u8])> {
        let mut left = Cursor::new(self.spans.get(place..).unwrap_or_default());
        std::iter::from_fn(move || {
            let length = left.number()?;
            let packed = left.take(length)?;
            Some((self.spans.len() - left.rest().len(), packed))
        })
    }

    /// Bytes in use, with its entries in the lists of traces.
    pub(super) fn bytes(&self) -> usize {
        let ids = self.ids.as_ref().map_or(0, |ids| size::block(size_of::<Ids>()) + size::set(ids));
        let entries = size::tree_entry::<(u64, u32)>() + self.services.len() * services::ENTRY;
        size::list(&self.spans) + size::list(&self.services) + ids + entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_found_whether_they_are_few_or_many() {
        let mut trace = Trace::new(1, 0);
        for id in 1..=100_u64 {
            assert!(!trace.contains(id));
            trace.push(id, &[&id.to_le_bytes()[..], b"and the rest"].concat());
            assert!((1..=id).all(|id| trace.contains(id)), "{id}");
        }
        assert!(!trace.contains(101));
        assert_eq!(trace.spans_from(0).count(), 100);
        let (after_first, _) = trace.spans_from(0).next().unwrap();
        assert_eq!(trace.spans_from(after_first).count(), 99);
    }
}
