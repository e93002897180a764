//! What the cluster's objects say about a service: its port, and where it sends its spans.

use std::fmt;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Service, ServicePort};
use kube::Api;
use kube::api::ListParams;
use manifests::values::bundled;
use reach::Cluster;

use super::failure;
use crate::error::{Error, ExitCode, did_you_mean};
use crate::target::ServiceName;

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

/// The ports of a Service.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Ports {
    ports: Vec<ServicePort>,
    /// A name alone, of pods (headless) or of another host: any of their ports can be reached.
    name_only: bool,
}

impl Ports {
    fn of(service: Service) -> Self {
        let spec = service.spec.unwrap_or_default();
        let name_only = spec.cluster_ip.as_deref() == Some("None") || spec.type_.as_deref() == Some("ExternalName");
        Self { ports: spec.ports.unwrap_or_default(), name_only }
    }

    /// The only port, or the one named `http`.
    pub(crate) fn traffic(&self) -> Option<u16> {
        let chosen = match &self.ports[..] {
            [only] => Some(only),
            ports => ports.iter().find(|port| port.name.as_deref() == Some("http")),
        };
        chosen.and_then(|port| u16::try_from(port.port).ok())
    }

    /// Whether a connection to this port leads nowhere.
    pub(crate) fn lack(&self, number: u16) -> bool {
        !self.name_only && self.ports.iter().all(|port| port.port != i32::from(number))
    }

    /// The one to suggest.
    fn first(&self) -> Option<i32> {
        self.ports.first().map(|port| port.port)
    }
}

/// `port 8000 (http)`, `ports 9090 (grpc), 80`.
impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let describe = |port: &ServicePort| match &port.name {
            Some(name) => format!("{} ({name})", port.port),
            None => port.port.to_string(),
        };
        match &self.ports[..] {
            [] => f.write_str("no ports"),
            [only] => write!(f, "port {}", describe(only)),
            ports => write!(f, "ports {}", ports.iter().map(describe).collect::<Vec<_>>().join(", ")),
        }
    }
}

/// The ports of a Service, by one request; `None` when it does not exist.
pub(crate) async fn ports(cluster: &Cluster, name: &str, namespace: &str) -> Result<Option<Ports>, kube::Error> {
    let services: Api<Service> = Api::namespaced(cluster.client.clone(), namespace);
    Ok(services.get_opt(name).await?.map(Ports::of))
}

/// The traffic port, for a call that can't do without; a Service that does not exist is an error with the name that
/// was probably meant.
pub(crate) async fn service_port(cluster: &Cluster, name: &str, namespace: &str) -> Result<u16, Error> {
    let action = format!("read Service {name} in namespace {namespace}");
    match ports(cluster, name, namespace).await {
        Ok(Some(ports)) => ports.traffic().ok_or_else(|| ambiguous(name, namespace, &ports)),
        Ok(None) => Err(unknown(cluster, name, namespace).await),
        Err(cause) => Err(failure::explain(cluster, &action, cause)),
    }
}

fn ambiguous(name: &str, namespace: &str, ports: &Ports) -> Error {
    let why = format!("Service {name} in namespace {namespace} has {ports}");
    let error = Error::usage(format!("cannot call {name}: which port?"));
    match ports.first() {
        None => error.why(why).next(format!("msctl call {name}:PORT")),
        Some(first) => error.why(format!("{why}, and none is named http")).next(format!("msctl call {name}:{first}")),
    }
}

/// The error for a port that the Service does not have. Such a connection is not refused: it is lost on the way.
pub(crate) fn wrong_port(service: &ServiceName, namespace: &str, asked: u16, ports: &Ports) -> Error {
    let name = &service.name;
    let error = Error::new(ExitCode::Failed, format!("cannot call {name}: its Service has no port {asked}"))
        .why(format!("Service {name} in namespace {namespace} has {ports}"));
    let error = match ports.traffic() {
        Some(port) => error.next(format!("msctl call {service}:{port}")),
        None => error.next(format!("msctl call {service}:PORT")),
    };
    error.next(format!("kubectl port-forward deployment/{name} {asked} -n {namespace}, for a port of the pods alone"))
}

