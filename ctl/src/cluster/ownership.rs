//! Whose an object is, and whose a field. Pure: reads `metadata`.
//!
//! An object is ours by its label, whoever applied it: `msctl deploy --dry-run=client -o yaml | kubectl apply -f -` makes
//! what a deploy makes, and a deploy that takes an object over labels it.
//!
//! Replicas belong to whoever set them last. An apply that omits a field which its manager alone owns resets it, so
//! a second manager takes `spec.replicas` over, and later applies of the first one omit it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::DynamicObject;
use manifests::SQLITE;
use serde_json::Value;

use super::kinds::Reference;
use super::{FIELD_MANAGER, MANAGED_BY, MANAGED_BY_LABEL};
use crate::wanted::Asked;

/// What is done about the replicas of a Deployment, beside the apply that omits or holds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replicas {
    /// They are somebody's already, or nobody sets them.
    Keep,
    /// The apply omits them; `msctl-replicas` sets this many first.
    Before(i32),
    /// The apply creates the Deployment with this many; `msctl-replicas` takes them over then.
    After(i32),
}

/// Fields that others set for good reason, and which an apply therefore leaves alone once they did.
const YIELDED: &[(&str, &str)] = &[
    ("Deployment", "replicas"),
    ("HorizontalPodAutoscaler", "minReplicas"),
    ("HorizontalPodAutoscaler", "maxReplicas"),
];

/// Where a Deployment says that its database is a file of one pod.
const DATABASE_POINTER: &str = "/metadata/annotations/msctl.dev~1database";

/// For us to delete.
pub(crate) fn is_ours(metadata: &ObjectMeta) -> bool {
    metadata
        .labels
        .as_ref()
        .and_then(|labels| labels.get(MANAGED_BY_LABEL))
        .is_some_and(|manager| manager == MANAGED_BY)
}

impl Asked {
    fn of(self, field: &str) -> bool {
        match field {
            "minReplicas" => self.min_replicas,
            "maxReplicas" => self.max_replicas,
            _ => self.replicas,
        }
    }
}

/// Takes out of `manifest` what is not ours to set, and says how the replicas are handled.
pub(crate) fn settle(
    reference: &Reference,
    manifest: &mut Value,
    live: Option<&DynamicObject>,
    asked: Asked,
) -> Replicas {
    let wanted = integer(manifest.pointer("/spec/replicas"));
    let Some(live) = live else {
        return match wanted {
            Some(wanted) if reference.is_deployment() => Replicas::After(wanted),
            _ => Replicas::Keep,
        };
    };
    for (_, field) in YIELDED.iter().filter(|(kind, _)| *kind == reference.kind) {
        let others = owners(&live.metadata, field).any(|manager| manager != FIELD_MANAGER);
        // A Deployment's replicas always leave the apply: `msctl-replicas` sets them when they were asked for.
        let leave = reference.is_deployment() || (others && !asked.of(field));
        if leave && let Some(spec) = manifest.get_mut("spec").and_then(Value::as_object_mut) {
            spec.shift_remove(*field);
        }
    }
    if !reference.is_deployment() {
        return Replicas::Keep;
    }
    let current = integer(live.data.pointer("/spec/replicas"));
    let only_ours = owners(&live.metadata, "replicas").all(|manager| manager == FIELD_MANAGER);
    let one_file = manifest.pointer(DATABASE_POINTER).is_some_and(|database| database == SQLITE);
    match (asked.replicas, wanted, current) {
        // Whoever set more, set it for another database.
        (_, _, Some(2..)) if one_file => Replicas::Before(wanted.unwrap_or(1)),
        (true, Some(wanted), current) if current != Some(wanted) || only_ours => Replicas::Before(wanted),
        (_, _, Some(current)) if only_ours => Replicas::Before(current),
        _ => Replicas::Keep,
    }
}

/// Managers of `spec.FIELD`.
fn owners<'a>(metadata: &'a ObjectMeta, field: &str) -> impl Iterator<Item = &'a str> {
    let key = format!("f:{field}");
    metadata.managed_fields.iter().flatten().filter_map(move |entry| {
        let fields = &entry.fields_v1.as_ref()?.0;
        fields.get("f:spec")?.get(&key)?;
        entry.manager.as_deref()
    })
}

