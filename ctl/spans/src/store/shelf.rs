//! Where the traces stand, in the order in which they would have to go.

use std::collections::{BTreeMap, HashMap};

use super::dropped::Dropped;
use super::packed;
use super::places::Places;
use super::services::Services;
use super::size;
use super::table::Table;
use super::texts::{Text, Texts};
use super::trace::Trace;
use super::unpacked::{Process, Scope, Span};
use super::view::{Handle, TraceView};
use super::{Stats, Taken};
use crate::otlp;

/// Which of the process's resources, services and scopes a span belongs to, by their numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub(super) process: u32,
    pub(super) service: u32,
    pub(super) scope: u32,
}

/// Bytes that are kept for the next span to be packed in.
const SCRATCH: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Shelf {
    limit: usize,
    pub(super) texts: Texts,
    /// Resources and scopes, packed.
    pub(super) processes: Table<[u8]>,
    pub(super) scopes: Table<[u8]>,
    places: Places,
    by_id: HashMap<u128, u32>,
    /// By the turn of their last spans.
    order: BTreeMap<u64, u32>,
    services: Services,
    dropped: Dropped,
    /// Counts arrivals; the trace with this turn is the newest.
    turn: u64,
    /// The sum of what the traces take.
    trace_bytes: usize,
    /// A span while it is packed.
    scratch: Vec<u8>,
    counts: Stats,
}

