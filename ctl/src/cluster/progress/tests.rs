use serde_json::json;

use super::*;
use crate::cluster::fixtures::{ready, rollout};

const ROLLOUT: Goal = Goal::Rollout { generation: 2 };
const GONE: Goal = Goal::Gone { uid: None };

fn counts(all: i32) -> serde_json::Value {
    json!({ "replicas": all, "updatedReplicas": all, "readyReplicas": all, "availableReplicas": all })
}

#[test]
fn a_rollout_is_done_when_every_pod_is_new_and_available() {
    let seen = rollout().deployment(2, 2, "2", counts(2)).seen();
    let progress = of("service-a", &ROLLOUT, &seen);
    assert!(progress.done);
    assert_eq!((progress.ready, progress.wanted), (2, 2));
}

#[test]
fn a_status_that_the_controller_wrote_before_the_apply_does_not_count() {
    let stale = rollout().deployment(1, 1, "1", counts(2)).seen();
    assert!(!of("service-a", &ROLLOUT, &stale).done, "the apply has not come through the watch");
    let unseen = rollout().deployment(2, 1, "1", counts(2)).seen();
    let progress = of("service-a", &ROLLOUT, &unseen);
    assert!(!progress.done, "the controller has not seen the apply");
    assert_eq!(progress.doing, ["waiting for the Deployment controller"]);
}

#[test]
fn a_rollout_with_an_old_pod_left_is_not_done() {
    let mut status = counts(2);
    status["replicas"] = json!(3);
    assert!(!of("service-a", &ROLLOUT, &rollout().deployment(2, 2, "2", status).seen()).done);
}

#[test]
fn no_replicas_is_a_state_that_a_rollout_can_reach() {
    let seen = rollout().deployment(2, 2, "2", json!({ "wanted": 0 })).seen();
    assert!(of("service-a", &ROLLOUT, &seen).done);
}

#[test]
fn scaling_down_waits_until_the_last_pod_is_gone() {
    let goal = Goal::Replicas { count: 0 };
    let ending = rollout().deployment(2, 2, "2", json!({ "wanted": 0 })).ending("p", "2");
    let progress = of("service-a", &goal, &ending.seen());
    assert!(!progress.done);
    assert_eq!(progress.doing, ["1 pod ending"]);
    let gone = rollout().deployment(2, 2, "2", json!({ "wanted": 0 })).seen();
    assert!(of("service-a", &goal, &gone).done);
}

#[test]
fn scaling_is_not_done_by_a_status_of_the_old_number() {
    let seen = rollout().deployment(1, 1, "1", counts(2)).pod("a", "1", &ready()).pod("b", "1", &ready()).seen();
    assert!(!of("service-a", &Goal::Replicas { count: 5 }, &seen).done);
    assert!(of("service-a", &Goal::Replicas { count: 2 }, &seen).done);
}

#[test]
fn a_deletion_is_done_only_when_it_is_known_that_nothing_is_left() {
    let unknown = Seen::default();
    assert!(!of("service-a", &GONE, &unknown).done);
    let ending = rollout().ending("p", "1").seen();
    let progress = of("service-a", &GONE, &ending);
    assert!(!progress.done);
    assert_eq!(progress.doing, ["1 pod is ending"]);
    assert!(of("service-a", &GONE, &rollout().seen()).done);
}

#[test]
fn a_deletion_tells_pods_that_end_from_those_that_nobody_asked_to() {
    let counts = || counts(2);
    for (rollout, doing) in [
        (rollout().ending("a", "1").ending("b", "1"), vec!["2 pods are ending"]),
        (rollout().pod("a", "1", &ready()), vec!["1 pod is still there"]),
        (rollout().ending("a", "1").pod("b", "1", &ready()), vec!["1 pod is ending", "1 pod is still there"]),
        (
            rollout().deployment(2, 2, "2", counts()).pod("a", "1", &ready()),
            vec!["1 pod is still there", "its Deployment is there and is not being deleted"],
        ),
    ] {
        let progress = of("service-a", &GONE, &rollout.seen());
        assert_eq!((progress.done, progress.doing), (false, doing.into_iter().map(str::to_owned).collect()));
    }
}

#[test]
fn a_deployment_that_nobody_asked_to_go_is_not_waited_for_long() {
    for (uid, waited_for) in [(Some("uid-d"), true), (Some("another"), false), (None, false)] {
        let goal = Goal::Gone { uid: uid.map(str::to_owned) };
        let progress = of("service-a", &goal, &rollout().deployment(2, 2, "2", counts(2)).seen());
        assert!(!progress.done);
        assert_eq!(progress.causes.is_empty(), waited_for, "{:?}", progress.causes);
    }
}

#[test]
fn a_deletion_is_done_for_one_who_may_not_see_pods_when_the_deployment_is_gone() {
    let mut seen = rollout().deployment(2, 2, "2", counts(2)).ending("p", "2").seen();
    seen.pods.hide();
    assert!(!of("service-a", &GONE, &seen).done);
    let mut seen = rollout().ending("p", "2").seen();
    seen.pods.hide();
    assert!(of("service-a", &GONE, &seen).done);
}

#[test]
fn many_pods_are_counted_and_not_listed() {
    let mut many = rollout().deployment(2, 2, "2", json!({ "wanted": 9 })).replica_set("service-a-2", "2", "2");
    for i in 0..9 {
        many = many.pod(&format!("p{i}"), "2", &json!({ "phase": "Pending" }));
    }
    let progress = of("service-a", &ROLLOUT, &many.seen());
    assert_eq!(progress.doing.last().map(String::as_str), Some("and 6 more"));
    assert_eq!(progress.doing[0], "p0: waiting for a node");
}
