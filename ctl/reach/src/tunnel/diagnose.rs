//! What a pod's and a Job's status mean for somebody who waits. Pure.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStateWaiting, Pod, PodStatus};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It runs: the relay is there, or will be within milliseconds.
    Running,
    /// It may come to run yet.
    Waiting(String),
    /// It won't ever run.
    Doomed { reason: String, message: String },
    /// It ended well, or is being removed: another one is needed.
    Gone(String),
}

/// Container states that a retry of the kubelet's does not mend within the time somebody waits for a call.
const DOOMED: [&str; 9] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "ImageInspectError",
    "RegistryUnavailable",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
];

pub(super) fn pod(pod: &Pod) -> Verdict {
    if pod.metadata.deletion_timestamp.is_some() {
        return Verdict::Gone("it is being removed".to_owned());
    }
    let Some(status) = &pod.status else { return Verdict::Waiting("the scheduler".to_owned()) };
    let container = status.container_statuses.iter().flatten().next().and_then(|container| container.state.as_ref());
    let terminated = container.and_then(|state| state.terminated.as_ref());
    match (status.phase.as_deref(), terminated) {
        (Some("Succeeded"), _) => return Verdict::Gone("it has ended".to_owned()),
        (_, Some(end)) if end.exit_code == 0 => return Verdict::Gone("it has ended".to_owned()),
        (Some("Failed"), end) => return failed(status, end),
        (_, Some(end)) => return failed(status, Some(end)),
        _ => {}
    }
    if container.is_some_and(|state| state.running.is_some()) {
        return Verdict::Running;
    }
    match container.and_then(|state| state.waiting.as_ref()) {
        Some(waiting) => not_running(waiting),
        None => Verdict::Waiting(scheduling(status)),
    }
}

/// Whether a node was chosen: before, a port-forward is answered 400.
pub(super) fn has_node(pod: &Pod) -> bool {
    pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some())
}

/// The uid of the Job that made the pod.
pub(super) fn owner(pod: &Pod) -> Option<String> {
    pod.metadata.owner_references.iter().flatten().next().map(|owner| owner.uid.clone())
}

/// Whether the Job of that uid made the pod, and not one of the same name before it.
pub(super) fn belongs_to(pod: &Pod, job_uid: &str) -> bool {
    pod.metadata.owner_references.iter().flatten().any(|owner| owner.uid == job_uid)
}

/// Why the Job will make no more pods, if so.
pub(super) fn finished(job: &Job) -> Option<String> {
    if job.metadata.deletion_timestamp.is_some() {
        return Some("the old one is being removed".to_owned());
    }
    let conditions = job.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let ended = conditions.filter(|condition| condition.status == "True").find(|condition| {
        matches!(condition.type_.as_str(), "Complete" | "Failed" | "FailureTarget" | "SuccessCriteriaMet")
    })?;
    Some(match ended.type_.as_str() {
        "Complete" | "SuccessCriteriaMet" => "the old one has ended".to_owned(),
        _ => format!(
            "the old one failed: {}",
            ended.message.as_deref().or(ended.reason.as_deref()).unwrap_or("no reason given")
        ),
    })
}

fn not_running(waiting: &ContainerStateWaiting) -> Verdict {
    let reason = waiting.reason.clone().unwrap_or_default();
    let message = waiting.message.clone().unwrap_or_default();
    if DOOMED.contains(&reason.as_str()) {
        return Verdict::Doomed { reason, message };
    }
    Verdict::Waiting(match reason.as_str() {
        "" | "ContainerCreating" | "PodInitializing" => "its container to be created".to_owned(),
        _ if message.is_empty() => reason,
        _ => format!("{reason}: {message}"),
    })
}

fn failed(status: &PodStatus, end: Option<&ContainerStateTerminated>) -> Verdict {
    // "Evicted", "DeadlineExceeded" and the like are the pod's; the container's own end says more where there is one.
    let own = status.reason.clone().unwrap_or_default();
    let (reason, said) = match end {
        Some(end) if own.is_empty() => {
            let what = end.reason.clone().unwrap_or_else(|| "Error".to_owned());
            (format!("{what} (exit code {})", end.exit_code), end.message.clone())
        }
        _ => (own, status.message.clone()),
    };
    let message = said.unwrap_or_default();
    let last: Vec<&str> = message.lines().rev().filter(|line| !line.trim().is_empty()).take(3).collect();
    Verdict::Doomed {
        reason: if reason.is_empty() { "it failed".to_owned() } else { reason },
        message: last.into_iter().rev().collect::<Vec<_>>().join("; "),
    }
}

