//! How a relay comes to be, and what is told when it can't.

use std::collections::VecDeque;
use std::time::Duration;

use super::double::{Create, Double, Forward, ended, job, running, unschedulable, waiting};
use super::{echo, soon};
use crate::client::{Cluster, Trouble};
use crate::relay::RelayConfig;
use crate::relay::testing::TestRelay;
use crate::tunnel::{Progress, Tunnel, TunnelError, TunnelOptions};

async fn relay() -> TestRelay {
    TestRelay::start(RelayConfig::default()).await
}

async fn open(double: &Double, options: TunnelOptions) -> Result<Tunnel, TunnelError> {
    let cluster: Cluster = double.cluster().await;
    soon(Tunnel::open(&cluster, options)).await
}

async fn fails(double: &Double) -> TunnelError {
    open(double, double.options()).await.unwrap_err()
}

fn count(double: &Double, what: &str) -> usize {
    double.seen().iter().filter(|seen| seen.starts_with(what)).count()
}

#[tokio::test]
async fn a_relay_that_runs_is_found_and_remembered_and_then_reached_with_one_request() {
    let (double, relay) = (Double::start().await, relay().await);
    double.has(job("uid-0", None), running("relay-7"));
    double.set(|state| state.forwards = VecDeque::from([Forward::To(relay.address)]));
    let dir = std::env::temp_dir().join(format!("reach-making-{}", std::process::id()));
    let options = TunnelOptions { cache_dir: Some(dir.clone()), ..double.options() };

    let first = open(&double, options.clone()).await.unwrap();
    assert_eq!(double.seen(), ["GET pods", "GET pods/relay-7/portforward"]);
    let second = open(&double, options).await.unwrap();
    assert_eq!(double.seen()[2..], ["GET pods/relay-7/portforward"]);
    for tunnel in [first, second] {
        soon(tunnel.dial("127.0.0.1", echo().await.port())).await.unwrap();
    }
    std::fs::remove_dir_all(dir).unwrap();
}

#[tokio::test]
async fn without_a_relay_one_is_made_and_used_before_it_counts_as_running() {
    let (double, relay) = (Double::start().await, relay().await);
    double.set(|state| {
        state.create = Create::Pods(vec![waiting("relay-1", "ContainerCreating", "")]);
        state.forwards = VecDeque::from([
            Forward::Status(400, "pod relay-1 does not have a host assigned"),
            Forward::Status(500, "pod not found (\"relay-1_demo\")"),
            Forward::HangsUp,
            Forward::NobodyListens,
            Forward::To(relay.address),
        ]);
    });
    let tunnel = open(&double, double.options()).await.unwrap();
    assert_eq!(tunnel.pod().await.as_deref(), Some("relay-1"));
    soon(tunnel.dial("127.0.0.1", echo().await.port())).await.unwrap();
    assert!(double.state.lock().unwrap().job.is_some(), "a relay that works was removed");
    assert_eq!(count(&double, "POST jobs"), 1);
    assert_eq!(count(&double, "PATCH networkpolicies/msctl-relay-"), 1);
    assert_eq!(count(&double, "DELETE"), 0);
    let progress = double.state.lock().unwrap().progress.clone();
    assert!(matches!(progress[0], Progress::Creating { .. }), "{progress:?}");
    assert!(progress.contains(&Progress::Waiting { reason: "its container to be created".into() }), "{progress:?}");
    assert!(matches!(progress.last(), Some(Progress::Connected { created: true, .. })), "{progress:?}");
}

#[tokio::test]
async fn a_relay_that_somebody_else_is_making_is_waited_for() {
    let (double, relay) = (Double::start().await, relay().await);
    double.has(job("uid-0", None), waiting("relay-3", "ContainerCreating", ""));
    double.set(|state| state.forwards = VecDeque::from([Forward::NobodyListens, Forward::To(relay.address)]));
    let tunnel = open(&double, double.options()).await.unwrap();
    assert_eq!(tunnel.pod().await.as_deref(), Some("relay-3"));
    assert_eq!(count(&double, "PATCH"), 0);
}

