//! Everything between the command line and the first byte sent: the way, the port, and where the spans go. What does
//! not depend on each other runs at the same time; nothing is asked that is known.

use http::Uri;
use reach::{Cluster, Connector};
use tokio::sync::oneshot;
use tokio_util::task::AbortOnDropHandle;

use super::request::Outgoing;
use crate::cli::{Globals, call::CallArgs};
use crate::collector::{Jaeger, Source};
use crate::error::Error;
use crate::lookup;
use crate::output::Printer;
use crate::target::{Host, Place, ServiceName};
use crate::telemetry::{self, Asked, Export};
use crate::way::{self, Patience, Voice};

/// What a call knows before it talks to anybody.
#[derive(Debug)]
pub(super) struct Route<'a> {
    pub(super) args: &'a CallArgs,
    pub(super) globals: &'a Globals,
    pub(super) printer: &'a Printer,
    /// `--jaeger`.
    pub(super) asked_jaeger: Option<Place>,
    /// `OTEL_*` of this process.
    pub(super) asked: Asked,
    /// Whether there are spans to export.
    pub(super) sampled: bool,
}

/// The way is open.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) connector: Connector,
    /// `None` where we run inside a cluster and have no right to ask the API server.
    pub(super) cluster: Option<Cluster>,
    pub(super) namespace: String,
    /// As the way's other end resolves it.
    pub(super) host: String,
    pub(super) port: u16,
    /// Nobody said which port; it is the usual one.
    pub(super) port_assumed: bool,
    pub(super) jaeger: AbortOnDropHandle<Jaeger>,
}

impl<'a> Route<'a> {
    pub(super) async fn open(&self, outgoing: &Outgoing, patience: &Patience) -> Result<(Open, Voice<'a>), Error> {
        let (chosen, cluster) = way::choose(&self.args.way, self.globals).await?;
        let default = way::namespace(cluster.as_ref(), self.globals);
        let service = outgoing.target.service();
        let namespace = service.map_or(default, |service| service.namespace_or(default)).to_owned();
        let known = outgoing.target.port.or_else(|| service.and_then(|service| lookup::known_port(&service.name)));
        let qualify = way::qualifies(chosen, cluster.as_ref(), self.globals, service);
        let (port, answers) = self.ask(cluster.clone(), service, &namespace, known, qualify);

        let opening = way::open(chosen, cluster.as_ref(), &namespace, &self.args.way, patience, self.printer);
        let (connector, mut voice) = opening.await?;
        let jaeger = self.export(connector.clone(), answers);
        voice.stage("asking the API server for the service's port");
        let port = match (known, port) {
            (Some(port), _) => port,
            (None, Some(port)) => voice.over(port).await.unwrap_or_else(|_| Err(no_port(&outgoing.target.host)))?,
            (None, None) => return Err(no_port(&outgoing.target.host)),
        };
        let host = host(&outgoing.target.host, &namespace, qualify);
        let port_assumed = outgoing.target.port.is_none() && service.is_some();
        Ok((Open { connector, cluster, namespace, host, port, port_assumed, jaeger }, voice))
    }

    /// Asks the API server, beside the opening of the way, for what is not known: first the port, then where the
    /// service sends its spans, over one connection.
    fn ask(
        &self,
        cluster: Option<Cluster>,
        service: Option<&ServiceName>,
        namespace: &str,
        known: Option<u16>,
        qualify: bool,
    ) -> (Option<oneshot::Receiver<Result<u16, Error>>>, AbortOnDropHandle<Jaeger>) {
        let (found, port) = oneshot::channel();
        let wants_port = known.is_none() && cluster.is_some();
        let place = self.asked_jaeger.clone();
        // A call whose spans go elsewhere and that shows no tree has no use for it.
        let wants_jaeger = self.args.trace || (self.sampled && self.asked.endpoint.is_none());
        let name = service.map(|service| service.name.clone());
        let namespace = namespace.to_owned();
        let task = tokio::spawn(async move {
            let service = cluster.as_ref().zip(name.as_deref());
            if wants_port && let Some((cluster, name)) = service {
                // Nobody waits for it any more when the way could not be opened.
                let _ = found.send(lookup::service_port(cluster, name, &namespace).await);
            }
            let jaeger = match (place, service) {
                (Some(place), _) => Jaeger::asked(&place),
                (None, Some((cluster, name))) if wants_jaeger => {
                    let endpoint = lookup::span_endpoint(cluster, name, &namespace).await;
                    endpoint.and_then(|endpoint| Jaeger::behind(&endpoint)).unwrap_or_else(Jaeger::guess)
                }
                _ => Jaeger::guess(),
            };
            if qualify { jaeger.seen_from_anywhere(&namespace) } else { jaeger }
        });
        (wants_port.then_some(port), AbortOnDropHandle::new(task))
    }

    /// Decides where spans go as soon as it is known; hands the Jaeger on.
    fn export(&self, connector: Connector, jaeger: AbortOnDropHandle<Jaeger>) -> AbortOnDropHandle<Jaeger> {
        // What this process's environment names is an address as seen from here.
        let own = self.asked.endpoint.clone().filter(|_| self.asked_jaeger.is_none());
        if let Some(endpoint) = &own {
            let endpoint = endpoint.parse::<Uri>().ok();
            telemetry::export_to(endpoint.map(|endpoint| Export::new(way::direct(), endpoint, Source::Asked)));
        }
        let sampled = self.sampled;
        AbortOnDropHandle::new(tokio::spawn(async move {
            let jaeger = jaeger.await.unwrap_or_else(|_| Jaeger::guess());
            if own.is_none() {
                let endpoint = jaeger.traces().filter(|_| sampled);
                telemetry::export_to(endpoint.map(|endpoint| Export::new(connector, endpoint, jaeger.source)));
            }
            jaeger
        }))
    }
}

fn host(host: &Host, namespace: &str, qualify: bool) -> String {
    match host {
        Host::Other(host) => host.clone(),
        Host::Service(service) if qualify => format!("{}.{namespace}", service.name),
        Host::Service(service) => service.to_string(),
    }
}

fn no_port(host: &Host) -> Error {
    let name = match host {
        Host::Service(service) => service.to_string(),
        Host::Other(host) => host.clone(),
    };
    Error::usage(format!("cannot call {name}: which port?"))
        .why("its Service knows, but the API server cannot be asked from here")
        .next(format!("msctl call {name}:PORT"))
}
