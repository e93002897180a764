use clap::Parser as _;
use http::Method;
use serde_json::{Value, json};

use super::*;
use crate::cli::{Cli, Command};
use crate::cluster::double::Double;
use crate::output::tests::captured;

async fn run(double: &Double, args: &[&str]) -> (Result<ExitCode, Error>, String, String) {
    let (printer, out, err) = captured();
    let cli = Cli::try_parse_from(["msctl", "status"].iter().chain(args)).unwrap();
    let Command::Status(args) = cli.command else { panic!("another verb") };
    (status(&double.cluster().into(), &args, &printer).await, out.text(), err.text())
}

fn labels(service: &str) -> Value {
    json!({ "app.kubernetes.io/name": service, "app.kubernetes.io/version": "0.1.0", "msctl.dev/track": "stable",
            "app.kubernetes.io/managed-by": "Helm", "pod-template-hash": "1" })
}

/// A service with one pod whose container has this state.
fn put(double: &Double, namespace: &str, service: &str, ready: i32, state: &Value) {
    let base = format!("/apis/apps/v1/namespaces/{namespace}");
    let annotations = json!({ "deployment.kubernetes.io/revision": "1" });
    double.put(
        &format!("{base}/deployments/{service}"),
        json!({
            "metadata": { "generation": 1, "uid": "d", "labels": labels(service), "annotations": annotations },
            "spec": { "replicas": 1, "selector": {}, "template": { "spec": { "containers": [{ "name": "x", "image": "x:1" }] } } },
            "status": { "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": ready },
        }),
    );
    let owner = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": service, "uid": "d" });
    double.put(
        &format!("{base}/replicasets/{service}-1"),
        json!({ "metadata": { "labels": labels(service), "annotations": annotations, "ownerReferences": [owner] },
                "spec": { "selector": {} } }),
    );
    let container =
        json!({ "name": "x", "image": "x:1", "imageID": "", "ready": ready > 0, "restartCount": 4, "state": state });
    let is_ready = if ready > 0 { "True" } else { "False" };
    double.put(
        &format!("/api/v1/namespaces/{namespace}/pods/{service}-1-x"),
        json!({
            "metadata": { "labels": labels(service) }, "spec": { "nodeName": "node-b", "containers": [] },
            "status": { "conditions": [{ "type": "PodScheduled", "status": "True" }, { "type": "Ready", "status": is_ready }],
                        "containerStatuses": [container] },
        }),
    );
}

fn running() -> Value {
    json!({ "running": {} })
}

fn crashing() -> Value {
    json!({ "waiting": { "reason": "CrashLoopBackOff" } })
}

fn shop() -> Double {
    let double = Double::new();
    put(&double, "shop", "service-a", 1, &running());
    put(&double, "shop", "service-b", 0, &crashing());
    put(&double, "default", "other", 1, &running());
    double
}

/// Ages and column widths that depend on the clock aside.
fn columns(out: &str) -> Vec<Vec<String>> {
    out.lines()
        .map(|line| line.split("   ").map(|cell| cell.trim().to_owned()).filter(|cell| !cell.is_empty()).collect())
        .collect()
}

#[tokio::test]
async fn a_table_has_a_reason_for_what_is_not_ready() {
    let (outcome, out, _) = run(&shop(), &[]).await;
    assert_eq!(outcome, Ok(ExitCode::Done));
    let rows = columns(&out);
    assert_eq!(rows[0], ["NAME", "READY", "STATUS", "AGE", "VERSION", "REASON"]);
    assert_eq!(rows[1], ["service-a", "1/1", "ready", "-", "0.1.0"]);
    assert_eq!(rows[2][..3], ["service-b", "0/1", "failing"]);
    assert!(rows[2][5].contains("keeps crashing"), "{out}");
}

#[tokio::test]
async fn all_namespaces_are_told_apart() {
    let (_, out, _) = run(&shop(), &["-A"]).await;
    let rows = columns(&out);
    assert_eq!(rows[1][..2], ["default", "other"]);
    assert_eq!(rows[2][..2], ["shop", "service-a"]);
}

#[tokio::test]
async fn wide_adds_image_nodes_restarts_and_who_manages_it() {
    let (_, out, _) = run(&shop(), &["service-a", "-o", "wide"]).await;
    let rows = columns(&out);
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[1][5..], ["x:1", "node-b:1", "4", "-", "Helm"]);
}

