//! How a tunnel is made, and what it tells meanwhile.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::relay::Cidr;

/// When the kubelet pulls the relay's image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PullPolicy {
    Always,
    #[default]
    IfNotPresent,
    Never,
}

impl PullPolicy {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Always => "Always",
            Self::IfNotPresent => "IfNotPresent",
            Self::Never => "Never",
        }
    }
}

/// Hears what a tunnel waits for.
pub type ProgressFn = Arc<dyn Fn(&Progress) + Send + Sync>;

/// Where the relay runs and how long anything may take.
#[derive(Clone)]
pub struct TunnelOptions {
    /// The relay's namespace: that of the target, so that short names and network policies are the target's.
    pub namespace: String,
    /// The image that holds msctl, by full name and tag.
    pub image: String,
    pub pull_policy: PullPolicy,
    /// Names of Secrets in the namespace.
    pub pull_secrets: Vec<String>,
    /// From nothing to a relay that answers. 60 s.
    pub start_timeout: Duration,
    /// One dial, the relay being there. 10 s.
    pub dial_timeout: Duration,
    /// The relay ends itself after so long without a stream. 10 minutes.
    pub idle_timeout: Duration,
    /// Ranges that may be dialled beside the private ones and what the cluster's own zone names.
    pub allow: Vec<Cidr>,
    /// Where the pod's name is remembered between runs; none: nowhere. `$XDG_CACHE_HOME/msctl` or `~/.cache/msctl`.
    pub cache_dir: Option<PathBuf>,
    pub progress: Option<ProgressFn>,
    /// Cancel it on Ctrl-C and wait for `open` or `dial` to return: a relay that was being made is removed first.
    pub cancel: CancellationToken,
}

impl TunnelOptions {
    pub fn new(namespace: impl Into<String>, image: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            image: image.into(),
            pull_policy: PullPolicy::default(),
            pull_secrets: Vec::new(),
            start_timeout: Duration::from_mins(1),
            dial_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_mins(10),
            allow: Vec::new(),
            cache_dir: super::remember::default_dir(),
            progress: None,
            cancel: CancellationToken::new(),
        }
    }

    pub(super) fn report(&self, progress: &Progress) {
        tracing::debug!(%progress, "relay");
        if let Some(tell) = &self.progress {
            tell(progress);
        }
    }
}

impl fmt::Debug for TunnelOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TunnelOptions")
            .field("namespace", &self.namespace)
            .field("image", &self.image)
            .finish_non_exhaustive()
    }
}

/// What is going on while a tunnel is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// There is no relay: one is being made.
    Creating {
        job: String,
    },
    /// An old one is in the way and is being removed.
    Replacing {
        job: String,
        why: String,
    },
    /// Told once for each new reason.
    Waiting {
        reason: String,
    },
    /// The connection was lost and is being made anew.
    Reconnecting {
        cause: String,
    },
    /// It works, but not as well as it could.
    Warning {
        message: String,
    },
    Connected {
        pod: String,
        created: bool,
        elapsed: Duration,
    },
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Creating { job } => write!(f, "starting relay {job}"),
            Self::Replacing { job, why } => write!(f, "replacing relay {job}: {why}"),
            Self::Waiting { reason } => write!(f, "waiting for the relay: {reason}"),
            Self::Reconnecting { cause } => write!(f, "reconnecting to the relay: {cause}"),
            Self::Warning { message } => f.write_str(message),
            Self::Connected { pod, created: true, elapsed } => {
                write!(f, "relay {pod} started in {:.1} s", elapsed.as_secs_f64())
            }
            Self::Connected { pod, created: false, .. } => write!(f, "relay {pod} reached"),
        }
    }
}
