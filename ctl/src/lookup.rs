//! What the cluster's objects say about a service: its port, and where it sends its spans.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Service, ServicePort};
use kube::Api;
use kube::api::ListParams;
use reach::Cluster;

use crate::cluster::failure;
use crate::error::{Error, ExitCode, did_you_mean};

/// The environment variables that say where spans go, the more particular one first.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

/// Ports that need no question: the services that come with msctl.
pub(crate) fn known_port(service: &str) -> Option<u16> {
    match service {
        api::a::NAME => Some(api::a::PORT),
        api::b::NAME => Some(api::b::PORT),
        _ => None,
    }
}

/// What the API server says of a Service's traffic port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Port {
    Number(u16),
    /// These are there, and none is the one.
    Ambiguous(Vec<String>),
    NoService,
}

/// The traffic port of a Service, by one request.
pub(crate) async fn port(cluster: &Cluster, name: &str, namespace: &str) -> Result<Port, kube::Error> {
    let services: Api<Service> = Api::namespaced(cluster.client.clone(), namespace);
    Ok(match services.get_opt(name).await? {
        Some(service) => choose(&service).map_or_else(Port::Ambiguous, Port::Number),
        None => Port::NoService,
    })
}

/// The same for a call that can't do without; a Service that does not exist is an error with the
/// name that was probably meant.
pub(crate) async fn service_port(cluster: &Cluster, name: &str, namespace: &str) -> Result<u16, Error> {
    let action = format!("read Service {name} in namespace {namespace}");
    match port(cluster, name, namespace).await {
        Ok(Port::Number(port)) => Ok(port),
        Ok(Port::Ambiguous(ports)) => Err(ambiguous(name, namespace, &ports)),
        Ok(Port::NoService) => Err(unknown(cluster, name, namespace).await),
        Err(cause) => Err(failure::explain(cluster, &action, cause)),
    }
}

/// The only port, or the one named `http`; else all that there are.
fn choose(service: &Service) -> Result<u16, Vec<String>> {
    let none = Vec::new();
    let ports: &Vec<ServicePort> = service.spec.as_ref().and_then(|spec| spec.ports.as_ref()).unwrap_or(&none);
    let named = || ports.iter().find(|port| port.name.as_deref() == Some("http"));
    let chosen = match &ports[..] {
        [only] => Some(only),
        _ => named(),
    };
    chosen.and_then(|port| u16::try_from(port.port).ok()).ok_or_else(|| ports.iter().map(describe).collect())
}

/// `8080 (metrics)`.
fn describe(port: &ServicePort) -> String {
    match &port.name {
        Some(name) => format!("{} ({name})", port.port),
        None => port.port.to_string(),
    }
}

fn ambiguous(name: &str, namespace: &str, ports: &[String]) -> Error {
    let error = Error::usage(format!("cannot call {name}: which port?"));
    match ports {
        [] => error
            .why(format!("Service {name} in namespace {namespace} has no ports"))
            .next(format!("msctl call {name}:PORT")),
        [first, ..] => {
            let port = first.split(' ').next().unwrap_or_default();
            error
                .why(format!(
                    "Service {name} in namespace {namespace} has {}, and none is named http",
                    ports.join(", ")
                ))
                .next(format!("msctl call {name}:{port}"))
        }
    }
}

/// The error for a Service that does not exist. Asks which there are, to name the one that was
/// probably meant; where that can't be asked, it says less.
pub(crate) async fn unknown(cluster: &Cluster, name: &str, namespace: &str) -> Error {
    let services: Api<Service> = Api::namespaced(cluster.client.clone(), namespace);
    let listed = services.list_metadata(&ListParams::default().limit(500)).await;
    let names: Option<Vec<String>> =
        listed.ok().map(|list| list.items.into_iter().filter_map(|item| item.metadata.name).collect());
    let error = Error::new(ExitCode::Failed, format!("cannot call {name}: there is no such service"))
        .place(format!("namespace {namespace}, context {}", cluster.context));
    let Some(names) = names else {
        return error.why(format!("cluster DNS knows no {name}")).next(format!("msctl status -n {namespace}"));
    };
    let error = error.why(format!("namespace {namespace} has {}", enumerate(&names)));
    match did_you_mean(name, names.iter().map(String::as_str)) {
        Some(meant) => error.next(format!("msctl call {meant} -n {namespace}")),
        None if names.is_empty() => error.next("msctl status -A, to see where your services are"),
        None => error.next(format!("msctl call NAME with one of these, or msctl deploy {name}")),
    }
}

