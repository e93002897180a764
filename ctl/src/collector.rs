//! Where spans are sent to and asked for. Pure: what was said on the command line, in the environment and by the
//! target's Deployment goes in, addresses come out.
//!
//! The first of these counts: `--jaeger` or `MSCTL_JAEGER`; the environment of msctl.yaml; `OTEL_EXPORTER_OTLP_ENDPOINT`
//! of this process (for the export alone, and as seen from here); the same variable of the target's Deployment; `jaeger`
//! in its namespace.

use std::net::{IpAddr, SocketAddr};

use ::local::names::JAEGER;
use http::Uri;

use crate::error::Error;
use crate::target::{Place, TargetError};

/// Jaeger's port for queries, and for spans by OTLP over HTTP.
pub(crate) const QUERY_PORT: u16 = 16686;
pub(crate) const OTLP_PORT: u16 = 4318;
/// OTLP over gRPC, which is not spoken here; who takes that takes HTTP beside it.
const OTLP_GRPC_PORT: u16 = 4317;
const TRACES_PATH: &str = "/v1/traces";

/// Where a person says that Jaeger is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    host: String,
    port: Option<u16>,
    source: Source,
}

impl Asked {
    /// Host and port of the query API.
    pub(crate) fn query(&self) -> (String, u16) {
        (self.host.clone(), self.port.unwrap_or(QUERY_PORT))
    }
}

/// Reads `--jaeger`: a service, or an address.
pub(crate) fn place(text: &str) -> Result<Asked, Error> {
    parse(text, Source::Asked).map_err(|cause| {
        Error::usage(format!("`{text}` names no Jaeger"))
            .why(cause)
            .place("--jaeger, or MSCTL_JAEGER")
            .next("--jaeger NAME[.NAMESPACE][:PORT], as jaeger.observability:16686")
    })
}

/// Reads what an environment of msctl.yaml says.
pub(crate) fn place_of(environment: &str, text: &str) -> Result<Asked, Error> {
    parse(text, Source::Environment).map_err(|cause| {
        Error::usage(format!("`{text}` names no Jaeger"))
            .why(cause)
            .place(format!("msctl.yaml: environments.{environment}.jaeger"))
            .next("jaeger: NAME[.NAMESPACE][:PORT], as jaeger.observability:16686")
    })
}

fn parse(text: &str, source: Source) -> Result<Asked, String> {
    let bare = text.strip_prefix("http://").map_or(text, |rest| rest.trim_end_matches('/'));
    if bare != text || bare.parse::<SocketAddr>().is_ok() || bare.parse::<IpAddr>().is_ok() {
        let uri: Uri = format!("http://{bare}").parse().map_err(|cause: http::uri::InvalidUri| cause.to_string())?;
        let host = uri.host().ok_or("it names no host")?.to_owned();
        return Ok(Asked { host, port: uri.port_u16(), source });
    }
    let place: Place = text.parse().map_err(|cause: TargetError| cause.to_string())?;
    Ok(Asked { host: place.service.to_string(), port: place.port, source })
}

/// A Jaeger, by addresses as the target's namespace sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Jaeger {
    host: String,
    query_port: u16,
    receiver: Receiver,
    pub(crate) source: Source,
}

/// Where spans are sent to: Jaeger itself, or a collector before it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Receiver {
    host: String,
    port: u16,
    path: String,
}

/// Who said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// `--jaeger` or `MSCTL_JAEGER`.
    Asked,
    /// `jaeger` of an environment of msctl.yaml.
    Environment,
    /// The target's Deployment, or what an environment of msctl.yaml has it say.
    Deployment,
    /// `msctl up`, which keeps traces itself.
    Up,
    /// Nobody: this is what the demo chart calls it.
    Guess,
}

impl Jaeger {
    /// As a person names it.
    pub(crate) fn asked(asked: &Asked) -> Self {
        Self::at(asked.host.clone(), asked.port.unwrap_or(QUERY_PORT), asked.source)
    }

    pub(crate) fn guess() -> Self {
        Self::at(JAEGER.to_owned(), QUERY_PORT, Source::Guess)
    }

    /// What `msctl up` has.
    pub(crate) fn of_up() -> Self {
        Self::at(JAEGER.to_owned(), QUERY_PORT, Source::Up)
    }

    /// Behind the endpoint that a Deployment's pods export to, or that an environment of msctl.yaml names as `otlp`:
    /// nobody said that a Jaeger is there. `None` when it can't be reached from elsewhere (a sidecar, a node's agent) or
    /// in plain HTTP.
    pub(crate) fn behind(endpoint: &str) -> Option<Self> {
        let uri: Uri = endpoint.parse().ok()?;
        let host = uri.host()?;
        let local = host == "localhost" || host.contains('$') || host.parse().is_ok_and(is_local);
        if uri.scheme_str() != Some("http") || local {
            return None;
        }
        let port = uri.port_u16().filter(|port| *port != OTLP_GRPC_PORT).unwrap_or(OTLP_PORT);
        let path = uri.path().trim_end_matches('/');
        let path = if path.ends_with(TRACES_PATH) { path.to_owned() } else { format!("{path}{TRACES_PATH}") };
        let receiver = Receiver { host: host.to_owned(), port, path };
        Some(Self { receiver, ..Self::at(host.to_owned(), QUERY_PORT, Source::Deployment) })
    }

