//! Deployment.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{labels, pod};
use crate::Release;
use crate::values::Values;
use crate::values::types::Percent;

pub(super) fn build(release: &Release<'_>, values: &Values, config_checksum: &str) -> Deployment {
    let rollout = &values.rollout;
    let replicas = if values.autoscaling.enabled { None } else { values.replicas };
    Deployment {
        metadata: labels::tracked(release, values),
        spec: Some(DeploymentSpec {
            replicas,
            revision_history_limit: Some(rollout.revision_history_limit),
            progress_deadline_seconds: Some(rollout.progress_deadline_seconds),
            selector: labels::selector(labels::by_track(release)),
            strategy: Some(DeploymentStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(RollingUpdateDeployment {
                    max_surge: Some(int_or_string(&rollout.max_surge)),
                    max_unavailable: Some(int_or_string(&rollout.max_unavailable)),
                }),
            }),
            template: pod::template(release, values, config_checksum),
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    }
}

pub(super) fn int_or_string(percent: &Percent) -> IntOrString {
    match percent {
        Percent::Count(count) => IntOrString::Int(*count),
        Percent::Share(share) => IntOrString::String(share.clone()),
    }
}
