use std::time::Duration;

use clap::Parser as _;
use http::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::*;
use crate::cli::{Cli, Command};
use crate::cluster::double::Double;
use crate::output::tests::captured;

const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/shop/deployments/service-a";
const SCALER: &str = "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers/service-a";

async fn run(double: &Double, args: &[&str]) -> (Result<ExitCode, Error>, String) {
    let (printer, out, _) = captured();
    let cli = Cli::try_parse_from(["msctl", "scale"].iter().chain(args)).unwrap();
    let Command::Scale(args) = cli.command else { panic!("another verb") };
    (Box::pin(scale(&double.cluster().into(), &args, &printer)).await, out.text())
}

fn deployed(replicas: i32) -> Double {
    let double = Double::new();
    double.instant_rollouts();
    double.put(
        DEPLOYMENT,
        json!({
            "metadata": { "generation": 1, "labels": { "app.kubernetes.io/name": "service-a", "msctl.dev/track": "stable" } },
            "spec": { "replicas": replicas, "selector": {}, "template": {} },
            "status": { "observedGeneration": 1, "replicas": replicas, "updatedReplicas": replicas,
                        "readyReplicas": replicas, "availableReplicas": replicas },
        }),
    );
    double
}

fn with_autoscaler(double: Double) -> Double {
    let target = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "service-a" });
    let conditions = json!([{ "type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric",
                              "message": "no metrics returned from resource metrics API" }]);
    double.put(
        SCALER,
        json!({ "spec": { "minReplicas": 2, "maxReplicas": 8, "scaleTargetRef": target },
                "status": { "desiredReplicas": 2, "conditions": conditions } }),
    );
    double
}

#[tokio::test]
async fn scaling_sets_the_replicas_and_waits_until_they_are_ready() {
    let double = deployed(2);
    let (outcome, out) = run(&double, &["service-a", "--replicas", "5"]).await;
    assert_eq!(outcome, Ok(ExitCode::Done));
    assert!(out.starts_with("service-a scaled from 2 to 5, 5 ready in "), "{out}");
    assert_eq!(double.get(DEPLOYMENT).unwrap()["spec"]["replicas"], 5);
    assert!(double.requests().contains(&format!("PATCH {DEPLOYMENT}/scale")), "{:?}", double.requests());
}

#[tokio::test]
async fn scaling_to_nothing_works() {
    let (outcome, out) = run(&deployed(2), &["service-a", "--replicas", "0"]).await;
    assert_eq!(outcome, Ok(ExitCode::Done));
    assert!(out.starts_with("service-a scaled from 2 to 0"), "{out}");
}

#[tokio::test]
async fn the_number_it_has_is_no_change() {
    let (_, out) = run(&deployed(2), &["service-a", "--replicas", "2"]).await;
    assert!(out.starts_with("service-a unchanged: 2 replicas"), "{out}");
}

#[tokio::test]
async fn an_autoscaler_is_not_overruled_and_explains_itself() {
    let double = with_autoscaler(deployed(2));
    let error = run(&double, &["service-a", "--replicas", "5"]).await.0.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("decides between 2 and 8"), "{text}");
    assert!(text.contains("no metrics returned"), "{text}");
    assert!(text.contains("msctl scale service-a -n shop --min N --max M"), "{text}");
    assert!(text.contains("msctl deploy service-a -n shop --set autoscaling.enabled=false"), "{text}");
    assert_eq!(double.get(DEPLOYMENT).unwrap()["spec"]["replicas"], 2);
}

#[tokio::test]
async fn bounds_go_to_the_autoscaler() {
    let double = with_autoscaler(deployed(3));
    let (outcome, out) = run(&double, &["service-a", "--min", "3"]).await;
    assert_eq!(outcome, Ok(ExitCode::Done));
    assert!(out.starts_with("service-a scales between 3 and 8"), "{out}");
    let spec = double.get(SCALER).unwrap()["spec"].clone();
    assert_eq!((&spec["minReplicas"], &spec["maxReplicas"]), (&json!(3), &json!(8)));
}

#[tokio::test]
async fn bounds_that_cross_are_refused_before_anything_is_written() {
    let double = with_autoscaler(deployed(3));
    let error = run(&double, &["service-a", "--min", "9"]).await.0.unwrap_err();
    assert_eq!(error.code(), ExitCode::Usage);
    assert!(error.to_string().contains("msctl scale service-a -n shop --min 8 --max 9"), "{error}");
    assert_eq!(double.get(SCALER).unwrap()["spec"]["minReplicas"], 2);
}

#[tokio::test]
async fn more_than_one_pod_on_a_file_is_refused_with_what_to_set() {
    let with_file = |double: Double| {
        let mut deployment = double.get(DEPLOYMENT).unwrap();
        deployment["metadata"]["annotations"] = json!({ "msctl.dev/database": "sqlite" });
        double.put(DEPLOYMENT, deployment);
        double
    };
    let double = with_file(with_autoscaler(deployed(1)));
    for args in [["service-a", "--replicas", "3"], ["service-a", "--max", "3"], ["service-a", "--min", "3"]] {
        let error = run(&double, &args).await.0.unwrap_err();
        assert_eq!(error.code(), ExitCode::Failed);
        let set = "msctl deploy service-a -n shop --set \
                   database.kind=postgres,database.postgres.secret=SECRET,replicas=3";
        assert!(error.to_string().contains(set), "{error}");
        assert!(error.to_string().contains("its data stays in the claim service-a-database"), "{error}");
    }
    assert_eq!(double.get(DEPLOYMENT).unwrap()["spec"]["replicas"], 1);
    assert_eq!(double.get(SCALER).unwrap()["spec"]["maxReplicas"], 8);
    assert_eq!(run(&with_file(deployed(1)), &["service-a", "--replicas", "0"]).await.0, Ok(ExitCode::Done));
}

