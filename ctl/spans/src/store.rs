//! A bounded store of traces in memory.

mod dropped;
mod intake;
mod packed;
mod places;
mod services;
mod shelf;
mod size;
mod table;
mod texts;
mod trace;
mod unpacked;
mod view;

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::otlp::{self, Malformed};
pub(crate) use intake::Taken;
use shelf::Shelf;
pub(crate) use unpacked::{Attribute, Event, Process, Span, Value};
pub(crate) use view::{Handle, TraceView};

/// How much a [`Store`] may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory that the spans may take, with the indexes and all; at least 1 MiB.
    pub bytes: usize,
}

impl Default for Limits {
    /// 48 MiB: three hundred thousand spans of our services. A process whose receiver does nothing else stays below 80 MB
    /// with it, and below 100 MB whatever is posted to it (`examples/load` measures both).
    fn default() -> Self {
        Self { bytes: 48 << 20 }
    }
}

/// What a store holds, and what became of the rest since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// Traces that are here.
    pub traces: u64,
    /// Spans that are here.
    pub spans: u64,
    /// Services that have spans here.
    pub services: u64,
    /// Bytes of memory that they take; never above [`Stats::limit`].
    pub bytes: u64,
    /// [`Limits::bytes`].
    pub limit: u64,
    /// Traces that were dropped, to make room for others or because one alone took half of it.
    pub traces_dropped: u64,
    /// The spans of these.
    pub spans_dropped: u64,
    /// Spans that were refused, because they came after their trace was dropped.
    pub spans_late: u64,
    /// Spans that were here already: an export was tried again.
    pub spans_duplicate: u64,
    /// Spans that were refused for a trace or span id that is none.
    pub spans_invalid: u64,
}

/// Spans of many traces, within [`Limits`].
///
/// # What goes when it is full
/// The trace whose last span arrived before that of any other, whole; its first arrival does not count, because a trace
/// that still grows is one that somebody waits for, while one that is complete and old has been read or never will be.
/// A trace that takes more than half of the store goes too, before it has driven all others out. Spans that come after
/// their trace was dropped are refused and counted: of a torso nobody can tell what it misses. [`Stats`] says how many
/// went.
///
/// A span is stored once, however often it comes: a trace has one span with an id.
#[derive(Debug)]
pub struct Store {
    shelf: Mutex<Shelf>,
}

impl Default for Store {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Store {
    pub fn new(limits: Limits) -> Self {
        Self { shelf: Mutex::new(Shelf::new(limits.bytes.max(1 << 20))) }
    }

    pub fn stats(&self) -> Stats {
        self.shelf().stats()
    }

    /// Stores the spans of an `ExportTraceServiceRequest` in protobuf; all of them, or none of a malformed one.
    pub(crate) fn take(&self, request: &[u8]) -> Result<Taken, Malformed> {
        otlp::check(request)?;
        self.shelf().take(request)
    }

    /// Names of services, sorted.
    pub(crate) fn services(&self) -> Vec<String> {
        self.shelf().service_names()
    }

    /// A trace by its id.
    pub(crate) fn find(&self, trace: u128) -> Option<Handle> {
        self.shelf().find(trace)
    }

    /// At most `limit` traces of a service that began in a range of nanoseconds since 1970, the latest first.
    pub(crate) fn latest(&self, service: &str, from: u64, to: u64, limit: usize) -> Vec<Handle> {
        self.shelf().latest(service, from, to, limit)
    }

    /// Looks into a trace; `None` when it was dropped since it was found.
    pub(crate) fn look<T>(&self, trace: Handle, look: impl FnOnce(&TraceView<'_>) -> T) -> Option<T> {
        self.shelf().view(trace).map(|view| look(&view))
    }

    /// A panic in the midst of a change is a bug; what is there is still better than nothing.
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
