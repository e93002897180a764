//! Charts and `msctl deploy` make the same objects: compared as the API server holds them.

use std::collections::BTreeMap;

use e2e::Scenario;
use e2e::scenario::project;
use serde_json::Value;

const KINDS: &str = "persistentvolumeclaims,serviceaccounts,services,deployments,poddisruptionbudgets,networkpolicies,configmaps,secrets,ingresses,horizontalpodautoscalers";

#[test]
fn helm_and_msctl_leave_the_same_objects_in_the_api_server() {
    let by_helm = Scenario::new("parity-helm");
    let by_msctl = Scenario::new("parity-msctl");
    for service in ["service-a", "service-b"] {
        by_helm.helm(&["install", service, &project(&format!("charts/{service}")), "--wait"]).ok();
    }
    by_msctl.msctl(&["deploy", "service-a", "service-b"]).ok();
    assert!(held(&by_helm).len() >= 10, "only {:?}", held(&by_helm).keys());
    same(&by_helm, &by_msctl);
}

#[test]
fn on_sqlite_both_make_a_volume_refuse_a_second_replica_and_leave_the_volume() {
    let by_helm = Scenario::new("sqlite-helm");
    let by_msctl = Scenario::new("sqlite-msctl");
    let chart = project("charts/service-b");
    let one = "database.kind=sqlite,replicas=1";
    let two = "database.kind=sqlite,replicas=2";
    by_helm.helm(&["install", "service-b", &chart, "--wait", "--set", one]).ok();
    by_msctl.msctl(&["deploy", "service-b", "--set", one]).ok();
    same(&by_helm, &by_msctl);

    let said = "replicas: 2 pods can't share an SQLite database: set database.kind=postgres, or replicas=1";
    by_helm.helm(&["upgrade", "service-b", &chart, "--set", two]).code_is(1).says(&[said]);
    by_msctl.msctl(&["deploy", "service-b", "--set", two]).code_is(2).says(&[said]);
    by_msctl.msctl(&["scale", "service-b", "--replicas", "2"]).code_is(1).says(&["database.kind=postgres"]);
    assert_eq!(by_msctl.ready_pods("service-b").len(), 1);

    by_helm.helm(&["uninstall", "service-b", "--wait"]).ok();
    let command = "kubectl delete persistentvolumeclaim/service-b-database";
    by_msctl.msctl(&["delete", "service-b"]).ok().says(&[command]);
    for scenario in [&by_helm, &by_msctl] {
        let left: Vec<String> = held(scenario).into_keys().collect();
        assert_eq!(left, [r#""PersistentVolumeClaim" "service-b-database""#]);
    }
}

#[track_caller]
fn same(by_helm: &Scenario, by_msctl: &Scenario) {
    let (helm, msctl) = (held(by_helm), held(by_msctl));
    assert_eq!(helm.keys().collect::<Vec<_>>(), msctl.keys().collect::<Vec<_>>());
    for (name, object) in &helm {
        assert!(object == &msctl[name], "{name} differs\nhelm: {object:#}\nmsctl: {:#}", msctl[name]);
    }
}

/// What the API server holds of A and B, by kind and name, without what it or the tool's own bookkeeping adds.
fn held(scenario: &Scenario) -> BTreeMap<String, Value> {
    let list = scenario.get(&[KINDS, "-l", "app.kubernetes.io/name in (service-a,service-b)"]);
    let objects = list["items"].as_array().cloned().unwrap_or_default();
    objects
        .into_iter()
        .map(|mut object| {
            let name = format!("{} {}", object["kind"], object["metadata"]["name"]);
            comparable(&mut object);
            (name, object)
        })
        .collect()
}

/// Ignores exactly what the values contract lets differ, and what the API server fills in by itself.
fn comparable(object: &mut Value) {
    remove(object, &["status"]);
    for field in
        ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "namespace", "ownerReferences"]
    {
        remove(object, &["metadata", field]);
    }
    for label in ["app.kubernetes.io/managed-by", "app.kubernetes.io/instance", "helm.sh/chart"] {
        remove(object, &["metadata", "labels", label]);
    }
    for annotation in [
        "meta.helm.sh/release-name",
        "meta.helm.sh/release-namespace",
        "deployment.kubernetes.io/revision",
        "pv.kubernetes.io/bind-completed",
        "pv.kubernetes.io/bound-by-controller",
        "volume.kubernetes.io/selected-node",
    ] {
        remove(object, &["metadata", "annotations", annotation]);
    }
    if object["metadata"]["annotations"].as_object().is_some_and(serde_json::Map::is_empty) {
        remove(object, &["metadata", "annotations"]);
    }
    // The volume that a claim was given.
    remove(object, &["spec", "volumeName"]);
    for assigned in ["clusterIP", "clusterIPs"] {
        // A headless Service says None itself: that one counts.
        if object["spec"][assigned] != "None" && object["spec"][assigned][0] != "None" {
            remove(object, &["spec", assigned]);
        }
    }
}

fn remove(object: &mut Value, path: &[&str]) {
    let (last, parents) = path.split_last().expect("a path");
    let pointer = if parents.is_empty() { String::new() } else { format!("/{}", parents.join("/")) };
    if let Some(parent) = object.pointer_mut(&pointer).and_then(Value::as_object_mut) {
        parent.remove(*last);
    }
}
