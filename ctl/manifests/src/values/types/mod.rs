//! The values of one service, as types.
//!
//! Every field here is a key of `values.yaml`; the draft-07 schemas of the charts are generated from these types, and the
//! defaults live in the charts alone. A field that has no default in the charts is an `Option`; lists and maps that were deleted
//! (`null`) are empty.

mod database;
mod delivery;
mod network;
mod pod;
mod scalars;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

pub use database::{Database, DatabaseKind, PostgresDatabase, SqliteDatabase};
pub use delivery::{Autoscaling, Disruptions, Drain, DrainBy, Rollout};
pub use network::{
    HttpPath, HttpPathType, HttpRoute, Ingress, IngressHost, IngressPath, IngressTls, IpBlock, LabelSelector,
    NetworkPolicy, NetworkPolicyEgress, ParentRef, PathType, Peer, SelectorOperator, SelectorRequirement,
};
pub use pod::{
    ConfigMapVolume, EmptyDirVolume, LocalObject, PersistentVolume, Probe, Probes, Resources, SecretFiles,
    SecurityContext, Tmp, Toleration, TolerationEffect, TolerationOperator, Volume,
};
pub use scalars::{AbsolutePath, AnnotationValue, EnvValue, LabelText, Number, Percent, Quantity};

/// Everything that may be said about one service.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Values {
    /// What the service is within its application: the label app.kubernetes.io/component.
    pub component: LabelText,
    /// The application that the service belongs to: the label app.kubernetes.io/part-of; the service itself when unset.
    #[serde(default)]
    pub part_of: Option<LabelText>,
    /// The image to run.
    pub image: Image,
    /// Secrets of the registry's credentials.
    #[serde(default)]
    pub image_pull_secrets: Vec<LocalObject>,
    /// The entry point, instead of the image's.
    #[serde(default)]
    pub command: Vec<String>,
    /// Arguments, instead of the image's.
    #[serde(default)]
    pub args: Vec<String>,
    /// Pods to run; unset leaves the number to whoever set it last. Not used while autoscaling is on.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub replicas: Option<i32>,
    /// The traffic port and its Service.
    pub service: Service,
    /// The admin port: probes and metrics.
    pub admin: Admin,
    /// Startup, readiness and liveness.
    pub probes: Probes,
    /// Requests and limits of the container.
    pub resources: Resources,
    /// Extra environment, by name. It wins over what the chart sets itself.
    #[serde(default)]
    #[schemars(schema_with = "scalars::env_schema")]
    pub env: BTreeMap<String, EnvValue>,
    /// The service's own database.
    pub database: Database,
    /// Where traces go.
    pub telemetry: Telemetry,
    /// How a pod is taken out of service.
    pub drain: Drain,
    /// How a new version replaces the old one.
    pub rollout: Rollout,
    /// `HorizontalPodAutoscaler`.
    pub autoscaling: Autoscaling,
    /// `PodDisruptionBudget`.
    pub pod_disruption_budget: Disruptions,
    /// `NetworkPolicy`.
    pub network_policy: NetworkPolicy,
    /// Ingress.
    pub ingress: Ingress,
    /// `HTTPRoute` of the Gateway API.
    pub http_route: HttpRoute,
    /// The service account of the pods.
    pub service_account: ServiceAccount,
    /// Users, groups and the root file system of the pods.
    pub security_context: SecurityContext,
    /// A writable /tmp.
    pub tmp: Tmp,
    /// Volumes by name, each with the place where it is mounted.
    #[serde(default)]
    pub volumes: BTreeMap<String, Volume>,
    /// Secrets by volume name, mounted as files.
    #[serde(default)]
    pub secrets: BTreeMap<String, SecretFiles>,
    /// Labels that a node must have.
    #[serde(default)]
    pub node_selector: BTreeMap<String, LabelText>,
    /// Taints that the pods tolerate.
    #[serde(default)]
    pub tolerations: Vec<Toleration>,
    /// `PriorityClass` of the pods.
    #[serde(default)]
    #[schemars(extend("format" = "subdomain"))]
    pub priority_class_name: Option<String>,
    /// Extra annotations of the pods.
    #[serde(default)]
    pub pod_annotations: BTreeMap<String, AnnotationValue>,
    /// Extra labels of the pods.
    #[serde(default)]
    pub pod_labels: BTreeMap<String, LabelText>,
    /// What `helm test` does; msctl has no use for it.
    pub test: Test,
}

/// An image, by full registry name and tag or digest.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Image {
    /// Registry and name, such as ghcr.io/acme/orders.
    #[serde(default)]
    #[schemars(extend("format" = "image-repository"))]
    pub repository: Option<String>,
    /// Version tag, such as 1.4.2.
    #[serde(default)]
    #[schemars(extend("format" = "image-tag"))]
    pub tag: Option<String>,
    /// Digest, such as sha256:…; it wins over the tag.
    #[serde(default)]
    #[schemars(extend("format" = "image-digest"))]
    pub digest: Option<String>,
    /// When the node pulls the image.
    pub pull_policy: PullPolicy,
}

/// When the node pulls the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum PullPolicy {
    Always,
    IfNotPresent,
    Never,
}

/// The traffic port and its Service.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Service {
    /// The port that the container listens on for traffic, and the Service's.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// More ports of the container and the Service, by name.
    #[serde(default)]
    #[schemars(schema_with = "scalars::extra_ports_schema")]
    pub extra_ports: BTreeMap<String, u16>,
    /// Annotations of the Service.
    #[serde(default)]
    pub annotations: BTreeMap<String, AnnotationValue>,
}

/// The admin port: probes and metrics. It is not part of the Service.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Admin {
    /// The admin port; unset when the service has none, and its probes then ask the traffic port.
    #[serde(default)]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u16>,
}

/// Where traces go.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Telemetry {
    /// Whether the service is told of traces at all. Off, it gets none of the `OTEL_*` variables, whatever the endpoint.
    pub enabled: bool,
    /// OTLP over HTTP, such as <http://jaeger:4318>; nothing is exported when unset or empty.
    #[serde(default)]
    #[schemars(extend("format" = "http-url"))]
    pub endpoint: Option<String>,
    /// Resource attributes beside pod, namespace, node and version.
    #[serde(default)]
    #[schemars(schema_with = "scalars::resource_attributes_schema")]
    pub resource_attributes: BTreeMap<String, String>,
}

impl Telemetry {
    /// Where spans are sent, if they are.
    pub(crate) fn exports_to(&self) -> Option<&str> {
        self.endpoint.as_deref().filter(|endpoint| self.enabled && !endpoint.is_empty())
    }
}

/// The service account of the pods.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ServiceAccount {
    /// Annotations, such as a cloud's workload identity.
    #[serde(default)]
    pub annotations: BTreeMap<String, AnnotationValue>,
}

/// What `helm test` does.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Test {
    /// The image that makes the request: msctl's.
    pub image: String,
    /// The path to get; the test fails unless the answer is 2xx or 3xx.
    pub path: AbsolutePath,
}
