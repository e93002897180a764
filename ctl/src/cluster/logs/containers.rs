//! Which logs a pod has. Pure.

use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod};
use kube::ResourceExt as _;

use crate::cluster::NAME_LABEL;

/// A container of a pod, as long as the pod lives.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Container {
    pub(crate) service: String,
    pub(crate) pod: String,
    /// A pod of the same name may come again.
    pub(crate) uid: String,
    pub(crate) name: String,
    /// It is not the pod's only one.
    pub(crate) one_of_many: bool,
}

/// How it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// The run that the log is of: each restart is another.
    pub(crate) run: Option<String>,
    /// That run has ended.
    pub(crate) ended: bool,
    /// The pod is gone, and with it its logs.
    pub(crate) gone: bool,
}

/// The containers that run side by side, each with its state.
pub(crate) fn containers(pod: &Pod) -> Vec<(Container, State)> {
    let spec = pod.spec.as_ref();
    let names: Vec<&str> = spec.iter().flat_map(|spec| &spec.containers).map(|one| one.name.as_str()).collect();
    let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
    let one_of_many = names.len() > 1;
    let container = |name: &str| Container {
        service: pod.labels().get(NAME_LABEL).cloned().unwrap_or_default(),
        pod: pod.name_any(),
        uid: pod.uid().unwrap_or_default(),
        name: name.to_owned(),
        one_of_many,
    };
    let state = |name: &str| statuses.iter().find(|status| status.name == name).map(state).unwrap_or_default();
    names.into_iter().map(|name| (container(name), state(name))).collect()
}

fn state(status: &ContainerStatus) -> State {
    let run_of = |state: Option<&ContainerState>| {
        let terminated = state.and_then(|state| state.terminated.as_ref());
        terminated.map(|terminated| terminated.container_id.clone().unwrap_or_default())
    };
    if status.state.as_ref().is_some_and(|state| state.running.is_some()) {
        return State { run: Some(status.container_id.clone().unwrap_or_default()), ended: false, gone: false };
    }
    // One that waits to be started again has the log of its last run.
    let run = run_of(status.state.as_ref()).or_else(|| run_of(status.last_state.as_ref()));
    State { ended: run.is_some(), run, gone: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::fixtures;
    use serde_json::{Value, json};

    fn of(fields: &Value) -> State {
        let pod = fixtures::pod("p", "1", &fixtures::container(fields));
        containers(&pod).remove(0).1
    }

    #[test]
    fn a_container_has_a_log_once_it_has_run() {
        assert_eq!(of(&json!({ "state": { "waiting": { "reason": "ContainerCreating" } } })), State::default());
        let running = of(&json!({ "containerID": "c1", "state": { "running": {} } }));
        assert_eq!((running.run.as_deref(), running.ended), (Some("c1"), false));
    }

    #[test]
    fn one_that_waits_for_its_next_run_has_the_log_of_the_last() {
        let state = of(&json!({ "state": { "waiting": { "reason": "CrashLoopBackOff" } },
                                "lastState": { "terminated": { "exitCode": 1, "containerID": "c1" } } }));
        assert_eq!((state.run.as_deref(), state.ended), (Some("c1"), true));
    }

    #[test]
    fn a_pod_that_has_no_status_yet_is_known_all_the_same() {
        let pod = fixtures::pod("p", "1", &json!({}));
        let all = containers(&pod);
        assert_eq!((all[0].0.service.as_str(), all[0].0.name.as_str()), ("service-a", "service-a"));
        assert_eq!(all[0].1, State::default());
    }
}
