//! Why one container does not run, or is not ready.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ContainerState, ContainerStateTerminated, ContainerStatus, Event, Pod};
use kube::ResourceExt as _;

use super::{Cause, Kind, LogSource, Patience};

/// The kubelet tries a pull again after ten seconds: this is two tries.
const PULL_PATIENCE: Duration = Duration::from_secs(15);
/// A `ConfigMap` or Secret that comes a moment later.
const CONFIG_PATIENCE: Duration = Duration::from_secs(5);
const START_PATIENCE: Duration = Duration::from_secs(10);

/// Registries and container runtimes say one of these when trying again is pointless.
const NO_SUCH_IMAGE: &[&str] = &[
    "not found",
    "manifest unknown",
    "name unknown",
    "repository does not exist",
    "unauthorized",
    "authorization failed",
    "authentication required",
    "denied",
    "no match for platform",
    "invalid reference format",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Init,
    Main,
}

impl Role {
    fn word(self) -> &'static str {
        match self {
            Self::Init => "init container",
            Self::Main => "container",
        }
    }
}

/// What is wrong with a container.
pub(super) fn of(pod: &Pod, role: Role, status: &ContainerStatus, warnings: &[&Event]) -> Option<Cause> {
    if is_over(role, status) {
        return None;
    }
    let subject = pod.name_any();
    let log = LogSource { pod: subject.clone(), container: status.name.clone() };
    let name = format!("{} {}", role.word(), status.name);
    let state = status.state.clone().unwrap_or_default();
    let last = status.last_state.as_ref().and_then(|last| last.terminated.as_ref());
    let probe = failing_probe(&status.name, warnings);
    let cause = |kind, patience, text: String| Some(Cause::new(subject.clone(), kind, patience, text));

    if let Some(waiting) = &state.waiting {
        let message = waiting.message.as_deref().unwrap_or_default();
        return match waiting.reason.as_deref().unwrap_or_default() {
            "ErrImagePull" | "ImagePullBackOff" | "RegistryUnavailable" | "ImageInspectError" => {
                let reason = pull_failure(message, warnings);
                let hopeless = NO_SUCH_IMAGE.iter().any(|words| reason.contains(words));
                let patience = if hopeless { Patience::None } else { Patience::For(PULL_PATIENCE) };
                cause(Kind::Image, patience, format!("cannot pull image {}: {reason}", status.image))
            }
            "InvalidImageName" => cause(Kind::Image, Patience::None, format!("`{}` is no image name", status.image)),
            "ErrImageNeverPull" => {
                let text = format!("image {} is not on the node, and its pull policy is Never", status.image);
                cause(Kind::Image, Patience::None, text)
            }
            "CrashLoopBackOff" => {
                let text = crash(pod, &name, status, last, probe.as_deref());
                cause(Kind::Crash, Patience::None, text).map(|cause| Cause { log: Some(log), ..cause })
            }
            "CreateContainerConfigError" if is_catching_up(message) => None,
            "CreateContainerConfigError" => {
                let text = format!("{name} has a wrong configuration: {message}");
                cause(Kind::Config, Patience::For(CONFIG_PATIENCE), text)
            }
            "CreateContainerError" | "RunContainerError" | "PostStartHookError" => {
                let text = format!("{name} cannot be started: {message}");
                cause(Kind::Config, Patience::For(START_PATIENCE), text)
            }
            _ => None,
        };
    }
    if let Some(ended) = &state.terminated {
        let text = crash(pod, &name, status, Some(ended), probe.as_deref());
        return cause(Kind::Crash, Patience::Unlimited, text).map(|cause| Cause { log: Some(log), ..cause });
    }
    if status.ready {
        return None;
    }
    let probe = probe?;
    if let Some(last) = last
        && (probe.starts_with("Startup") || probe.starts_with("Liveness"))
    {
        let text = crash(pod, &name, status, Some(last), Some(&probe));
        return cause(Kind::Crash, Patience::None, text).map(|cause| Cause { log: Some(log), ..cause });
    }
    cause(Kind::Probe, Patience::Unlimited, format!("{name} is not ready: {probe}"))
        .map(|cause| Cause { log: Some(log), ..cause })
}

/// The kubelet has not heard of a `ConfigMap` or a Secret yet, and tries again: that says nothing about either.
pub(super) fn is_catching_up(message: &str) -> bool {
    message.contains("failed to sync configmap cache") || message.contains("failed to sync secret cache")
}