#[tokio::test]
async fn a_relay_that_has_ended_or_failed_is_replaced() {
    // The pod has ended a second before its Job is marked so.
    for (condition, code) in [(Some("Complete"), 0), (Some("Failed"), 137), (None, 0)] {
        let (double, relay) = (Double::start().await, relay().await);
        double.has(job("uid-0", condition), ended("relay-0", code, ""));
        double.set(|state| state.forwards = VecDeque::from([Forward::To(relay.address)]));
        let tunnel = open(&double, double.options()).await.unwrap();
        assert_eq!(tunnel.pod().await.as_deref(), Some("relay-1"));
        assert_eq!(count(&double, "DELETE jobs/"), 1);
        let progress = double.state.lock().unwrap().progress.clone();
        assert!(progress.iter().any(|one| matches!(one, Progress::Replacing { .. })), "{progress:?}");
    }
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_fails_at_once_and_leaves_nothing() {
    for reason in ["ErrImagePull", "ImagePullBackOff", "InvalidImageName"] {
        let double = Double::start().await;
        double.set(|state| state.create = Create::Pods(vec![waiting("relay-1", reason, "no such image")]));
        let error = fails(&double).await;
        assert!(matches!(&error, TunnelError::Doomed { reason: told, .. } if told == reason), "{error:?}");
        assert!(error.to_string().contains("no such image"), "{error}");
        assert!(error.hint().unwrap().contains("ghcr.io/msctl/msctl:0.1.0"), "{:?}", error.hint());
        assert!(double.state.lock().unwrap().job.is_none(), "the job was left behind");
    }
}

#[tokio::test]
async fn a_relay_that_crashes_is_told_with_its_last_words() {
    let double = Double::start().await;
    double.set(|state| state.create = Create::Pods(vec![ended("relay-1", 2, "exec format error")]));
    let error = fails(&double).await;
    assert_eq!(error.to_string(), "relay relay-1 cannot start: Error (exit code 2): exec format error");
    assert!(double.state.lock().unwrap().job.is_none(), "the job was left behind");
}

#[tokio::test]
async fn missing_rights_are_told_with_what_is_needed() {
    let double = Double::start().await;
    let denied = "jobs.batch is forbidden: User \"ann\" cannot create resource \"jobs\"";
    double.set(|state| state.create = Create::Status(403, denied));
    let error = fails(&double).await;
    assert_eq!(error.trouble(), Trouble::Forbidden);
    assert!(error.to_string().starts_with("cannot create the relay's job in demo: jobs.batch is forbidden"), "{error}");
    assert!(error.hint().unwrap().contains("create and get pods/portforward"), "{:?}", error.hint());
}

#[tokio::test]
async fn a_port_forward_that_is_forbidden_is_not_tried_again() {
    let double = Double::start().await;
    let denied = "pods \"relay-1\" is forbidden: User \"ann\" cannot create resource \"pods/portforward\"";
    double.set(|state| state.forwards = VecDeque::from([Forward::Status(403, denied)]));
    let error = fails(&double).await;
    assert_eq!(error.trouble(), Trouble::Forbidden);
    assert_eq!(count(&double, "GET pods/relay-1/portforward"), 1);
    assert!(double.state.lock().unwrap().job.is_none(), "the job was left behind");
}

#[tokio::test]
async fn a_namespace_that_admits_no_pod_or_does_not_exist_is_told_so() {
    let double = Double::start().await;
    double.set(|state| state.create = Create::Status(403, "jobs.batch \"x\" is forbidden: exceeded quota: jobs"));
    let error = fails(&double).await;
    assert!(matches!(error, TunnelError::NotAdmitted { .. }), "{error:?}");

    double.set(|state| state.create = Create::Status(404, "namespaces \"demo\" not found"));
    let error = fails(&double).await;
    assert_eq!(error.to_string(), "namespace \"demo\" does not exist");
}

#[tokio::test]
async fn a_pod_that_the_job_controller_may_not_create_is_told_from_its_events() {
    let double = Double::start().await;
    double.set(|state| {
        state.create = Create::Pods(vec![]);
        state.events = vec!["Error creating: pods \"x\" is forbidden: exceeded quota: pods=0"];
    });
    let error = fails(&double).await;
    assert!(error.to_string().contains("exceeded quota"), "{error}");
    assert!(double.state.lock().unwrap().job.is_none(), "the job was left behind");
}

#[tokio::test]
async fn what_was_waited_for_is_told_when_the_time_is_over() {
    let double = Double::start().await;
    double.set(|state| state.create = Create::Pods(vec![unschedulable("relay-1")]));
    let options = TunnelOptions { start_timeout: Duration::from_secs(3), ..double.options() };
    let error = open(&double, options).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the relay did not start within 3s; it was waiting for a node: 0/2 nodes are available"
    );
    assert_eq!(error.trouble(), Trouble::TimedOut);
    assert!(double.state.lock().unwrap().job.is_none(), "the job was left behind");
}

#[tokio::test]
async fn an_interrupted_wait_removes_what_it_made() {
    let double = Double::start().await;
    double.set(|state| state.create = Create::Pods(vec![unschedulable("relay-1")]));
    let mut options = double.options();
    let cancel = options.cancel.clone();
    let tell = options.progress.take().unwrap();
    options.progress = Some(std::sync::Arc::new(move |progress: &Progress| {
        tell(progress);
        if matches!(progress, Progress::Waiting { .. }) {
            cancel.cancel();
        }
    }));
    let error = open(&double, options).await.unwrap_err();
    assert!(matches!(error, TunnelError::Cancelled), "{error:?}");
    assert!(double.state.lock().unwrap().job.is_none(), "the job was left behind");
}

#[tokio::test]
async fn an_interrupted_wait_leaves_what_another_made() {
    let double = Double::start().await;
    double.has(job("uid-0", None), unschedulable("relay-3"));
    let options = double.options();
    options.cancel.cancel();
    assert!(matches!(open(&double, options).await, Err(TunnelError::Cancelled)));
    assert!(double.state.lock().unwrap().job.is_some());
}

#[tokio::test]
async fn a_job_whose_making_was_given_up_before_the_answer_is_removed() {
    let double = Double::start().await;
    let options = double.options();
    double.set(|state| state.create = Create::GivenUp { cancel: options.cancel.clone(), instead: None });
    assert!(matches!(open(&double, options).await, Err(TunnelError::Cancelled)));
    assert_eq!(count(&double, "POST jobs"), 1);
    assert!(double.state.lock().unwrap().job.is_none(), "the job was left behind");
}

#[tokio::test]
async fn a_job_that_another_made_meanwhile_is_left_alone() {
    let double = Double::start().await;
    let options = double.options();
    let instead = Some(job("uid-9", None));
    double.set(|state| state.create = Create::GivenUp { cancel: options.cancel.clone(), instead });
    assert!(matches!(open(&double, options).await, Err(TunnelError::Cancelled)));
    assert!(double.state.lock().unwrap().job.is_some());
}