#[tokio::test]
async fn json_and_names_are_for_scripts() {
    let (_, out, _) = run(&shop(), &["-o", "json"]).await;
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report[1]["state"], "failing");
    assert_eq!(report[1]["reasons"][0]["kind"], "crash");
    let (_, out, _) = run(&shop(), &["-o", "name"]).await;
    assert_eq!(out, "deployment.apps/service-a\ndeployment.apps/service-b\n");
}

#[tokio::test]
async fn labels_choose() {
    let (_, out, _) = run(&shop(), &["-l", "app.kubernetes.io/name=service-b", "-o", "name"]).await;
    assert_eq!(out, "deployment.apps/service-b\n");
}

#[tokio::test]
async fn a_deployment_of_somebody_elses_is_told_from_one_that_is_missing() {
    let double = shop();
    double.put("/api/v1/namespaces/shop", json!({}));
    double.put(
        "/apis/apps/v1/namespaces/shop/deployments/orders",
        json!({ "metadata": { "labels": { "app": "orders" } } }),
    );
    let text = run(&double, &["orders"]).await.0.unwrap_err().to_string();
    assert!(text.contains("deployment.apps/orders was made neither by msctl nor by its charts"), "{text}");
    assert!(text.contains("next: kubectl describe deployment orders -n shop"), "{text}");
    // One of ours that was not chosen is another matter.
    let text = run(&double, &["service-a", "-l", "app.kubernetes.io/name=x"]).await.0.unwrap_err().to_string();
    assert!(text.contains("there is no service service-a"), "{text}");
}

#[tokio::test]
async fn an_unknown_service_and_an_unknown_namespace_are_errors() {
    let double = shop();
    double.put("/api/v1/namespaces/shop", json!({}));
    let error = run(&double, &["service-x"]).await.0.unwrap_err();
    assert!(error.to_string().contains("there is no service service-x in namespace shop"), "{error}");
    let error = run(&Double::new(), &[]).await.0.unwrap_err();
    assert!(error.to_string().contains("namespace shop does not exist"), "{error}");
}

#[tokio::test]
async fn an_empty_namespace_is_no_error() {
    let double = Double::new();
    double.put("/api/v1/namespaces/shop", json!({}));
    assert_eq!(run(&double, &[]).await, (Ok(ExitCode::Done), String::new(), "no services in shop\n".to_owned()));
}

#[tokio::test]
async fn a_forbidden_list_names_the_right_that_is_missing() {
    let double = shop();
    let message =
        "pods is forbidden: User \"eve\" cannot list resource \"pods\" in API group \"\" at the cluster scope";
    double.fail(Method::GET, "/pods", 1, 403, message);
    let error = run(&double, &["-A"]).await.0.unwrap_err();
    assert_eq!(error.code(), ExitCode::Forbidden);
    assert!(error.to_string().contains("user eve may not list pods in the whole cluster"), "{error}");
}

#[tokio::test]
async fn a_service_on_its_way_out_says_so_and_what_holds_it() {
    const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/shop/deployments/service-a";
    const POD: &str = "/api/v1/namespaces/shop/pods/service-a-1-x";
    let leave = |double: &Double, path: &str, finalizers: Value| {
        let mut object = double.get(path).unwrap();
        object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        object["metadata"]["finalizers"] = finalizers;
        double.put(path, object);
    };
    let collected = || json!(["foregroundDeletion"]);
    for (of_deployment, of_pod, reason) in [
        (collected(), json!([]), "service-a-1-x: ending"),
        (collected(), json!(["x.io/y"]), "pod/service-a-1-x: held by finalizer x.io/y"),
        (json!(["x.io/y"]), json!([]), "deployment.apps/service-a: held by finalizer x.io/y (and 1 more)"),
    ] {
        let double = shop();
        leave(&double, DEPLOYMENT, of_deployment);
        leave(&double, POD, of_pod);
        let (_, out, _) = run(&double, &["service-a"]).await;
        let rows = columns(&out);
        assert_eq!((rows[1][2].as_str(), rows[1][5].as_str()), ("deleting", reason), "{out}");
        let (_, out, _) = run(&double, &["service-a", "-o", "json"]).await;
        let report: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(report[0]["state"], "deleting");
    }
    let double = shop();
    leave(&double, DEPLOYMENT, json!(["x.io/y"]));
    double.put("/api/v1/namespaces/shop", json!({ "metadata": { "deletionTimestamp": "2026-01-01T00:00:00Z" } }));
    let (_, out, _) = run(&double, &["service-a", "-o", "wide"]).await;
    assert!(out.contains("namespace/shop: the namespace is being deleted"), "{out}");
}
