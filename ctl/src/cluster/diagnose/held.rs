//! What keeps an object that is being deleted from being gone: the finalizers of somebody who has yet to act.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt as _;

use super::{Cause, Kind, Patience};

/// Those of the garbage collector, which acts by itself.
const OF_THE_COLLECTOR: [&str; 2] = ["foregroundDeletion", "orphan"];

/// "held by finalizer example.com/backup"
pub(crate) fn held_by(metadata: &ObjectMeta) -> Option<String> {
    metadata.deletion_timestamp.as_ref()?;
    by(metadata.finalizers.as_deref().unwrap_or_default())
}

/// As `held_by`, of an object that is known to be on its way out.
pub(crate) fn by(finalizers: &[String]) -> Option<String> {
    let others: Vec<&str> =
        finalizers.iter().map(String::as_str).filter(|name| !OF_THE_COLLECTOR.contains(name)).collect();
    match others.as_slice() {
        [] => None,
        [one] => Some(format!("held by finalizer {one}")),
        several => Some(format!("held by finalizers {}", several.join(", "))),
    }
}

/// What holds a service that is being deleted; its pods first, because its Deployment goes after them.
pub(crate) fn of_service<'a>(deployment: Option<&Deployment>, pods: impl Iterator<Item = &'a Pod>) -> Vec<Cause> {
    let cause = |kind: &str, metadata: &ObjectMeta, name: String| {
        held_by(metadata).map(|text| Cause::new(format!("{kind}/{name}"), Kind::Finalizer, Patience::Unlimited, text))
    };
    let of_pods = pods.filter_map(|pod| cause("pod", &pod.metadata, pod.name_any()));
    let of_deployment = deployment.and_then(|object| cause("deployment.apps", &object.metadata, object.name_any()));
    of_pods.chain(of_deployment).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_finalizers_that_wait_for_somebody_hold_an_object() {
        for (deleting, finalizers, held) in [
            (true, json!(["x.io/y"]), Some("held by finalizer x.io/y")),
            (true, json!(["foregroundDeletion", "x.io/y", "x.io/z"]), Some("held by finalizers x.io/y, x.io/z")),
            (true, json!(["foregroundDeletion"]), None),
            (true, json!([]), None),
            (false, json!(["x.io/y"]), None),
        ] {
            let time = if deleting { json!("2026-01-01T00:00:00Z") } else { json!(null) };
            let metadata = json!({ "deletionTimestamp": time, "finalizers": finalizers });
            let metadata: ObjectMeta = serde_json::from_value(metadata).unwrap();
            assert_eq!(held_by(&metadata).as_deref(), held, "{metadata:?}");
        }
    }
}
