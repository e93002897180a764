//! What somebody who waits wants to read, as it happens.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

/// Where an operation tells what it does. Events are dropped when nobody takes them: no operation waits for a reader.
pub type Events = mpsc::Sender<Event>;

/// One thing that happened to a replica, or to an operation. Its `Display` is a line for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Event {
    /// An operation that has not begun: another one on the same service is under way.
    Queued {
        service: String,
    },
    Starting {
        replica: String,
    },
    /// Still not ready: which probe, and what it last got.
    Waiting {
        replica: String,
        why: String,
    },
    Ready {
        replica: String,
        after_ms: u64,
    },
    /// Was ready, and its readiness probe fails.
    Unready {
        replica: String,
        why: String,
    },
    /// Its liveness probe failed for good; it is killed and started again.
    Unhealthy {
        replica: String,
        why: String,
    },
    /// Ended without being told to, or could not be started; it starts again after `again_ms`.
    Crashed {
        replica: String,
        how: String,
        again_ms: u64,
        last_line: Option<String>,
    },
    /// Out of the balancer, told to end.
    Stopping {
        replica: String,
    },
    Stopped {
        replica: String,
    },
    /// Did not end in time after SIGTERM.
    Killed {
        replica: String,
        after_ms: u64,
    },
    /// Its log can't be written: the service goes on, lines are lost.
    LogLost {
        replica: String,
        why: String,
    },
    /// Its log is written again.
    LogKept {
        replica: String,
        lost: u64,
    },
}

impl Event {
    /// The replica that it happened to, or the service.
    pub fn subject(&self) -> &str {
        match self {
            Self::Queued { service } => service,
            Self::Starting { replica }
            | Self::Waiting { replica, .. }
            | Self::Ready { replica, .. }
            | Self::Unready { replica, .. }
            | Self::Unhealthy { replica, .. }
            | Self::Crashed { replica, .. }
            | Self::Stopping { replica }
            | Self::Stopped { replica }
            | Self::Killed { replica, .. }
            | Self::LogLost { replica, .. }
            | Self::LogKept { replica, .. } => replica,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.subject())?;
        match self {
            Self::Queued { .. } => f.write_str("waits for the change that is under way"),
            Self::Starting { .. } => f.write_str("starting"),
            Self::Waiting { why, .. } => write!(f, "not ready yet: {why}"),
            Self::Ready { after_ms, .. } => write!(f, "ready in {}", Span(*after_ms)),
            Self::Unready { why, .. } => write!(f, "no longer ready: {why}"),
            Self::Unhealthy { why, .. } => write!(f, "unhealthy, is killed and started again: {why}"),
            Self::Crashed { how, again_ms, last_line, .. } => {
                write!(f, "{how}, starts again in {}", Span(*again_ms))?;
                last_line.as_ref().map_or(Ok(()), |line| write!(f, ": {line}"))
            }
            Self::Stopping { .. } => f.write_str("stopping"),
            Self::Stopped { .. } => f.write_str("stopped"),
            Self::Killed { after_ms, .. } => write!(f, "did not end within {}, killed", Span(*after_ms)),
            Self::LogLost { why, .. } => write!(f, "its log cannot be written, lines are lost: {why}"),
            Self::LogKept { lost, .. } => write!(f, "its log is written again; {lost} lines were lost"),
        }
    }
}

/// Milliseconds, as a person says them: `12 ms`, `3.5 s`.
pub(crate) struct Span(pub(crate) u64);

impl From<Duration> for Span {
    fn from(duration: Duration) -> Self {
        Self(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            millis @ 0..1000 => write!(f, "{millis} ms"),
            millis if millis % 1000 < 50 => write!(f, "{} s", millis / 1000),
            millis => write!(f, "{}.{} s", millis / 1000, millis % 1000 / 100),
        }
    }
}
