//! A request's body with its bounds: how long it may take, how large it may be.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Sleep, sleep};

/// A body that can't be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IntakeError {
    #[error("the request body is larger than {0} bytes")]
    TooLarge(u64),
    #[error("the request body did not arrive within {0:?}")]
    Late(Duration),
    #[error("the request body broke off: {0}")]
    Broken(#[source] hyper::Error),
}

/// A request's body. The whole of it has one deadline, counted from the handler's first wait for it: a deadline per
/// read would let a client send a byte at a time for days.
pub(crate) struct Intake {
    body: Incoming,
    max: u64,
    seen: u64,
    timeout: Duration,
    // Made at the first wait: most bodies arrive together with their head.
    deadline: Option<Pin<Box<Sleep>>>,
    whole: Whole,
}

/// Whether a request's body was read to its end; known after the body itself is gone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Whole(Arc<AtomicBool>);

impl Whole {
    pub(crate) fn is_reached(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn reach(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Intake {
    pub(crate) fn new(body: Incoming, max: usize, timeout: Duration) -> Self {
        Self { body, max: max as u64, seen: 0, timeout, deadline: None, whole: Whole::default() }
    }

    pub(crate) fn whole(&self) -> Whole {
        self.whole.clone()
    }

    fn within(&mut self, more: u64) -> Result<(), IntakeError> {
        self.seen = self.seen.saturating_add(more);
        if self.seen > self.max {
            return Err(IntakeError::TooLarge(self.max));
        }
        Ok(())
    }
}

impl Body for Intake {
    type Data = Bytes;
    type Error = IntakeError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, IntakeError>>> {
        let this = &mut *self;
        // What says at once that it is too large is refused before any of it is read.
        if this.body.size_hint().lower() > this.max {
            return Poll::Ready(Some(Err(IntakeError::TooLarge(this.max))));
        }
        match Pin::new(&mut this.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                // Who knows the length does not ask for what follows the last byte.
                if this.body.is_end_stream() {
                    this.whole.reach();
                }
                Poll::Ready(Some(this.within(length).map(|()| frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(IntakeError::Broken(error)))),
            Poll::Ready(None) => {
                this.whole.reach();
                Poll::Ready(None)
            }
            Poll::Pending => {
                let timeout = this.timeout;
                let deadline = this.deadline.get_or_insert_with(|| Box::pin(sleep(timeout)));
                ready!(deadline.as_mut().poll(cx));
                Poll::Ready(Some(Err(IntakeError::Late(timeout))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
