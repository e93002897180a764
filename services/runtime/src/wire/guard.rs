//! The socket as hyper sees it: whole, unambiguous heads only, and an end of input when a deadline passes.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::clock::Clock;
use super::head::Refusal;
use super::screen::{Screen, Verdict};
use crate::config::Limits;
use crate::drain::{Drain, Phase};

/// What hyper gets to read in the place of a refused head. Its method is nobody's, so that no one takes it for a real
/// request.
const STAND_IN: &[u8] = b"REFUSED / HTTP/1.1\r\nconnection: close\r\n\r\n";

/// What the two ends of one connection, the socket and the handler, know of each other.
#[derive(Debug, Default)]
pub(crate) struct Line {
    /// A request is being answered.
    busy: AtomicBool,
    /// hyper has output that the client does not take.
    unread: AtomicBool,
    /// Requests that reached the handler.
    requests: AtomicU32,
    /// The number of the request that stands in for a refused head; 0 while there is none.
    refused: AtomicU32,
    refusal: Mutex<Option<Refusal>>,
}

impl Line {
    /// A request has reached the handler; why it is refused, when it stands in for a refused head.
    pub(crate) fn begin(&self) -> Option<Refusal> {
        self.busy.store(true, Ordering::Relaxed);
        let number = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        if self.refused.load(Ordering::Relaxed) != number {
            return None;
        }
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its answer is written, or given up.
    pub(crate) fn end(&self) {
        self.busy.store(false, Ordering::Relaxed);
    }

    /// A request is being answered, or its answer has not left yet.
    pub(crate) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed) || self.unread.load(Ordering::Relaxed)
    }

    fn refuse(&self, number: u32, refusal: Refusal) {
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(refusal);
        self.refused.store(number, Ordering::Relaxed);
    }
}

/// A connection between its socket and hyper.
#[derive(Debug)]
pub(crate) struct Guard {
    socket: TcpStream,
    line: Arc<Line>,
    drain: Drain,
    limits: Arc<Limits>,
    screen: Screen,
    /// The start of a head whose rest has not arrived.
    held: Vec<u8>,
    /// Judged bytes that hyper has not taken, and how many of them it has.
    ready: (Vec<u8>, usize),
    /// Heads passed on, stand-ins included.
    heads: u32,
    /// When the wait for the next thing (a head's rest, or a request) began.
    waiting: Option<Instant>,
    /// The wait was begun anew when the drain began.
    drains: bool,
    read_clock: Clock,
    /// When the client stopped taking our answer.
    unread: Option<Instant>,
    write_clock: Clock,
}

impl Guard {
    pub(crate) fn new(socket: TcpStream, line: Arc<Line>, drain: Drain, limits: Arc<Limits>) -> Self {
        Self {
            screen: Screen::new(limits.max_head),
            socket,
            line,
            drain,
            limits,
            held: Vec::new(),
            ready: (Vec::new(), 0),
            heads: 0,
            waiting: None,
            drains: false,
            read_clock: Clock::default(),
            unread: None,
            write_clock: Clock::default(),
        }
    }

    /// The socket, when the client may still be sending: closing it now could destroy the answer.
    pub(crate) fn into_unfinished(self) -> Option<TcpStream> {
        let unfinished = self.screen.stopped() || self.screen.inside_body() || !self.held.is_empty();
        unfinished.then_some(self.socket)
    }

    /// Takes what was just read, from `start` on in `buffer`, and leaves there what hyper may have.
    fn judge(&mut self, buffer: &mut ReadBuf<'_>, start: usize) {
        let verdict = if self.held.is_empty() {
            let verdict = self.screen.admit(&buffer.filled()[start..]);
            let passed = start + verdict.pass;
            if !self.screen.stopped() && passed < buffer.filled().len() {
                self.held.extend_from_slice(&buffer.filled()[passed..]);
                self.waiting = Some(Instant::now());
            }
            buffer.set_filled(passed);
            verdict
        } else {
            self.held.extend_from_slice(&buffer.filled()[start..]);
            let news = buffer.filled()[start..].contains(&b'\n') || self.held.len() > self.limits.max_head;
            buffer.set_filled(start);
            if !news {
                // A head ends with a line's end: without one there is nothing new to judge.
                return;
            }
            let verdict = self.screen.admit(&self.held);
            if verdict.pass > 0 {
                let rest = self.held.split_off(verdict.pass);
                self.ready = (std::mem::replace(&mut self.held, rest), 0);
                self.waiting = (!self.held.is_empty()).then(Instant::now);
            }
            verdict
        };
        self.note(&verdict);
    }

