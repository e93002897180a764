//! The container: image, ports, environment, probes, resources.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMapEnvSource, Container, ContainerPort, EnvFromSource, EnvVar, EnvVarSource, HTTPGetAction,
    Lifecycle, LifecycleHandler, ObjectFieldSelector, Probe, ResourceRequirements, SecurityContext, SleepAction,
    TCPSocketAction,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{list, volumes};
use crate::values::Values;
use crate::values::types::{self, DrainBy, PullPolicy};
use crate::{Release, config_name};

pub(super) fn build(release: &Release<'_>, values: &Values) -> Container {
    let pull_policy = match values.image.pull_policy {
        PullPolicy::Always => "Always",
        PullPolicy::IfNotPresent => "IfNotPresent",
        PullPolicy::Never => "Never",
    };
    Container {
        name: release.name.to_owned(),
        image: Some(values.image.reference()),
        image_pull_policy: Some(pull_policy.to_owned()),
        command: list(values.command.clone()),
        args: list(values.args.clone()),
        ports: Some(ports(values)),
        env_from: Some(vec![EnvFromSource {
            config_map_ref: Some(ConfigMapEnvSource { name: config_name(release.name), optional: None }),
            ..EnvFromSource::default()
        }]),
        env: Some(environment(values)),
        startup_probe: Some(probe(values, &values.probes.startup)),
        readiness_probe: Some(probe(values, &values.probes.readiness)),
        liveness_probe: Some(probe(values, &values.probes.liveness)),
        lifecycle: lifecycle(values),
        resources: Some(resources(&values.resources)),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
            read_only_root_filesystem: Some(values.security_context.read_only_root_filesystem),
            run_as_non_root: Some(true),
            ..SecurityContext::default()
        }),
        // A crash without a message is explained by the last lines of the log.
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        volume_mounts: list(volumes::mounts(values)),
        ..Container::default()
    }
}

fn ports(values: &Values) -> Vec<ContainerPort> {
    let admin = values.admin.port.map(|port| ("admin", port));
    let extra = values.service.extra_ports.iter().map(|(name, port)| (name.as_str(), *port));
    std::iter::once(("http", values.service.port))
        .chain(admin)
        .chain(extra)
        .map(|(name, port)| ContainerPort {
            name: Some(name.to_owned()),
            container_port: i32::from(port),
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        })
        .collect()
}

/// Where the pod runs, for traces; everything else comes from the `ConfigMap`.
fn environment(values: &Values) -> Vec<EnvVar> {
    // The version is the default. A server that fills it in changes the whole of an atomic map, which whoever applies the
    // objects by other means then owns.
    let field = |name: &str, path: &str| EnvVar {
        name: name.to_owned(),
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector { field_path: path.to_owned(), api_version: Some("v1".to_owned()) }),
            ..EnvVarSource::default()
        }),
        value: None,
    };
    let attributes = values.telemetry.enabled.then(|| EnvVar {
        name: "OTEL_RESOURCE_ATTRIBUTES".to_owned(),
        value: Some(resource_attributes(values)),
        value_from: None,
    });
    let pod = [
        field("POD_NAME", "metadata.name"),
        field("POD_NAMESPACE", "metadata.namespace"),
        field("NODE_NAME", "spec.nodeName"),
    ];
    pod.into_iter().chain(attributes).collect()
}

/// Kubernetes fills in the `$(…)`, from variables that come before this one.
fn resource_attributes(values: &Values) -> String {
    let version = values.image.version();
    let mut attributes = vec![
        "k8s.pod.name=$(POD_NAME)".to_owned(),
        "k8s.namespace.name=$(POD_NAMESPACE)".to_owned(),
        "k8s.node.name=$(NODE_NAME)".to_owned(),
        format!("service.version={version}"),
        "service.instance.id=$(POD_NAME)".to_owned(),
    ];
    attributes.extend(values.telemetry.resource_attributes.iter().map(|(key, value)| format!("{key}={value}")));
    attributes.join(",")
}

/// A probe of the admin port when there is one, else of the traffic port.
fn probe(values: &Values, probe: &types::Probe) -> Probe {
    let name = if values.admin.port.is_some() { "admin" } else { "http" };
    let port = IntOrString::String(name.to_owned());
    let (http_get, tcp_socket) = match &probe.path {
        Some(path) => (Some(HTTPGetAction { path: Some(path.0.clone()), port, ..HTTPGetAction::default() }), None),
        None => (None, Some(TCPSocketAction { port, host: None })),
    };
    Probe {
        http_get,
        tcp_socket,
        period_seconds: Some(probe.period_seconds),
        timeout_seconds: Some(probe.timeout_seconds),
        failure_threshold: Some(probe.failure_threshold),
        ..Probe::default()
    }
}

/// The kubelet's wait, for a service that stops at once when it is told to.
fn lifecycle(values: &Values) -> Option<Lifecycle> {
    let seconds = values.drain.delay_seconds;
    (values.drain.by == DrainBy::Kubelet && seconds > 0).then(|| Lifecycle {
        pre_stop: Some(LifecycleHandler { sleep: Some(SleepAction { seconds }), ..LifecycleHandler::default() }),
        ..Lifecycle::default()
    })
}

fn resources(resources: &types::Resources) -> ResourceRequirements {
    let quantities = |quantities: &BTreeMap<String, types::Quantity>| {
        let quantities: BTreeMap<_, _> =
            quantities.iter().map(|(name, quantity)| (name.clone(), Quantity(quantity.0.text()))).collect();
        (!quantities.is_empty()).then_some(quantities)
    };
    ResourceRequirements {
        requests: quantities(&resources.requests),
        limits: quantities(&resources.limits),
        claims: None,
    }
}
