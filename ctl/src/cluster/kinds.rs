//! The kinds that msctl makes, so that no discovery is needed: group, version, plural, and how they are printed.

use std::fmt;

use kube::api::DynamicObject;
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// When an object is applied: what pods need to start comes first, what acts on a Deployment comes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Before any pod is made.
    Before,
    /// Makes pods, or refers to what does.
    Workload,
}

struct Kind {
    api_version: &'static str,
    name: &'static str,
    plural: &'static str,
    stage: Stage,
}

const fn kind(api_version: &'static str, name: &'static str, plural: &'static str, stage: Stage) -> Kind {
    Kind { api_version, name, plural, stage }
}

const KINDS: &[Kind] = &[
    kind("v1", "ServiceAccount", "serviceaccounts", Stage::Before),
    kind("v1", "ConfigMap", "configmaps", Stage::Before),
    kind("v1", "Secret", "secrets", Stage::Before),
    kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims", Stage::Before),
    kind("v1", "Service", "services", Stage::Before),
    kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", Stage::Before),
    kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", Stage::Before),
    kind("apps/v1", "Deployment", "deployments", Stage::Workload),
    kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", Stage::Workload),
    kind("networking.k8s.io/v1", "Ingress", "ingresses", Stage::Workload),
    kind("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes", Stage::Workload),
];

/// An object's address inside a namespace. Written `apps/v1/Deployment/service-a` in an inventory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct Reference {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) name: String,
}

/// An inventory or a manifest that names what msctl does not make.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the reference of an object that msctl makes")]
pub(crate) struct UnknownReference(String);

impl Reference {
    pub(crate) fn new(api_version: &str, kind: &str, name: &str) -> Self {
        Self { api_version: api_version.to_owned(), kind: kind.to_owned(), name: name.to_owned() }
    }

    /// Of a manifest.
    pub(crate) fn of(manifest: &Value) -> Result<Self, UnknownReference> {
        let text = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let reference = Self::new(text("/apiVersion"), text("/kind"), text("/metadata/name"));
        if reference.known().is_some() { Ok(reference) } else { Err(UnknownReference(reference.into())) }
    }

    pub(crate) fn is_deployment(&self) -> bool {
        self.kind == "Deployment"
    }

    pub(crate) fn is_claim(&self) -> bool {
        self.kind == "PersistentVolumeClaim"
    }

    pub(crate) fn stage(&self) -> Stage {
        self.known().map_or(Stage::Workload, |kind| kind.stage)
    }

    /// Its place in the order in which things are applied and shown.
    pub(crate) fn rank(&self) -> usize {
        KINDS.iter().position(|kind| kind.is(self)).unwrap_or(KINDS.len())
    }

    fn known(&self) -> Option<&'static Kind> {
        KINDS.iter().find(|kind| kind.is(self))
    }

    /// Where its kind is served, in `namespace`.
    pub(crate) fn api(&self, client: &Client, namespace: &str) -> Api<DynamicObject> {
        // An inventory written by a newer msctl: Kubernetes' own plurals are regular, with few exceptions.
        let guessed = || ApiResource::from_gvk(&self.gvk());
        let resource = self.known().map_or_else(guessed, Kind::resource);
        Api::namespaced_with(client.clone(), namespace, &resource)
    }

    fn gvk(&self) -> GroupVersionKind {
        let (group, version) = self.api_version.rsplit_once('/').unwrap_or(("", &self.api_version));
        GroupVersionKind::gvk(group, version, &self.kind)
    }
}

impl Kind {
    fn is(&self, reference: &Reference) -> bool {
        self.name == reference.kind && self.api_version == reference.api_version
    }

    fn resource(&self) -> ApiResource {
        let (group, version) = self.api_version.rsplit_once('/').unwrap_or(("", self.api_version));
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, self.name), self.plural)
    }
}

/// Every kind, as what a list of it needs: for finding a service's objects when its inventory is lost.
pub(crate) fn every_kind() -> impl Iterator<Item = Reference> {
    KINDS.iter().map(|kind| Reference::new(kind.api_version, kind.name, ""))
}

/// As kubectl prints it: `deployment.apps/service-a`.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind.to_lowercase();
        match self.api_version.rsplit_once('/') {
            Some((group, _)) => write!(f, "{kind}.{group}/{}", self.name),
            None => write!(f, "{kind}/{}", self.name),
        }
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        format!("{}/{}/{}", reference.api_version, reference.kind, reference.name)
    }
}

impl TryFrom<String> for Reference {
    type Error = UnknownReference;

    fn try_from(text: String) -> Result<Self, UnknownReference> {
        let mut parts = text.rsplitn(3, '/');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(name), Some(kind), Some(api_version)) => Ok(Self::new(api_version, kind, name)),
            _ => Err(UnknownReference(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_written_and_read_back() {
        for text in ["apps/v1/Deployment/service-a", "v1/Service/service-a", "policy/v1/PodDisruptionBudget/x"] {
            let reference = Reference::try_from(text.to_owned()).unwrap();
            assert_eq!(String::from(reference), text);
        }
        assert!(Reference::try_from("Deployment/x".to_owned()).is_err());
    }

    #[test]
    fn references_print_as_kubectl_prints_them() {
        assert_eq!(Reference::new("apps/v1", "Deployment", "a").to_string(), "deployment.apps/a");
        assert_eq!(Reference::new("v1", "Service", "a").to_string(), "service/a");
    }

    #[test]
    fn what_pods_need_comes_before_them() {
        assert_eq!(Reference::new("v1", "ServiceAccount", "a").stage(), Stage::Before);
        assert_eq!(Reference::new("apps/v1", "Deployment", "a").stage(), Stage::Workload);
    }
}