/// The error for a Service that does not exist. Asks which there are, to name the one that was
/// probably meant; where that can't be asked, it says less.
pub(crate) async fn unknown(cluster: &Cluster, name: &str, namespace: &str) -> Error {
    let deployments: Api<Deployment> = Api::namespaced(cluster.client.clone(), namespace);
    if let Ok(Some(deployment)) = deployments.get_opt(name).await {
        return unserved(cluster, &deployment, name, namespace);
    }
    let services: Api<Service> = Api::namespaced(cluster.client.clone(), namespace);
    let listed = services.list_metadata(&ListParams::default().limit(500)).await;
    let names: Option<Vec<String>> = listed
        .ok()
        .map(|list| callable(&list.items.into_iter().filter_map(|item| item.metadata.name).collect::<Vec<_>>()));
    let error = Error::new(ExitCode::Failed, format!("cannot call {name}: there is no such service"))
        .place(format!("namespace {namespace}, context {}", cluster.context));
    let Some(names) = names else {
        return error.why(format!("cluster DNS knows no {name}")).next(format!("msctl status -n {namespace}"));
    };
    let error = error.why(format!("namespace {namespace} has {}", enumerate(&names)));
    match did_you_mean(name, names.iter().map(String::as_str)) {
        Some(meant) => error.next(format!("msctl call {meant} -n {namespace}")),
        None if names.is_empty() => error.next("msctl status -A, to see where your services are"),
        None => error.next(format!("msctl call NAME with one of these, or {}", deploy(name, namespace))),
    }
}

/// The command that would bring it.
fn deploy(name: &str, namespace: &str) -> String {
    let own = if bundled().any(|known| known == name) { "" } else { " --image REPO:TAG --port PORT" };
    format!("msctl deploy {name}{own} -n {namespace}")
}

/// The error for pods that no Service leads to.
fn unserved(cluster: &Cluster, deployment: &Deployment, name: &str, namespace: &str) -> Error {
    let error = Error::new(ExitCode::Failed, format!("cannot call {name}: it has no Service"))
        .why(format!("there is a Deployment {name}, and cluster DNS knows Services alone"))
        .place(format!("namespace {namespace}, context {}", cluster.context));
    if bundled().any(|known| known == name) {
        return error.next(deploy(name, namespace));
    }
    let pod = deployment.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
    let mut ports = pod.into_iter().flat_map(|pod| &pod.containers).flat_map(|one| one.ports.iter().flatten());
    let port = ports.next().map_or_else(|| "PORT".to_owned(), |port| port.container_port.to_string());
    error.next(format!("kubectl expose deployment {name} --port {port} -n {namespace}"))
}

