//! Deployment.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{database, labels, pod};
use crate::Release;
use crate::values::Values;
use crate::values::types::Percent;

pub(super) fn build(release: &Release<'_>, values: &Values, config_checksum: &str) -> Deployment {
    let rollout = &values.rollout;
    let replicas = if values.autoscaling.enabled { None } else { values.replicas };
    let mut metadata = labels::tracked(release, values);
    metadata.annotations = database::annotations(values);
    Deployment {
        metadata,
        spec: Some(DeploymentSpec {
            replicas,
            revision_history_limit: Some(rollout.revision_history_limit),
            progress_deadline_seconds: Some(rollout.progress_deadline_seconds),
            selector: labels::selector(labels::by_track(release)),
            strategy: Some(strategy(values)),
            template: pod::template(release, values, config_checksum),
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    }
}

/// Two pods may never hold one `SQLite` file, so there the old one goes before the new one comes.
fn strategy(values: &Values) -> DeploymentStrategy {
    let rollout = &values.rollout;
    if values.database.is_sqlite() {
        return DeploymentStrategy { type_: Some("Recreate".to_owned()), rolling_update: None };
    }
    DeploymentStrategy {
        type_: Some("RollingUpdate".to_owned()),
        rolling_update: Some(RollingUpdateDeployment {
            max_surge: Some(int_or_string(&rollout.max_surge)),
            max_unavailable: Some(int_or_string(&rollout.max_unavailable)),
        }),
    }
}

pub(super) fn int_or_string(percent: &Percent) -> IntOrString {
    match percent {
        Percent::Count(count) => IntOrString::Int(*count),
        Percent::Share(share) => IntOrString::String(share.clone()),
    }
}
