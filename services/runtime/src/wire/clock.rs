//! One deadline of a connection, cheap to move.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

/// A timer whose deadline may move with every request.
///
/// A deadline that moves later is noticed only when the timer fires at the earlier one: a busy connection touches the
/// runtime's timer wheel once per timeout instead of twice per request.
#[derive(Debug, Default)]
pub(crate) struct Clock(Option<Pin<Box<Sleep>>>);

impl Clock {
    /// Ready once `deadline` has passed.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if sleep.deadline() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn it_fires_at_the_deadline_of_the_last_poll_moved_later_or_earlier() {
        let start = Instant::now();
        let mut clock = Clock::default();
        let mut asked = 0;
        // The first poll asks for one second, those after it for three.
        poll_fn(|cx| {
            asked += 1;
            let seconds = if asked == 1 { 1 } else { 3 };
            clock.poll(cx, start + Duration::from_secs(seconds))
        })
        .await;
        assert_eq!(start.elapsed().as_secs(), 3);

        let start = Instant::now();
        poll_fn(|cx| {
            let _ = clock.poll(cx, start + Duration::from_mins(1));
            clock.poll(cx, start + Duration::from_secs(1))
        })
        .await;
        assert_eq!(start.elapsed().as_secs(), 1);
    }
}
