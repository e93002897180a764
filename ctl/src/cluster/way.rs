//! The way to the services of a namespace of a cluster: the relay's tunnel, or none at all inside a cluster.

use std::sync::Arc;

use reach::{Cluster, Connector, Tunnel, TunnelError, TunnelOptions, Way};

use super::kubernetes::Kubernetes;
use super::{lookup, session, unready};
use crate::cli::Globals;
use crate::cli::call::{Via, WayArgs};
use crate::collector::{Asked, Jaeger, place_of};
use crate::error::{Error, ExitCode};
use crate::target::ServiceName;
use crate::way::{Dialled, Doubt, Known, Patience, Speaker, Voice, direct};

/// The relay is msctl itself, in the image of the same version.
const RELAY_IMAGE: &str = concat!("ghcr.io/msctl/msctl:", env!("CARGO_PKG_VERSION"));

/// A way into one namespace, and whom to ask about it.
#[derive(Debug, Clone)]
pub(crate) struct ClusterWay {
    kind: Way,
    /// `None` where we run inside a cluster and have no right to ask the API server.
    cluster: Option<Cluster>,
    namespace: String,
    /// The namespace of the command line.
    said: Option<String>,
    /// What the environment of msctl.yaml says of traces: where they are read, and where spans go.
    jaeger: Option<Asked>,
    otlp: Option<String>,
    /// Names need their namespace.
    qualify: bool,
    /// Whether cluster DNS is this machine's: it is a pod.
    in_pod: bool,
}

impl ClusterWay {
    /// Which way `--via` asks for, or the one that fits where we run; and the API server, which the relay needs. Inside
    /// a cluster the network is ours to use without it: only what the API server knows is out of reach.
    pub(crate) async fn choose(
        kubernetes: &Kubernetes,
        args: &WayArgs,
        target: Option<&ServiceName>,
    ) -> Result<Self, Error> {
        let asked = args.via.map(|via| match via {
            Via::Relay => Way::Relay,
            Via::Direct => Way::Direct,
        });
        // From a pod of one cluster, what is named may be in another.
        let fitting =
            if asked.is_none() && names_a_context(kubernetes) { Way::Relay } else { reach::resolve_way(asked) };
        let (kind, cluster) = match (fitting, kubernetes.cluster().await) {
            (kind, Ok(cluster)) => (kind, Some(cluster.clone())),
            // Elsewhere the same names may mean other services: not what was asked for.
            (_, Err(error)) if names_a_context(kubernetes) => return Err(error),
            (Way::Direct, Err(_)) => (Way::Direct, None),
            // A pod without a service account's token and without a kubeconfig.
            (Way::Relay, Err(_)) if asked.is_none() && in_a_pod() => (Way::Direct, None),
            (Way::Relay | Way::Local, Err(error)) => return Err(error),
        };
        let default = kubernetes.namespace().await;
        let namespace = target.map_or(&*default, |target| target.namespace_or(&default)).to_owned();
        let said = kubernetes.globals().namespace.clone();
        let qualify = qualifies(kind, cluster.is_some(), kubernetes.globals(), target);
        let environment = kubernetes.environment();
        let otlp = environment.and_then(|environment| environment.otlp.clone());
        let jaeger = environment.and_then(|one| Some((&one.name, one.jaeger.as_ref()?)));
        let jaeger = jaeger.map(|(name, text)| place_of(name, text)).transpose()?;
        Ok(Self { kind, cluster, namespace, said, jaeger, otlp, qualify, in_pod: in_a_pod() })
    }

    /// Through the tunnel of a relay, which is made when there is none.
    pub(crate) async fn open(
        &self,
        args: &WayArgs,
        patience: &Patience,
        voice: &mut Voice<'_>,
        speaker: Speaker,
    ) -> Result<Connector, Error> {
        let (Way::Relay, Some(cluster)) = (self.kind, &self.cluster) else { return Ok(direct()) };
        let image = relay_image(args);
        let making = patience.making.clone();
        let options = TunnelOptions {
            progress: Some(Arc::new(move |progress| {
                making.hear(progress);
                speaker.say(progress);
            })),
            cancel: patience.cancel.clone(),
            ..TunnelOptions::new(&self.namespace, image)
        };
        // Large, and once a process.
        let opening = Box::pin(Tunnel::open(cluster, options));
        patience.making.is(true);
        let tunnel = voice.over(opening).await;
        patience.making.is(false);
        tunnel.map(Connector::relay).map_err(|cause| refused(cluster, &self.namespace, &cause))
    }

    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    pub(crate) fn said(&self) -> String {
        self.said.as_ref().map(|namespace| format!(" -n {namespace}")).unwrap_or_default()
    }

