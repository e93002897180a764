//! Ctrl-C, SIGTERM, and a terminal that goes away (SIGHUP): the work is dropped, what it holds is given back, the exit code is 130.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use tokio::time::Instant;

use crate::error::{Error, ExitCode};

/// The number of the last signal that was listened for: for who waits where no task is polled.
static LAST: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);

/// Signals closer together are one: `timeout -s INT` of GNU signals its child, and then its whole process group.
const SAME: Duration = Duration::from_millis(200);

/// Listens from the moment it is made; the default (the process dies at once) is off from then on.
#[derive(Debug)]
pub(crate) struct Interrupt {
    ctrl_c: Signal,
    terminate: Signal,
    hangup: Option<Signal>,
    heard: Heard,
    /// Held, so that it is not SIGHUP's default that happens.
    _deaf: Option<Signal>,
}

impl Interrupt {
    /// SIGHUP too, unless `nohup` said otherwise. Must be called inside the runtime.
    pub(crate) fn listen() -> Result<Self, Error> {
        // A listener would take the place of what `nohup` set; where that can't be seen, SIGHUP keeps its default.
        let heard = std::fs::read_to_string("/proc/self/status").is_ok_and(|status| !ignores_hangup(&status));
        let hangup = if heard { Some(listen(SignalKind::hangup())?) } else { None };
        Ok(Self { hangup, ..Self::without_hangup()? })
    }

    /// SIGHUP does nothing.
    pub(crate) fn listen_without_hangup() -> Result<Self, Error> {
        Ok(Self { _deaf: Some(stream(SignalKind::hangup())?), ..Self::without_hangup()? })
    }

    fn without_hangup() -> Result<Self, Error> {
        Ok(Self {
            ctrl_c: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: None,
            heard: Heard::default(),
            _deaf: None,
        })
    }

    /// Resolves at the next signal, with its name; after the first one, only when somebody asks once more.
    pub(crate) async fn signalled(&mut self) -> &'static str {
        loop {
            let Self { ctrl_c, terminate, hangup, .. } = self;
            let gone = async {
                match hangup {
                    Some(hangup) => hangup.recv().await,
                    None => std::future::pending().await,
                }
            };
            let (what, kind) = tokio::select! {
                _ = ctrl_c.recv() => (What::Asked, SignalKind::interrupt()),
                _ = terminate.recv() => (What::Asked, SignalKind::terminate()),
                _ = gone => (What::Gone, SignalKind::hangup()),
            };
            if self.heard.counts(what, Instant::now()) {
                return name(kind);
            }
        }
    }

    /// Resolves when somebody asks, and not for a terminal that goes away.
    pub(crate) async fn insisted(&mut self) {
        loop {
            tokio::select! {
                _ = self.ctrl_c.recv() => {}
                _ = self.terminate.recv() => {}
            }
            if self.heard.counts(What::Asked, Instant::now()) {
                return;
            }
        }
    }

    /// `work`, unless a signal comes first: `work` is then dropped, and the error says `what` was interrupted.
    pub(crate) async fn or<T>(&mut self, what: &str, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        // One that came between two listeners.
        if let (None, Some(signal)) = (self.heard.0, last()) {
            self.has_heard();
            return Err(interrupted(what, signal));
        }
        tokio::select! {
            biased;
            signal = self.signalled() => Err(interrupted(what, signal)),
            result = work => {
                // A wait outside of the runtime has heard it first.
                if result.as_ref().is_err_and(|error| error.code() == ExitCode::Interrupted) {
                    self.has_heard();
                }
                result
            }
        }
    }

    /// Whoever asks once more from here on is impatient: the signal that is on its way here is none of its own.
    fn has_heard(&mut self) {
        self.heard.counts(What::Asked, Instant::now());
    }
}

/// The signal that has come, if one has that was listened for.
pub(crate) fn last() -> Option<&'static str> {
    let last = i32::try_from(LAST.load(Ordering::Relaxed)).ok()?;
    [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()]
        .into_iter()
        .find(|kind| kind.as_raw_value() == last)
        .map(name)
}

/// As the error has it.
fn name(kind: SignalKind) -> &'static str {
    match kind {
        kind if kind == SignalKind::interrupt() => "SIGINT (Ctrl-C)",
        kind if kind == SignalKind::terminate() => "SIGTERM",
        _ => "SIGHUP: its terminal is gone",
    }
}

/// The error for `what` a signal ended.
pub(crate) fn interrupted(what: &str, signal: &str) -> Error {
    Error::new(ExitCode::Interrupted, format!("interrupted: {what}")).why(format!("it got {signal}"))
}

/// What a signal says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// Somebody wants it to end.
    Asked,
    /// The terminal is gone.
    Gone,
}

/// When the last signal came.
#[derive(Debug, Default)]
struct Heard(Option<Instant>);

impl Heard {
    /// Whether a signal is one of its own. A terminal that goes away may send two, by its shell and by the kernel, and
    /// nobody is impatient then.
    fn counts(&mut self, what: What, now: Instant) -> bool {
        let counts = match self.0 {
            None => true,
            Some(last) => what == What::Asked && now.duration_since(last) >= SAME,
        };
        // What does not count does not put off what comes after it.
        if counts {
            self.0 = Some(now);
        }
        counts
    }
}

fn listen(kind: SignalKind) -> Result<Signal, Error> {
    let signal = stream(kind)?;
    // Number by number: a second listener makes no difference.
    let number = kind.as_raw_value();
    let last = usize::try_from(number).unwrap_or_default();
    signal_hook::flag::register_usize(number, LAST.clone(), last).map_err(|cause| deaf(kind, &cause))?;
    Ok(signal)
}

fn stream(kind: SignalKind) -> Result<Signal, Error> {
    signal(kind).map_err(|cause| deaf(kind, &cause))
}

fn deaf(kind: SignalKind, cause: &std::io::Error) -> Error {
    Error::new(ExitCode::Failed, format!("cannot listen for {}", name(kind)))
        .why(cause.to_string())
        .place("this machine")
}

/// Of `/proc/PID/status`: a mask in hexadecimal, whose lowest bit is signal 1.
fn ignores_hangup(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_asks_once_more_is_impatient() {
        use What::{Asked, Gone};
        for (signals, counted) in [
            (&[(0, Asked)][..], &[true][..]),
            (&[(0, Gone)], &[true]),
            (&[(0, Asked), (3, Asked)], &[true, false]),
            (&[(0, Asked), (150, Asked), (250, Asked)], &[true, false, true]),
            (&[(0, Asked), (200, Asked)], &[true, true]),
            (&[(0, Gone), (3, Gone), (900, Gone)], &[true, false, false]),
            (&[(0, Gone), (900, Asked)], &[true, true]),
            (&[(0, Asked), (900, Gone)], &[true, false]),
        ] {
            let (mut heard, start) = (Heard::default(), Instant::now());
            let heard: Vec<bool> = signals
                .iter()
                .map(|(after, what)| heard.counts(*what, start + Duration::from_millis(*after)))
                .collect();
            assert_eq!(heard, counted, "{signals:?}");
        }
    }

    #[test]
    fn the_lowest_bit_of_the_ignored_signals_is_sighup() {
        assert!(ignores_hangup("Name:\tmsctl\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n"));
        assert!(!ignores_hangup("SigBlk:\t0000000000000001\nSigIgn:\t0000000000001000\nSigCgt:\t0000000000000001\n"));
        assert!(!ignores_hangup(""));
    }
}
