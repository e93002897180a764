//! Who reaches the service, and how.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{AbsolutePath, AnnotationValue, LabelText};

/// `NetworkPolicy`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct NetworkPolicy {
    /// Whether there is one.
    pub enabled: bool,
    /// Who may reach the traffic ports, beside msctl's relay in the same namespace. The admin port is open to all: probes come from
    /// the node and metrics are collected from elsewhere.
    #[serde(default)]
    pub from: Vec<Peer>,
    /// Who else may while an Ingress or `HTTPRoute` is on: the gateway's pods.
    #[serde(default)]
    pub gateway_from: Vec<Peer>,
    /// Where the service itself may connect to.
    pub egress: NetworkPolicyEgress,
}

/// Where the service itself may connect to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct NetworkPolicyEgress {
    /// Whether it is restricted at all. DNS stays possible, with `telemetry.endpoint` OTLP within the cluster, and with `database.kind:
    /// postgres` its usual port, 5432, anywhere.
    pub enabled: bool,
    /// Peers, on every port.
    #[serde(default)]
    pub to: Vec<Peer>,
}

/// A peer: pods, namespaces or addresses.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Peer {
    /// Pods, of the same namespace unless `namespaceSelector` says otherwise.
    #[serde(default)]
    pub pod_selector: Option<LabelSelector>,
    /// Namespaces.
    #[serde(default)]
    pub namespace_selector: Option<LabelSelector>,
    /// Addresses.
    #[serde(default)]
    pub ip_block: Option<IpBlock>,
}

/// Labels to match; empty matches all.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct LabelSelector {
    /// Labels that must be equal.
    #[serde(default)]
    pub match_labels: BTreeMap<String, LabelText>,
    /// Further requirements.
    #[serde(default)]
    pub match_expressions: Vec<SelectorRequirement>,
}

/// One requirement of a selector.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SelectorRequirement {
    /// Label key.
    pub key: String,
    /// How its value is compared.
    pub operator: SelectorOperator,
    /// Values to compare with.
    #[serde(default)]
    pub values: Vec<LabelText>,
}

/// How the value of a label is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum SelectorOperator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

/// Addresses.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct IpBlock {
    /// The range, such as 10.0.0.0/8.
    #[schemars(extend("format" = "cidr"))]
    pub cidr: String,
    /// Ranges within it that are left out.
    #[serde(default)]
    pub except: Vec<String>,
}

/// Ingress.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Ingress {
    /// Whether there is one.
    pub enabled: bool,
    /// `IngressClass`; the cluster's default when unset.
    #[serde(default)]
    #[schemars(extend("format" = "subdomain"))]
    pub class_name: Option<String>,
    /// Annotations of the Ingress.
    #[serde(default)]
    pub annotations: BTreeMap<String, AnnotationValue>,
    /// Hosts and their paths.
    #[serde(default)]
    pub hosts: Vec<IngressHost>,
    /// Certificates.
    #[serde(default)]
    pub tls: Vec<IngressTls>,
}

/// A host and its paths.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct IngressHost {
    /// Host name; every host when unset.
    #[serde(default)]
    pub host: Option<String>,
    /// Paths that go to the service.
    pub paths: Vec<IngressPath>,
}

/// A path that goes to the service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct IngressPath {
    /// The path.
    pub path: AbsolutePath,
    /// How it is matched.
    pub path_type: PathType,
}

/// How a path is matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum PathType {
    Prefix,
    Exact,
    ImplementationSpecific,
}

/// A certificate and its hosts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct IngressTls {
    /// Secret of the certificate; the controller's default when unset.
    #[serde(default)]
    pub secret_name: Option<String>,
    /// Hosts that it is for.
    #[serde(default)]
    pub hosts: Vec<String>,
}

/// `HTTPRoute` of the Gateway API.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct HttpRoute {
    /// Whether there is one.
    pub enabled: bool,
    /// Annotations of the `HTTPRoute`.
    #[serde(default)]
    pub annotations: BTreeMap<String, AnnotationValue>,
    /// Gateways to attach to.
    #[serde(default)]
    pub parent_refs: Vec<ParentRef>,
    /// Host names; every host when empty.
    #[serde(default)]
    pub hostnames: Vec<String>,
    /// Paths that go to the service.
    #[serde(default)]
    pub paths: Vec<HttpPath>,
}

/// A gateway to attach to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ParentRef {
    /// Name of the Gateway.
    pub name: String,
    /// Its namespace; the route's own when unset.
    #[serde(default)]
    pub namespace: Option<String>,
    /// One of its listeners.
    #[serde(default)]
    pub section_name: Option<String>,
    /// One of its ports.
    #[serde(default)]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u16>,
}

/// A path that goes to the service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct HttpPath {
    /// How it is matched.
    #[serde(rename = "type")]
    pub kind: HttpPathType,
    /// The path.
    pub value: AbsolutePath,
}

/// How a path of an `HTTPRoute` is matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum HttpPathType {
    PathPrefix,
    Exact,
}