    /// The same, with spans sent to `endpoint`, where that can be reached from elsewhere.
    #[must_use]
    pub(crate) fn fed_at(self, endpoint: &str) -> Self {
        match Self::behind(endpoint) {
            Some(Self { receiver, .. }) => Self { receiver, ..self },
            None => self,
        }
    }

    fn at(host: String, query_port: u16, source: Source) -> Self {
        let receiver = Receiver { host: host.clone(), port: OTLP_PORT, path: TRACES_PATH.to_owned() };
        Self { host, query_port, receiver, source }
    }

    /// The same place for somebody in any namespace: a bare name gets the one it is in.
    #[must_use]
    pub(crate) fn seen_from_anywhere(mut self, namespace: &str) -> Self {
        for host in [&mut self.host, &mut self.receiver.host] {
            if !host.contains(['.', ':']) {
                *host = format!("{host}.{namespace}");
            }
        }
        self
    }

    /// `HOST:PORT` of the query API.
    pub(crate) fn query(&self) -> String {
        format!("{}:{}", self.host, self.query_port)
    }

    /// The URL that spans are posted to; `None` when what a Deployment says makes none.
    pub(crate) fn traces(&self) -> Option<Uri> {
        let Receiver { host, port, path } = &self.receiver;
        format!("http://{host}:{port}{path}").parse().ok()
    }

    /// As `--jaeger` takes it.
    pub(crate) fn name(&self) -> &str {
        &self.host
    }
}

fn is_local(address: std::net::IpAddr) -> bool {
    address.is_loopback() || address.is_unspecified()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Query and export address.
    fn addresses(jaeger: &Jaeger) -> (String, String) {
        (jaeger.query(), jaeger.traces().unwrap().to_string())
    }

    #[test]
    fn a_named_jaeger_has_its_usual_ports_unless_told_otherwise() {
        let jaeger = |text: &str| addresses(&Jaeger::asked(&place(text).unwrap()));
        let export = |host: &str| format!("http://{host}:4318/v1/traces");
        assert_eq!(jaeger("jaeger"), ("jaeger:16686".to_owned(), export("jaeger")));
        assert_eq!(jaeger("tracing.ops:80"), ("tracing.ops:80".to_owned(), export("tracing.ops")));
        assert_eq!(jaeger("127.0.0.1:16686"), ("127.0.0.1:16686".to_owned(), export("127.0.0.1")));
        assert_eq!(
            jaeger("http://traces.example.org"),
            ("traces.example.org:16686".to_owned(), export("traces.example.org"))
        );
        assert!(place("a.b.c").is_err());
    }

    #[test]
    fn the_endpoint_of_a_deployment_names_the_host_of_both() {
        for (endpoint, export) in [
            ("http://jaeger:4318", "http://jaeger:4318/v1/traces"),
            ("http://jaeger", "http://jaeger:4318/v1/traces"),
            ("http://jaeger:4317", "http://jaeger:4318/v1/traces"),
            ("http://jaeger:9999/otlp/", "http://jaeger:9999/otlp/v1/traces"),
            ("http://jaeger:4318/v1/traces", "http://jaeger:4318/v1/traces"),
        ] {
            let jaeger = Jaeger::behind(endpoint).unwrap();
            assert_eq!(addresses(&jaeger), ("jaeger:16686".to_owned(), export.to_owned()), "{endpoint}");
        }
    }

    #[test]
    fn an_environment_with_nothing_but_an_endpoint_names_no_jaeger() {
        assert_eq!(Jaeger::behind("http://otel.ops:4318").unwrap().source, Source::Deployment);
        assert_eq!(Jaeger::asked(&place_of("live", "jaeger.ops").unwrap()).source, Source::Environment);
    }

    #[test]
    fn spans_go_to_the_endpoint_of_an_environment_and_are_read_from_its_jaeger() {
        let jaeger = || Jaeger::asked(&place_of("live", "jaeger.ops").unwrap());
        let query = "jaeger.ops:16686".to_owned();
        let there = jaeger().fed_at("http://collector:4318").seen_from_anywhere("shop");
        assert_eq!(addresses(&there), (query.clone(), "http://collector.shop:4318/v1/traces".to_owned()));
        // It can't be reached from here.
        let sidecar = jaeger().fed_at("http://localhost:4318");
        assert_eq!(addresses(&sidecar), (query, "http://jaeger.ops:4318/v1/traces".to_owned()));
    }

    #[test]
    fn endpoints_that_only_the_pod_can_reach_name_no_jaeger() {
        for endpoint in
            ["http://localhost:4318", "http://127.0.0.1:4318", "http://$(NODE_IP):4318", "https://x:4318", "jaeger", ""]
        {
            assert_eq!(Jaeger::behind(endpoint), None, "{endpoint}");
        }
    }

    #[test]
    fn a_bare_name_is_completed_for_those_outside_its_namespace() {
        assert_eq!(Jaeger::guess().seen_from_anywhere("shop").query(), "jaeger.shop:16686");
        let full = Jaeger::behind("http://otel.ops:4318").unwrap();
        assert_eq!(full.seen_from_anywhere("shop").query(), "otel.ops:16686");
    }
}