fn scheduling(status: &PodStatus) -> String {
    let scheduled = status.conditions.iter().flatten().find(|condition| condition.type_ == "PodScheduled");
    match scheduled {
        Some(condition) if condition.status == "False" => match &condition.message {
            Some(message) => format!("a node: {message}"),
            None => "a node".to_owned(),
        },
        Some(_) => "the kubelet".to_owned(),
        None => "the scheduler".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn with_status(status: &Value) -> Verdict {
        pod(&serde_json::from_value(json!({"metadata": {"name": "p"}, "status": status})).unwrap())
    }

    fn with_state(phase: &str, state: &Value) -> Verdict {
        let container =
            json!({"name": "relay", "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": state});
        with_status(&json!({"phase": phase, "containerStatuses": [container]}))
    }

    #[test]
    fn a_running_container_is_running() {
        assert_eq!(with_state("Running", &json!({"running": {}})), Verdict::Running);
    }

    #[test]
    fn every_step_on_the_way_is_named() {
        for (status, named) in [
            (json!({"phase": "Pending"}), "the scheduler"),
            (
                json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "message": "0/2 nodes are available"}]}),
                "a node: 0/2 nodes are available",
            ),
            (json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "True"}]}), "the kubelet"),
        ] {
            assert_eq!(with_status(&status), Verdict::Waiting(named.to_owned()));
        }
        let creating = with_state("Pending", &json!({"waiting": {"reason": "ContainerCreating"}}));
        assert_eq!(creating, Verdict::Waiting("its container to be created".to_owned()));
    }

    #[test]
    fn what_cannot_succeed_is_doomed_with_its_message() {
        for reason in DOOMED {
            let verdict = with_state("Pending", &json!({"waiting": {"reason": reason, "message": "why"}}));
            assert_eq!(verdict, Verdict::Doomed { reason: reason.to_owned(), message: "why".to_owned() });
        }
    }

    #[test]
    fn a_crash_is_told_with_its_last_lines() {
        let message = "one\ntwo\n\nthree\nMSCTL_RELAY_PORT=\"0\" is not a port\n";
        let verdict =
            with_state("Failed", &json!({"terminated": {"exitCode": 2, "reason": "Error", "message": message}}));
        let Verdict::Doomed { reason, message } = verdict else { panic!("{verdict:?}") };
        assert_eq!(reason, "Error (exit code 2)");
        assert_eq!(message, "two; three; MSCTL_RELAY_PORT=\"0\" is not a port");
    }

    #[test]
    fn an_evicted_pod_tells_why() {
        let verdict =
            with_status(&json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on memory"}));
        assert_eq!(verdict, Verdict::Doomed { reason: "Evicted".into(), message: "The node was low on memory".into() });
    }

    #[test]
    fn a_relay_that_ended_or_is_going_needs_a_successor() {
        assert!(matches!(with_status(&json!({"phase": "Succeeded"})), Verdict::Gone(_)));
        assert!(matches!(with_state("Running", &json!({"terminated": {"exitCode": 0}})), Verdict::Gone(_)));
        let terminating =
            json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}, "status": {"phase": "Running"}});
        assert!(matches!(pod(&serde_json::from_value(terminating).unwrap()), Verdict::Gone(_)));
    }

    #[test]
    fn a_finished_job_says_why() {
        let job = |kind: &str, status: &str| -> Job {
            let condition = json!({"type": kind, "status": status, "message": "deadline exceeded"});
            serde_json::from_value(json!({"metadata": {}, "status": {"conditions": [condition]}})).unwrap()
        };
        assert_eq!(finished(&job("Complete", "True")).as_deref(), Some("the old one has ended"));
        assert_eq!(finished(&job("Failed", "True")).as_deref(), Some("the old one failed: deadline exceeded"));
        assert_eq!(finished(&job("Failed", "False")), None);
        assert_eq!(finished(&job("Suspended", "True")), None);
    }
}
