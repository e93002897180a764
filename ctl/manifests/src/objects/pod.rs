//! The pod: Pod Security `restricted`, spread over nodes and zones, given time to drain.

use k8s_openapi::api::core::v1::{
    LocalObjectReference, PodSecurityContext, PodSpec, PodTemplateSpec, SeccompProfile, Toleration,
    TopologySpreadConstraint,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{container, labels, list, volumes};
use crate::Release;
use crate::values::Values;
use crate::values::types::{self, TolerationEffect, TolerationOperator};

/// Seconds between the end of the drain and the kill. Closing what is left of two ports takes a service up to one, background
/// work up to five, the last spans up to five; the rest is for a node that is short of CPU. The charts have the same.
const KILL_MARGIN: i64 = 15;

pub(super) fn template(release: &Release<'_>, values: &Values, config_checksum: &str) -> PodTemplateSpec {
    let mut annotations = values.pod_annotations.clone();
    annotations.insert("checksum/config".to_owned(), config_checksum.to_owned());
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(labels::of_pods(release, values)),
            annotations: Some(annotations),
            ..ObjectMeta::default()
        }),
        spec: Some(spec(release, values)),
    }
}

fn spec(release: &Release<'_>, values: &Values) -> PodSpec {
    let node_selector = &values.node_selector;
    let pull_secrets = values.image_pull_secrets.iter();
    PodSpec {
        service_account_name: Some(release.name.to_owned()),
        automount_service_account_token: Some(false),
        // Variables for every Service of the namespace would slow the start and may clash with the service's own.
        enable_service_links: Some(false),
        image_pull_secrets: list(pull_secrets.map(|s| LocalObjectReference { name: s.name.clone() }).collect()),
        security_context: Some(security_context(values)),
        termination_grace_period_seconds: Some(values.drain.delay_seconds + values.drain.timeout_seconds + KILL_MARGIN),
        priority_class_name: values.priority_class_name.clone(),
        node_selector: (!node_selector.is_empty())
            .then(|| node_selector.iter().map(|(key, value)| (key.clone(), value.0.clone())).collect()),
        tolerations: list(values.tolerations.iter().map(toleration).collect()),
        topology_spread_constraints: Some(vec![
            spread(release, "kubernetes.io/hostname"),
            spread(release, "topology.kubernetes.io/zone"),
        ]),
        containers: vec![container::build(release, values)],
        volumes: list(volumes::volumes(release, values)),
        ..PodSpec::default()
    }
}

fn security_context(values: &Values) -> PodSecurityContext {
    let context = &values.security_context;
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: context.run_as_user,
        run_as_group: context.run_as_group,
        fs_group: context.fs_group,
        // Without it a volume with many files is walked at every start.
        fs_group_change_policy: context.fs_group.map(|_| "OnRootMismatch".to_owned()),
        seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }),
        ..PodSecurityContext::default()
    }
}

/// Evenly over the values of a node label, per revision: pods of the old version do not count during a rollout.
fn spread(release: &Release<'_>, topology_key: &str) -> TopologySpreadConstraint {
    TopologySpreadConstraint {
        max_skew: 1,
        topology_key: topology_key.to_owned(),
        when_unsatisfiable: "ScheduleAnyway".to_owned(),
        label_selector: Some(labels::selector(labels::by_track(release))),
        match_label_keys: Some(vec!["pod-template-hash".to_owned()]),
        ..TopologySpreadConstraint::default()
    }
}

fn toleration(toleration: &types::Toleration) -> Toleration {
    let operator = toleration.operator.map(|operator| match operator {
        TolerationOperator::Exists => "Exists",
        TolerationOperator::Equal => "Equal",
    });
    let effect = toleration.effect.map(|effect| match effect {
        TolerationEffect::NoSchedule => "NoSchedule",
        TolerationEffect::PreferNoSchedule => "PreferNoSchedule",
        TolerationEffect::NoExecute => "NoExecute",
    });
    Toleration {
        key: toleration.key.clone(),
        operator: operator.map(str::to_owned),
        value: toleration.value.clone(),
        effect: effect.map(str::to_owned),
        toleration_seconds: toleration.toleration_seconds,
    }
}
