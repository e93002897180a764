//! From spans in any order to a tree that can be drawn.
//!
//! A store answers with what it has: parents may not have arrived, a retried export doubles a
//! span, clocks of two machines differ, and a broken client may even make a ring of parents. The
//! tree takes all of them and shows each span exactly once.

use std::collections::{BTreeMap, HashMap};

use super::span::Kind;
use super::{Span, SpanId, Trace, TraceId};

/// A trace's spans in the order in which they are drawn: parents before their children, siblings
/// by start.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    pub(crate) id: TraceId,
    pub(crate) rows: Vec<Row>,
}

/// One line of the tree.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) depth: usize,
    /// Index of the row above in the tree, `None` for a root.
    pub(crate) parent: Option<usize>,
    pub(crate) entry: Entry,
}

#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly every row is a span")]
pub(crate) enum Entry {
    Span(Placed),
    /// Spans name this one as their parent, and the store does not have it.
    Missing(SpanId),
}

/// A span on the time line of the trace.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) span: Span,
    /// Microseconds that were added to its start, because its clock differs from its parent's.
    pub(crate) shift: i64,
}

impl Placed {
    /// Start in microseconds since the epoch, by the clock of the root's machine.
    pub(crate) fn start(&self) -> u64 {
        self.span.start.saturating_add_signed(self.shift)
    }

    pub(crate) fn end(&self) -> u64 {
        self.start().saturating_add(self.span.duration)
    }
}

impl Tree {
    pub(crate) fn build(trace: Trace) -> Self {
        let spans = Arena::new(trace.spans);
        Self { id: trace.id, rows: spans.into_rows() }
    }

    /// The tree of a trace of which nothing has arrived.
    pub(crate) fn empty(id: TraceId) -> Self {
        Self { id, rows: Vec::new() }
    }

    pub(crate) fn spans(&self) -> impl Iterator<Item = &Placed> {
        self.rows.iter().filter_map(|row| match &row.entry {
            Entry::Span(placed) => Some(placed),
            Entry::Missing(_) => None,
        })
    }

    /// The spans right below a row, in order.
    pub(crate) fn children(&self, row: usize) -> impl Iterator<Item = &Placed> {
        self.rows[row + 1..]
            .iter()
            .take_while(move |below| below.depth > self.rows[row].depth)
            .filter(move |below| below.parent == Some(row))
            .filter_map(|below| match &below.entry {
                Entry::Span(placed) => Some(placed),
                Entry::Missing(_) => None,
            })
    }

    /// First start and last end in microseconds since the epoch; zeros without a span.
    pub(crate) fn bounds(&self) -> (u64, u64) {
        let start = self.spans().map(Placed::start).min().unwrap_or(0);
        let end = self.spans().map(Placed::end).max().unwrap_or(start);
        (start, end)
    }

    /// Services in the order in which the tree meets them.
    pub(crate) fn services(&self) -> Vec<&str> {
        let mut services = Vec::new();
        for placed in self.spans() {
            let service = placed.span.service.as_str();
            if !services.contains(&service) {
                services.push(service);
            }
        }
        services
    }
}

/// Spans by index, with their links.
struct Arena {
    placed: Vec<Option<Placed>>,
    children: Vec<Vec<usize>>,
    /// Spans below no other span: real roots, and those whose parent is missing.
    tops: Vec<Top>,
}

struct Top {
    missing: Option<SpanId>,
    spans: Vec<usize>,
}

impl Arena {
    fn new(spans: Vec<Span>) -> Self {
        let spans = distinct(spans);
        let index: HashMap<SpanId, usize> = spans.iter().enumerate().map(|(at, span)| (span.id, at)).collect();
        let parents: Vec<Option<usize>> = spans.iter().map(|span| index.get(&span.parent?).copied()).collect();

        let mut children = vec![Vec::new(); spans.len()];
        let mut roots = Vec::new();
        let mut orphans: BTreeMap<SpanId, Vec<usize>> = BTreeMap::new();
        for (at, span) in spans.iter().enumerate() {
            match (parents[at], span.parent) {
                (Some(parent), _) if parent != at => children[parent].push(at),
                (None, Some(missing)) => orphans.entry(missing).or_default().push(at),
                _ => roots.push(at),
            }
        }
        cut_rings(&mut children, &mut roots, &orphans);

        let mut tops: Vec<Top> = roots.into_iter().map(|root| Top { missing: None, spans: vec![root] }).collect();
        tops.extend(orphans.into_iter().map(|(id, spans)| Top { missing: Some(id), spans }));
        let placed = spans.into_iter().map(|span| Some(Placed { span, shift: 0 })).collect();
        let mut arena = Self { placed, children, tops };
        arena.agree_on_time();
        arena.order();
        arena
    }

    fn at(&self, index: usize) -> Option<&Placed> {
        self.placed[index].as_ref()
    }

    fn start(&self, index: usize) -> u64 {
        self.at(index).map_or(u64::MAX, Placed::start)
    }

