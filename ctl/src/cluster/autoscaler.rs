//! The `HorizontalPodAutoscaler` of a service: whether there is one, and its bounds.

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use reach::Cluster;
use serde_json::json;

use super::{REPLICAS_MANAGER, failure};
use crate::error::Error;

/// What decides the replicas of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Autoscaler {
    pub(crate) name: String,
    pub(crate) min: i32,
    pub(crate) max: i32,
    /// Why it decides as it does, or why it can't: its conditions that say something.
    pub(crate) remarks: Vec<String>,
}

impl Autoscaler {
    pub(crate) fn of(object: &HorizontalPodAutoscaler) -> Self {
        let spec = object.spec.clone().unwrap_or_default();
        Self {
            name: object.name_any(),
            min: spec.min_replicas.unwrap_or(1),
            max: spec.max_replicas,
            remarks: remarks(object),
        }
    }

    pub(crate) fn scales(object: &HorizontalPodAutoscaler, service: &str) -> bool {
        let target = object.spec.as_ref().map(|spec| &spec.scale_target_ref);
        target.is_some_and(|target| target.kind == "Deployment" && target.name == service)
    }
}

/// Conditions that explain: unable to scale, unable to read metrics, held at a bound.
fn remarks(object: &HorizontalPodAutoscaler) -> Vec<String> {
    let conditions = object.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions
        .filter(|condition| match condition.type_.as_str() {
            "AbleToScale" | "ScalingActive" => condition.status == "False",
            "ScalingLimited" => condition.status == "True",
            _ => false,
        })
        .filter_map(|condition| condition.message.clone())
        .collect()
}

/// The autoscaler that acts on `service`, of those in the namespace.
pub(crate) async fn find(cluster: &Cluster, service: &str) -> Result<Option<Autoscaler>, Error> {
    let api: Api<HorizontalPodAutoscaler> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    match api.list(&ListParams::default()).await {
        Ok(list) => Ok(list.items.iter().find(|object| Autoscaler::scales(object, service)).map(Autoscaler::of)),
        Err(cause) => Err(failure::explain(cluster, "list horizontalpodautoscalers", cause)),
    }
}

/// Sets the bounds, as the owner of what a person sets.
pub(crate) async fn bound(cluster: &Cluster, scaler: &Autoscaler, min: i32, max: i32) -> Result<(), Error> {
    let api: Api<HorizontalPodAutoscaler> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let params = PatchParams { field_manager: Some(REPLICAS_MANAGER.to_owned()), ..PatchParams::default() };
    let bounds = json!({ "spec": { "minReplicas": min, "maxReplicas": max } });
    api.patch(&scaler.name, &params, &Patch::Merge(bounds))
        .await
        .map(drop)
        .map_err(|cause| failure::explain(cluster, &format!("set the bounds of autoscaler {}", scaler.name), cause))
}
