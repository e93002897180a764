//! The relay's objects: a Job that nothing outlives, and a `NetworkPolicy` that the Job owns.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hash::{BuildHasher as _, RandomState};

use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{
    Capabilities, Container, EnvVar, LocalObjectReference, PodSecurityContext, PodSpec, PodTemplateSpec,
    ResourceRequirements, SeccompProfile, SecurityContext,
};
use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicySpec};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use sha2::{Digest, Sha256};

use super::TunnelOptions;
use crate::relay::{ALLOW_VARIABLE, IDLE_VARIABLE, write_duration};

pub(super) const NAME: &str = "msctl-relay";
pub(super) const FIELD_MANAGER: &str = "msctl";
const VERSION: &str = env!("CARGO_PKG_VERSION");
const USER: i64 = 65532;
/// A relay that somehow never is idle ends after half a day; the next dial makes another one.
const ACTIVE_DEADLINE_SECONDS: i64 = 12 * 60 * 60;
/// Long enough to read why it failed, then nothing is left.
const TTL_AFTER_FINISHED_SECONDS: i32 = 60;

/// Says which run of msctl made a Job, for one that never read the answer.
pub(super) const NONCE: &str = "msctl.dev/nonce";

/// Which relay is ours: one per namespace, user, version and whatever else makes a pod differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    /// The name of the Job and of the `NetworkPolicy`.
    pub(super) name: String,
    user: String,
}

impl Identity {
    pub(super) fn new(user: &str, options: &TunnelOptions) -> Self {
        let login = std::env::var("USER").or_else(|_| std::env::var("USERNAME")).unwrap_or_default();
        Self::of(&login, user, options)
    }

    fn of(login: &str, user: &str, options: &TunnelOptions) -> Self {
        let mut parts = vec![login, user, VERSION, &options.image, options.pull_policy.as_str()];
        parts.extend(options.pull_secrets.iter().map(String::as_str));
        let (idle, allow) = (write_duration(options.idle_timeout), ranges(options));
        parts.extend([idle.as_str(), &allow]);
        Self { name: format!("{NAME}-{}", short_hash(&parts)), user: user.to_owned() }
    }

    /// Finds the Job's pods; the Job controller labels them.
    pub(super) fn selector(&self) -> String {
        format!("batch.kubernetes.io/job-name={}", self.name)
    }

    fn labels(&self) -> BTreeMap<String, String> {
        [
            ("app.kubernetes.io/name", NAME),
            ("app.kubernetes.io/instance", &self.name),
            ("app.kubernetes.io/component", "relay"),
            ("app.kubernetes.io/part-of", "msctl"),
            ("app.kubernetes.io/managed-by", "msctl"),
            ("app.kubernetes.io/version", VERSION),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
    }
}

/// Ten hexadecimal digits that stand for `parts`.
pub(super) fn short_hash(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    let mut digits = String::with_capacity(10);
    for byte in hash.finalize().iter().take(5) {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

/// Something that no other run has.
pub(super) fn nonce() -> String {
    // Its keys are random.
    format!("{:016x}", RandomState::new().hash_one(std::process::id()))
}

/// The Job: it makes one pod, once, and is removed with it a minute after that has ended.
pub(super) fn job(identity: &Identity, options: &TunnelOptions, nonce: &str) -> Job {
    let annotations =
        BTreeMap::from([("msctl.dev/user".to_owned(), identity.user.clone()), (NONCE.to_owned(), nonce.to_owned())]);
    Job {
        metadata: ObjectMeta {
            name: Some(identity.name.clone()),
            namespace: Some(options.namespace.clone()),
            labels: Some(identity.labels()),
            annotations: Some(annotations),
            ..ObjectMeta::default()
        },
        spec: Some(JobSpec {
            backoff_limit: Some(0),
            completions: Some(1),
            parallelism: Some(1),
            active_deadline_seconds: Some(ACTIVE_DEADLINE_SECONDS),
            ttl_seconds_after_finished: Some(TTL_AFTER_FINISHED_SECONDS),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta { labels: Some(identity.labels()), ..ObjectMeta::default() }),
                spec: Some(pod(options)),
            },
            ..JobSpec::default()
        }),
        ..Job::default()
    }
}

fn pod(options: &TunnelOptions) -> PodSpec {
    let secret = |name: &String| LocalObjectReference { name: name.clone() };
    PodSpec {
        automount_service_account_token: Some(false),
        containers: vec![container(options)],
        enable_service_links: Some(false),
        image_pull_secrets: Some(options.pull_secrets.iter().map(secret).collect())
            .filter(|list: &Vec<_>| !list.is_empty()),
        node_selector: Some(BTreeMap::from([("kubernetes.io/os".to_owned(), "linux".to_owned())])),
        restart_policy: Some("Never".to_owned()),
        security_context: Some(PodSecurityContext {
            run_as_group: Some(USER),
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), ..SeccompProfile::default() }),
            ..PodSecurityContext::default()
        }),
        termination_grace_period_seconds: Some(5),
        ..PodSpec::default()
    }
}

