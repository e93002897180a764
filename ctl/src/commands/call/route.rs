//! Everything between the command line and the first byte sent: the way, the port, and where the spans go. What does
//! not depend on each other runs at the same time; nothing is asked that is known.

use http::Uri;
use reach::Connector;
use tokio::sync::oneshot;
use tokio_util::task::AbortOnDropHandle;

use super::request::Outgoing;
use crate::cli::call::CallArgs;
use crate::collector::{self, Jaeger, Source};
use crate::error::Error;
use crate::output::Printer;
use crate::platform::Platform;
use crate::target::{Host, ServiceName, Target};
use crate::telemetry::{self, Asked, Export};
use crate::way::{self, Patience, Voice, Way};

/// What a call knows before it talks to anybody.
#[derive(Debug)]
pub(super) struct Route<'a> {
    pub(super) args: &'a CallArgs,
    pub(super) platform: &'a Platform,
    pub(super) printer: &'a Printer,
    /// `--jaeger`.
    pub(super) asked_jaeger: Option<collector::Asked>,
    /// `OTEL_*` of this process.
    pub(super) asked: Asked,
    /// Whether there are spans to export.
    pub(super) sampled: bool,
}

/// The way is open.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) connector: Connector,
    pub(super) way: Way,
    /// As the way's other end resolves it.
    pub(super) host: String,
    pub(super) port: u16,
    /// Nobody said which port; it is the usual one.
    pub(super) port_assumed: bool,
    pub(super) jaeger: AbortOnDropHandle<Jaeger>,
}

impl<'a> Route<'a> {
    pub(super) async fn open(&self, outgoing: &Outgoing, patience: &Patience) -> Result<(Open, Voice<'a>), Error> {
        let service = outgoing.target.service();
        self.platform.connecting(&patience.stage);
        let way = self.platform.way(&self.args.way, service, self.printer).await?;
        let known = outgoing.target.port.or_else(|| service.and_then(|service| way.known_port(&service.name)));
        let (port, answers) = self.ask(way.clone(), service, known);

        let (connector, mut voice) = way.open(&self.args.way, patience, self.printer).await?;
        let jaeger = self.export(connector.clone(), answers);
        voice.stage("asking for the service's port");
        let port = match known {
            Some(port) => port,
            None => voice.over(port).await.unwrap_or_else(|_| Err(no_port(&outgoing.target)))?,
        };
        let host = way.host(&outgoing.target.host);
        let port_assumed = outgoing.target.port.is_none() && service.is_some();
        Ok((Open { connector, way, host, port, port_assumed, jaeger }, voice))
    }

    /// Asks, beside the opening of the way, for what is not known: first the port, then where the service sends its
    /// spans, over one connection.
    fn ask(
        &self,
        way: Way,
        service: Option<&ServiceName>,
        known: Option<u16>,
    ) -> (oneshot::Receiver<Result<u16, Error>>, AbortOnDropHandle<Jaeger>) {
        let (found, port) = oneshot::channel();
        let place = self.asked_jaeger.clone();
        // A call whose spans go elsewhere and that shows no tree has no use for it.
        let wants_jaeger = self.args.trace || (self.sampled && self.own_endpoint().is_none());
        let name = service.map(|service| service.name.clone());
        let task = tokio::spawn(async move {
            if known.is_none()
                && let Some(name) = &name
            {
                // Nobody waits for it any more when the way could not be opened.
                let _ = found.send(way.port(name).await);
            }
            way.jaeger(place.as_ref(), name.as_deref().filter(|_| wants_jaeger)).await
        });
        (port, AbortOnDropHandle::new(task))
    }

    /// Where the variables of this process send spans, an address as seen from here; `None` where something counts more.
    fn own_endpoint(&self) -> Option<String> {
        let other = self.asked_jaeger.is_some() || self.platform.says_where_spans_go();
        self.asked.endpoint.clone().filter(|_| !other)
    }

    /// Decides where spans go as soon as it is known; hands the Jaeger on.
    fn export(&self, connector: Connector, jaeger: AbortOnDropHandle<Jaeger>) -> AbortOnDropHandle<Jaeger> {
        let own = self.own_endpoint();
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

/// The task that was to find it is gone: nothing to wait for.
fn no_port(target: &Target) -> Error {
    let name = match &target.host {
        Host::Service(service) => service.to_string(),
        Host::Other(host) => host.clone(),
    };
    Error::usage(format!("cannot call {name}: which port?"))
        .why("it is named by a host and no port, and it is no service whose port is known")
        .next(format!("msctl call {name}:PORT"))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn the_variable_of_this_process_counts_less_than_jaeger_flag_and_environment() {
        let folder = std::env::temp_dir().join(format!("msctl-route-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let text = "name: shop\nservices: {orders: {port: 80}}\nenvironments:\n  bare: {context: dev}\n  \
                    st: {context: dev, otlp: 'http://otel.ops:4318'}\n";
        std::fs::write(folder.join("msctl.yaml"), text).unwrap();
        let own = |environment: &str, jaeger: Option<&str>| {
            let line = ["msctl", "call", "orders", "-e", environment, "--project", folder.to_str().unwrap()];
            let cli = Cli::try_parse_from(line).unwrap();
            let Command::Call(args) = cli.command else { panic!("another verb") };
            let (printer, _, _) = crate::output::tests::captured();
            let platform = Platform::choose(&cli.globals, &printer).unwrap();
            let asked_jaeger = jaeger.map(|text| collector::place(text).unwrap());
            let asked = Asked { endpoint: Some("http://127.0.0.1:4318/v1/traces".to_owned()) };
            Route { args: &args, platform: &platform, printer: &printer, asked_jaeger, asked, sampled: true }
                .own_endpoint()
        };
        assert_eq!(own("bare", None).as_deref(), Some("http://127.0.0.1:4318/v1/traces"));
        assert_eq!(own("bare", Some("jaeger.ops")), None);
        assert_eq!(own("st", None), None);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
