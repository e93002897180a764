use clap::Parser as _;
use http::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::*;
use crate::cli::{Cli, Command};
use crate::cluster::double::Double;
use crate::output::tests::captured;

const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/shop/leases/msctl-service-a";
const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/shop/deployments/service-a";
const SERVICE: &str = "/api/v1/namespaces/shop/services/service-a";

async fn run(double: &Double, args: &[&str]) -> (Result<ExitCode, Error>, String) {
    let (outcome, out, _) = run_all(double, args).await;
    (outcome, out)
}

/// Outcome, stdout, stderr.
async fn run_all(double: &Double, args: &[&str]) -> (Result<ExitCode, Error>, String, String) {
    let (printer, out, err) = captured();
    let cli = Cli::try_parse_from(["msctl", "delete"].iter().chain(args)).unwrap();
    let Command::Delete(args) = cli.command else { panic!("another verb") };
    (Box::pin(delete(&double.cluster().into(), &args, &printer)).await, out.text(), err.text())
}

fn labels(manager: &str) -> Value {
    json!({ "app.kubernetes.io/name": "service-a", "app.kubernetes.io/managed-by": manager, "msctl.dev/track": "stable" })
}

fn deployed() -> Double {
    let double = Double::new();
    let inventory = json!(["apps/v1/Deployment/service-a", "v1/Service/service-a"]).to_string();
    double.put(LEASE, json!({ "metadata": { "annotations": { "msctl.dev/inventory": inventory } }, "spec": {} }));
    double.put(
        DEPLOYMENT,
        json!({ "metadata": { "labels": labels("msctl") }, "spec": { "selector": {}, "template": {} } }),
    );
    double.put(SERVICE, json!({ "metadata": { "labels": labels("msctl") } }));
    double.put("/api/v1/namespaces/shop", json!({}));
    double
}

#[tokio::test]
async fn everything_that_deploy_made_goes_and_the_lease_too() {
    let double = deployed();
    let (outcome, out) = run(&double, &["service-a"]).await;
    assert_eq!(outcome, Ok(ExitCode::Done));
    assert_eq!(out, "service/service-a deleted\ndeployment.apps/service-a deleted\n");
    assert_eq!(double.paths(), ["/api/v1/namespaces/shop"]);
}

#[tokio::test]
async fn without_its_inventory_a_service_is_found_by_its_labels() {
    let double = deployed();
    double.put(LEASE, json!({ "spec": {} }));
    run(&double, &["service-a"]).await.0.unwrap();
    assert_eq!(double.paths(), ["/api/v1/namespaces/shop"]);
}

#[tokio::test]
async fn an_unknown_service_is_an_error_unless_that_is_fine() {
    let double = deployed();
    let error = run(&double, &["service-aa"]).await.0.unwrap_err();
    assert_eq!(error.code(), ExitCode::Failed);
    assert!(error.to_string().contains("did you mean service-a?"), "{error}");
    assert_eq!(run(&double, &["service-aa", "--ignore-not-found"]).await, (Ok(ExitCode::Done), String::new()));
    assert!(!double.paths().iter().any(|path| path.ends_with("msctl-service-aa")), "no Lease is left behind");
}

#[tokio::test]
async fn what_helm_manages_is_left_to_helm() {
    let double = Double::new();
    let annotations = json!({ "meta.helm.sh/release-name": "demo" });
    double.put(
        DEPLOYMENT,
        json!({ "metadata": { "labels": labels("Helm"), "annotations": annotations },
                "spec": { "selector": {}, "template": {} } }),
    );
    let error = run(&double, &["service-a"]).await.0.unwrap_err();
    assert!(error.to_string().contains("helm uninstall demo -n shop"), "{error}");
    assert!(double.get(DEPLOYMENT).is_some());
}