    fn note(&mut self, verdict: &Verdict) {
        self.heads += verdict.heads;
        if let Some(refusal) = verdict.refusal {
            self.refuse(refusal);
        }
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.screen.stop();
        self.held = Vec::new();
        self.heads += 1;
        self.line.refuse(self.heads, refusal);
        self.ready.0.extend_from_slice(STAND_IN);
    }

    fn take_ready(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let (bytes, taken) = &mut self.ready;
        let rest = &bytes[*taken..];
        if rest.is_empty() {
            return false;
        }
        let length = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..length]);
        *taken += length;
        if *taken == bytes.len() {
            // The memory goes too: a kept connection may stay idle for long.
            self.ready = (Vec::new(), 0);
        }
        true
    }

    /// Nothing to read now: whether the wait has lasted too long. Ready with an end of input, or with a stand-in in
    /// `ready`.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let allowed = if !self.held.is_empty() {
            self.limits.head_timeout
        } else if self.line.is_busy() || self.screen.inside_body() {
            // A request in flight has the handler's deadlines, its body has its own, an unread answer the write
            // clock's.
            self.waiting = None;
            return Poll::Pending;
        } else if self.drain.reached(Phase::Draining) {
            // However long it has been idle: its next request may be on its way just now.
            if !std::mem::replace(&mut self.drains, true) {
                self.waiting = None;
            }
            self.limits.drain_idle
        } else if self.heads == 0 {
            self.limits.head_timeout
        } else {
            self.limits.idle_timeout
        };
        let since = *self.waiting.get_or_insert_with(Instant::now);
        ready!(self.read_clock.poll(cx, since + allowed));
        if !self.held.is_empty() {
            self.refuse(Refusal::Late);
        }
        Poll::Ready(())
    }

    /// Ready with an error when the client has left the answer unread for too long.
    fn poll_unread(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let since = *self.unread.get_or_insert_with(Instant::now);
        self.line.unread.store(true, Ordering::Relaxed);
        self.write_clock
            .poll(cx, since + self.limits.write_timeout)
            .map(|()| io::Error::new(io::ErrorKind::TimedOut, "the client does not read its answer"))
    }

    fn written(&mut self, cx: &mut Context<'_>, wrote: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match wrote {
            Poll::Pending => self.poll_unread(cx).map(Err),
            Poll::Ready(result) => {
                if self.unread.take().is_some() {
                    self.line.unread.store(false, Ordering::Relaxed);
                }
                Poll::Ready(result)
            }
        }
    }
}

impl AsyncRead for Guard {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let start = buffer.filled().len();
        loop {
            if buffer.filled().len() > start || this.take_ready(buffer) {
                if this.held.is_empty() {
                    this.waiting = None;
                }
                return Poll::Ready(Ok(()));
            }
            if this.screen.stopped() {
                // The answer to what was refused closes the connection; what still arrives is not read any more.
                return Poll::Pending;
            }
            match Pin::new(&mut this.socket).poll_read(cx, buffer) {
                Poll::Ready(Ok(())) if buffer.filled().len() > start => this.judge(buffer, start),
                Poll::Ready(end) => return Poll::Ready(end),
                Poll::Pending => {
                    ready!(this.poll_deadline(cx));
                    if !this.screen.stopped() {
                        return Poll::Ready(Ok(()));
                    }
                }
            }
        }
    }
}

impl AsyncWrite for Guard {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = Pin::new(&mut this.socket).poll_write(cx, bytes);
        this.written(cx, wrote)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = Pin::new(&mut this.socket).poll_write_vectored(cx, slices);
        this.written(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.socket).poll_flush(cx))?;
        // hyper does not read again after an answer until the socket has something: the idle clock starts here. When
        // it fires, the connection is polled, and read.
        if this.held.is_empty() && this.poll_deadline(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}