#[tokio::test]
async fn bounds_without_an_autoscaler_say_how_to_get_one() {
    let error = run(&deployed(2), &["service-a", "--max", "4"]).await.0.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("msctl scale service-a -n shop --replicas N"), "{text}");
    assert!(text.contains("msctl deploy service-a -n shop --set autoscaling.enabled=true"), "{text}");
}

#[tokio::test]
async fn an_unknown_service_is_an_error_with_the_name_that_was_meant() {
    let double = deployed(2);
    double.put("/api/v1/namespaces/shop", json!({}));
    let error = run(&double, &["servce-a", "--replicas", "5"]).await.0.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("no service servce-a in namespace shop") && text.contains("did you mean service-a?"),
        "{text}"
    );
}

#[tokio::test]
async fn a_deployment_of_somebody_else_is_left_alone() {
    let double = Double::new();
    double.put(DEPLOYMENT, json!({ "spec": { "replicas": 1, "selector": {}, "template": {} } }));
    let error = run(&double, &["service-a", "--replicas", "5"]).await.0.unwrap_err();
    assert!(error.to_string().contains("kubectl scale deployment service-a"), "{error}");
    assert_eq!(double.get(DEPLOYMENT).unwrap()["spec"]["replicas"], 1);
}

#[tokio::test]
async fn a_conflict_on_the_scale_subresource_is_an_error_and_no_panic() {
    let double = deployed(2);
    double.fail(Method::PATCH, "/scale", usize::MAX, 409, "the object has been modified");
    let error = run(&double, &["service-a", "--replicas", "5"]).await.0.unwrap_err();
    assert!(error.to_string().contains("has been modified"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn pods_that_never_become_ready_end_it_at_the_timeout() {
    let double = deployed(2);
    double.controller(|_, _| {});
    let began = Instant::now();
    let error = run(&double, &["service-a", "--replicas", "5", "--timeout", "30s"]).await.0.unwrap_err();
    assert_eq!(error.code(), ExitCode::TimedOut);
    assert!(began.elapsed() < Duration::from_secs(31), "{:?}", began.elapsed());
    assert!(error.to_string().contains("scale service-a is not done after 30s"), "{error}");
}

#[tokio::test]
async fn json_has_what_was_and_what_is() {
    let (_, out) = run(&deployed(2), &["service-a", "--replicas", "5", "-o", "json"]).await;
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&report[0]["before"], &report[0]["replicas"], &report[0]["ready"]), (&json!(2), &json!(5), &json!(5)));
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_never_answers_ends_it_at_the_timeout_even_without_a_wait() {
    let double = deployed(2);
    double.silence(Method::PATCH, "/scale");
    let args = ["service-a", "--replicas", "5", "--no-wait", "--timeout", "10s"];
    let began = Instant::now();
    let error = run(&double, &args).await.0.unwrap_err();
    assert_eq!(error.code(), ExitCode::TimedOut);
    assert!(began.elapsed() < Duration::from_secs(11), "{:?}", began.elapsed());
    assert!(error.to_string().contains("next: msctl status -n shop"), "{error}");
}

/// As `deployed`, with `service-b` beside it.
fn two() -> Double {
    let double = deployed(2);
    let mut other = double.get(DEPLOYMENT).unwrap();
    other["metadata"]["labels"]["app.kubernetes.io/name"] = json!("service-b");
    double.put(&DEPLOYMENT.replace("service-a", "service-b"), other);
    double.put("/api/v1/namespaces/shop", json!({}));
    double
}

#[tokio::test]
async fn a_name_that_is_wrong_changes_none_of_the_others() {
    let double = two();
    let (outcome, out) = run(&double, &["service-a", "service-nope", "--replicas", "5"]).await;
    assert!(outcome.unwrap_err().to_string().contains("no service service-nope"));
    assert_eq!(out, "");
    assert_eq!(double.get(DEPLOYMENT).unwrap()["spec"]["replicas"], 2);
}

#[tokio::test]
async fn what_was_set_before_a_failure_is_printed_in_every_form() {
    for (form, expected) in [("table", "service-a scaled from 2 to 5\n"), ("name", "deployment.apps/service-a\n")] {
        let double = two();
        double.fail(Method::PATCH, "/service-b/scale", 1, 500, "etcdserver: no leader");
        let args = ["service-a", "service-b", "--replicas", "5", "-o", form];
        let args = if form == "table" { &args[..4] } else { &args[..] };
        let (outcome, out) = run(&double, args).await;
        assert_eq!((outcome.unwrap_err().code(), out.as_str()), (ExitCode::Failed, expected));
    }
    let double = two();
    double.fail(Method::PATCH, "/service-b/scale", 1, 500, "etcdserver: no leader");
    let (_, out) = run(&double, &["service-a", "service-b", "--replicas", "5", "-o", "json"]).await;
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&report[0]["name"], &report[0]["ready"]), (&json!("service-a"), &Value::Null));
    assert_eq!(report.as_array().map(Vec::len), Some(1));
}
