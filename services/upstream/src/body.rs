//! An answer's body, under the deadline of its call.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::error::{Error, Kind, Target};

/// The body of an answer.
///
/// Its deadline is the call's. Dropped before its end, it takes its connection with it.
#[derive(Debug)]
pub struct Body {
    incoming: Incoming,
    target: Target,
    deadline: Instant,
    // Made at the first wait: most bodies arrive together with their head.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Body {
    pub(crate) fn new(incoming: Incoming, target: Target, deadline: Instant) -> Self {
        Self { incoming, target, deadline, sleep: None }
    }

    /// The whole body, of at most `max` bytes.
    pub async fn bytes(mut self, max: usize) -> Result<Bytes, Error> {
        if self.incoming.size_hint().lower() > max as u64 {
            return Err(self.too_large(max));
        }
        let mut first = Bytes::new();
        let mut all = BytesMut::new();
        while let Some(frame) = self.frame().await {
            let Ok(data) = frame?.into_data() else { continue };
            if first.len() + all.len() + data.len() > max {
                return Err(self.too_large(max));
            }
            // Nearly every body is one frame: it is passed on as it is.
            if first.is_empty() && all.is_empty() {
                first = data;
                continue;
            }
            all.extend_from_slice(&std::mem::take(&mut first));
            all.extend_from_slice(&data);
        }
        Ok(if all.is_empty() { first } else { all.freeze() })
    }

    fn too_large(&self, max: usize) -> Error {
        let cause = format!("more than {max} bytes");
        Error::new(Kind::TooLarge, self.target.clone(), Some(cause.into()))
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        match Pin::new(&mut this.incoming).poll_frame(cx) {
            Poll::Ready(frame) => {
                Poll::Ready(frame.map(|result| {
                    result.map_err(|cause| Error::new(Kind::Body, this.target.clone(), Some(cause.into())))
                }))
            }
            Poll::Pending => {
                let deadline = this.deadline;
                let sleep = this.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
                ready!(sleep.as_mut().poll(cx));
                Poll::Ready(Some(Err(Error::new(Kind::Timeout, this.target.clone(), None))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
