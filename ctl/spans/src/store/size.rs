//! What things take in memory, beyond their own bytes.

use std::collections::{HashMap, HashSet};

/// A block of the heap: allocators hand out sizes in steps of an eighth.
pub(super) fn block(bytes: usize) -> usize {
    match bytes {
        0 => 0,
        1..=64 => bytes.next_multiple_of(16),
        _ => bytes + bytes / 16,
    }
}

/// An entry of a B-tree that grows at its end: such trees have nodes that are half full.
pub(super) const fn tree_entry<T>() -> usize {
    2 * size_of::<T>() + 4
}

/// The table of a hash map: seven of eight places may be taken, and each has a byte beside it.
pub(super) fn map<K, V, S>(map: &HashMap<K, V, S>) -> usize {
    table::<(K, V)>(map.capacity())
}

pub(super) fn set<K, S>(set: &HashSet<K, S>) -> usize {
    table::<K>(set.capacity())
}

fn table<T>(capacity: usize) -> usize {
    if capacity == 0 { 0 } else { (capacity * 8 / 7).next_power_of_two() * (size_of::<T>() + 1) }
}

pub(super) fn list<T>(list: &Vec<T>) -> usize {
    block(list.capacity() * size_of::<T>())
}
