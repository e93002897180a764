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
    double.put(POD, pod(&json!([])));
    let (outcome, out) = run(&double, &["service-a", "--timeout", "10s"]).await;
    let error = outcome.unwrap_err();
    assert_eq!(error.code(), ExitCode::TimedOut);
    assert!(error.to_string().contains("1 pod is ending"), "{error}");
    assert_eq!(out, "service/service-a deleted\ndeployment.apps/service-a deleted\n", "what was done is said");
}

const POD: &str = "/api/v1/namespaces/shop/pods/p";

/// A pod on its way out.
fn pod(finalizers: &Value) -> Value {
    json!({ "metadata": { "labels": labels("msctl"), "deletionTimestamp": "2026-01-01T00:00:00Z",
                          "finalizers": finalizers },
            "spec": { "containers": [] } })
}

#[tokio::test(start_paused = true)]
async fn what_a_finalizer_holds_is_named_at_the_timeout() {
    let with_finalizers = |path: &'static str, finalizers: Value| {
        let double = deployed();
        let mut object = double.get(path).unwrap_or_else(|| pod(&json!([])));
        object["metadata"]["finalizers"] = finalizers;
        double.put(path, object);
        double
    };
    for (path, object) in [(POD, "pod/p"), (DEPLOYMENT, "deployment.apps/service-a"), (SERVICE, "service/service-a")] {
        let double = with_finalizers(path, json!(["foregroundDeletion", "x.io/y"]));
        let error = run(&double, &["service-a", "--timeout", "10s"]).await.0.unwrap_err();
        assert_eq!(error.code(), ExitCode::TimedOut);
        let text = error.to_string();
        assert!(text.contains(&format!("{object} is held by finalizer x.io/y")), "{text}");
        assert!(text.contains(&format!("next: kubectl get {object} -n shop -o yaml")), "{text}");
    }
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
    assert_eq!(looks, 1, "the first look was a list");
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

fn inventory(references: &Value) -> Value {
    let annotations = json!({ "msctl.dev/inventory": references.to_string() });
    json!({ "metadata": { "annotations": annotations }, "spec": {} })
}

#[tokio::test(start_paused = true)]
async fn what_no_inventory_names_goes_by_its_labels() {
    // A failed deploy with a new Lease, of objects that were there before it, leaves such inventories.
    for known in [json!(["v1/Service/service-a"]), json!(["apps/v1/Deployment/service-a"]), json!([])] {
        let double = deployed();
        double.put(LEASE, inventory(&known));
        let (outcome, out) = run(&double, &["service-a"]).await;
        assert_eq!(outcome, Ok(ExitCode::Done), "{known}");
        assert_eq!(out, "service/service-a deleted\ndeployment.apps/service-a deleted\n", "{known}");
        assert_eq!(double.paths(), ["/api/v1/namespaces/shop"], "{known}");
    }
}

#[tokio::test]
async fn what_has_lost_its_name_goes_by_the_inventory() {
    let double = deployed();
    double.put(SERVICE, json!({ "metadata": { "labels": { "app.kubernetes.io/managed-by": "msctl" } } }));
    assert_eq!(run(&double, &["service-a"]).await.0, Ok(ExitCode::Done));
    assert_eq!(double.paths(), ["/api/v1/namespaces/shop"]);
}

#[tokio::test]
async fn what_only_has_the_labels_or_only_the_name_of_a_service_stays() {
    const EXPOSED: &str = "/api/v1/namespaces/shop/services/service-a-public";
    const TWIN: &str = "/api/v1/namespaces/shop/services/service-a-headless";
    let double = deployed();
    // `kubectl expose` copies the labels.
    double.put(EXPOSED, json!({ "metadata": { "labels": labels("msctl") } }));
    // Another service's, whose name is that of our headless Service.
    let of_another = json!({ "app.kubernetes.io/name": "service-a-headless", "app.kubernetes.io/managed-by": "msctl" });
    double.put(TWIN, json!({ "metadata": { "labels": of_another } }));
    let known = json!(["apps/v1/Deployment/service-a", "v1/Service/service-a", "v1/Service/service-a-headless"]);
    double.put(LEASE, inventory(&known));
    assert_eq!(run(&double, &["service-a"]).await.0, Ok(ExitCode::Done));
    assert!(double.get(EXPOSED).is_some() && double.get(TWIN).is_some());
    assert!(double.get(SERVICE).is_none() && double.get(DEPLOYMENT).is_none());
}

