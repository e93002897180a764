//! What the supervisor answers: the results of its operations, and how its services are.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Applied {
    pub name: String,
    pub action: Action,
    pub ready: u32,
    pub wanted: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    Created,
    Configured,
    Unchanged,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scaled {
    /// Replicas wanted before.
    pub before: u32,
    pub replicas: u32,
    pub ready: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deleted {
    pub name: String,
    /// Names of the replicas that were ended.
    pub replicas: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceStatus {
    pub name: String,
    pub state: ServiceState,
    pub ready: u32,
    pub wanted: u32,
    pub port: u16,
    pub version: String,
    pub argv: Vec<String>,
    /// When it was deployed as it is now.
    pub since: Timestamp,
    pub reasons: Vec<Reason>,
    pub replicas: Vec<ReplicaStatus>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ServiceState {
    Ready,
    /// Scaled to none.
    Stopped,
    Progressing,
    Failing,
}

/// Why a service is not ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reason {
    /// A replica, or the service.
    pub subject: String,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplicaStatus {
    pub name: String,
    /// None between a crash and the next start.
    pub pid: Option<u32>,
    pub port: u16,
    pub admin_port: Option<u16>,
    pub ready: bool,
    pub restarts: u32,
    /// When its process started, or ended.
    pub since: Timestamp,
    pub state: ReplicaState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ReplicaState {
    Starting,
    Ready,
    /// Was ready, and its readiness probe fails.
    Unready,
    /// Crashed; waits to be started again.
    BackingOff,
    /// Told to end.
    Stopping,
    Ended,
}