/// `service a, b and 3 more`.
fn enumerate(names: &[String]) -> String {
    const SHOWN: usize = 8;
    match names {
        [] => "no services".to_owned(),
        [one] => format!("service {one}"),
        _ if names.len() <= SHOWN => format!("services {}", names.join(", ")),
        _ => format!("services {} and {} more", names[..SHOWN].join(", "), names.len() - SHOWN),
    }
}

/// Where the pods of a Deployment send their spans, by one request. `None` also when it can't be
/// read: this is a convenience, and a call does not fail for it.
pub(crate) async fn span_endpoint(cluster: &Cluster, name: &str, namespace: &str) -> Option<String> {
    let deployments: Api<Deployment> = Api::namespaced(cluster.client.clone(), namespace);
    endpoint_of(&deployments.get_opt(name).await.ok()??)
}

/// The first container's that has one.
fn endpoint_of(deployment: &Deployment) -> Option<String> {
    let pod = deployment.spec.as_ref()?.template.spec.as_ref()?;
    ENDPOINTS.iter().find_map(|endpoint| {
        let variables = pod.containers.iter().flat_map(|container| container.env.iter().flatten());
        let value = variables.filter(|variable| variable.name == *endpoint).find_map(|found| found.value.clone());
        value.filter(|value| !value.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn service(ports: &serde_json::Value) -> Service {
        serde_json::from_value(json!({"spec": {"ports": ports}})).unwrap()
    }

    #[test]
    fn the_only_port_is_taken_whatever_its_name() {
        assert_eq!(choose(&service(&json!([{"name": "web", "port": 8080}]))), Ok(8080));
    }

    #[test]
    fn of_several_ports_the_one_named_http_is_taken() {
        let ports = json!([{"name": "grpc", "port": 9090}, {"name": "http", "port": 80}]);
        assert_eq!(choose(&service(&ports)), Ok(80));
    }

    #[test]
    fn several_ports_without_http_are_listed_in_the_error() {
        let ports =
            choose(&service(&json!([{"name": "grpc", "port": 9090}, {"name": "web", "port": 80}]))).unwrap_err();
        let error = ambiguous("orders", "shop", &ports);
        assert_eq!(error.code(), ExitCode::Usage);
        let text = error.to_string();
        assert!(text.contains("9090 (grpc), 80 (web)") && text.contains("msctl call orders:9090"), "{text}");
    }

    #[test]
    fn a_service_without_ports_asks_for_one() {
        let text = ambiguous("orders", "shop", &choose(&Service::default()).unwrap_err()).to_string();
        assert!(text.contains("has no ports"), "{text}");
    }

    #[test]
    fn the_span_endpoint_is_read_from_the_pod_template() {
        let deployment = |env: serde_json::Value| -> Deployment {
            let containers = json!([{"name": "sidecar"}, {"name": "service", "env": env}]);
            serde_json::from_value(json!({"spec": {"selector": {}, "template": {"spec": {"containers": containers}}}}))
                .unwrap()
        };
        let general = json!({"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://jaeger:4318"});
        let traces = json!({"name": "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "value": "http://tempo:4318/v1/traces"});
        assert_eq!(endpoint_of(&deployment(json!([general]))).as_deref(), Some("http://jaeger:4318"));
        assert_eq!(endpoint_of(&deployment(json!([general, traces]))).as_deref(), Some("http://tempo:4318/v1/traces"));
        let secret = json!({"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "valueFrom": {}});
        assert_eq!(endpoint_of(&deployment(json!([secret]))), None);
        assert_eq!(endpoint_of(&deployment(json!([]))), None);
    }

    #[test]
    fn many_services_are_not_all_listed() {
        let names: Vec<String> = (0..12).map(|i| format!("s{i}")).collect();
        assert!(enumerate(&names).ends_with("s7 and 4 more"));
        assert_eq!(enumerate(&[]), "no services");
    }

    #[test]
    fn bundled_services_need_no_question() {
        assert_eq!(
            (known_port("service-a"), known_port("service-b"), known_port("orders")),
            (Some(8000), Some(8001), None)
        );
    }
}