    pub(crate) fn place(&self) -> String {
        match &self.cluster {
            Some(cluster) => format!("namespace {}, context {}", self.namespace, cluster.context),
            None => format!("namespace {}", self.namespace),
        }
    }

    pub(crate) fn host(&self, service: &ServiceName) -> String {
        if self.qualify { format!("{}.{}", service.name, self.namespace) } else { service.to_string() }
    }

    /// The services that come with msctl.
    pub(crate) fn known_port(service: &str) -> Option<u16> {
        lookup::known_port(service)
    }

    pub(crate) async fn port(&self, service: &str) -> Result<u16, Error> {
        match &self.cluster {
            Some(cluster) => {
                let found = lookup::service_port(cluster, service, &self.namespace).await;
                found.map_err(|error| error.or_place(self.place()))
            }
            None => Err(Error::usage(format!("cannot call {service}: which port?"))
                .why("its Service knows, but the API server cannot be asked from here")
                .place(self.place())
                .next(format!("msctl call {service}:PORT"))),
        }
    }

    /// A port that the Service does not have is not refused, but lost on the way; so is a Service without ready pods.
    pub(crate) async fn doubt(&self, dialled: &Dialled) -> Result<Doubt, Error> {
        let Some(cluster) = &self.cluster else { return Ok(Doubt::Nothing) };
        let Dialled { service, port, assumed, url } = dialled;
        let (name, namespace) = (&service.name, service.namespace_or(&self.namespace));
        match lookup::ports(cluster, name, namespace).await {
            Ok(Some(ports)) if ports.lack(*port) => {
                let other = ports.traffic().filter(|_| *assumed);
                other
                    .map(Doubt::OtherPort)
                    .ok_or_else(|| lookup::wrong_port(service, namespace, *port, &ports).place(self.place()))
            }
            // The name resolves to something else, or soon to nothing.
            Ok(None) if !url => Err(lookup::unknown(cluster, name, namespace).await),
            Ok(Some(_)) if lookup::is_scaled_to_zero(cluster, name, namespace).await => {
                Err(lookup::nobody(name, namespace).place(self.place()))
            }
            // Large, and seldom.
            Ok(Some(_)) => match Box::pin(unready::look(cluster, name, namespace)).await {
                Some(found) if found.is_doomed() => Err(found.error(name, namespace).place(self.place())),
                Some(found) => Ok(Doubt::Unready(found.to_string())),
                None => Ok(Doubt::Nothing),
            },
            // As it should be, or not to be known.
            Ok(None) | Err(_) => Ok(Doubt::Nothing),
        }
    }

    /// Cluster DNS is for those inside.
    pub(crate) fn outside(&self, service: &ServiceName) -> Option<Error> {
        if self.kind != Way::Direct || self.in_pod {
            return None;
        }
        Some(
            Error::new(ExitCode::Failed, format!("cannot call {service}: this machine is not in the cluster"))
                .why(format!("--via direct asks this machine's own DNS, which knows no {service}"))
                .place(self.place())
                .next("--via relay, or leave out --via"),
        )
    }

    /// The Services know first.
    pub(crate) async fn knows(&self, service: &str) -> Known {
        let Some(cluster) = &self.cluster else { return Known::Unasked };
        match lookup::ports(cluster, service, &self.namespace).await {
            Ok(None) => Known::No(lookup::unknown(cluster, service, &self.namespace).await),
            Ok(Some(_)) => Known::Yes,
            Err(_) => Known::Unasked,
        }
    }

    pub(crate) fn unresolved(service: &str) -> String {
        format!("Service {service} exists, and cluster DNS does not know it: is it headless, with no pod ready?")
    }

    pub(crate) async fn jaeger(&self, asked: Option<&Asked>, service: Option<&str>) -> Jaeger {
        let jaeger = match (asked, &self.jaeger, &self.otlp) {
            (Some(asked), _, _) | (None, Some(asked), None) => Jaeger::asked(asked),
            (None, Some(named), Some(endpoint)) => Jaeger::asked(named).fed_at(endpoint),
            (None, None, Some(endpoint)) => Jaeger::behind(endpoint).unwrap_or_else(Jaeger::guess),
            (None, None, None) => self.behind(service).await.unwrap_or_else(Jaeger::guess),
        };
        if self.qualify { jaeger.seen_from_anywhere(&self.namespace) } else { jaeger }
    }

    /// Where the service itself sends its spans.
    async fn behind(&self, service: Option<&str>) -> Option<Jaeger> {
        Jaeger::behind(&lookup::span_endpoint(self.cluster.as_ref()?, service?, &self.namespace).await?)
    }
}

