//! What a service is told to be: the wire form between `msctl deploy --local` and the supervisor.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One service, complete: nothing in it is left to defaults of the supervisor's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceSpec {
    /// RFC 1123 label, as a Kubernetes Service's.
    pub name: String,
    /// Command and arguments; the first is an absolute path.
    pub argv: Vec<String>,
    /// The working directory, absolute.
    pub folder: PathBuf,
    /// The service's one address is `127.0.0.1:port`.
    pub port: u16,
    /// Whether each replica gets an admin port of its own (`ADMIN_PORT`, `ADMIN_ADDR`).
    pub admin: bool,
    pub replicas: u32,
    /// Over the environment of `up`, below what the supervisor itself sets.
    pub env: BTreeMap<String, String>,
    pub startup: Probe,
    pub readiness: Probe,
    pub liveness: Probe,
    /// How long connections may take to end by themselves between leaving the balancer and SIGTERM, for a service that
    /// stops at once when it is told to. 0 for one that drains by itself.
    pub drain_delay_ms: u64,
    /// From SIGTERM to SIGKILL.
    pub stop_timeout_ms: u64,
    /// For people and for traces (`service.version`).
    pub version: String,
}

impl ServiceSpec {
    pub fn drain_delay(&self) -> Duration {
        Duration::from_millis(self.drain_delay_ms)
    }

    pub fn stop_timeout(&self) -> Duration {
        Duration::from_millis(self.stop_timeout_ms)
    }

    /// Whether both run the same processes: all but the number of replicas.
    pub fn runs_as(&self, other: &Self) -> bool {
        *self == Self { replicas: self.replicas, ..other.clone() }
    }
}

/// How a replica is asked whether it is well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Probe {
    /// `GET` of it has to answer 200 to 399; without one, a connection is enough.
    pub path: Option<String>,
    /// Ask the admin port instead of the traffic port.
    pub admin: bool,
    pub period_ms: u64,
    pub timeout_ms: u64,
    /// Failures in a row that count; 0 means 1.
    pub failures: u32,
}

impl Probe {
    pub fn period(&self) -> Duration {
        Duration::from_millis(self.period_ms.max(1))
    }

    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms.max(1))
    }

    pub fn failures(&self) -> u32 {
        self.failures.max(1)
    }

    /// How long the process may take until the startup probe succeeds.
    pub fn budget(&self) -> Duration {
        self.period().saturating_mul(self.failures())
    }
}
