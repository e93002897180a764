//! Ingress.

use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, HTTPIngressRuleValue, Ingress, IngressBackend, IngressRule, IngressServiceBackend, IngressSpec,
    IngressTLS, ServiceBackendPort,
};

use super::{labels, list};
use crate::Release;
use crate::values::Values;
use crate::values::types::{IngressHost, IngressPath, PathType};

pub(super) fn build(release: &Release<'_>, values: &Values) -> Ingress {
    let ingress = &values.ingress;
    let tls = ingress
        .tls
        .iter()
        .map(|tls| IngressTLS { hosts: list(tls.hosts.clone()), secret_name: tls.secret_name.clone() });
    Ingress {
        metadata: labels::annotated(release, values, &ingress.annotations),
        spec: Some(IngressSpec {
            ingress_class_name: ingress.class_name.clone(),
            rules: Some(ingress.hosts.iter().map(|host| rule(release, host)).collect()),
            tls: list(tls.collect()),
            default_backend: None,
        }),
        ..Ingress::default()
    }
}

fn rule(release: &Release<'_>, host: &IngressHost) -> IngressRule {
    let paths = host.paths.iter().map(|path| self::path(release, path)).collect();
    IngressRule { host: host.host.clone(), http: Some(HTTPIngressRuleValue { paths }) }
}

fn path(release: &Release<'_>, path: &IngressPath) -> HTTPIngressPath {
    let path_type = match path.path_type {
        PathType::Prefix => "Prefix",
        PathType::Exact => "Exact",
        PathType::ImplementationSpecific => "ImplementationSpecific",
    };
    HTTPIngressPath {
        path: Some(path.path.0.clone()),
        path_type: path_type.to_owned(),
        backend: IngressBackend {
            service: Some(IngressServiceBackend {
                name: release.name.to_owned(),
                port: Some(ServiceBackendPort { name: Some("http".to_owned()), number: None }),
            }),
            resource: None,
        },
    }
}
