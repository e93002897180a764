use http::Method;
use serde_json::{Value, json};

use super::*;
use crate::cluster::double::Double;
use crate::output::tests::captured;

const BASE: &str = "/apis/apps/v1/namespaces/shop";

fn labels() -> Value {
    json!({ "app.kubernetes.io/name": "service-a", "msctl.dev/track": "stable", "pod-template-hash": "1" })
}

fn deployment(ready: i32) -> Value {
    json!({
        "metadata": { "generation": 1, "uid": "uid-d", "labels": labels(),
                      "annotations": { "deployment.kubernetes.io/revision": "1" } },
        "spec": { "replicas": 1, "selector": {}, "template": {} },
        "status": { "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": ready,
                    "availableReplicas": ready },
    })
}

/// A Deployment whose only pod has a container in this state.
fn stuck(double: &Double, state: &Value) {
    double.put(&format!("{BASE}/deployments/service-a"), deployment(0));
    let owner = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "service-a", "uid": "uid-d" });
    double.put(
        &format!("{BASE}/replicasets/service-a-1"),
        json!({ "metadata": { "labels": labels(), "ownerReferences": [owner],
                              "annotations": { "deployment.kubernetes.io/revision": "1" } },
                "spec": { "selector": {} } }),
    );
    let status = json!({ "name": "service-a", "image": "x:1", "imageID": "", "ready": false, "restartCount": 1,
                         "state": state });
    double.put(
        "/api/v1/namespaces/shop/pods/service-a-1-x",
        json!({ "metadata": { "labels": labels(), "uid": "uid-p" }, "spec": { "containers": [] },
                "status": { "conditions": [{ "type": "PodScheduled", "status": "True" }],
                            "containerStatuses": [status] } }),
    );
}

async fn wait_for(double: &Double, timeout: Duration) -> (Result<Vec<Progress>, Error>, String) {
    let (printer, _, err) = captured();
    let cluster = double.cluster();
    let mut watch = Watch::start(&cluster, &["service-a".to_owned()]);
    let targets = [Target { service: "service-a".to_owned(), goal: Goal::Rollout { generation: 1 } }];
    let wait = Wait::new(&cluster, &printer, "deploy service-a", timeout, Instant::now());
    (wait.until_done(&mut watch, &targets).await, err.text())
}

#[tokio::test(start_paused = true)]
async fn a_rollout_ends_with_the_event_that_completes_it() {
    let double = Double::new();
    double.put(&format!("{BASE}/deployments/service-a"), deployment(0));
    let later = double.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(7)).await;
        later.put(&format!("{BASE}/deployments/service-a"), deployment(1));
    });
    let started = Instant::now();
    let (done, _) = wait_for(&double, Duration::from_mins(1)).await;
    assert!(done.unwrap()[0].done);
    assert!(started.elapsed() < Duration::from_millis(7_010), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_doomed_rollout_ends_at_once_with_cause_log_and_next_command() {
    let double = Double::new();
    stuck(&double, &json!({ "waiting": { "reason": "CrashLoopBackOff", "message": "back-off" } }));
    let started = Instant::now();
    let error = wait_for(&double, Duration::from_mins(5)).await.0.unwrap_err();
    assert_eq!(error.code(), ExitCode::RolloutFailed);
    let text = error.to_string();
    for part in ["service-a will not become ready", "keeps crashing", "the last line", "--previous", "msctl status"] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn limited_patience_ends_the_wait_without_another_event() {
    let double = Double::new();
    stuck(
        &double,
        &json!({ "waiting": { "reason": "CreateContainerConfigError", "message": "secret \"x\" not found" } }),
    );
    let started = Instant::now();
    let (error, said) = wait_for(&double, Duration::from_mins(5)).await;
    assert_eq!(error.unwrap_err().code(), ExitCode::RolloutFailed);
    assert!(said.contains("secret \"x\" not found"), "{said}");
    assert!((Duration::from_secs(5)..Duration::from_secs(6)).contains(&started.elapsed()), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_deadline_says_what_was_still_waited_for() {
    let double = Double::new();
    stuck(&double, &json!({ "running": {} }));
    let error = wait_for(&double, Duration::from_secs(30)).await.0.unwrap_err();
    assert_eq!(error.code(), ExitCode::TimedOut);
    let text = error.to_string();
    assert!(text.contains("service-a: 0/1 ready; service-a-1-x: running, not ready yet"), "{text}");
    assert!(text.contains("--timeout"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_too_old_starts_anew() {
    let double = Double::new();
    double.put(&format!("{BASE}/deployments/service-a"), deployment(0));
    double.watch_is_gone("/deployments?&watch=true", 3);
    let later = double.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(20)).await;
        later.put(&format!("{BASE}/deployments/service-a"), deployment(1));
    });
    let (done, _) = wait_for(&double, Duration::from_mins(1)).await;
    assert!(done.is_ok(), "{done:?}");
    let lists = double.requests().iter().filter(|request| request.ends_with("/deployments")).count();
    assert!(lists > 6, "each 410 costs a list and a watch: {lists}");
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_fails_for_a_while_is_waited_for_and_that_is_said() {
    let double = Double::new();
    double.put(&format!("{BASE}/deployments/service-a"), deployment(1));
    double.fail(Method::GET, "/deployments", 8, 500, "etcdserver: leader changed");
    let (done, said) = wait_for(&double, Duration::from_mins(1)).await;
    assert!(done.is_ok());
    assert!(said.contains("cannot watch deployments (etcdserver: leader changed), trying again"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn who_may_not_watch_pods_gets_the_outcome_without_reasons() {
    let double = Double::new();
    double.put(&format!("{BASE}/deployments/service-a"), deployment(0));
    double.fail(Method::GET, "/pods", usize::MAX, 403, "pods is forbidden");
    let later = double.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(5)).await;
        later.put(&format!("{BASE}/deployments/service-a"), deployment(1));
    });
    let (done, said) = wait_for(&double, Duration::from_mins(1)).await;
    assert!(done.is_ok());
    assert!(said.contains("may not watch pods"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn who_may_list_pods_and_not_watch_them_is_told_once() {
    let double = Double::new();
    double.put(&format!("{BASE}/deployments/service-a"), deployment(0));
    double.fail(Method::GET, "/pods?&watch=true", usize::MAX, 403, "pods is forbidden");
    let (error, said) = wait_for(&double, Duration::from_mins(1)).await;
    assert_eq!(error.unwrap_err().code(), ExitCode::TimedOut);
    assert_eq!(said.matches("may not watch pods").count(), 1, "{said}");
}

#[tokio::test(start_paused = true)]
async fn who_may_not_watch_deployments_is_told_which_right_is_missing() {
    let double = Double::new();
    let message = "deployments.apps is forbidden: User \"eve\" cannot list resource \"deployments\" in API group \
                   \"apps\" in the namespace \"shop\"";
    double.fail(Method::GET, "/deployments", usize::MAX, 403, message);
    let error = wait_for(&double, Duration::from_mins(1)).await.0.unwrap_err();
    assert_eq!(error.code(), ExitCode::Forbidden);
    assert!(error.to_string().contains("user eve may not list deployments.apps"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_never_answers_ends_at_the_deadline() {
    let double = Double::new();
    double.silence(Method::GET, "/deployments");
    let error = wait_for(&double, Duration::from_secs(10)).await.0.unwrap_err();
    assert_eq!(error.code(), ExitCode::TimedOut);
}