    /// Moves spans of another machine so that no effect comes before its cause. The shift of a
    /// parent carries on to its children: they were timed by the same clock.
    fn agree_on_time(&mut self) {
        let mut todo: Vec<(usize, i64)> = self.tops.iter().flat_map(|top| &top.spans).map(|&at| (at, 0)).collect();
        while let Some((at, shift)) = todo.pop() {
            if let Some(placed) = &mut self.placed[at] {
                placed.shift = shift;
            }
            for &child in &self.children[at] {
                let (Some(parent), Some(below)) = (self.at(at), self.at(child)) else { continue };
                let more = if same_clock(&parent.span, &below.span) { 0 } else { skew(parent, &below.span) };
                todo.push((child, shift.saturating_add(more)));
            }
        }
    }

    fn order(&mut self) {
        let key = |arena: &Self, &at: &usize| (arena.start(at), arena.at(at).map(|p| p.span.id));
        let mut children = std::mem::take(&mut self.children);
        for siblings in &mut children {
            siblings.sort_by_key(|at| key(self, at));
        }
        self.children = children;
        let mut tops = std::mem::take(&mut self.tops);
        for top in &mut tops {
            top.spans.sort_by_key(|at| key(self, at));
        }
        // What has lost its parent comes below the whole trees.
        tops.sort_by_key(|top| (top.missing.is_some(), top.spans.first().map(|&at| self.start(at))));
        self.tops = tops;
    }

    /// Walks without recursion: a trace's depth is the sender's choice.
    fn into_rows(mut self) -> Vec<Row> {
        let mut rows = Vec::with_capacity(self.placed.len());
        for top in std::mem::take(&mut self.tops) {
            let (parent, depth) = match top.missing {
                Some(id) => {
                    rows.push(Row { depth: 0, parent: None, entry: Entry::Missing(id) });
                    (Some(rows.len() - 1), 1)
                }
                None => (None, 0),
            };
            let mut todo: Vec<(usize, Option<usize>, usize)> =
                top.spans.iter().rev().map(|&at| (at, parent, depth)).collect();
            while let Some((at, parent, depth)) = todo.pop() {
                let Some(placed) = self.placed[at].take() else { continue };
                rows.push(Row { depth, parent, entry: Entry::Span(placed) });
                let row = rows.len() - 1;
                todo.extend(self.children[at].iter().rev().map(|&child| (child, Some(row), depth + 1)));
            }
        }
        rows
    }
}

/// One span per id. Of two with one id the longer one stays: a store that merges partial exports
/// may hold an early, shorter copy.
fn distinct(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by_key(|span| (span.id, std::cmp::Reverse(span.duration), span.start));
    spans.dedup_by_key(|span| span.id);
    spans.sort_by_key(|span| (span.start, span.id));
    spans
}

/// Makes a root of the earliest span of every ring of parents, so that each span is reached.
fn cut_rings(children: &mut [Vec<usize>], roots: &mut Vec<usize>, orphans: &BTreeMap<SpanId, Vec<usize>>) {
    let mut reached = vec![false; children.len()];
    let mut todo: Vec<usize> = roots.iter().chain(orphans.values().flatten()).copied().collect();
    let mut next = 0;
    loop {
        while let Some(at) = todo.pop() {
            if !std::mem::replace(&mut reached[at], true) {
                todo.extend(&children[at]);
            }
        }
        // Spans are sorted by start: the first one not reached is the earliest of its ring or
        // hangs below one; cutting it loose either way ends the ring it is in.
        let Some(at) = (next..reached.len()).find(|&at| !reached[at]) else { return };
        next = at;
        for siblings in children.iter_mut() {
            siblings.retain(|&child| child != at);
        }
        roots.push(at);
        todo.push(at);
    }
}

/// Whether one clock timed both: the same pod, or the same service where no pod is named.
fn same_clock(parent: &Span, child: &Span) -> bool {
    parent.service == child.service && parent.place.pod == child.place.pod
}

/// Microseconds to add to a child's start. An effect never starts before its cause; and where the
/// parent waited for the child (client and server), it does not end later either: then the
/// network's share is split evenly between request and answer, as Jaeger's own adjuster does.
fn skew(parent: &Placed, child: &Span) -> i64 {
    let start = child.start.saturating_add_signed(parent.shift);
    let end = start.saturating_add(child.duration);
    let waited = parent.span.kind == Kind::Client && child.kind == Kind::Server;
    let early = start < parent.start();
    let late = waited && end > parent.end();
    if !early && !late {
        return 0;
    }
    let spare = parent.span.duration.checked_sub(child.duration);
    let target = match spare {
        Some(spare) if waited => parent.start() + spare / 2,
        // The child outlived its parent (it may have given up waiting): only causality is known.
        _ if early => parent.start(),
        _ => return 0,
    };
    i64::try_from(i128::from(target) - i128::from(start)).unwrap_or(0)
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