/// The one that was asked for. A variable that is set to nothing says nothing.
fn relay_image(args: &WayArgs) -> String {
    let asked = args.relay_image.clone().filter(|image| !image.is_empty());
    asked.unwrap_or_else(|| RELAY_IMAGE.to_owned())
}

/// By an environment, which pins it, or by --context.
fn names_a_context(kubernetes: &Kubernetes) -> bool {
    kubernetes.environment().is_some() || kubernetes.globals().context.is_some()
}

/// Every container of a pod has it: <https://kubernetes.io/docs/tutorials/services/connect-applications-service/>
fn in_a_pod() -> bool {
    std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
}

/// Whether names need their namespace. The relay stands in the target's own, so that a bare name means there what it
/// means to the services; from elsewhere it has to be said, unless nobody knows it but our own resolver.
fn qualifies(way: Way, connected: bool, globals: &Globals, target: Option<&ServiceName>) -> bool {
    let said = globals.namespace.is_some() || target.is_some_and(|target| target.namespace.is_some());
    way == Way::Direct && (said || connected)
}

fn refused(cluster: &Cluster, namespace: &str, cause: &TunnelError) -> Error {
    let error = Error::new(ExitCode::from(cause.trouble()), format!("cannot open a way into namespace {namespace}"))
        .why(cause.to_string())
        .place(session::place(cluster));
    error.next(cause.hint().unwrap_or_else(|| format!("msctl status -n {namespace}")))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::cluster::double::Double;
    use crate::cluster::fixtures::{container, rollout};

    #[tokio::test]
    async fn a_context_that_was_named_is_never_another_place() {
        let args = WayArgs { via: Some(Via::Direct), relay_image: None, jaeger: None, verbose: false };
        let nowhere = Globals { kubeconfig: Some("/nowhere/config".into()), ..Globals::default() };
        let anywhere = Kubernetes::new(nowhere.clone(), None);
        assert_eq!(ClusterWay::choose(&anywhere, &args, None).await.unwrap().kind, Way::Direct);

        let environment = project::Environment {
            name: "staging".into(),
            context: "kind-staging".into(),
            namespace: None,
            values: Vec::new(),
            otlp: None,
            jaeger: None,
            problems: Vec::new(),
        };
        let named = Globals { context: Some("kind-staging".into()), ..nowhere.clone() };
        let named = Kubernetes::new(named, None);
        let project = project::Project {
            name: "shop".into(),
            file: "/shop/msctl.yaml".into(),
            folder: "/shop".into(),
            services: BTreeMap::new(),
            environments: BTreeMap::new(),
            default_environment: None,
        };
        let pinned = Kubernetes::pinned(nowhere, environment, project).unwrap();
        for kubernetes in [named, pinned] {
            let error = ClusterWay::choose(&kubernetes, &args, None).await.unwrap_err();
            assert!(error.to_string().contains("cannot connect to a cluster"), "{error}");
        }
    }

    #[test]
    fn a_relay_image_that_is_empty_is_none() {
        let image = |relay_image: Option<&str>| {
            let asked = relay_image.map(str::to_owned);
            super::relay_image(&WayArgs { via: None, relay_image: asked, jaeger: None, verbose: false })
        };
        assert_eq!((image(None), image(Some(""))), (RELAY_IMAGE.to_owned(), RELAY_IMAGE.to_owned()));
        assert_eq!(image(Some("shop/msctl:1")), "shop/msctl:1");
    }

    /// A way into the namespace `shop` of the double.
    fn way(double: &Double, kind: Way, in_pod: bool) -> ClusterWay {
        let cluster = Some(double.cluster());
        let namespace = "shop".to_owned();
        ClusterWay { kind, cluster, namespace, said: None, jaeger: None, otlp: None, qualify: false, in_pod }
    }

    async fn doubt(double: &Double, target: &str, port: u16) -> Result<Doubt, String> {
        let target: crate::target::Target = target.parse().unwrap();
        let url = target.service().is_none();
        let service = target.service().cloned().or_else(|| target.maybe_service()).unwrap();
        let dialled = Dialled { service, port, assumed: false, url };
        way(double, Way::Relay, false).doubt(&dialled).await.map_err(|error| error.to_string())
    }

    fn service(double: &Double, namespace: &str, name: &str, port: u16) {
        let path = format!("/api/v1/namespaces/{namespace}/services/{name}");
        double.put(&path, json!({ "metadata": { "name": name }, "spec": { "ports": [{ "port": port }] } }));
    }

    #[tokio::test]
    async fn a_port_that_a_service_lacks_is_said_by_name_and_by_url_and_another_host_is_left_alone() {
        let double = Double::new();
        service(&double, "shop", "service-a", 8000);
        service(&double, "default", "service-b", 8001);
        for (target, port, next) in [
            ("service-a", 80, "msctl call service-a:8000"),
            ("http://service-a/", 80, "msctl call service-a:8000"),
            ("http://service-a.shop.svc.cluster.local", 80, "msctl call service-a.shop:8000"),
            ("http://service-b.default/", 80, "msctl call service-b.default:8001"),
        ] {
            let text = doubt(&double, target, port).await.unwrap_err();
            assert!(text.contains("its Service has no port 80"), "{target}: {text}");
            assert!(text.contains(&format!("next: {next}\n")), "{target}: {text}");
        }
        for (target, port) in [("http://service-a", 8000), ("http://nope", 80)] {
            assert_eq!(doubt(&double, target, port).await, Ok(Doubt::Nothing), "{target}");
        }
        assert!(doubt(&double, "nope", 80).await.unwrap_err().contains("there is no such service"));
    }

    /// The objects of `rollout` are in the double's namespace `shop`, with a Service.
    fn deployed(status: &serde_json::Value) -> Double {
        let double = Double::new();
        service(&double, "shop", "service-a", 8000);
        let seen = rollout().with_one_pod(status).seen();
        let apps = "/apis/apps/v1/namespaces/shop";
        for object in seen.deployments.iter() {
            let path = format!("{apps}/deployments/service-a");
            double.put(&path, serde_json::to_value(object).unwrap());
        }
        for object in seen.replica_sets.iter() {
            let path = format!("{apps}/replicasets/service-a-1");
            double.put(&path, serde_json::to_value(object).unwrap());
        }
        for object in seen.pods.iter() {
            let path = "/api/v1/namespaces/shop/pods/service-a-1-x";
            double.put(path, serde_json::to_value(object).unwrap());
        }
        double
    }

    #[tokio::test]
    async fn a_service_without_a_ready_pod_is_doubted_with_the_reason_that_status_shows() {
        let waiting = |reason: &str, message: &str| {
            container(&json!({ "state": { "waiting": { "reason": reason, "message": message } } }))
        };
        let missing = waiting("CreateContainerConfigError", "secret \"db\" not found");
        let found = doubt(&deployed(&missing), "service-a", 8000).await;
        let Ok(Doubt::Unready(text)) = found else { panic!("{found:?}") };
        assert!(text.starts_with("0/1 ready: service-a-1-x: ") && text.ends_with("secret \"db\" not found"), "{text}");

        let gone = waiting("ImagePullBackOff", "failed to resolve reference x: not found");
        let text = doubt(&deployed(&gone), "http://service-a", 8000).await.unwrap_err();
        for part in [
            "cannot call service-a: none of its pods can become ready",
            "why: service-a-1-x: cannot pull image",
            "where: namespace shop, context double",
            "next: msctl status service-a -n shop",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }

        // Who may not look can call all the same.
        let closed = deployed(&gone);
        closed.fail(http::Method::GET, "/pods", usize::MAX, 403, "pods is forbidden: User cannot list");
        assert_eq!(doubt(&closed, "service-a", 8000).await, Ok(Doubt::Nothing));
    }

    #[tokio::test]
    async fn direct_from_elsewhere_says_that_this_machine_is_not_in_the_cluster() {
        let service: ServiceName = "service-a".parse().unwrap();
        let double = Double::new();
        for (kind, in_pod, outside) in
            [(Way::Direct, false, true), (Way::Direct, true, false), (Way::Relay, false, false)]
        {
            let error = way(&double, kind, in_pod).outside(&service);
            assert_eq!(error.is_some(), outside, "{kind}, in a pod: {in_pod}");
            if let Some(error) = error {
                let text = error.to_string();
                assert!(text.contains("this machine is not in the cluster"), "{text}");
                assert!(text.contains("next: --via relay, or leave out --via"), "{text}");
            }
        }
    }

    #[test]
    fn a_name_gets_its_namespace_only_where_it_is_known_and_not_ours() {
        let (anywhere, shop) = (Globals::default(), Globals { namespace: Some("shop".into()), ..Globals::default() });
        let full: ServiceName = "a.shop".parse().unwrap();
        assert!(!qualifies(Way::Relay, false, &shop, Some(&full)), "the relay is there");
        assert!(!qualifies(Way::Direct, false, &anywhere, None), "a pod that may not ask: its own namespace");
        assert!(qualifies(Way::Direct, false, &shop, None));
        assert!(qualifies(Way::Direct, false, &anywhere, Some(&full)));
    }
}