fn container(options: &TunnelOptions) -> Container {
    let quantities = |cpu: &str, memory: &str| {
        BTreeMap::from([
            ("cpu".to_owned(), Quantity(cpu.to_owned())),
            ("memory".to_owned(), Quantity(memory.to_owned())),
        ])
    };
    Container {
        name: "relay".to_owned(),
        image: Some(options.image.clone()),
        image_pull_policy: Some(options.pull_policy.as_str().to_owned()),
        args: Some(vec!["relay".to_owned()]),
        env: Some(environment(options)),
        resources: Some(ResourceRequirements {
            requests: Some(quantities("10m", "16Mi")),
            // Flow control holds at most 64 MiB for streams that nobody reads.
            limits: Some(quantities("1", "128Mi")),
            ..ResourceRequirements::default()
        }),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), ..Capabilities::default() }),
            read_only_root_filesystem: Some(true),
            ..SecurityContext::default()
        }),
        // Its last words become part of the pod's status: no right to read logs is needed to tell why it crashed.
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        ..Container::default()
    }
}

fn environment(options: &TunnelOptions) -> Vec<EnvVar> {
    let mut variables = vec![(IDLE_VARIABLE, write_duration(options.idle_timeout))];
    if !options.allow.is_empty() {
        variables.push((ALLOW_VARIABLE, ranges(options)));
    }
    variables
        .into_iter()
        .map(|(name, value)| EnvVar { name: name.to_owned(), value: Some(value), ..EnvVar::default() })
        .collect()
}

