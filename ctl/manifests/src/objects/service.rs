//! Service: the `ClusterIP`, and a headless one beside it for those who balance themselves.

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::labels;
use crate::values::Values;
use crate::{Release, headless_name};

pub(super) fn build(release: &Release<'_>, values: &Values) -> Service {
    Service {
        metadata: labels::annotated(release, values, &values.service.annotations),
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            selector: Some(labels::by_name(release)),
            ports: Some(ports(values)),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

pub(super) fn headless(release: &Release<'_>, values: &Values) -> Service {
    let mut service = build(release, values);
    service.metadata = labels::metadata(release, values);
    service.metadata.name = Some(headless_name(release.name));
    if let Some(spec) = &mut service.spec {
        spec.cluster_ip = Some("None".to_owned());
    }
    service
}

/// The traffic ports; the admin port is for the kubelet and the metrics collector, which ask the pods.
fn ports(values: &Values) -> Vec<ServicePort> {
    let http = ServicePort { app_protocol: Some("http".to_owned()), ..port("http", values.service.port) };
    let extra = values.service.extra_ports.iter().map(|(name, number)| port(name, *number));
    std::iter::once(http).chain(extra).collect()
}

fn port(name: &str, number: u16) -> ServicePort {
    ServicePort {
        name: Some(name.to_owned()),
        port: i32::from(number),
        target_port: Some(IntOrString::String(name.to_owned())),
        protocol: Some("TCP".to_owned()),
        ..ServicePort::default()
    }
}