impl Shelf {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            texts: Texts::default(),
            processes: Table::default(),
            scopes: Table::default(),
            places: Places::default(),
            by_id: HashMap::new(),
            order: BTreeMap::new(),
            services: Services::default(),
            dropped: Dropped::new(limit),
            // 0 is the turn of a trace that has no span yet.
            turn: 1,
            trace_bytes: 0,
            scratch: Vec::new(),
            counts: Stats { limit: limit as u64, ..Stats::default() },
        }
    }

    pub(super) fn add(&mut self, span: &otlp::Span<'_>, origin: Origin, taken: &mut Taken) {
        let Some(slot) = self.slot(span.trace) else {
            self.counts.spans_late += 1;
            taken.late += 1;
            return;
        };
        let Some(trace) = self.places.get_mut(slot) else { return };
        if trace.contains(span.id) {
            self.counts.spans_duplicate += 1;
            return;
        }
        self.scratch.clear();
        packed::span(&mut self.scratch, &mut self.texts, span, origin.process, origin.scope);
        self.processes.retain(origin.process);
        self.scopes.retain(origin.scope);

        let before = trace.bytes();
        trace.push(span.id, &self.scratch);
        let began = trace.began.min(span.start);
        if began < trace.began {
            for service in &trace.services {
                self.services.remove(*service, trace.began, slot);
            }
            for service in &trace.services {
                self.services.add(*service, began, slot);
            }
            trace.began = began;
        }
        if !trace.services.contains(&origin.service) {
            trace.services.push(origin.service);
            if self.services.add(origin.service, began, slot) {
                self.texts.retain(origin.service);
            }
        }
        if self.scratch.capacity() > SCRATCH {
            self.scratch = Vec::new();
        }
        let after = trace.bytes();
        self.trace_bytes = self.trace_bytes + after - before;
        self.counts.spans += 1;
        self.touch(slot);
        if after > self.limit / 2 {
            self.drop_trace(slot);
        }
        self.make_room();
    }

    /// The place of a trace; `None` when it was dropped.
    fn slot(&mut self, id: u128) -> Option<u32> {
        if let Some(slot) = self.by_id.get(&id) {
            return Some(*slot);
        }
        if self.dropped.contains(id) {
            return None;
        }
        let trace = Trace::new(id, self.turn + 1);
        self.trace_bytes += trace.bytes();
        let slot = self.places.put(trace);
        self.by_id.insert(id, slot);
        Some(slot)
    }

    /// Makes a trace the newest.
    fn touch(&mut self, slot: u32) {
        let Some(trace) = self.places.get_mut(slot) else { return };
        if trace.turn == self.turn {
            return;
        }
        self.order.remove(&trace.turn);
        self.turn += 1;
        trace.turn = self.turn;
        self.order.insert(self.turn, slot);
    }

    fn make_room(&mut self) {
        while self.bytes() > self.limit {
            let Some((_, oldest)) = self.order.first_key_value() else { return };
            self.drop_trace(*oldest);
        }
    }

    fn drop_trace(&mut self, slot: u32) {
        let Some(trace) = self.places.take(slot) else { return };
        self.by_id.remove(&trace.id);
        self.order.remove(&trace.turn);
        for service in &trace.services {
            if self.services.remove(*service, trace.began, slot) {
                self.texts.release(Text::Number(*service));
            }
        }
        for (_, packed) in trace.spans_from(0) {
            let Some(span) = Span::read(packed) else { continue };
            for text in span.texts() {
                self.texts.release(text);
            }
            self.release_process(span.process);
            self.release_scope(span.scope);
        }
        self.trace_bytes -= trace.bytes();
        self.dropped.add(trace.id);
        self.counts.spans -= u64::from(trace.count);
        self.counts.traces_dropped += 1;
        self.counts.spans_dropped += u64::from(trace.count);
    }

    /// The number of a packed resource, with one more use. The uses of its strings are those of the bytes that are kept.
    pub(super) fn put_process(&mut self, packed: &[u8]) -> u32 {
        if let Some(process) = self.processes.find(packed) {
            for text in Process::read(packed).iter().flat_map(Process::texts) {
                self.texts.release(text);
            }
            return process;
        }
        self.processes.put(packed)
    }

    pub(super) fn put_scope(&mut self, packed: &[u8]) -> u32 {
        if let Some(scope) = self.scopes.find(packed) {
            for text in Scope::read(packed).iter().flat_map(Scope::texts) {
                self.texts.release(text);
            }
            return scope;
        }
        self.scopes.put(packed)
    }

    pub(super) fn release_process(&mut self, process: u32) {
        let Some(packed) = self.processes.release(process) else { return };
        for text in Process::read(&packed).iter().flat_map(Process::texts) {
            self.texts.release(text);
        }
    }

    pub(super) fn release_scope(&mut self, scope: u32) {
        let Some(packed) = self.scopes.release(scope) else { return };
        for text in Scope::read(&packed).iter().flat_map(Scope::texts) {
            self.texts.release(text);
        }
    }

    pub(super) fn invalid(&mut self, taken: &mut Taken) {
        self.counts.spans_invalid += 1;
        taken.invalid += 1;
    }

    pub(super) fn service_names(&self) -> Vec<String> {
        let numbers = self.services.numbers();
        let mut names: Vec<_> = numbers.map(|number| self.texts.get(Text::Number(number)).to_owned()).collect();
        names.sort_unstable();
        names
    }

    pub(super) fn find(&self, trace: u128) -> Option<Handle> {
        self.by_id.get(&trace).and_then(|slot| self.handle(*slot))
    }

    pub(super) fn latest(&self, service: &str, from: u64, to: u64, limit: usize) -> Vec<Handle> {
        let Some(service) = self.texts.known(service) else { return Vec::new() };
        self.services.latest(service, from, to).take(limit).filter_map(|slot| self.handle(slot)).collect()
    }

    fn handle(&self, slot: u32) -> Option<Handle> {
        let trace = self.places.get(slot)?;
        Some(Handle { id: trace.id, slot, born: trace.born })
    }

    pub(super) fn view(&self, handle: Handle) -> Option<TraceView<'_>> {
        let trace = self.places.get(handle.slot)?;
        let is_it = (trace.id, trace.born) == (handle.id, handle.born);
        is_it.then_some(TraceView { trace, texts: &self.texts, processes: &self.processes, scopes: &self.scopes })
    }

    pub(super) fn stats(&self) -> Stats {
        Stats {
            traces: self.by_id.len() as u64,
            services: self.services.numbers().count() as u64,
            bytes: self.bytes() as u64,
            ..self.counts
        }
    }

    /// Bytes in use. Tables do not shrink, so it is not 0 when nothing is left.
    fn bytes(&self) -> usize {
        let places = self.places.bytes() + size::map(&self.by_id);
        let names = self.texts.bytes() + self.processes.bytes() + self.scopes.bytes();
        let lists = self.services.bytes() + self.dropped.bytes() + size::list(&self.scratch);
        self.trace_bytes + places + names + lists
    }
}
