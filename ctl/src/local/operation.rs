//! An operation of the supervisor's, waited for: what happens is told, and the wait has an end.

use std::cell::Cell;
use std::time::Duration;

use ::local::{Event, Events};
use tokio::sync::mpsc;

use crate::error::{Error, ExitCode};
use crate::interrupt::Interrupt;
use crate::output::Printer;

/// Events on their way to the terminal; those that find no place are lost.
const QUEUE: usize = 256;

/// A wait for something that goes on in `msctl up`, whoever waits.
#[derive(Debug)]
pub(super) struct Operation<'a> {
    /// "deploy service-a".
    pub(super) action: String,
    pub(super) timeout: Duration,
    /// Return once it has begun.
    pub(super) only_begin: bool,
    pub(super) printer: &'a Printer,
}

impl Operation<'_> {
    /// What `work` makes of it; none when it has only begun.
    pub(super) async fn run<T>(
        &self,
        work: impl AsyncFnOnce(Events) -> Result<T, ::local::Error>,
    ) -> Result<Option<T>, Error> {
        let (events, mut told) = mpsc::channel(QUEUE);
        let work = work(events);
        let begun = Cell::new(true);
        let waiting = async {
            tokio::pin!(work);
            loop {
                tokio::select! {
                    biased;
                    outcome = &mut work => return outcome.map(Some).map_err(Error::from),
                    Some(event) = told.recv() => {
                        let queued = matches!(event, Event::Queued { .. });
                        if self.only_begin && !queued {
                            self.printer.note(&format!("{} goes on in `msctl up`", self.action));
                            return Ok(None);
                        }
                        begun.set(!queued);
                        self.printer.live(vec![event.to_string()]);
                    }
                }
            }
        };
        let waiting =
            async { tokio::time::timeout(self.timeout, waiting).await.unwrap_or_else(|_| Err(self.late(begun.get()))) };
        let what = format!("{}; what has begun goes on in `msctl up`", self.action);
        let outcome = Interrupt::listen()?.or(&what, Box::pin(waiting)).await;
        self.printer.clear_live();
        outcome.map_err(|error| error.next_if_interrupted("msctl status --local"))
    }

    fn late(&self, begun: bool) -> Error {
        Error::new(ExitCode::TimedOut, format!("{} is not done after {:?}", self.action, self.timeout))
            .why(if begun {
                "it goes on in `msctl up`"
            } else {
                "another change was under way; this one has not begun"
            })
            .next("msctl status --local")
    }
}
