//! Objects of a rollout, as an API server would show them, for tests.

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{Event, Pod};
use serde_json::{Value, json};

use super::seen::Seen;

/// Builds a `Seen` of the service `service-a`.
#[derive(Debug, Default)]
pub(crate) struct Rollout {
    deployments: Vec<Deployment>,
    replica_sets: Vec<ReplicaSet>,
    pods: Vec<Pod>,
    events: Vec<Event>,
}

pub(crate) fn rollout() -> Rollout {
    Rollout::default()
}

fn labels(hash: &str) -> Value {
    json!({ "app.kubernetes.io/name": "service-a", "msctl.dev/track": "stable", "pod-template-hash": hash })
}

/// A pod of the template `hash`, with this status.
pub(crate) fn pod(name: &str, hash: &str, status: &Value) -> Pod {
    serde_json::from_value(json!({
        "metadata": { "name": name, "namespace": "shop", "uid": format!("uid-{name}"), "labels": labels(hash) },
        "spec": { "containers": [{ "name": "service-a", "resources": { "limits": { "memory": "64Mi" } } }] },
        "status": status,
    }))
    .unwrap()
}

/// The status of a pod with one container in this state.
pub(crate) fn container(fields: &Value) -> Value {
    let mut status = json!({ "name": "service-a", "image": "ghcr.io/x/y:1", "imageID": "", "ready": false,
                             "restartCount": 0 });
    for (key, value) in fields.as_object().unwrap() {
        status[key] = value.clone();
    }
    json!({ "phase": "Running", "conditions": [{ "type": "PodScheduled", "status": "True" }],
            "containerStatuses": [status] })
}

/// The status of a pod that is ready.
pub(crate) fn ready() -> Value {
    let mut status = container(&json!({ "ready": true, "state": { "running": {} } }));
    status["conditions"] = json!([{ "type": "PodScheduled", "status": "True" }, { "type": "Ready", "status": "True" }]);
    status
}

impl Rollout {
    /// `counts`: the fields of its status beside `observedGeneration`; `replicas` of its spec is 2 unless given in
    /// `wanted`.
    pub(crate) fn deployment(mut self, generation: i64, observed: i64, revision: &str, counts: Value) -> Self {
        let mut status = counts;
        status["observedGeneration"] = json!(observed);
        let wanted = status["wanted"].take();
        let wanted = if wanted.is_null() { json!(2) } else { wanted };
        let object = json!({
            "metadata": { "name": "service-a", "namespace": "shop", "uid": "uid-d", "generation": generation,
                          "labels": labels(""), "annotations": { "deployment.kubernetes.io/revision": revision } },
            "spec": { "replicas": wanted, "selector": {}, "template": {} }, "status": status,
        });
        self.deployments.push(serde_json::from_value(object).unwrap());
        self
    }

    pub(crate) fn replica_set(self, name: &str, hash: &str, revision: &str) -> Self {
        self.replica_set_with(name, hash, revision, &json!({ "replicas": 0 }))
    }

    pub(crate) fn replica_set_with(mut self, name: &str, hash: &str, revision: &str, status: &Value) -> Self {
        let owner = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "service-a", "uid": "uid-d" });
        let object = json!({
            "metadata": { "name": name, "namespace": "shop", "labels": labels(hash), "ownerReferences": [owner],
                          "annotations": { "deployment.kubernetes.io/revision": revision } },
            "spec": { "selector": {} }, "status": status,
        });
        self.replica_sets.push(serde_json::from_value(object).unwrap());
        self
    }

    pub(crate) fn pod(mut self, name: &str, hash: &str, status: &Value) -> Self {
        self.pods.push(pod(name, hash, status));
        self
    }

    /// A pod on its way out.
    pub(crate) fn ending(mut self, name: &str, hash: &str) -> Self {
        let mut object = pod(name, hash, &ready());
        object.metadata.deletion_timestamp = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
        self.pods.push(object);
        self
    }

    /// A warning about a pod.
    pub(crate) fn warning(mut self, pod: &str, reason: &str, message: &str) -> Self {
        let object = json!({
            "metadata": { "name": format!("{pod}.{}", self.events.len()), "namespace": "shop" }, "type": "Warning",
            "involvedObject": { "uid": format!("uid-{pod}"), "fieldPath": "spec.containers{service-a}" },
            "reason": reason, "message": message, "lastTimestamp": "2026-01-01T00:00:00Z",
        });
        self.events.push(serde_json::from_value(object).unwrap());
        self
    }

    pub(crate) fn seen(self) -> Seen {
        let mut seen = Seen::default();
        seen.deployments.fill(self.deployments);
        seen.replica_sets.fill(self.replica_sets);
        seen.pods.fill(self.pods);
        seen.events.fill(self.events);
        seen
    }

    /// A rollout of generation 1 whose only pod has this status.
    pub(crate) fn with_one_pod(self, status: &Value) -> Self {
        let unready = json!({ "replicas": 1, "updatedReplicas": 1, "unavailableReplicas": 1, "wanted": 1 });
        self.deployment(1, 1, "1", unready).replica_set("service-a-1", "1", "1").pod("service-a-1-x", "1", status)
    }
}
