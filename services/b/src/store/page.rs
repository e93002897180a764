//! A page of copies, bounded in rows and in bytes: a client that reads slowly has one in our memory.

use super::Stored;

/// Text of one page, in bytes; its last row may exceed it.
pub(super) const PAGE_BYTES: usize = 1024 * 1024;

/// Copies, the newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub rows: Vec<Stored>,
    /// Whether there are others after them.
    pub more: bool,
}

/// A page that is being filled.
#[derive(Debug)]
pub(super) struct Filling {
    rows: Vec<Stored>,
    limit: usize,
    bytes: usize,
}

impl Filling {
    pub(super) fn new(limit: u32) -> Self {
        Self { rows: Vec::new(), limit: limit.try_into().unwrap_or(usize::MAX), bytes: 0 }
    }

    /// Whether the next row belongs to the next page: to be asked before it is read.
    pub(super) fn is_full(&self) -> bool {
        self.rows.len() >= self.limit || self.bytes > PAGE_BYTES
    }

    pub(super) fn push(&mut self, row: Stored) {
        self.bytes += row.source.len() + row.id.len() + row.kind.len() + row.body.len();
        self.rows.push(row);
    }

    pub(super) fn page(self, more: bool) -> Page {
        Page { rows: self.rows, more }
    }
}