fn ranges(options: &TunnelOptions) -> String {
    options.allow.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// Nobody may connect to the relay's pod (a port-forward does not come over the network), and the pod may connect to
/// anything: the relay itself refuses what lies outside its ranges. It goes when the Job goes.
pub(super) fn network_policy(identity: &Identity, options: &TunnelOptions, job_uid: &str) -> NetworkPolicy {
    let selected = BTreeMap::from([
        ("app.kubernetes.io/name".to_owned(), NAME.to_owned()),
        ("app.kubernetes.io/instance".to_owned(), identity.name.clone()),
    ]);
    NetworkPolicy {
        metadata: ObjectMeta {
            name: Some(identity.name.clone()),
            namespace: Some(options.namespace.clone()),
            labels: Some(identity.labels()),
            owner_references: Some(vec![OwnerReference {
                api_version: "batch/v1".to_owned(),
                kind: "Job".to_owned(),
                name: identity.name.clone(),
                uid: job_uid.to_owned(),
                ..OwnerReference::default()
            }]),
            ..ObjectMeta::default()
        },
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(LabelSelector { match_labels: Some(selected), ..LabelSelector::default() }),
            policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
            egress: Some(vec![NetworkPolicyEgressRule::default()]),
            ..NetworkPolicySpec::default()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> TunnelOptions {
        TunnelOptions::new("demo", "ghcr.io/msctl/msctl:0.1.0")
    }

    fn name(login: &str, user: &str, options: &TunnelOptions) -> String {
        Identity::of(login, user, options).name
    }

    #[test]
    fn every_user_image_and_setting_has_a_relay_of_its_own() {
        let base = name("ann", "admin", &options());
        assert_eq!(base, name("ann", "admin", &options()));
        assert!(base.starts_with("msctl-relay-") && base.len() <= 52, "{base}");
        let image = TunnelOptions { image: "other:1".into(), ..options() };
        let allow = TunnelOptions { allow: vec!["192.0.2.0/24".parse().unwrap()], ..options() };
        let others = [
            name("bob", "admin", &options()),
            name("ann", "admin as bob", &options()),
            name("annadmin", "", &options()),
            name("ann", "admin", &image),
            name("ann", "admin", &allow),
        ];
        for (at, other) in others.iter().enumerate() {
            assert!(*other != base && !others[..at].contains(other), "{other}");
        }
    }

    #[test]
    fn the_pod_is_restricted_and_holds_no_token() {
        let job = job(&Identity::of("ann", "admin", &options()), &options(), "7");
        let spec = job.spec.unwrap().template.spec.unwrap();
        assert_eq!(spec.automount_service_account_token, Some(false));
        let security = spec.security_context.unwrap();
        assert_eq!((security.run_as_non_root, security.run_as_user), (Some(true), Some(USER)));
        assert_eq!(security.seccomp_profile.unwrap().type_, "RuntimeDefault");
        let container = &spec.containers[0];
        let security = container.security_context.as_ref().unwrap();
        assert_eq!(security.allow_privilege_escalation, Some(false));
        assert_eq!(security.read_only_root_filesystem, Some(true));
        assert_eq!(security.capabilities.as_ref().unwrap().drop, Some(vec!["ALL".to_owned()]));
        assert!(container.resources.as_ref().unwrap().limits.is_some());
        assert!(container.ports.is_none());
    }

    #[test]
    fn the_job_ends_and_is_removed_whatever_happens() {
        let spec = job(&Identity::of("ann", "admin", &options()), &options(), "7").spec.unwrap();
        assert_eq!(spec.backoff_limit, Some(0));
        assert!(spec.active_deadline_seconds.is_some() && spec.ttl_seconds_after_finished.is_some());
        assert_eq!(spec.template.spec.unwrap().restart_policy.as_deref(), Some("Never"));
    }

    #[test]
    fn the_policy_lets_nobody_in_and_belongs_to_the_job() {
        let identity = Identity::of("ann", "admin", &options());
        let policy = serde_json::to_value(network_policy(&identity, &options(), "uid-1")).unwrap();
        assert_eq!(policy["metadata"]["ownerReferences"][0]["uid"], "uid-1");
        assert_eq!(policy["spec"]["policyTypes"], serde_json::json!(["Ingress", "Egress"]));
        assert!(policy["spec"].get("ingress").is_none());
        assert_eq!(policy["spec"]["egress"], serde_json::json!([{}]));
        let selected = &policy["spec"]["podSelector"]["matchLabels"];
        let labels = job(&identity, &options(), "7").spec.unwrap().template.metadata.unwrap().labels.unwrap();
        for (key, value) in selected.as_object().unwrap() {
            assert_eq!(labels.get(key).map(String::as_str), value.as_str());
        }
    }

    #[test]
    fn settings_reach_the_relay_as_it_reads_them() {
        let mut options = options();
        options.idle_timeout = std::time::Duration::from_secs(90);
        options.allow = vec!["192.0.2.0/24".parse().unwrap()];
        let environment = environment(&options);
        let lookup = |name: &str| environment.iter().find(|v| v.name == name).and_then(|v| v.value.clone());
        let config = crate::relay::RelayConfig::from_env(lookup).unwrap();
        assert_eq!((config.idle_timeout, config.allow), (options.idle_timeout, options.allow));
    }
}