fn integer(value: Option<&Value>) -> Option<i32> {
    value.and_then(Value::as_i64).and_then(|number| i32::try_from(number).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployment() -> Reference {
        Reference::new("apps/v1", "Deployment", "a")
    }

    fn live(replicas: i32, managers: &[&str]) -> DynamicObject {
        let entries: Vec<Value> = managers
            .iter()
            .map(|manager| {
                json!({ "manager": manager, "operation": "Apply", "fieldsType": "FieldsV1",
                        "fieldsV1": { "f:spec": { "f:replicas": {}, "f:maxReplicas": {} } } })
            })
            .collect();
        serde_json::from_value(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "a", "managedFields": entries },
            "spec": { "replicas": replicas },
        }))
        .unwrap()
    }

    fn manifest() -> Value {
        json!({ "spec": { "replicas": 2, "template": {} } })
    }

    #[test]
    fn the_first_apply_sets_replicas_and_hands_them_over() {
        let mut wanted = manifest();
        assert_eq!(settle(&deployment(), &mut wanted, None, Asked::default()), Replicas::After(2));
        assert_eq!(wanted, manifest());
    }

    #[test]
    fn a_later_apply_omits_replicas_that_somebody_else_set() {
        for managers in [&["msctl-replicas"][..], &["msctl", "kubectl"], &["kube-controller-manager"]] {
            let mut wanted = manifest();
            let moved = settle(&deployment(), &mut wanted, Some(&live(7, managers)), Asked::default());
            assert_eq!(moved, Replicas::Keep, "{managers:?}");
            assert_eq!(wanted.pointer("/spec/replicas"), None);
        }
    }

    #[test]
    fn after_a_killed_first_deploy_the_live_value_is_taken_over_before_it_is_omitted() {
        let mut wanted = manifest();
        let moved = settle(&deployment(), &mut wanted, Some(&live(5, &["msctl"])), Asked::default());
        assert_eq!(moved, Replicas::Before(5));
        assert_eq!(wanted.pointer("/spec/replicas"), None);
    }

    #[test]
    fn replicas_that_are_asked_for_are_set_whoever_owns_them() {
        let mut wanted = manifest();
        let moved = settle(
            &deployment(),
            &mut wanted,
            Some(&live(7, &["kubectl"])),
            Asked { replicas: true, ..Asked::default() },
        );
        assert_eq!(moved, Replicas::Before(2));
    }

    #[test]
    fn a_database_that_is_a_file_brings_many_replicas_down_to_one() {
        let mut wanted = manifest();
        wanted["metadata"] = json!({ "annotations": { manifests::DATABASE_ANNOTATION: SQLITE } });
        for (said, then) in [(json!(1), 1), (json!(0), 0), (Value::Null, 1)] {
            wanted["spec"]["replicas"] = said;
            let moved = settle(&deployment(), &mut wanted.clone(), Some(&live(3, &["kubectl"])), Asked::default());
            assert_eq!(moved, Replicas::Before(then));
        }
        // One that was stopped stays so.
        let moved = settle(&deployment(), &mut wanted, Some(&live(0, &["kubectl"])), Asked::default());
        assert_eq!(moved, Replicas::Keep);
    }

    #[test]
    fn turning_an_autoscaler_on_does_not_drop_to_one_replica() {
        let mut wanted = json!({ "spec": { "template": {} } });
        let moved = settle(&deployment(), &mut wanted, Some(&live(6, &["msctl"])), Asked::default());
        assert_eq!(moved, Replicas::Before(6));
    }

    #[test]
    fn bounds_of_an_autoscaler_that_scale_has_set_stay() {
        let reference = Reference::new("autoscaling/v2", "HorizontalPodAutoscaler", "a");
        let mut wanted = json!({ "spec": { "minReplicas": 1, "maxReplicas": 4 } });
        settle(&reference, &mut wanted, Some(&live(0, &["msctl-replicas"])), Asked::default());
        assert_eq!(wanted, json!({ "spec": { "minReplicas": 1 } }));
    }

    #[test]
    fn a_bound_that_is_asked_for_touches_neither_the_replicas_nor_the_other_bound() {
        let asked = Asked { min_replicas: true, ..Asked::default() };
        let mut wanted = manifest();
        assert_eq!(settle(&deployment(), &mut wanted, Some(&live(7, &["kubectl"])), asked), Replicas::Keep);
        let reference = Reference::new("autoscaling/v2", "HorizontalPodAutoscaler", "a");
        let mut wanted = json!({ "spec": { "minReplicas": 2, "maxReplicas": 4 } });
        let entry = json!({ "manager": "msctl-replicas", "operation": "Update", "fieldsType": "FieldsV1",
                            "fieldsV1": { "f:spec": { "f:minReplicas": {}, "f:maxReplicas": {} } } });
        let live = serde_json::from_value(json!({ "metadata": { "name": "a", "managedFields": [entry] } })).unwrap();
        settle(&reference, &mut wanted, Some(&live), asked);
        assert_eq!(wanted, json!({ "spec": { "minReplicas": 2 } }));
    }
}
