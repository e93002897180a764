use std::sync::Arc;

use std::time::Duration;

use clap::Parser as _;
use http::Method;
use reach::Cluster;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::*;
use crate::cli::{Cli, Command};
use crate::cluster::double::Double;
use crate::output::tests::captured;
use crate::wanted::Wanted;

const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/shop/deployments/service-a";
const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/shop/leases/msctl-service-a";

/// Runs `msctl deploy ARGS` against the double: outcome, stdout, stderr.
async fn deploy(double: &Double, args: &[&str]) -> (Result<ExitCode, Error>, String, String) {
    deploy_in(&double.cluster(), args).await
}

async fn deploy_in(cluster: &Cluster, args: &[&str]) -> (Result<ExitCode, Error>, String, String) {
    let (printer, out, err) = captured();
    let cli = Cli::try_parse_from(["msctl", "deploy"].iter().chain(args)).unwrap();
    let Command::Deploy(args) = cli.command else { panic!("another verb") };
    let outcome = Box::pin(super::deploy(&Arc::new(cluster.clone().into()), &args, &printer)).await;
    (outcome, out.text(), err.text())
}

fn ready() -> Double {
    let double = Double::new();
    double.instant_rollouts();
    double
}

fn count(double: &Double, method: &str, part: &str) -> usize {
    double.requests().iter().filter(|request| request.starts_with(method) && request.contains(part)).count()
}

#[tokio::test]
async fn a_first_deploy_makes_every_object_and_waits_until_it_is_ready() {
    let double = ready();
    let (outcome, out, _) = deploy(&double, &["service-a"]).await;
    assert_eq!(outcome, Ok(ExitCode::Done));
    assert!(out.contains("deployment.apps/service-a created\n"), "{out}");
    assert!(out.contains("service/service-a-headless created\n"), "{out}");
    assert!(out.lines().last().unwrap().starts_with("service-a: 2/2 ready in "), "{out}");
    let inventory = double.get(LEASE).unwrap()["metadata"]["annotations"]["msctl.dev/inventory"].clone();
    assert!(inventory.as_str().unwrap().contains("apps/v1/Deployment/service-a"), "{inventory}");
    assert!(double.get(LEASE).unwrap()["spec"]["holderIdentity"].is_null());
}

#[tokio::test]
async fn watches_start_before_anything_is_applied_and_nothing_is_discovered() {
    let double = ready();
    deploy(&double, &["service-a"]).await.0.unwrap();
    let requests = double.requests();
    let watch = requests.iter().position(|request| request == "GET /apis/apps/v1/namespaces/shop/deployments");
    let apply = requests.iter().position(|request| request == &format!("PATCH {DEPLOYMENT}"));
    assert!(watch.unwrap() < apply.unwrap(), "{requests:?}");
    let discovery = ["GET /api", "GET /apis", "GET /version", "GET /openapi/v3"];
    assert!(!requests.iter().any(|request| discovery.contains(&request.as_str())), "{requests:?}");
}

#[tokio::test]
async fn pods_are_made_after_what_they_need() {
    let double = ready();
    deploy(&double, &["service-a"]).await.0.unwrap();
    let requests = double.requests();
    let at = |part: &str| requests.iter().position(|request| request.starts_with("PATCH") && request.contains(part));
    for needed in ["/serviceaccounts/", "/configmaps/", "/networkpolicies/"] {
        assert!(at(needed).unwrap() < at("/deployments/").unwrap(), "{needed}");
    }
}

#[tokio::test]
async fn a_second_deploy_changes_nothing_and_says_so() {
    let double = ready();
    deploy(&double, &["service-a"]).await.0.unwrap();
    let version = double.get(DEPLOYMENT).unwrap()["metadata"]["resourceVersion"].clone();
    let (_, out, _) = deploy(&double, &["service-a"]).await;
    assert!(out.starts_with("service-a unchanged: 2/2 ready in ") && out.lines().count() == 1, "{out}");
    assert_eq!(double.get(DEPLOYMENT).unwrap()["metadata"]["resourceVersion"], version);
}

