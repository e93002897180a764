//! What runs in the pod, and with what.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{AbsolutePath, Quantity};

/// An object of the same namespace, by name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LocalObject {
    /// Name of the object.
    #[schemars(extend("format" = "subdomain"))]
    pub name: String,
}

/// Startup, readiness and liveness.
///
/// They ask the admin port when there is one, else the traffic port; a probe without a path only opens a connection.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Probes {
    /// Until it succeeds the others wait.
    pub startup: Probe,
    /// While it fails the pod gets no traffic.
    pub readiness: Probe,
    /// When it fails the container is restarted.
    pub liveness: Probe,
}

/// One probe.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Probe {
    /// Path to get; a connection is enough when unset.
    #[serde(default)]
    pub path: Option<AbsolutePath>,
    /// Seconds between two probes.
    #[schemars(range(min = 1, max = 3600))]
    pub period_seconds: i32,
    /// Seconds that an answer may take.
    #[schemars(range(min = 1, max = 3600))]
    pub timeout_seconds: i32,
    /// Failures in a row that count.
    #[schemars(range(min = 1, max = 3600))]
    pub failure_threshold: i32,
}

/// Requests and limits, by resource name.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// What the scheduler reserves.
    #[serde(default)]
    pub requests: BTreeMap<String, Quantity>,
    /// What the container may not exceed.
    #[serde(default)]
    pub limits: BTreeMap<String, Quantity>,
}

/// Users, groups and the root file system.
///
/// The rest of Pod Security `restricted` is not up to values: no root, no privileges, no capabilities, the runtime's seccomp profile.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SecurityContext {
    /// User to run as; the image's when unset, which then has to be a number other than 0.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub run_as_user: Option<i64>,
    /// Group to run as.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub run_as_group: Option<i64>,
    /// Group that owns the volumes.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub fs_group: Option<i64>,
    /// Whether the root file system is read-only.
    pub read_only_root_filesystem: bool,
}

/// A writable /tmp.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Tmp {
    /// Its size; there is no /tmp when unset.
    #[serde(default)]
    pub size_limit: Option<Quantity>,
}

/// A volume and the place where it is mounted; exactly one source.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Volume {
    /// Where it is mounted.
    pub mount_path: AbsolutePath,
    /// Whether the container may only read it.
    #[serde(default)]
    pub read_only: Option<bool>,
    /// A path within the volume.
    #[serde(default)]
    pub sub_path: Option<String>,
    /// An empty folder that lives as long as the pod.
    #[serde(default)]
    pub empty_dir: Option<EmptyDirVolume>,
    /// Files from a `ConfigMap`.
    #[serde(default)]
    pub config_map: Option<ConfigMapVolume>,
    /// A claim that exists.
    #[serde(default)]
    pub persistent_volume_claim: Option<PersistentVolume>,
}

/// An empty folder that lives as long as the pod.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct EmptyDirVolume {
    /// Most that it may hold.
    #[serde(default)]
    pub size_limit: Option<Quantity>,
}

/// Files from a `ConfigMap`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ConfigMapVolume {
    /// Name of the `ConfigMap`.
    #[schemars(extend("format" = "subdomain"))]
    pub name: String,
}

/// A claim that exists.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PersistentVolume {
    /// Name of the claim.
    #[schemars(extend("format" = "subdomain"))]
    pub claim_name: String,
}

/// A Secret, mounted as files that only the pod's group can read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SecretFiles {
    /// Name of the Secret.
    #[schemars(extend("format" = "subdomain"))]
    pub secret_name: String,
    /// Where its files are.
    pub mount_path: AbsolutePath,
}

/// A taint that the pods tolerate.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Toleration {
    /// Key of the taint; every key when unset.
    #[serde(default)]
    pub key: Option<String>,
    /// How the value is compared.
    #[serde(default)]
    pub operator: Option<TolerationOperator>,
    /// Value of the taint.
    #[serde(default)]
    pub value: Option<String>,
    /// Effect of the taint; every effect when unset.
    #[serde(default)]
    pub effect: Option<TolerationEffect>,
    /// Seconds that a `NoExecute` taint is tolerated.
    #[serde(default)]
    pub toleration_seconds: Option<i64>,
}

/// How the value of a taint is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum TolerationOperator {
    Exists,
    Equal,
}

/// What a taint does to a pod that does not tolerate it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum TolerationEffect {
    NoSchedule,
    PreferNoSchedule,
    NoExecute,
}
