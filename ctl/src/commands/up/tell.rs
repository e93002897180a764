//! What `up` says, from a thread of its own: a terminal that is held (Ctrl-S), a pager or a full pipe keeps that thread,
//! and never the task that listens for signals.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use tokio::sync::oneshot;

use super::run::Where;
use crate::error::{Aim, Error, ExitCode};
use crate::output::Printer;

/// Lines on their way; those that find no place are counted.
const QUEUE: usize = 1024;

#[derive(Debug)]
enum Said {
    Note(String),
    Hint(String),
    /// For stdout.
    Result(String),
    Error(Error),
}

#[derive(Debug)]
pub(super) struct Teller {
    queue: SyncSender<Said>,
    /// Lines since the last one that found a place.
    dropped: u64,
    done: oneshot::Receiver<()>,
}

impl Teller {
    pub(super) fn start(printer: Printer, place: Where) -> Result<Self, Error> {
        let (queue, said) = sync_channel(QUEUE);
        let (done, is_done) = oneshot::channel();
        let run = move || {
            print(&said, &printer, place);
            let _ = done.send(());
        };
        std::thread::Builder::new()
            .name("tell".to_owned())
            .spawn(run)
            .map_err(|cause| Error::new(ExitCode::Failed, "cannot start a thread").why(cause.to_string()))?;
        Ok(Self { queue, dropped: 0, done: is_done })
    }

    pub(super) fn note(&mut self, line: impl Into<String>) {
        self.say(Said::Note(line.into()));
    }

    pub(super) fn hint(&mut self, line: impl Into<String>) {
        self.say(Said::Hint(line.into()));
    }

    /// For stdout, with its own line ends.
    pub(super) fn result(&mut self, text: String) {
        self.say(Said::Result(text));
    }

    pub(super) fn error(&mut self, error: Error) {
        self.say(Said::Error(error));
    }

    /// The end of a command whose errors are told here: written by another, where nobody reads, they would hold it.
    pub(super) fn code(&mut self, outcome: Result<ExitCode, Error>, aim: Option<&Aim>) -> ExitCode {
        outcome.unwrap_or_else(|error| {
            let code = error.code();
            self.error(match aim {
                Some(aim) => error.aimed(aim),
                None => error,
            });
            code
        })
    }

    /// Says how many lines were left out, once there is a place to say it.
    pub(super) fn own_up(&mut self) {
        if self.dropped == 0 {
            return;
        }
        let lines = if self.dropped == 1 { "line was" } else { "lines were" };
        let line = format!("{} {lines} left out here: nobody read them", self.dropped);
        if self.queue.try_send(Said::Note(line)).is_ok() {
            self.dropped = 0;
        }
    }

    /// Ends when all is said: perhaps never.
    pub(super) async fn finish(mut self) {
        self.own_up();
        drop(self.queue);
        let _ = self.done.await;
    }

    fn say(&mut self, said: Said) {
        self.own_up();
        if self.dropped > 0 || matches!(self.queue.try_send(said), Err(TrySendError::Full(_))) {
            self.dropped += 1;
        }
    }
}

/// Until nobody is left who could say something.
fn print(queue: &Receiver<Said>, printer: &Printer, place: Where) {
    while let Ok(said) = queue.recv() {
        // In the background stderr is a file, and stdout whoever waits until it is ready: that one is told even when the
        // file can't be written, and goes away at some time.
        let copy = match &said {
            _ if place == Where::Terminal => None,
            Said::Note(line) | Said::Hint(line) => Some(format!("{line}\n")),
            Said::Error(error) => Some(format!("{error}\n")),
            Said::Result(_) => None,
        };
        match said {
            Said::Note(line) => printer.note(&line),
            Said::Hint(line) => printer.hint(&line),
            Said::Error(error) => printer.error(&error),
            Said::Result(text) => {
                if let Err(error) = printer.text(&text) {
                    printer.error(&error);
                }
            }
        }
        if let Some(copy) = copy {
            let _ = printer.text(&copy);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::mpsc;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;
    use crate::output::Colour;
    use crate::output::tests::{Sink, captured};

    const LONG: Duration = Duration::from_secs(20);

    /// A terminal that is held until somebody lets it go.
    struct Held(mpsc::Sender<()>, mpsc::Receiver<()>, Sink);

    impl Write for Held {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _ = self.0.send(());
            let _ = self.1.recv();
            self.2.write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_reader_that_does_not_read_holds_nobody_and_learns_what_it_missed() {
        let (writes, written) = mpsc::channel();
        let (go, held) = mpsc::channel();
        let err = Sink::default();
        let printer = Printer::new(
            Box::new(Sink::default()),
            Box::new(Held(writes, held, err.clone())),
            Colour::default(),
            false,
        );
        let mut teller = Teller::start(printer, Where::Terminal).unwrap();
        teller.note("the first");
        written.recv_timeout(LONG).unwrap();
        for line in 0..QUEUE + 99 {
            teller.note(format!("line {line}"));
        }
        assert_eq!(teller.dropped, 99);
        drop(go);
        let missed = "\n99 lines were left out here: nobody read them\n";
        timeout(LONG, async {
            while !err.text().ends_with(missed) {
                teller.own_up();
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
        teller.note("the last");
        timeout(LONG, teller.finish()).await.unwrap();
        let text = err.text();
        assert!(text.ends_with(&format!("{missed}the last\n")), "{text}");
    }

    #[tokio::test]
    async fn in_the_background_whoever_waits_is_told_too() {
        let (printer, out, err) = captured();
        let mut teller = Teller::start(printer, Where::Background).unwrap();
        teller.note("service-a-1: starting");
        teller.error(Error::new(ExitCode::Failed, "cannot write up.json").why("disk full"));
        timeout(LONG, teller.finish()).await.unwrap();
        let all = "service-a-1: starting\nerror: cannot write up.json\n  why: disk full\n";
        assert_eq!((out.text().as_str(), err.text().as_str()), (all, all));
    }
}
