//! A trace as its readers see it.

use super::table::Table;
use super::texts::{Text, Texts};
use super::trace::Trace;
use super::unpacked::{Process, Scope, Span};

/// A trace that was found. It may be dropped at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Handle {
    pub(crate) id: u128,
    pub(super) slot: u32,
    pub(super) born: u64,
}

/// A trace while nothing can be changed.
#[derive(Debug)]
pub(crate) struct TraceView<'a> {
    pub(super) trace: &'a Trace,
    pub(super) texts: &'a Texts,
    pub(super) processes: &'a Table<[u8]>,
    pub(super) scopes: &'a Table<[u8]>,
}

impl<'a> TraceView<'a> {
    /// The spans from a place on, in the order in which they came, each with the place after it. The first place is 0;
    /// a place stays the same as long as the trace is there.
    pub(crate) fn spans_from(&self, place: usize) -> impl Iterator<Item = (usize, Span<'a>)> {
        self.trace.spans_from(place).filter_map(|(after, packed)| Some((after, Span::read(packed)?)))
    }

    pub(crate) fn text(&self, text: Text<'a>) -> &'a str {
        self.texts.get(text)
    }

    pub(crate) fn process(&self, process: u32) -> Option<Process<'a>> {
        self.processes.get(process).and_then(Process::read)
    }

    pub(crate) fn scope(&self, scope: u32) -> Option<Scope<'a>> {
        self.scopes.get(scope).and_then(Scope::read)
    }
}