#[tokio::test]
async fn replicas_that_somebody_set_survive_a_deploy_unless_it_asks_for_others() {
    let double = ready();
    deploy(&double, &["service-a"]).await.0.unwrap();
    let mut scaled = double.get(DEPLOYMENT).unwrap();
    scaled["spec"]["replicas"] = json!(5);
    double.put(DEPLOYMENT, scaled);
    deploy(&double, &["service-a", "--set", "resources.requests.cpu=20m"]).await.0.unwrap();
    assert_eq!(double.get(DEPLOYMENT).unwrap()["spec"]["replicas"], 5);
    let (_, out, _) = deploy(&double, &["service-a", "--replicas", "3"]).await;
    assert_eq!(double.get(DEPLOYMENT).unwrap()["spec"]["replicas"], 3);
    assert!(out.contains("deployment.apps/service-a configured"), "{out}");
}

#[tokio::test]
async fn the_replicas_are_handed_to_a_manager_of_their_own() {
    let double = ready();
    deploy(&double, &["service-a"]).await.0.unwrap();
    let fields = double.get(DEPLOYMENT).unwrap()["metadata"]["managedFields"].clone();
    let managers: Vec<&str> = fields.as_array().unwrap().iter().filter_map(|entry| entry["manager"].as_str()).collect();
    assert_eq!(managers, ["msctl", "msctl-replicas"]);
}

#[tokio::test]
async fn what_is_no_longer_wanted_is_deleted_and_shown() {
    let double = ready();
    let scaler = "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers/service-a";
    deploy(&double, &["service-a", "--set", "autoscaling.enabled=true"]).await.0.unwrap();
    assert!(double.get(scaler).is_some());
    let (_, out, _) = deploy(&double, &["service-a"]).await;
    assert!(out.contains("horizontalpodautoscaler.autoscaling/service-a deleted"), "{out}");
    assert!(double.get(scaler).is_none());
    let inventory = double.get(LEASE).unwrap()["metadata"]["annotations"]["msctl.dev/inventory"].clone();
    assert!(!inventory.as_str().unwrap().contains("Autoscaler"), "{inventory}");
}

#[tokio::test]
async fn names_are_those_of_what_is_there_afterwards() {
    let double = ready();
    double.put("/api/v1/namespaces/shop", json!({}));
    let scaler = "horizontalpodautoscaler.autoscaling/service-a";
    let set = ["service-a", "-o", "name", "--set", "autoscaling.enabled=true"];
    let (_, out, _) = deploy(&double, &set).await;
    assert!(out.contains(scaler), "{out}");
    for args in [&["service-a", "-o", "name", "--dry-run=server"][..], &["service-a", "-o", "name"]] {
        let (_, out, _) = deploy(&double, args).await;
        assert!(out.contains("deployment.apps/service-a") && !out.contains(scaler), "{args:?}: {out}");
    }
}

#[tokio::test]
async fn a_missing_namespace_is_an_error_and_made_on_request() {
    let double = ready();
    let mut cluster = double.cluster();
    cluster.namespace = "shpo".to_owned();
    double.put("/api/v1/namespaces/shop", json!({}));
    let error = deploy_in(&cluster, &["service-a"]).await.0.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("namespace shpo does not exist"), "{text}");
    assert!(text.contains("did you mean -n shop?") && text.contains("--create-namespace"), "{text}");
    assert!(double.paths().iter().all(|path| !path.contains("/shpo")), "{:?}", double.paths());
    // The double has no such namespace even then: what counts is that it was asked for, and tried again.
    let _ = deploy_in(&cluster, &["service-a", "--create-namespace"]).await;
    assert!(double.get("/api/v1/namespaces/shpo").is_some());
}