/// Without the headless twins: they are for those who balance themselves.
fn callable(names: &[String]) -> Vec<String> {
    let twin =
        |name: &String| name.strip_suffix("-headless").is_some_and(|base| names.iter().any(|other| other == base));
    names.iter().filter(|name| !twin(name)).cloned().collect()
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

/// Whether the Deployment of that name is there and asked to have no pods: then nobody will ever answer.
pub(crate) async fn is_scaled_to_zero(cluster: &Cluster, name: &str, namespace: &str) -> bool {
    let deployments: Api<Deployment> = Api::namespaced(cluster.client.clone(), namespace);
    let found = deployments.get_opt(name).await.ok().flatten();
    found.and_then(|deployment| deployment.spec).is_some_and(|spec| spec.replicas == Some(0))
}

/// The error for that.
pub(crate) fn nobody(name: &str, namespace: &str) -> Error {
    Error::new(ExitCode::Failed, format!("cannot call {name}: it is scaled to no replicas"))
        .why(format!("Deployment {name} in namespace {namespace} has replicas: 0"))
        .next(format!("msctl scale {name} --replicas 1 -n {namespace}"))
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
    use crate::cluster::double::Double;
    use serde_json::json;

    fn ports(ports: &serde_json::Value) -> Ports {
        Ports::of(serde_json::from_value(json!({"spec": {"ports": ports}})).unwrap())
    }

    #[test]
    fn the_only_port_is_taken_whatever_its_name() {
        assert_eq!(ports(&json!([{"name": "web", "port": 8080}])).traffic(), Some(8080));
    }

    #[test]
    fn of_several_ports_the_one_named_http_is_taken() {
        let ports = ports(&json!([{"name": "grpc", "port": 9090}, {"name": "http", "port": 80}]));
        assert_eq!(ports.traffic(), Some(80));
        assert!(!ports.lack(9090) && ports.lack(8000));
    }

    #[test]
    fn a_service_that_is_a_name_alone_keeps_nobody_from_a_port() {
        for spec in [
            json!({"clusterIP": "None"}),
            json!({"clusterIP": "None", "ports": [{"port": 80}]}),
            json!({"type": "ExternalName", "externalName": "db.example", "ports": [{"port": 80}]}),
        ] {
            let ports = Ports::of(serde_json::from_value(json!({ "spec": spec })).unwrap());
            assert!(!ports.lack(9090), "{ports:?}");
        }
    }

    #[test]
    fn several_ports_without_http_are_listed_in_the_error() {
        let ports = ports(&json!([{"name": "grpc", "port": 9090}, {"port": 80}]));
        assert_eq!(ports.traffic(), None);
        let error = ambiguous("orders", "shop", &ports);
        assert_eq!(error.code(), ExitCode::Usage);
        let text = error.to_string();
        assert!(text.contains("ports 9090 (grpc), 80, and none") && text.contains("msctl call orders:9090"), "{text}");
    }

    #[test]
    fn a_service_without_ports_asks_for_one() {
        let text = ambiguous("orders", "shop", &Ports::default()).to_string();
        assert!(text.contains("has no ports"), "{text}");
    }

    #[test]
    fn a_port_that_is_not_there_is_answered_with_those_that_are() {
        let service = "a".parse().unwrap();
        let text = wrong_port(&service, "shop", 9000, &ports(&json!([{"name": "http", "port": 8000}]))).to_string();
        assert!(text.contains("has port 8000 (http)") && text.contains("next: msctl call a:8000"), "{text}");
        assert!(text.contains("kubectl port-forward deployment/a 9000 -n shop"), "{text}");
    }

    #[tokio::test]
    async fn a_service_that_is_not_there_is_deployed_exposed_or_was_another_name() {
        let double = Double::new();
        let cluster = double.cluster();
        double.put("/api/v1/namespaces/shop/services/orders", json!({"metadata": {"name": "orders"}}));
        for (name, ports) in [("worker", json!([{"containerPort": 8080}])), ("cron", json!([]))] {
            let pod = json!({"spec": {"containers": [{"name": name, "ports": ports}]}});
            let deployment = json!({"metadata": {"name": name}, "spec": {"selector": {}, "template": pod}});
            double.put(&format!("/apis/apps/v1/namespaces/shop/deployments/{name}"), deployment);
        }
        for (name, what, next) in [
            ("ordres", "there is no such service", "msctl call orders -n shop"),
            ("nope", "there is no such service", "or msctl deploy nope --image REPO:TAG --port PORT -n shop"),
            ("service-a", "there is no such service", "or msctl deploy service-a -n shop"),
            ("worker", "it has no Service", "kubectl expose deployment worker --port 8080 -n shop"),
            ("cron", "it has no Service", "kubectl expose deployment cron --port PORT -n shop"),
        ] {
            let text = unknown(&cluster, name, "shop").await.to_string();
            assert!(text.contains(&format!("cannot call {name}: {what}")) && text.ends_with(next), "{name}: {text}");
        }
    }

    #[test]
    fn headless_twins_are_not_offered() {
        let names = ["a", "a-headless", "b-headless"].map(str::to_owned).to_vec();
        assert_eq!(callable(&names), ["a", "b-headless"]);
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
