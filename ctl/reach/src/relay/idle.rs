//! When nobody needs the relay any more.

use std::time::Duration;

use tokio::sync::watch;

/// Counts open streams, and notices every coming and going.
#[derive(Debug)]
pub(super) struct Activity {
    open: watch::Sender<usize>,
}

impl Default for Activity {
    fn default() -> Self {
        Self { open: watch::Sender::new(0) }
    }
}

impl Activity {
    /// Somebody came, though no stream is open yet.
    pub(super) fn touch(&self) {
        self.open.send_modify(|_| {});
    }

    /// A stream, open until the guard is dropped.
    pub(super) fn enter(&self) -> Active<'_> {
        self.open.send_modify(|open| *open += 1);
        Active(self)
    }

    /// Returns once no stream was open, and nobody came, for `limit`.
    pub(super) async fn idle_for(&self, limit: Duration) {
        let mut open = self.open.subscribe();
        loop {
            if *open.borrow_and_update() > 0 {
                // The sender lives in self: it can't go.
                let _ = open.changed().await;
                continue;
            }
            if tokio::time::timeout(limit, open.changed()).await.is_err() {
                return;
            }
        }
    }
}

#[derive(Debug)]
pub(super) struct Active<'a>(&'a Activity);

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.0.open.send_modify(|open| *open -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{Instant, sleep};

    #[tokio::test(start_paused = true)]
    async fn an_open_stream_is_no_idleness_however_silent() {
        let activity = Activity::default();
        let start = Instant::now();
        let limit = Duration::from_mins(1);
        let work = async {
            let stream = activity.enter();
            sleep(Duration::from_secs(1000)).await;
            drop(stream);
            sleep(Duration::from_secs(59)).await;
            // Shorter than anyone looks: it counts all the same.
            drop(activity.enter());
        };
        tokio::join!(activity.idle_for(limit), work);
        assert_eq!(start.elapsed(), Duration::from_secs(1000 + 59 + 60));
    }
}