fn conflict() -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 409, "reason": "Conflict",
        "message": "Apply failed with 1 conflict", "details": { "causes": [{
            "reason": "FieldManagerConflict", "field": ".spec.template.spec.containers",
            "message": "conflict with \"kubectl-edit\" using apps/v1" }] },
    })
}

#[tokio::test]
async fn a_field_of_somebody_else_is_named_with_its_owner() {
    let double = ready();
    double.fail_with(Method::PATCH, "/deployments/service-a", 1, conflict());
    let error = deploy(&double, &["service-a"]).await.0.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("spec.template.spec.containers is owned by kubectl-edit"), "{text}");
    assert!(text.contains("--force-conflicts"), "{text}");
    assert!(double.get(LEASE).unwrap()["spec"]["holderIdentity"].is_null(), "the Lease is given back");
}

#[tokio::test]
async fn a_deploy_that_made_nothing_leaves_nothing() {
    let double = ready();
    let message = "serviceaccounts is forbidden: User \"eve\" cannot patch resource \"serviceaccounts\" in API group \
                   \"\" in the namespace \"shop\"";
    double.fail(Method::PATCH, "/namespaces/shop/", usize::MAX, 403, message);
    let error = deploy(&double, &["service-a"]).await.0.unwrap_err();
    assert_eq!(error.code(), ExitCode::Forbidden);
    assert!(error.to_string().contains("user eve may not patch serviceaccounts in namespace shop"), "{error}");
    assert_eq!(double.paths(), Vec::<String>::new());
}

#[tokio::test]
async fn a_deploy_that_fails_half_way_remembers_what_it_made() {
    let double = ready();
    double.fail(Method::PATCH, "/deployments/", usize::MAX, 500, "etcdserver: no leader");
    let error = deploy(&double, &["service-a"]).await.0.unwrap_err();
    assert!(error.to_string().contains("no leader"), "{error}");
    let inventory = double.get(LEASE).unwrap()["metadata"]["annotations"]["msctl.dev/inventory"].clone();
    let inventory = inventory.as_str().unwrap();
    assert!(inventory.contains("v1/Service/service-a"), "{inventory}");
    assert!(inventory.contains("Deployment"), "an answer of 500 does not say that it was not made: {inventory}");
}

