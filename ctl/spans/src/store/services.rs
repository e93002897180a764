//! Which service has spans in which traces.

use std::collections::{BTreeSet, HashMap};

use super::size;

/// A trace in a service's list: sorted by its first start.
type Entry = (u64, u32);

/// The traces of each service, by the number of its name.
#[derive(Debug, Default)]
pub(super) struct Services {
    traces: HashMap<u32, BTreeSet<Entry>>,
}

/// Bytes that a trace's entry in one service's list takes.
pub(super) const ENTRY: usize = size::tree_entry::<Entry>();

impl Services {
    /// Whether the service is a new one.
    pub(super) fn add(&mut self, service: u32, began: u64, trace: u32) -> bool {
        let traces = self.traces.entry(service).or_default();
        let is_new = traces.is_empty();
        traces.insert((began, trace));
        is_new
    }

    /// Whether that was the service's last trace.
    pub(super) fn remove(&mut self, service: u32, began: u64, trace: u32) -> bool {
        let Some(traces) = self.traces.get_mut(&service) else { return false };
        traces.remove(&(began, trace));
        if !traces.is_empty() {
            return false;
        }
        self.traces.remove(&service).is_some()
    }

    pub(super) fn numbers(&self) -> impl Iterator<Item = u32> {
        self.traces.keys().copied()
    }

    /// Traces of a service that began in a range of nanoseconds since 1970, the latest first.
    pub(super) fn latest(&self, service: u32, from: u64, to: u64) -> impl Iterator<Item = u32> {
        let entries = self.traces.get(&service).filter(|_| from <= to);
        let in_range = entries.map(|traces| traces.range((from, 0)..=(to, u32::MAX)).rev());
        in_range.into_iter().flatten().map(|(_, trace)| *trace)
    }

    /// Bytes in use, but for the entries.
    pub(super) fn bytes(&self) -> usize {
        size::map(&self.traces)
    }
}
