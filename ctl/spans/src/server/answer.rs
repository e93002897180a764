//! An answer with traces, written while it is read.
//!
//! As JSON a span is ten times what it is in the store: a large trace as one piece would not fit beside it. A piece is
//! written under the store's lock, which is free between two; a trace that is dropped in between breaks the answer off.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};

use super::jaeger;
use crate::store::{Handle, Store, TraceView};

/// Bytes of a piece, or a little more.
const PIECE: usize = 32 * 1024;

#[derive(Debug)]
pub(crate) struct Answer {
    store: Arc<Store>,
    traces: std::vec::IntoIter<Handle>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Begin,
    /// Before the next trace; whether one was written.
    Between(bool),
    Within(Written),
    Done,
}

/// How far a trace is written.
#[derive(Debug)]
struct Written {
    trace: Handle,
    place: usize,
    /// The resources met so far; `p1` is the first.
    processes: Vec<u32>,
}

/// A trace was dropped while it was read.
#[derive(Debug, thiserror::Error)]
#[error("the trace was dropped while it was read")]
pub(crate) struct Gone;

impl Answer {
    pub(super) fn new(store: Arc<Store>, traces: Vec<Handle>) -> Self {
        Self { store, traces: traces.into_iter(), stage: Stage::Begin }
    }

    fn piece(&mut self) -> Result<Vec<u8>, Gone> {
        let mut out = Vec::with_capacity(PIECE + PIECE / 4);
        while out.len() < PIECE {
            let stage = std::mem::replace(&mut self.stage, Stage::Done);
            self.stage = match stage {
                Stage::Begin => {
                    out.extend_from_slice(br#"{"data":["#);
                    Stage::Between(false)
                }
                Stage::Between(written) => match self.traces.next() {
                    // Dropped before its turn came: as if it had not been found.
                    Some(trace) if self.store.look(trace, |_| ()).is_none() => Stage::Between(written),
                    Some(trace) => {
                        let comma = if written { "," } else { "" };
                        let id = jaeger::trace_id(trace.id);
                        out.extend_from_slice(format!(r#"{comma}{{"traceID":"{id}","spans":["#).as_bytes());
                        Stage::Within(Written { trace, place: 0, processes: Vec::new() })
                    }
                    None => {
                        out.extend_from_slice(br#"],"total":0,"limit":0,"offset":0,"errors":null}"#);
                        Stage::Done
                    }
                },
                Stage::Within(mut written) => {
                    let ended = self.store.look(written.trace, |view| written.go_on(view, &mut out)).ok_or(Gone)?;
                    if ended { Stage::Between(true) } else { Stage::Within(written) }
                }
                Stage::Done => break,
            };
        }
        Ok(out)
    }
}

impl Written {
    /// Writes on, and whether the trace has ended.
    fn go_on(&mut self, view: &TraceView<'_>, out: &mut Vec<u8>) -> bool {
        for (after, span) in view.spans_from(self.place) {
            if out.len() >= PIECE {
                return false;
            }
            if self.place > 0 {
                out.push(b',');
            }
            self.place = after;
            let known = self.processes.iter().position(|process| *process == span.process);
            let index = known.unwrap_or_else(|| {
                self.processes.push(span.process);
                self.processes.len() - 1
            });
            jaeger::span(out, view, self.trace.id, &span, index + 1);
        }
        out.extend_from_slice(br#"],"processes":{"#);
        for (index, process) in self.processes.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            out.extend_from_slice(format!(r#"{comma}"p{}":"#, index + 1).as_bytes());
            if let Some(process) = view.process(*process) {
                jaeger::process(out, view, &process);
            } else {
                out.extend_from_slice(b"{}");
            }
        }
        out.extend_from_slice(br#"},"warnings":null}"#);
        true
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Gone;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Gone>>> {
        let piece = self.piece();
        if piece.is_err() {
            self.stage = Stage::Done;
        }
        match piece {
            Ok(piece) if piece.is_empty() => Poll::Ready(None),
            piece => Poll::Ready(Some(piece.map(|piece| Frame::data(piece.into())))),
        }
    }
}