/// The runtime's reason, without the layers around it.
fn pull_failure(message: &str, warnings: &[&Event]) -> String {
    let event = warnings.iter().find_map(|event| {
        let message = event.message.as_deref()?;
        (event.reason.as_deref() == Some("Failed") && message.contains("Failed to pull image")).then_some(message)
    });
    // "Back-off pulling image" alone hides the reason that an earlier warning told.
    let told = if message.is_empty() || !message.contains(": ") { event.unwrap_or(message) } else { message };
    let inner = ["failed to resolve reference ", "failed to pull and unpack image "]
        .iter()
        .find_map(|layer| told.split_once(layer).and_then(|(_, rest)| rest.split_once(": ")))
        .map_or(told, |(_, reason)| reason);
    inner.trim().to_owned()
}

/// How it ended, how often, and why.
fn crash(
    pod: &Pod,
    name: &str,
    status: &ContainerStatus,
    ended: Option<&ContainerStateTerminated>,
    probe: Option<&str>,
) -> String {
    let times = match status.restart_count {
        0 => String::new(),
        count => format!(", restarted {count} time{}", if count == 1 { "" } else { "s" }),
    };
    let killed = probe.filter(|probe| !probe.starts_with("Readiness"));
    let Some(ended) = ended else { return format!("{name} keeps crashing{times}") };
    let how = match (ended.reason.as_deref().unwrap_or_default(), ended.exit_code) {
        ("OOMKilled", _) => format!("ran out of memory{}", memory_limit(pod, &status.name)),
        ("StartError" | "ContainerCannotRun", _) => "cannot be started".to_owned(),
        (_, 0) => "ended with exit code 0, and a service has to keep running".to_owned(),
        (_, code) if killed.is_some() => format!("was killed by its probe (exit code {code})"),
        (_, code) => format!("crashed with exit code {code}"),
    };
    // With FallbackToLogsOnError it is the end of the log: its last line says it.
    let message = ended.message.as_deref().and_then(|message| message.trim().lines().last()).map(shortened);
    let message = message.as_deref().filter(|message| !message.is_empty());
    let why = killed.or(message).map(|why| format!(": {why}")).unwrap_or_default();
    format!("{name} {how}{times}{why}")
}

fn shortened(line: &str) -> String {
    line.trim().chars().take(200).collect()
}

fn memory_limit(pod: &Pod, container: &str) -> String {
    let spec = pod.spec.as_ref();
    let found = spec.and_then(|spec| spec.containers.iter().find(|candidate| candidate.name == container));
    let limits = found.and_then(|found| found.resources.as_ref()).and_then(|resources| resources.limits.as_ref());
    limits.and_then(|limits| limits.get("memory")).map(|limit| format!(" (limit {})", limit.0)).unwrap_or_default()
}

/// "Readiness probe failed: HTTP probe failed with statuscode: 503": the latest such warning.
fn failing_probe(container: &str, warnings: &[&Event]) -> Option<String> {
    let path = format!("{{{container}}}");
    let event = warnings.iter().find(|event| {
        let about = event.involved_object.field_path.as_deref();
        event.reason.as_deref() == Some("Unhealthy") && about.is_none_or(|about| about.ends_with(&path))
    })?;
    Some(event.message.as_deref()?.trim().to_owned())
}

/// An init container that has done its work.
pub(super) fn is_over(role: Role, status: &ContainerStatus) -> bool {
    let ended = status.state.as_ref().and_then(|state| state.terminated.as_ref());
    role == Role::Init && (ended.is_some_and(|ended| ended.exit_code == 0) || status.started == Some(true))
}

/// The kubelet is still preparing it.
pub(super) fn is_being_made(status: &ContainerStatus) -> bool {
    waiting_reason(status.state.as_ref())
        .is_some_and(|reason| matches!(reason, "ContainerCreating" | "PodInitializing"))
}

/// What a container does that is neither ready nor in trouble.
pub(super) fn activity(role: Role, status: &ContainerStatus) -> String {
    let state = status.state.as_ref();
    match (waiting_reason(state), role) {
        (Some("ContainerCreating"), _) => format!("pulling the image of {}, or starting it", status.name),
        (Some("PodInitializing"), _) => "waiting for its init containers".to_owned(),
        (Some("CreateContainerConfigError"), _) => "waiting for its ConfigMaps and Secrets".to_owned(),
        (_, Role::Init) => format!("running init container {}", status.name),
        (None, Role::Main) if status.started == Some(false) => {
            "running, its startup probe has not passed yet".to_owned()
        }
        (None, Role::Main) => "running, not ready yet".to_owned(),
        (Some(reason), Role::Main) => reason.to_owned(),
    }
}

fn waiting_reason(state: Option<&ContainerState>) -> Option<&str> {
    state?.waiting.as_ref()?.reason.as_deref()
}
