//! Flow control: as much as fits for few streams, a fair share for many, and no stream ever holds up another.
//!
//! HTTP/2 counts what a receiver has not consumed against two windows: the stream's and the connection's. h2 gives both
//! back together, so a stream that nobody reads keeps its share of the connection's window, and enough of them would
//! stop all others. So the sum of all the streams' windows never exceeds the connection's: with more streams open each
//! gets a smaller window (`SETTINGS_INITIAL_WINDOW_SIZE` applies to open streams too, RFC 9113 section 6.9.2). This
//! bounds memory at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Context;

use futures::task::AtomicWaker;

/// Bytes one stream may have in flight while at most [`FULL_STREAMS`] are open.
pub(crate) const STREAM_WINDOW: u32 = 1 << 20;
/// Bytes all streams together may have in flight.
pub(crate) const CONNECTION_WINDOW: u32 = 64 << 20;
/// Streams a connection may have.
pub(crate) const MAX_STREAMS: u32 = 1024;
/// Frames larger than the protocol's 16 KiB make bulk transfers cheaper.
pub(crate) const FRAME: u32 = 32 << 10;
const FULL_STREAMS: usize = 16;

/// The window that each of `open` streams may have: halved with every doubling of their number.
fn window(open: usize) -> u32 {
    let doublings = open.div_ceil(FULL_STREAMS).max(1).next_power_of_two().trailing_zeros();
    (STREAM_WINDOW >> doublings).max(STREAM_WINDOW >> 6)
}

/// How many streams a connection has; wakes the connection's task when their windows should change.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    open: AtomicUsize,
    waker: AtomicWaker,
}

impl Gauge {
    pub(crate) fn enter(self: &Arc<Self>) -> Entered {
        let before = self.open.fetch_add(1, Ordering::Relaxed);
        self.changed(before, before + 1);
        Entered(Arc::clone(self))
    }

    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    fn changed(&self, before: usize, now: usize) {
        if window(before) != window(now) {
            self.waker.wake();
        }
    }
}

/// One open stream.
#[derive(Debug)]
pub(crate) struct Entered(Arc<Gauge>);

impl Drop for Entered {
    fn drop(&mut self) {
        let before = self.0.open.fetch_sub(1, Ordering::Relaxed);
        self.0.changed(before, before - 1);
    }
}

/// The window last announced to the peer.
#[derive(Debug)]
pub(crate) struct Windows {
    gauge: Arc<Gauge>,
    announced: u32,
}

impl Windows {
    pub(crate) fn new(gauge: Arc<Gauge>) -> Self {
        Self { gauge, announced: STREAM_WINDOW }
    }

    /// Announces a new window through `set` if one is due. `set` says whether it could (h2 refuses while an earlier
    /// announcement is unacknowledged; the acknowledgement wakes the connection, which asks again).
    pub(crate) fn poll_adjust(&mut self, cx: &mut Context<'_>, set: impl FnOnce(u32) -> bool) {
        self.gauge.waker.register(cx.waker());
        let due = self.due(self.gauge.open());
        if due != self.announced && set(due) {
            self.announced = due;
        }
    }

    /// Shrinks at once, grows only when twice as many streams would still fit, so that it does not swing.
    fn due(&self, open: usize) -> u32 {
        let now = window(open);
        if now < self.announced { now } else { window(open * 2).max(self.announced) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_windows_together_fit_the_connections() {
        // Each stream fills its window at the moment it is opened, and none is ever read.
        let filled: u64 = (1..=MAX_STREAMS as usize).map(|open| u64::from(window(open))).sum();
        assert!(filled <= u64::from(CONNECTION_WINDOW), "{filled}");
    }

    #[test]
    fn few_streams_have_the_full_window_and_many_a_share() {
        assert_eq!(window(0), STREAM_WINDOW);
        assert_eq!(window(16), STREAM_WINDOW);
        assert_eq!(window(17), STREAM_WINDOW / 2);
        assert_eq!(window(1024), STREAM_WINDOW / 64);
    }

    #[test]
    fn a_number_that_swings_around_a_limit_changes_the_window_once() {
        let mut windows = Windows::new(Arc::default());
        windows.announced = windows.due(17);
        assert_eq!(windows.announced, STREAM_WINDOW / 2);
        assert_eq!(windows.due(16), STREAM_WINDOW / 2);
        assert_eq!(windows.due(8), STREAM_WINDOW);
    }
}
