//! Opening the way from here to services: the relay's tunnel, or none at all inside a cluster. What it waits for is
//! said while it waits, and what it was making is taken back when it is given up.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use reach::{Cluster, Connector, Progress, Tunnel, TunnelError, TunnelOptions, Way};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::cli::call::{Via, WayArgs};
use crate::cluster::{failure, session};
use crate::error::{Error, ExitCode};
use crate::output::Printer;

/// The relay is msctl itself, in the image of the same version.
const RELAY_IMAGE: &str = concat!("ghcr.io/msctl/msctl:", env!("CARGO_PKG_VERSION"));
/// For one connection inside a cluster.
const DIAL_AT_MOST: Duration = Duration::from_secs(10);
/// Messages on their way to the printer; more than a relay has to say before it is there.
const MESSAGES: usize = 32;

/// Which way `--via` asks for, or the one that fits where we run.
pub(crate) fn chosen(args: &WayArgs) -> Way {
    reach::resolve_way(args.via.map(|via| match via {
        Via::Relay => Way::Relay,
        Via::Direct => Way::Direct,
    }))
}

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

/// Prints what the way has to say, while something goes on over it.
pub(crate) struct Voice<'a> {
    messages: mpsc::Receiver<Said>,
    printer: &'a Printer,
    verbose: bool,
}

impl std::fmt::Debug for Voice<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Voice").field("verbose", &self.verbose).finish_non_exhaustive()
    }
}

/// A connection of our own, from here.
pub(crate) fn direct() -> Connector {
    Connector::direct(DIAL_AT_MOST)
}

/// Opens `way` into `namespace`. Cancelling `cancel` takes back what was being made, and is waited for.
pub(crate) async fn open<'a>(
    way: Way,
    cluster: Option<&Cluster>,
    namespace: &str,
    args: &WayArgs,
    cancel: &CancellationToken,
    printer: &'a Printer,
) -> Result<(Connector, Voice<'a>), Error> {
    let (speak, messages) = mpsc::channel(MESSAGES);
    let mut voice = Voice { messages, printer, verbose: args.verbose };
    let (Way::Relay, Some(cluster)) = (way, cluster) else { return Ok((direct(), voice)) };
    let image = args.relay_image.clone().unwrap_or_else(|| RELAY_IMAGE.to_owned());
    let options = TunnelOptions {
        // A message that finds no place is an old one's repetition.
        progress: Some(Arc::new(move |progress| drop(speak.try_send(Said::from(progress))))),
        cancel: cancel.clone(),
        ..TunnelOptions::new(namespace, image)
    };
    // Large, and once a process.
    let opening = Box::pin(Tunnel::open(cluster, options));
    let tunnel = voice.over(opening).await.map_err(|cause| refused(cluster, namespace, &cause))?;
    Ok((Connector::relay(tunnel), voice))
}

impl Voice<'_> {
    /// `work`, and what is said meanwhile.
    pub(crate) async fn over<T>(&mut self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        let outcome = loop {
            tokio::select! {
                biased;
                outcome = &mut work => break outcome,
                Some(said) = self.messages.recv() => self.print(said),
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

fn refused(cluster: &Cluster, namespace: &str, cause: &TunnelError) -> Error {
    let error = Error::new(failure::code(cause.trouble()), format!("cannot open a way into namespace {namespace}"))
        .why(cause.to_string())
        .place(session::place(cluster));
    match cause.hint() {
        Some(hint) => error.next(hint),
        None => error,
    }
}

/// `work` until it is done, `timeout` passes or a signal comes. Given up, it is told by `cancel` and has a moment to
/// take back what it was making.
pub(crate) async fn bounded<T>(
    what: &str,
    timeout: Duration,
    interrupt: &mut crate::interrupt::Interrupt,
    cancel: &CancellationToken,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    /// One request to the API server, on a slow day.
    const MOMENT: Duration = Duration::from_secs(3);
    tokio::pin!(work);
    let given_up = tokio::select! {
        biased;
        () = interrupt.signalled() => Error::new(ExitCode::Interrupted, format!("interrupted: {what}")),
        outcome = &mut work => return outcome,
        () = tokio::time::sleep(timeout) => {
            Error::new(ExitCode::TimedOut, format!("{what}: not done within {timeout:?}"))
                .next("a longer --timeout, or `msctl status` for what keeps it")
        }
    };
    cancel.cancel();
    // A second signal ends the moment too.
    tokio::select! {
        _ = tokio::time::timeout(MOMENT, work) => {}
        () = interrupt.signalled() => {}
    }
    Err(given_up)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interrupt::Interrupt;

    async fn never(cancel: CancellationToken) -> Result<(), Error> {
        cancel.cancelled().await;
        Err(Error::new(ExitCode::Failed, "cancelled"))
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_takes_too_long_is_told_and_its_end_awaited() {
        let cancel = CancellationToken::new();
        let mut interrupt = Interrupt::listen().unwrap();
        let work = never(cancel.clone());
        let error = bounded("calling a", Duration::from_secs(5), &mut interrupt, &cancel, work).await.unwrap_err();
        assert_eq!(error.code(), ExitCode::TimedOut);
        assert!(cancel.is_cancelled());
        assert!(error.to_string().contains("calling a: not done within 5s"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_does_not_listen_is_left_after_a_moment() {
        let cancel = CancellationToken::new();
        let mut interrupt = Interrupt::listen().unwrap();
        let deaf = std::future::pending::<Result<(), Error>>();
        let error = bounded("x", Duration::from_secs(1), &mut interrupt, &cancel, deaf).await.unwrap_err();
        assert_eq!(error.code(), ExitCode::TimedOut);
    }
}
