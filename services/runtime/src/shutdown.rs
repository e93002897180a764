//! Who asks the service to leave: signals, or a test.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// Requests to shut down: the first begins the drain, the second cuts it short.
#[derive(Debug)]
pub struct Shutdown(Source);

#[derive(Debug)]
enum Source {
    Signals { terminate: Signal, interrupt: Signal },
    Hand(mpsc::Receiver<()>),
}

/// Asks for a shutdown within the process.
#[derive(Clone, Debug)]
pub struct Trigger(mpsc::Sender<()>);

impl Shutdown {
    /// SIGTERM (Kubernetes, systemd) and SIGINT (Ctrl-C).
    pub fn on_signals() -> io::Result<Self> {
        Ok(Self(Source::Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        }))
    }

    /// By hand, for tests.
    pub fn by_hand() -> (Trigger, Self) {
        let (sender, receiver) = mpsc::channel(2);
        (Trigger(sender), Self(Source::Hand(receiver)))
    }

    /// Waits for the next request; what asked.
    pub(crate) async fn asked(&mut self) -> &'static str {
        match &mut self.0 {
            Source::Signals { terminate, interrupt } => tokio::select! {
                Some(()) = terminate.recv() => "SIGTERM",
                Some(()) = interrupt.recv() => "SIGINT",
            },
            Source::Hand(receiver) => match receiver.recv().await {
                Some(()) => "the trigger",
                // Nobody is left who could ask.
                None => std::future::pending().await,
            },
        }
    }
}

impl Trigger {
    /// Asks once more; what was asked more than twice already is enough.
    pub fn pull(&self) {
        let _ = self.0.try_send(());
    }
}