#[tokio::test]
async fn a_deletion_that_fails_half_way_can_be_tried_again() {
    let double = deployed();
    double.fail(Method::DELETE, "/services/service-a", 1, 500, "etcdserver: no leader");
    assert!(run(&double, &["service-a"]).await.0.is_err());
    assert!(double.get(LEASE).unwrap()["spec"]["holderIdentity"].is_null());
    assert_eq!(run(&double, &["service-a"]).await, (Ok(ExitCode::Done), "service/service-a deleted\n".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn pods_that_do_not_end_are_said_at_the_timeout() {
    let double = deployed();
    double.put(
        "/api/v1/namespaces/shop/pods/p",
        json!({ "metadata": { "labels": labels("msctl") }, "spec": { "containers": [] } }),
    );
    let error = run(&double, &["service-a", "--timeout", "10s"]).await.0.unwrap_err();
    assert_eq!(error.code(), ExitCode::TimedOut);
    assert!(error.to_string().contains("1 pod is ending"), "{error}");
}

#[tokio::test]
async fn a_missing_namespace_is_named() {
    let double = deployed();
    let mut cluster = double.cluster();
    cluster.namespace = "nowhere".to_owned();
    let (printer, _, _) = captured();
    let cli = Cli::try_parse_from(["msctl", "delete", "service-a"]).unwrap();
    let Command::Delete(args) = cli.command else { panic!("another verb") };
    let error = delete(&cluster.into(), &args, &printer).await.unwrap_err();
    assert!(error.to_string().contains("namespace nowhere does not exist"), "{error}");
}

#[tokio::test]
async fn an_inventory_that_names_what_helm_made_deletes_nothing_of_it() {
    let double = deployed();
    let annotations = json!({ "meta.helm.sh/release-name": "demo" });
    double.put(
        DEPLOYMENT,
        json!({ "metadata": { "labels": labels("Helm"), "annotations": annotations },
                "spec": { "selector": {}, "template": {} } }),
    );
    double.put(SERVICE, json!({ "metadata": { "labels": labels("Helm") } }));
    let error = run(&double, &["service-a"]).await.0.unwrap_err();
    assert!(error.to_string().contains("helm uninstall demo -n shop"), "{error}");
    assert!(double.get(DEPLOYMENT).is_some() && double.get(SERVICE).is_some());
    assert_eq!(double.get(LEASE), None, "the false inventory is gone");
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_takes_a_deletion_and_never_answers_does_not_hang_it() {
    let double = deployed();
    double.silence(Method::DELETE, "/services/");
    let started = Instant::now();
    let error = run(&double, &["service-a", "--timeout", "10s", "--no-wait"]).await.0.unwrap_err();
    assert_eq!(error.code(), ExitCode::TimedOut);
    assert!(error.to_string().contains("next: msctl status -n shop"), "{error}");
    assert!(started.elapsed() < std::time::Duration::from_secs(13), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn who_may_not_watch_pods_gets_to_the_end_of_a_deletion() {
    let double = deployed();
    double.fail(Method::GET, "/pods", usize::MAX, 403, "pods is forbidden");
    assert_eq!(run(&double, &["service-a"]).await.0, Ok(ExitCode::Done));
    assert_eq!(double.paths(), ["/api/v1/namespaces/shop"]);
}

#[tokio::test]
async fn an_object_that_was_replaced_while_it_was_deleted_is_looked_at_anew() {
    let double = deployed();
    double.fail(Method::DELETE, "/services/", 1, 409, "the UID in the precondition is another");
    let (outcome, out) = run(&double, &["service-a"]).await;
    assert_eq!(outcome, Ok(ExitCode::Done));
    assert!(out.contains("service/service-a deleted"), "{out}");
    let looks = double.requests().iter().filter(|request| *request == &format!("GET {SERVICE}")).count();
    assert_eq!(looks, 2);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_lost_ends_a_deletion() {
    let double = deployed();
    double.silence(Method::DELETE, "/services/");
    let thief = double.clone();
    tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        thief.put(LEASE, json!({ "spec": { "holderIdentity": "bob@host/1/2" } }));
    });
    let error = run(&double, &["service-a", "--timeout", "60s"]).await.0.unwrap_err();
    assert!(error.to_string().contains("lost the Lease of service-a"), "{error}");
}

const CLAIM: &str = "/api/v1/namespaces/shop/persistentvolumeclaims/service-a-database";

/// With the volume of an `SQLite` database.
fn deployed_with_a_volume() -> Double {
    let double = deployed();
    let references =
        ["apps/v1/Deployment/service-a", "v1/Service/service-a", "v1/PersistentVolumeClaim/service-a-database"];
    let annotations = json!({ "msctl.dev/inventory": json!(references).to_string() });
    double.put(LEASE, json!({ "metadata": { "annotations": annotations }, "spec": {} }));
    let annotations = json!({ "helm.sh/resource-policy": "keep" });
    double.put(CLAIM, json!({ "metadata": { "labels": labels("msctl"), "annotations": annotations } }));
    double
}

#[tokio::test]
async fn a_databases_volume_stays_and_the_command_that_deletes_it_is_said() {
    let double = deployed_with_a_volume();
    let (outcome, out, err) = run_all(&double, &["service-a", "-o", "json"]).await;
    assert_eq!(outcome, Ok(ExitCode::Done));
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report[0]["objects"], json!(["service/service-a", "deployment.apps/service-a"]));
    assert_eq!(report[0]["kept"], json!(["persistentvolumeclaim/service-a-database"]));
    assert!(err.contains("kubectl delete persistentvolumeclaim/service-a-database -n shop"), "{err}");
    assert_eq!(double.paths(), ["/api/v1/namespaces/shop", CLAIM]);
}

#[tokio::test]
async fn a_volume_that_an_earlier_deploy_kept_is_still_said() {
    let double = deployed_with_a_volume();
    // As the deploy leaves it that moved the service to Postgres.
    double.put(LEASE, deployed().get(LEASE).unwrap());
    let (outcome, _, err) = run_all(&double, &["service-a"]).await;
    assert_eq!(outcome, Ok(ExitCode::Done));
    assert!(err.contains("kubectl delete persistentvolumeclaim/service-a-database -n shop"), "{err}");
    assert_eq!(double.paths(), ["/api/v1/namespaces/shop", CLAIM]);
}

#[tokio::test]
async fn a_volume_that_is_left_is_no_service() {
    let double = deployed_with_a_volume();
    run(&double, &["service-a"]).await.0.unwrap();
    let error = run(&double, &["service-a"]).await.0.unwrap_err();
    assert!(error.to_string().contains("there is no service service-a"), "{error}");
    assert_eq!(run(&double, &["service-a", "--ignore-not-found"]).await.0, Ok(ExitCode::Done));
    assert!(double.get(CLAIM).is_some());
    assert_eq!(double.get(LEASE), None, "no Lease is left behind");
}

#[tokio::test]
async fn a_volume_without_the_annotation_goes() {
    let double = deployed_with_a_volume();
    double.put(CLAIM, json!({ "metadata": { "labels": labels("msctl") } }));
    run(&double, &["service-a"]).await.0.unwrap();
    assert_eq!(double.paths(), ["/api/v1/namespaces/shop"]);
}
