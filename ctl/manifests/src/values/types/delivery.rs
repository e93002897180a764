//! How pods come, go and multiply.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Percent;

/// How a pod is taken out of service.
///
/// The pod gets `delaySeconds + timeoutSeconds` and a margin before it is killed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Drain {
    /// Who waits for the endpoints to propagate.
    pub by: DrainBy,
    /// Traffic is still served for so long after the pod was told to stop.
    #[schemars(range(min = 0, max = 3600))]
    pub delay_seconds: i64,
    /// What is under way gets so long after that.
    #[schemars(range(min = 1, max = 3600))]
    pub timeout_seconds: i64,
}

/// Who waits for the endpoints to propagate before connections are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DrainBy {
    /// The service itself, told by `DRAIN_DELAY` and `DRAIN_TIMEOUT`.
    Service,
    /// The kubelet, which sleeps before it signals the container.
    Kubelet,
}

/// How a new version replaces the old one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Rollout {
    /// Pods above the number asked for.
    pub max_surge: Percent,
    /// Pods below the number asked for.
    pub max_unavailable: Percent,
    /// A rollout without progress for so long has failed.
    #[schemars(range(min = 1, max = 86400))]
    pub progress_deadline_seconds: i32,
    /// Old `ReplicaSets` to keep for `kubectl rollout undo`.
    #[schemars(range(min = 0, max = 100))]
    pub revision_history_limit: i32,
}

/// `HorizontalPodAutoscaler`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Autoscaling {
    /// Whether an autoscaler sets the number of pods.
    pub enabled: bool,
    /// Least pods.
    #[schemars(range(min = 1))]
    pub min_replicas: i32,
    /// Most pods.
    #[schemars(range(min = 1))]
    pub max_replicas: i32,
    /// Average CPU to aim at, in percent of the request.
    #[serde(default, rename = "targetCPUUtilizationPercentage")]
    #[schemars(range(min = 1, max = 1000))]
    pub target_cpu_utilization_percentage: Option<i32>,
    /// Average memory to aim at, in percent of the request.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1000))]
    pub target_memory_utilization_percentage: Option<i32>,
}

/// `PodDisruptionBudget`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Disruptions {
    /// Whether there is one.
    pub enabled: bool,
    /// Pods that an eviction may take down at a time.
    pub max_unavailable: Percent,
}
