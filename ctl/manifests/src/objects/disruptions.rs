//! `PodDisruptionBudget`: one pod at a time, and a broken pod never holds up a node's drain.

use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};

use super::{deployment, labels};
use crate::Release;
use crate::values::Values;

pub(super) fn build(release: &Release<'_>, values: &Values) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata: labels::metadata(release, values),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(deployment::int_or_string(&values.pod_disruption_budget.max_unavailable)),
            selector: Some(labels::selector(labels::by_name(release))),
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    }
}
