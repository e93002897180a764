//! Ctrl-C and SIGTERM: the work is dropped, what it holds is given back, the exit code is 130.

use std::future::Future;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::{Error, ExitCode};

/// Listens from the moment it is made; the default (the process dies at once) is off from then on.
#[derive(Debug)]
pub(crate) struct Interrupt {
    ctrl_c: Signal,
    terminate: Signal,
    hangup: Option<Signal>,
    /// Held, so that it is not SIGHUP's default that happens.
    _deaf: Option<Signal>,
}

impl Interrupt {
    /// Must be called inside the runtime.
    pub(crate) fn listen() -> Result<Self, Error> {
        Ok(Self {
            ctrl_c: listen(SignalKind::interrupt(), "Ctrl-C")?,
            terminate: listen(SignalKind::terminate(), "SIGTERM")?,
            hangup: None,
            _deaf: None,
        })
    }

    /// SIGHUP does nothing.
    pub(crate) fn listen_without_hangup() -> Result<Self, Error> {
        Ok(Self { _deaf: Some(listen(SignalKind::hangup(), "SIGHUP")?), ..Self::listen()? })
    }

    /// For what must not be left half-way by a terminal that goes away: SIGHUP too, unless `nohup` said otherwise.
    pub(crate) fn listen_hangup() -> Result<Self, Error> {
        // A listener would take the place of what `nohup` set.
        let ignored = std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores_hangup(&status));
        let hangup = if ignored { None } else { Some(listen(SignalKind::hangup(), "SIGHUP")?) };
        Ok(Self { hangup, ..Self::listen()? })
    }

    /// Resolves at the next signal.
    pub(crate) async fn signalled(&mut self) {
        let Self { ctrl_c, terminate, hangup, .. } = self;
        let hangup = async {
            match hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = ctrl_c.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup => {}
        }
    }

    /// Resolves when somebody asks once more: a terminal that goes away may send SIGHUP twice, by its shell and by the
    /// kernel, and nobody is impatient then.
    pub(crate) async fn insisted(&mut self) {
        tokio::select! {
            _ = self.ctrl_c.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// `work`, unless a signal comes first: `work` is then dropped, and the error says `what` was interrupted.
    pub(crate) async fn or<T>(&mut self, what: &str, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        tokio::select! {
            biased;
            () = self.signalled() => {
                Err(Error::new(ExitCode::Interrupted, format!("interrupted: {what}")))
            }
            result = work => result,
        }
    }

    /// As `or`, for what leaves something behind; `look` is the command that shows it.
    pub(crate) async fn or_look<T>(
        &mut self,
        what: &str,
        look: &str,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let outcome = self.or(what, work).await;
        outcome.map_err(|error| if error.code() == ExitCode::Interrupted { error.next(look) } else { error })
    }
}

fn listen(kind: SignalKind, name: &str) -> Result<Signal, Error> {
    signal(kind)
        .map_err(|cause| Error::new(ExitCode::Failed, format!("cannot listen for {name}")).why(cause.to_string()))
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
    fn the_lowest_bit_of_the_ignored_signals_is_sighup() {
        assert!(ignores_hangup("Name:\tmsctl\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n"));
        assert!(!ignores_hangup("SigBlk:\t0000000000000001\nSigIgn:\t0000000000001000\nSigCgt:\t0000000000000001\n"));
        assert!(!ignores_hangup(""));
    }
}
