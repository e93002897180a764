//! `HorizontalPodAutoscaler`.

use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec, MetricSpec, MetricTarget,
    ResourceMetricSource,
};

use super::labels;
use crate::Release;
use crate::values::Values;

pub(super) fn build(release: &Release<'_>, values: &Values) -> HorizontalPodAutoscaler {
    let scaling = &values.autoscaling;
    let targets =
        [("cpu", scaling.target_cpu_utilization_percentage), ("memory", scaling.target_memory_utilization_percentage)];
    let metrics = targets.into_iter().filter_map(|(name, target)| target.map(|target| metric(name, target)));
    HorizontalPodAutoscaler {
        metadata: labels::metadata(release, values),
        spec: Some(HorizontalPodAutoscalerSpec {
            scale_target_ref: CrossVersionObjectReference {
                api_version: Some("apps/v1".to_owned()),
                kind: "Deployment".to_owned(),
                name: release.name.to_owned(),
            },
            min_replicas: Some(scaling.min_replicas),
            max_replicas: scaling.max_replicas,
            metrics: Some(metrics.collect()),
            behavior: None,
        }),
        ..HorizontalPodAutoscaler::default()
    }
}

fn metric(name: &str, utilization: i32) -> MetricSpec {
    MetricSpec {
        type_: "Resource".to_owned(),
        resource: Some(ResourceMetricSource {
            name: name.to_owned(),
            target: MetricTarget {
                type_: "Utilization".to_owned(),
                average_utilization: Some(utilization),
                ..MetricTarget::default()
            },
        }),
        ..MetricSpec::default()
    }
}
