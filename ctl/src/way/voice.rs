//! What is said while something goes on over a way: by the way itself, or by us when it is silent.

use std::future::Future;
use std::time::Duration;

use reach::Progress;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::{Patience, Stage};
use crate::output::Printer;

/// Messages on their way to the printer; more than a relay has to say before it is there.
const MESSAGES: usize = 32;
/// A wait that takes longer than this is spoken of.
const SILENCE: Duration = Duration::from_secs(1);

/// What a relay has to say, for the terminal.
#[derive(Debug)]
enum Said {
    /// What is waited for, now.
    Waiting(String),
    /// Worth keeping on the screen.
    Warning(String),
    /// The wait is over; of interest with `--verbose` only.
    Done(String),
}

impl From<&Progress> for Said {
    fn from(progress: &Progress) -> Self {
        let text = progress.to_string();
        match progress {
            Progress::Warning { .. } => Self::Warning(text),
            Progress::Connected { .. } => Self::Done(text),
            _ => Self::Waiting(text),
        }
    }
}

/// Where a way says what it is at.
#[derive(Debug, Clone)]
pub(crate) struct Speaker(mpsc::Sender<Said>);

impl Speaker {
    pub(crate) fn say(&self, progress: &Progress) {
        // A message that finds no place is an old one's repetition.
        drop(self.0.try_send(Said::from(progress)));
    }
}

/// Prints what the way has to say, while something goes on over it.
pub(crate) struct Voice<'a> {
    stage: Stage,
    messages: mpsc::Receiver<Said>,
    printer: &'a Printer,
    verbose: bool,
}

impl std::fmt::Debug for Voice<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Voice").field("verbose", &self.verbose).finish_non_exhaustive()
    }
}

impl<'a> Voice<'a> {
    /// For a command of this patience, and where its way speaks.
    pub(crate) fn new(patience: &Patience, printer: &'a Printer, verbose: bool) -> (Self, Speaker) {
        let (speak, messages) = mpsc::channel(MESSAGES);
        (Self { stage: patience.stage.clone(), messages, printer, verbose }, Speaker(speak))
    }

    /// What is gone about from now on.
    pub(crate) fn stage(&self, text: impl Into<String>) {
        self.stage.is(text);
    }

    /// `work`, and what is said meanwhile: by the way, or after a second by us.
    pub(crate) async fn over<T>(&mut self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        let silence = sleep(SILENCE);
        tokio::pin!(silence);
        let outcome = loop {
            tokio::select! {
                biased;
                outcome = &mut work => break outcome,
                Some(said) = self.messages.recv() => {
                    self.print(said);
                    silence.as_mut().reset(Instant::now() + SILENCE);
                }
                () = &mut silence, if !silence.is_elapsed() => self.printer.live(vec![self.stage.text()]),
            }
        };
        while let Ok(said) = self.messages.try_recv() {
            self.print(said);
        }
        self.printer.clear_live();
        outcome
    }

    fn print(&self, said: Said) {
        match said {
            Said::Waiting(text) => self.printer.live(vec![text]),
            Said::Warning(text) => self.printer.warning(&text),
            Said::Done(text) => {
                self.printer.clear_live();
                if self.verbose {
                    self.printer.note(&text);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_long_wait_says_what_it_waits_for_and_a_short_one_nothing() {
        let (printer, _, err) = crate::output::tests::captured();
        let (_speak, messages) = mpsc::channel(MESSAGES);
        let mut voice = Voice { stage: Stage::default(), messages, printer: &printer, verbose: false };
        voice.stage.is("waiting for a");
        voice.over(sleep(SILENCE / 2)).await;
        assert_eq!(err.text(), "");
        voice.over(sleep(SILENCE * 5)).await;
        assert_eq!(err.text(), "waiting for a\n");
    }
}
