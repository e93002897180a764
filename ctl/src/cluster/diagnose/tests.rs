use serde_json::{Value, json};

use super::*;
use crate::cluster::fixtures::{Rollout, container, ready, rollout};

fn causes(rollout: Rollout) -> Vec<Cause> {
    let seen = rollout.seen();
    of_rollout(seen.deployments.get("service-a").unwrap(), &seen)
}

fn only(rollout: Rollout) -> Cause {
    let mut causes = causes(rollout);
    assert_eq!(causes.len(), 1, "{causes:?}");
    causes.remove(0)
}

fn waiting(reason: &str, message: &str) -> Value {
    container(&json!({ "state": { "waiting": { "reason": reason, "message": message } } }))
}

#[test]
fn an_image_that_does_not_exist_dooms_at_once() {
    let message = "failed to pull and unpack image \"ghcr.io/x/y:1\": failed to resolve reference \
                   \"ghcr.io/x/y:1\": ghcr.io/x/y:1: not found";
    let cause = only(rollout().with_one_pod(&waiting("ErrImagePull", message)));
    assert_eq!((cause.kind, cause.patience), (Kind::Image, Patience::None));
    assert_eq!(cause.text, "cannot pull image ghcr.io/x/y:1: ghcr.io/x/y:1: not found");
}

#[test]
fn a_registry_that_does_not_answer_gets_a_second_chance() {
    let message = "failed to resolve reference \"ghcr.io/x/y:1\": dial tcp: lookup ghcr.io: no such host";
    let cause = only(rollout().with_one_pod(&waiting("ErrImagePull", message)));
    assert!(matches!(cause.patience, Patience::For(_)), "{cause:?}");
    assert!(cause.text.ends_with("dial tcp: lookup ghcr.io: no such host"), "{}", cause.text);
}

#[test]
fn the_reason_behind_a_back_off_comes_from_the_warning() {
    let cause =
        only(rollout().with_one_pod(&waiting("ImagePullBackOff", "Back-off pulling image \"ghcr.io/x/y:1\"")).warning(
            "service-a-1-x",
            "Failed",
            "Failed to pull image \"ghcr.io/x/y:1\": rpc error: code = NotFound desc = manifest unknown",
        ));
    assert_eq!(cause.patience, Patience::None);
    assert!(cause.text.contains("manifest unknown"), "{}", cause.text);
}

#[test]
fn a_crash_loop_says_how_it_ended_and_where_the_log_is() {
    let status = container(&json!({
        "restartCount": 2,
        "state": { "waiting": { "reason": "CrashLoopBackOff", "message": "back-off 20s" } },
        "lastState": { "terminated": { "exitCode": 2, "reason": "Error", "message": "line 1\nLISTEN_ADDR is no address\n" } },
    }));
    let cause = only(rollout().with_one_pod(&status));
    assert_eq!((cause.kind, cause.patience), (Kind::Crash, Patience::None));
    assert_eq!(
        cause.text,
        "container service-a crashed with exit code 2, restarted 2 times: LISTEN_ADDR is no address"
    );
    assert_eq!(cause.log.unwrap().pod, "service-a-1-x");
}

#[test]
fn a_first_crash_is_shown_and_not_yet_final() {
    let status = container(&json!({ "state": { "terminated": { "exitCode": 1 } } }));
    let cause = only(rollout().with_one_pod(&status));
    assert_eq!(cause.patience, Patience::Unlimited);
}

#[test]
fn running_out_of_memory_names_the_limit() {
    let status = container(&json!({
        "restartCount": 1,
        "state": { "waiting": { "reason": "CrashLoopBackOff" } },
        "lastState": { "terminated": { "exitCode": 137, "reason": "OOMKilled" } },
    }));
    let cause = only(rollout().with_one_pod(&status));
    assert_eq!(cause.text, "container service-a ran out of memory (limit 64Mi), restarted 1 time");
}

#[test]
fn a_service_that_ends_is_told_that_it_has_to_run() {
    let status = container(&json!({
        "restartCount": 1,
        "state": { "waiting": { "reason": "CrashLoopBackOff" } },
        "lastState": { "terminated": { "exitCode": 0, "reason": "Completed" } },
    }));
    assert!(only(rollout().with_one_pod(&status)).text.contains("has to keep running"));
}

#[test]
fn a_readiness_probe_that_fails_is_quoted_and_waited_for() {
    let status = container(&json!({ "started": true, "state": { "running": {} } }));
    let cause = only(rollout().with_one_pod(&status).warning(
        "service-a-1-x",
        "Unhealthy",
        "Readiness probe failed: HTTP probe failed with statuscode: 503",
    ));
    assert_eq!((cause.kind, cause.patience), (Kind::Probe, Patience::Unlimited));
    assert!(cause.text.contains("statuscode: 503"), "{}", cause.text);
}

