//! Ctrl-C and SIGTERM: the work is dropped, what it holds is given back, the exit code is 130.

use std::future::Future;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::{Error, ExitCode};

/// Listens from the moment it is made; the default (the process dies at once) is off from then on.
#[derive(Debug)]
pub(crate) struct Interrupt {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupt {
    /// Must be called inside the runtime.
    pub(crate) fn listen() -> Result<Self, Error> {
        let failed =
            |cause: std::io::Error| Error::new(ExitCode::Failed, "cannot listen for Ctrl-C").why(cause.to_string());
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
        })
    }

    /// Resolves at the next SIGINT or SIGTERM.
    pub(crate) async fn signalled(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
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
}