#[tokio::test]
async fn no_wait_returns_once_it_is_applied_and_watches_nothing() {
    let double = Double::new();
    let (outcome, out, _) = deploy(&double, &["service-a", "--no-wait"]).await;
    assert_eq!(outcome, Ok(ExitCode::Done));
    assert!(out.contains("deployment.apps/service-a created") && !out.contains("ready"), "{out}");
    assert_eq!(count(&double, "GET", "/pods"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_never_ends_is_over_at_its_timeout() {
    let double = Double::new();
    let began = Instant::now();
    let error = deploy(&double, &["service-a", "--timeout", "20s"]).await.0.unwrap_err();
    assert_eq!(error.code(), ExitCode::TimedOut);
    assert!(began.elapsed() < Duration::from_secs(21), "{:?}", began.elapsed());
    assert!(error.to_string().contains("deploy service-a is not done after 20s"), "{error}");
    assert!(double.get(LEASE).unwrap()["spec"]["holderIdentity"].is_null());
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_takes_a_write_and_never_answers_does_not_hang_it() {
    let double = Double::new();
    double.silence(Method::PATCH, "/deployments/");
    let began = Instant::now();
    let error = deploy(&double, &["service-a", "--timeout", "20s"]).await.0.unwrap_err();
    assert_eq!(error.code(), ExitCode::TimedOut);
    assert!(began.elapsed() < Duration::from_secs(21), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_server_side_dry_run_shows_the_changes_and_makes_none() {
    let double = ready();
    double.put("/api/v1/namespaces/shop", json!({}));
    deploy(&double, &["service-a", "--set", "autoscaling.enabled=true"]).await.0.unwrap();
    let before = double.get(DEPLOYMENT);
    let (_, out, _) = deploy(&double, &["service-a", "--dry-run=server", "--set", "service.port=8123"]).await;
    assert!(out.contains("deployment.apps/service-a configured (server dry run)"), "{out}");
    assert!(out.contains("horizontalpodautoscaler.autoscaling/service-a deleted (server dry run)"), "{out}");
    assert!(out.contains("serviceaccount/service-a unchanged (server dry run)"), "{out}");
    assert_eq!(double.get(DEPLOYMENT), before);
}

#[tokio::test]
async fn json_is_one_document_with_everything() {
    let double = ready();
    let (_, out, _) = deploy(&double, &["service-a", "service-b", "-o", "json"]).await;
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["namespace"], "shop");
    assert_eq!(report["services"][1]["name"], "service-b");
    assert_eq!(report["services"][0]["rollout"]["ready"], 2);
    assert_eq!(report["services"][0]["objects"][0]["action"], "created");
}

#[tokio::test]
async fn two_services_are_watched_together() {
    let double = ready();
    let (_, out, _) = deploy(&double, &["service-b", "service-a"]).await;
    assert!(out.contains("service-a: 2/2 ready") && out.contains("service-b: 2/2 ready"), "{out}");
    // One list, one watch.
    assert!(count(&double, "GET", "shop/deployments") <= 4, "{:?}", double.requests());
}

#[tokio::test]
async fn a_service_whose_turn_never_came_leaves_no_lease() {
    let double = ready();
    double.fail_with(Method::PATCH, "/deployments/service-a", 1, conflict());
    deploy(&double, &["service-a", "service-b"]).await.0.unwrap_err();
    assert!(double.get(LEASE).is_some(), "its other objects exist");
    assert_eq!(double.get(&LEASE.replace("service-a", "service-b")), None);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_lost_ends_an_apply() {
    let double = ready();
    double.silence(Method::PATCH, "/deployments/");
    let thief = double.clone();
    tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let mut lease = thief.get(LEASE).unwrap();
        lease["spec"]["holderIdentity"] = json!("bob@host/1/2");
        thief.put(LEASE, lease);
    });
    let error = deploy(&double, &["service-a", "--timeout", "60s"]).await.0.unwrap_err();
    assert!(error.to_string().contains("lost the Lease of service-a"), "{error}");
    assert_eq!(double.get(LEASE).unwrap()["spec"]["holderIdentity"], "bob@host/1/2");
}

#[tokio::test]
async fn a_failed_step_is_the_last_that_is_started_and_what_was_refused_is_not_remembered() {
    let double = ready();
    double.fail(Method::PATCH, "/serviceaccounts/", 1, 403, "no");
    deploy(&double, &["service-a"]).await.0.unwrap_err();
    assert_eq!(count(&double, "PATCH", "/policy/"), 0, "{:?}", double.requests());
    assert_eq!(count(&double, "PATCH", "/deployments/"), 0);
    let inventory = double.get(LEASE).unwrap()["metadata"]["annotations"]["msctl.dev/inventory"].clone();
    assert!(!inventory.as_str().unwrap().contains("ServiceAccount"), "{inventory}");
}

#[tokio::test]
async fn a_bound_of_an_autoscaler_that_is_off_does_not_reset_the_replicas() {
    let double = ready();
    deploy(&double, &["service-a"]).await.0.unwrap();
    let mut scaled = double.get(DEPLOYMENT).unwrap();
    scaled["spec"]["replicas"] = json!(5);
    double.put(DEPLOYMENT, scaled);
    deploy(&double, &["service-a", "--set", "autoscaling.minReplicas=2"]).await.0.unwrap();
    assert_eq!(double.get(DEPLOYMENT).unwrap()["spec"]["replicas"], 5);
}

const CLAIM: &str = "/api/v1/namespaces/shop/persistentvolumeclaims/service-a-database";

#[tokio::test]
async fn a_volume_that_nobody_wants_any_more_stays_and_that_is_said() {
    let double = ready();
    double.put("/api/v1/namespaces/shop", json!({}));
    let file = ["service-a", "--set", "database.kind=sqlite,replicas=1"];
    let (outcome, out, _) = deploy(&double, &file).await;
    assert_eq!(outcome, Ok(ExitCode::Done));
    assert!(out.contains("persistentvolumeclaim/service-a-database created\n"), "{out}");

    let (outcome, out, _) = deploy(&double, &["service-a", "--dry-run=server"]).await;
    assert_eq!(outcome, Ok(ExitCode::Done));
    assert!(out.contains("persistentvolumeclaim/service-a-database kept (server dry run)\n"), "{out}");

    let (outcome, out, err) = deploy(&double, &["service-a"]).await;
    assert_eq!(outcome, Ok(ExitCode::Done));
    assert!(out.contains("persistentvolumeclaim/service-a-database kept\n"), "{out}");
    assert!(err.contains("kubectl delete persistentvolumeclaim/service-a-database -n shop"), "{err}");
    assert!(double.get(CLAIM).is_some());

    // Told once, and taken up again by who wants it.
    let (_, out, err) = deploy(&double, &["service-a"]).await;
    assert!(!(out + &err).contains("persistentvolumeclaim"));
    let (outcome, out, _) = deploy(&double, &file).await;
    assert_eq!(outcome, Ok(ExitCode::Done));
    assert!(!out.contains("persistentvolumeclaim/service-a-database created"), "{out}");
}

#[tokio::test]
async fn a_size_that_the_storage_refuses_is_told_from_a_missing_right() {
    let double = ready();
    let file = |size: &str| format!("database.kind=sqlite,replicas=1,database.sqlite.size={size}");
    deploy(&double, &["service-a", "--set", &file("1Gi")]).await.0.unwrap();
    let message = "persistentvolumeclaims \"service-a-database\" is forbidden: only dynamically provisioned pvc can \
                   be resized and the storageclass that provisions the pvc must support resize";
    double.fail(Method::PATCH, "/persistentvolumeclaims/", 1, 403, message);
    let error = deploy(&double, &["service-a", "--set", &file("2Gi")]).await.0.unwrap_err();
    assert_eq!(error.code(), ExitCode::Failed);
    let text = error.to_string();
    assert!(text.contains("must support resize") && text.contains("set database.sqlite.size back to 1Gi"), "{text}");

    let message = "persistentvolumeclaims \"service-a-database\" is forbidden: User \"eve\" cannot patch resource \
                   \"persistentvolumeclaims\" in API group \"\" in the namespace \"shop\"";
    double.fail(Method::PATCH, "/persistentvolumeclaims/", 1, 403, message);
    let error = deploy(&double, &["service-a", "--set", &file("2Gi")]).await.0.unwrap_err();
    assert_eq!(error.code(), ExitCode::Forbidden, "{error}");
}

#[tokio::test]
async fn uninstalling_is_no_advice_for_what_outlives_its_release() {
    let double = ready();
    let file = ["service-a", "--set", "database.kind=sqlite,replicas=1"];
    deploy(&double, &file).await.0.unwrap();
    let mut of_helm = conflict();
    of_helm["details"]["causes"][0]["message"] = json!("conflict with \"helm\" using v1");
    for (path, uninstall) in [("/persistentvolumeclaims/", false), ("/deployments/service-a", true)] {
        double.fail_with(Method::PATCH, path, 1, of_helm.clone());
        let text = deploy(&double, &file).await.0.unwrap_err().to_string();
        assert!(text.contains("--force-conflicts") && text.contains("Helm release"), "{text}");
        assert_eq!(text.contains("helm uninstall"), uninstall, "{text}");
    }
}

#[tokio::test]
async fn many_replicas_on_a_file_are_refused_and_nothing_is_applied() {
    for set in [
        "database.kind=sqlite",
        "database.kind=sqlite,replicas=3",
        "database.kind=sqlite,replicas=1,autoscaling.enabled=true",
    ] {
        let values = crate::cli::deploy::ValuesArgs { set: vec![set.to_owned()], ..Default::default() };
        let error = Wanted::all(&["service-a".to_owned()], &values, crate::wanted::Layers::default()).unwrap_err();
        assert_eq!(error.code(), ExitCode::Usage);
        assert!(error.to_string().contains("set database.kind=postgres, or "), "{error}");
    }
}

#[tokio::test]
async fn a_failed_deploy_with_a_new_lease_remembers_what_was_there() {
    for (manager, remembered) in [("msctl", true), ("Helm", false)] {
        let double = ready();
        deploy(&double, &["service-a"]).await.0.unwrap();
        let mut live = double.get(DEPLOYMENT).unwrap();
        live["metadata"]["labels"]["app.kubernetes.io/managed-by"] = json!(manager);
        double.put(DEPLOYMENT, live);
        double.remove(LEASE);
        double.fail_with(Method::PATCH, "/deployments/service-a", 1, conflict());
        deploy(&double, &["service-a"]).await.0.unwrap_err();
        let inventory = double.get(LEASE).unwrap()["metadata"]["annotations"]["msctl.dev/inventory"].clone();
        assert_eq!(inventory.as_str().unwrap().contains("Deployment"), remembered, "{manager}: {inventory}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_made_before_a_failure_is_printed_in_every_form() {
    let refused = || {
        let double = ready();
        double.fail_with(Method::PATCH, "/deployments/service-b", 1, conflict());
        double
    };
    let (outcome, out, _) = deploy(&refused(), &["service-a", "service-b"]).await;
    assert_eq!(outcome.unwrap_err().code(), ExitCode::Failed);
    for line in ["deployment.apps/service-a created", "service/service-b created"] {
        assert_eq!(out.lines().filter(|one| *one == line).count(), 1, "{line}: {out}");
    }
    assert!(!out.contains("deployment.apps/service-b") && !out.contains("unchanged"), "{out}");
    let (_, out, _) = deploy(&refused(), &["service-b", "-o", "name"]).await;
    assert!(out.lines().any(|line| line == "service/service-b"), "{out}");
    let (_, out, _) = deploy(&refused(), &["service-b", "-o", "json"]).await;
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&report["services"][0]["name"], &report["services"][0]["rollout"]),
        (&json!("service-b"), &Value::Null)
    );
    let objects = report["services"][0]["objects"].to_string();
    assert!(objects.contains("service/service-b") && !objects.contains("deployment.apps"), "{objects}");

    let double = ready();
    double.silence(Method::PATCH, "/deployments/");
    let (outcome, out, _) = deploy(&double, &["service-a", "--timeout", "20s"]).await;
    assert_eq!(outcome.unwrap_err().code(), ExitCode::TimedOut);
    assert!(out.contains("service/service-a created\n") && !out.contains("deployment.apps"), "{out}");
}

#[tokio::test(start_paused = true)]
async fn a_timeout_says_what_was_waited_for() {
    let held = Double::new();
    let now = jiff::Timestamp::now().to_string();
    held.put(
        LEASE,
        json!({ "spec": { "holderIdentity": "ann@laptop/1/2", "leaseDurationSeconds": 15, "renewTime": now } }),
    );
    let leaving = Double::new();
    leaving.put(
        DEPLOYMENT,
        json!({ "metadata": { "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["x.io/y"] } }),
    );
    let silent = Double::new();
    silent.silence(Method::PATCH, "/deployments/");
    for (double, why) in [
        (held, "why: service-a: ann@laptop (process 1) was changing it; waiting for a sign of life"),
        (leaving, "why: waiting until the old deployment.apps/service-a is gone; it is held by finalizer x.io/y"),
        (silent, "why: the API server has not answered yet"),
    ] {
        let error = deploy(&double, &["service-a", "--timeout", "2s"]).await.0.unwrap_err();
        assert_eq!(error.code(), ExitCode::TimedOut);
        assert!(error.to_string().contains(why), "{error}");
    }
}