#[test]
fn a_startup_probe_that_killed_the_container_dooms() {
    let status = container(&json!({
        "restartCount": 1, "started": false, "state": { "running": {} },
        "lastState": { "terminated": { "exitCode": 137 } },
    }));
    let cause = only(rollout().with_one_pod(&status).warning(
        "service-a-1-x",
        "Unhealthy",
        "Startup probe failed: connection refused",
    ));
    assert_eq!((cause.kind, cause.patience), (Kind::Crash, Patience::None));
    assert!(cause.text.contains("killed by its probe") && cause.text.contains("connection refused"), "{}", cause.text);
}

#[test]
fn a_missing_secret_a_missing_volume_and_a_full_cluster_have_limited_patience() {
    let config = only(rollout().with_one_pod(&waiting("CreateContainerConfigError", "secret \"db\" not found")));
    assert!(config.text.contains("secret \"db\" not found") && config.kind == Kind::Config, "{config:?}");
    let volume = only(rollout().with_one_pod(&waiting("ContainerCreating", "")).warning(
        "service-a-1-x",
        "FailedMount",
        "configmap \"x\" not found",
    ));
    assert_eq!(volume.kind, Kind::Volume);
    let status = json!({ "phase": "Pending", "conditions": [{ "type": "PodScheduled", "status": "False",
        "reason": "Unschedulable", "message": "0/2 nodes are available: 2 Insufficient cpu." }] });
    let full = only(rollout().with_one_pod(&status));
    assert_eq!(full.text, "no node takes it: 0/2 nodes are available: 2 Insufficient cpu");
    for cause in [config, volume, full] {
        assert!(matches!(cause.patience, Patience::For(_)), "{cause:?}");
    }
}

#[test]
fn an_init_container_that_crashes_is_named_as_one() {
    let mut status = waiting("PodInitializing", "");
    status["initContainerStatuses"] = json!([{
        "name": "migrate", "image": "x:1", "imageID": "", "ready": false, "restartCount": 3,
        "state": { "waiting": { "reason": "CrashLoopBackOff" } }, "lastState": { "terminated": { "exitCode": 1 } },
    }]);
    assert!(only(rollout().with_one_pod(&status)).text.starts_with("init container migrate crashed with exit code 1"));
}

#[test]
fn pods_that_may_not_be_made_name_the_rule() {
    let refused = |message: &str| {
        let condition =
            json!({ "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message });
        only(rollout().deployment(1, 1, "1", json!({})).replica_set_with(
            "service-a-1",
            "1",
            "1",
            &json!({ "replicas": 0, "conditions": [condition] }),
        ))
    };
    let security =
        refused("pods \"service-a-1-\" is forbidden: violates PodSecurity \"restricted:latest\": privileged");
    assert_eq!((security.kind, security.patience), (Kind::Admission, Patience::None));
    let quota = refused("pods \"service-a-1-x\" is forbidden: exceeded quota: small, requested: pods=1, used: pods=2");
    assert_eq!(quota.kind, Kind::Quota);
    assert_eq!(quota.text, "its pods cannot be made: exceeded quota: small, requested: pods=1, used: pods=2");
}

#[test]
fn a_deadline_that_passed_comes_after_what_made_it_pass() {
    let condition = json!({ "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded" });
    let found = causes(
        rollout().deployment(1, 1, "1", json!({ "conditions": [condition] })).replica_set("service-a-1", "1", "1").pod(
            "service-a-1-x",
            "1",
            &waiting("InvalidImageName", ""),
        ),
    );
    let kinds: Vec<Kind> = found.iter().map(|cause| cause.kind).collect();
    assert_eq!(kinds, [Kind::Image, Kind::Deadline]);
}

#[test]
fn trouble_of_an_older_template_is_not_trouble_of_the_rollout() {
    let found = causes(
        rollout()
            .deployment(2, 2, "2", json!({}))
            .replica_set("service-a-1", "1", "1")
            .replica_set("service-a-2", "2", "2")
            .pod("old", "1", &waiting("InvalidImageName", ""))
            .pod("new", "2", &ready()),
    );
    assert_eq!(found, []);
}

#[test]
fn what_a_pod_does_is_said_while_nothing_is_wrong() {
    let seen = rollout().with_one_pod(&waiting("ContainerCreating", "")).seen();
    let pod = seen.pods.iter().next().unwrap();
    assert_eq!(of_pod(pod, std::iter::empty()), None);
    assert_eq!(activity(pod).as_deref(), Some("pulling the image of service-a, or starting it"));
}

#[test]
fn a_kubelet_that_has_not_heard_of_a_configuration_yet_is_no_trouble() {
    for kind in ["configmap", "secret"] {
        let message = format!("failed to sync {kind} cache: timed out waiting for the condition");
        let status = waiting("CreateContainerConfigError", &message);
        assert_eq!(causes(rollout().with_one_pod(&status)), []);
        let seen = rollout().with_one_pod(&status).seen();
        let doing = seen.pods.iter().next().and_then(activity);
        assert_eq!(doing.as_deref(), Some("waiting for its ConfigMaps and Secrets"));
        let mounting = format!("MountVolume.SetUp failed for volume \"x\" : {message}");
        let mount = rollout().with_one_pod(&waiting("ContainerCreating", ""));
        assert_eq!(causes(mount.warning("service-a-1-x", "FailedMount", &mounting)), []);
    }
}