#[tokio::test]
async fn a_kind_that_may_not_be_looked_for_is_said() {
    let double = deployed();
    double.fail(http::Method::GET, "/poddisruptionbudgets", usize::MAX, 403, "poddisruptionbudgets is forbidden");
    let (outcome, _, err) = run_all(&double, &["service-a"]).await;
    assert_eq!(outcome, Ok(ExitCode::Done));
    assert!(
        err.contains("no PodDisruptionBudget of service-a is looked for: poddisruptionbudgets is forbidden"),
        "{err}"
    );
}

#[tokio::test]
async fn a_list_a_kind_takes_the_place_of_a_look_at_each_object() {
    let double = deployed();
    run(&double, &["service-a", "--no-wait"]).await.0.unwrap();
    let looks = double.requests();
    let looks = |path: &str| looks.iter().filter(|request| request.as_str() == format!("GET {path}")).count();
    assert_eq!((looks(DEPLOYMENT), looks(SERVICE)), (0, 0));
    assert_eq!(looks("/api/v1/namespaces/shop/services"), 1);
}

#[tokio::test]
async fn nothing_is_deleted_beside_a_deployment_of_somebody_else() {
    // A deploy that was to take a release over, and failed half-way.
    let double = deployed();
    let spec = json!({ "selector": {}, "template": {} });
    double.put(DEPLOYMENT, json!({ "metadata": { "labels": labels("Helm") }, "spec": spec }));
    let (outcome, out) = run(&double, &["service-a"]).await;
    let error = outcome.unwrap_err().to_string();
    assert!(error.contains("managed by Helm") && error.contains("stays: service/service-a"), "{error}");
    assert_eq!(out, "");
    assert!(double.get(DEPLOYMENT).is_some() && double.get(SERVICE).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_is_made_anew_meanwhile_is_an_error_and_not_waited_for() {
    let double = deployed();
    double.put(POD, pod(&json!([])));
    let (later, again) = (double.clone(), double.get(DEPLOYMENT).unwrap());
    tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
        let mut again = again;
        again["metadata"]["uid"] = json!("another");
        later.put(DEPLOYMENT, again);
    });
    let started = Instant::now();
    let error = run(&double, &["service-a", "--timeout", "10m"]).await.0.unwrap_err();
    assert_eq!(error.code(), ExitCode::Failed);
    assert!(error.to_string().contains("its Deployment is there and is not being deleted"), "{error}");
    assert!(started.elapsed() < std::time::Duration::from_secs(10), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_name_that_is_wrong_deletes_none_of_the_others() {
    let double = deployed();
    let (outcome, out) = run(&double, &["service-a", "service-nope"]).await;
    assert!(outcome.unwrap_err().to_string().contains("no service service-nope"));
    assert_eq!(out, "");
    assert!(double.get(DEPLOYMENT).is_some() && double.get(SERVICE).is_some());
    let kept = double.get(LEASE).unwrap()["metadata"]["annotations"]["msctl.dev/inventory"].clone();
    assert!(kept.as_str().unwrap().contains("Deployment"), "{kept}");
}

#[tokio::test]
async fn what_was_deleted_before_a_failure_is_printed_in_every_form() {
    let failing = || {
        let double = deployed();
        double.fail(Method::DELETE, "/services/service-a", 1, 500, "etcdserver: no leader");
        double
    };
    for (args, expected) in [
        (&["service-a"][..], "deployment.apps/service-a deleted\n"),
        (&["service-a", "-o", "name"], "deployment.apps/service-a\n"),
    ] {
        let (outcome, out) = run(&failing(), args).await;
        assert_eq!((outcome.unwrap_err().code(), out.as_str()), (ExitCode::Failed, expected));
    }
    let (_, out) = run(&failing(), &["service-a", "-o", "json"]).await;
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report[0]["objects"], json!(["deployment.apps/service-a"]));
}
