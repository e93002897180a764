//! What a deploy would do: wanted objects and live ones in, steps and deletions out. Pure.

use std::collections::BTreeMap;

use kube::api::DynamicObject;
use serde_json::Value;

use super::inventory::Inventory;
use super::kinds::{Reference, Stage};
use super::ownership::{Replicas, settle};
pub(crate) use crate::commands::deploy::Action;
use crate::wanted::Asked;

/// An object to apply.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) reference: Reference,
    /// What the field manager `msctl` applies.
    pub(crate) manifest: Value,
    pub(crate) live: Option<DynamicObject>,
    pub(crate) replicas: Replicas,
}

/// Everything a deploy of one service does.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// In order: what pods need comes first.
    pub(crate) steps: Vec<Step>,
    /// What an earlier deploy made and nobody wants any more.
    pub(crate) prune: Vec<Reference>,
}

/// Live objects, of those that are wanted.
pub(crate) type Live = BTreeMap<Reference, DynamicObject>;

impl Plan {
    /// `before` is the inventory that the last deploy left.
    pub(crate) fn new(wanted: Vec<(Reference, Value)>, mut live: Live, before: &Inventory, asked: Asked) -> Self {
        let inventory: Inventory = wanted.iter().map(|(reference, _)| reference.clone()).collect();
        let mut steps: Vec<Step> = wanted
            .into_iter()
            .map(|(reference, mut manifest)| {
                let live = live.remove(&reference);
                let replicas = settle(&reference, &mut manifest, live.as_ref(), asked);
                Step { reference, manifest, live, replicas }
            })
            .collect();
        steps.sort_by_key(|step| step.reference.rank());
        let mut prune: Vec<Reference> = before.without(&inventory).iter().cloned().collect();
        // The other way round: what acts on a workload goes before it.
        prune.sort_by_key(|reference| std::cmp::Reverse(reference.rank()));
        Self { steps, prune }
    }

    pub(crate) fn stage(&self, stage: Stage) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(move |step| step.reference.stage() == stage)
    }
}

/// What an apply did, from the object before and after it. Resource versions do not tell: a dry run has none, and a
/// controller's status moves them.
pub(crate) fn outcome(before: Option<&DynamicObject>, after: &DynamicObject) -> Action {
    match before {
        None => Action::Created,
        Some(before) if settings(before) == settings(after) => Action::Unchanged,
        Some(_) => Action::Configured,
    }
}

/// What people and managers set, without what the server keeps for itself.
fn settings(object: &DynamicObject) -> (Value, DynamicObject) {
    let mut object = object.clone();
    let metadata = &mut object.metadata;
    metadata.managed_fields = None;
    metadata.resource_version = None;
    metadata.generation = None;
    // The Deployment controller's own count.
    if let Some(annotations) = &mut metadata.annotations {
        annotations.remove("deployment.kubernetes.io/revision");
        if annotations.is_empty() {
            metadata.annotations = None;
        }
    }
    let mut data = std::mem::take(&mut object.data);
    if let Some(fields) = data.as_object_mut() {
        fields.remove("status");
    }
    (data, object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn wanted(kinds: &[(&str, &str)]) -> Vec<(Reference, Value)> {
        kinds.iter().map(|(api_version, kind)| (Reference::new(api_version, kind, "a"), json!({}))).collect()
    }

    #[test]
    fn what_pods_need_is_applied_first_and_the_unwanted_goes_in_reverse() {
        let before: Inventory = [
            Reference::new("v1", "ConfigMap", "a"),
            Reference::new("autoscaling/v2", "HorizontalPodAutoscaler", "a"),
            Reference::new("v1", "Service", "a"),
        ]
        .into_iter()
        .collect();
        let wanted = wanted(&[("apps/v1", "Deployment"), ("v1", "Service"), ("v1", "ServiceAccount")]);
        let plan = Plan::new(wanted, Live::new(), &before, Asked::default());
        let order: Vec<&str> = plan.steps.iter().map(|step| step.reference.kind.as_str()).collect();
        assert_eq!(order, ["ServiceAccount", "Service", "Deployment"]);
        let prune: Vec<&str> = plan.prune.iter().map(|reference| reference.kind.as_str()).collect();
        assert_eq!(prune, ["HorizontalPodAutoscaler", "ConfigMap"]);
        assert_eq!(plan.stage(Stage::Workload).count(), 1);
    }

    #[test]
    fn status_and_bookkeeping_are_no_change() {
        let object = |version: &str, image: &str, ready: i32| -> DynamicObject {
            serde_json::from_value(json!({
                "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": { "name": "a", "resourceVersion": version, "managedFields": [{ "manager": version }] },
                "spec": { "image": image }, "status": { "readyReplicas": ready },
            }))
            .unwrap()
        };
        let before = object("1", "x:1", 0);
        assert_eq!(outcome(Some(&before), &object("2", "x:1", 2)), Action::Unchanged);
        assert_eq!(outcome(Some(&before), &object("2", "x:2", 0)), Action::Configured);
        assert_eq!(outcome(None, &before), Action::Created);
    }
}
