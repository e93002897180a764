//! What `call` is aimed at: `NAME[.NAMESPACE][:PORT][/PATH][?QUERY]`, or a URL for any other host.

use std::fmt::Write as _;

/// Where a request goes, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) host: Host,
    /// `None`: the Service's own port.
    pub(crate) port: Option<u16>,
    /// Begins with `/`; only what an HTTP request line may hold, all else is percent-encoded.
    pub(crate) path: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Host {
    /// A Service of the cluster.
    Service(ServiceName),
    /// Any other host that cluster DNS or the network of the cluster knows, from a URL.
    Other(String),
}

/// `NAME[.NAMESPACE]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServiceName {
    pub(crate) name: String,
    /// `None`: the namespace of the command.
    pub(crate) namespace: Option<String>,
}

/// `NAME[.NAMESPACE][:PORT]`: a place that is asked for something, like Jaeger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) service: ServiceName,
    pub(crate) port: Option<u16>,
}

/// Why a text is no target. The text itself is in the message of whoever reports it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TargetError {
    #[error("it names no service")]
    NoName,
    #[error("`{0}` is no service name: lowercase letters, digits and `-`, beginning with a letter, 63 at most")]
    Name(String),
    #[error("`{0}` is no namespace: lowercase letters, digits and `-`, 63 at most")]
    Namespace(String),
    #[error("`{0}` is more than NAME.NAMESPACE; a host that is no service needs its scheme: http://{0}")]
    TooManyDots(String),
    #[error("port `{0}` is not between 1 and 65535")]
    Port(String),
    #[error("a user and password before `@` are not sent; use --header 'authorization: Basic …'")]
    UserInfo,
    #[error("https is not spoken here: inside the cluster services answer plain http, and the way there is encrypted")]
    Https,
    #[error("scheme `{0}` is not known; http is")]
    Scheme(String),
    #[error("`{0}` is no host")]
    HostName(String),
    #[error("it holds a control character")]
    Control,
}

impl Target {
    /// The Service that is meant, unless it is another host.
    pub(crate) fn service(&self) -> Option<&ServiceName> {
        match &self.host {
            Host::Service(service) => Some(service),
            Host::Other(_) => None,
        }
    }

    /// The Service that a URL's host names, if it is one: `http://NAME[.NAMESPACE[.svc…]]`.
    pub(crate) fn maybe_service(&self) -> Option<ServiceName> {
        match &self.host {
            Host::Service(_) => None,
            Host::Other(host) => host.parse().ok(),
        }
    }
}

impl TargetError {
    /// What to write instead.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Https => "use http://, or `msctl call NAME` for a service of the cluster",
            _ => "write NAME[.NAMESPACE][:PORT][/PATH], as service-a/service-b, or http://HOST[:PORT][/PATH]",
        }
    }
}

impl std::str::FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        if text.chars().any(char::is_control) {
            return Err(TargetError::Control);
        }
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) if !scheme.contains(['/', '?', '#']) => (Some(scheme), rest),
            _ => (None, text),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err(TargetError::UserInfo);
        }
        let (host, port) = match scheme.map(str::to_ascii_lowercase).as_deref() {
            None => {
                let place: Place = authority.parse()?;
                (Host::Service(place.service), place.port)
            }
            Some("http") => {
                let (host, port) = url_authority(authority)?;
                (Host::Other(host), Some(port.unwrap_or(80)))
            }
            Some("https") => return Err(TargetError::Https),
            Some(other) => return Err(TargetError::Scheme(other.to_owned())),
        };
        Ok(Self { host, port, path: request_path(path) })
    }
}

impl std::str::FromStr for Place {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, Some(parse_port(port)?)),
            None => (text, None),
        };
        Ok(Self { service: host.parse()?, port })
    }
}

impl std::str::FromStr for ServiceName {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let (name, namespace) = match text.split('.').collect::<Vec<_>>()[..] {
            [name] => (name, None),
            // As far as cluster DNS has them in common: what a cluster's own domain is called differs.
            [name, namespace] | [name, namespace, "svc"] | [name, namespace, "svc", "cluster", "local"] => {
                (name, Some(namespace))
            }
            _ => return Err(TargetError::TooManyDots(text.to_owned())),
        };
        if name.is_empty() {
            return Err(TargetError::NoName);
        }
        // RFC 1035 labels, as the API server wants them of a Service; namespaces are RFC 1123's.
        if !is_label(name) || !name.starts_with(|c: char| c.is_ascii_lowercase()) {
            return Err(TargetError::Name(name.to_owned()));
        }
        if let Some(namespace) = namespace.filter(|namespace| !is_label(namespace)) {
            return Err(TargetError::Namespace(namespace.to_owned()));
        }
        Ok(Self { name: name.to_owned(), namespace: namespace.map(str::to_owned) })
    }
}

impl std::fmt::Display for ServiceName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{}.{namespace}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

impl ServiceName {
    /// The namespace it is in, when the command's is `default`.
    pub(crate) fn namespace_or<'a>(&'a self, default: &'a str) -> &'a str {
        self.namespace.as_deref().unwrap_or(default)
    }
}

/// Whether a name has the shape of a DNS label (RFC 1123).
fn is_label(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&name.len()) && name.bytes().all(inner) && !name.starts_with('-') && !name.ends_with('-')
}

fn parse_port(text: &str) -> Result<u16, TargetError> {
    // `+80` would parse.
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse::<u16>() {
        Ok(port) if port > 0 && digits => Ok(port),
        _ => Err(TargetError::Port(text.to_owned())),
    }
}

/// `HOST[:PORT]` of a URL, the host as it goes into the `Host` header.
fn url_authority(authority: &str) -> Result<(String, Option<u16>), TargetError> {
    let bad = || TargetError::HostName(authority.to_owned());
    let port_at = match authority.rfind(']') {
        Some(bracket) => authority[bracket..].find(':').map(|colon| bracket + colon),
        None => authority.find(':'),
    };
    let (host, port) = match port_at {
        Some(colon) => (&authority[..colon], Some(parse_port(&authority[colon + 1..])?)),
        None => (authority, None),
    };
    let parsed: http::uri::Authority = host.parse().map_err(|_| bad())?;
    if parsed.host() != host || host.is_empty() {
        return Err(bad());
    }
    Ok((host.to_owned(), port))
}

/// Path and query as a request line takes them: `/` where there is no path, no fragment (a
/// fragment is never sent), and what is no URI character percent-encoded as a browser does.
fn request_path(text: &str) -> String {
    let text = text.split('#').next().unwrap_or_default();
    let mut path = String::with_capacity(text.len() + 1);
    if !text.starts_with('/') {
        path.push('/');
    }
    for byte in text.bytes() {
        match byte {
            b' ' | b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | 0x7f.. => {
                let _ = write!(path, "%{byte:02X}");
            }
            _ => path.push(char::from(byte)),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `host port path`, or the error.
    fn read(text: &str) -> String {
        match text.parse::<Target>() {
            Ok(Target { host, port, path }) => {
                let host = match host {
                    Host::Service(name) => format!("service {name}"),
                    Host::Other(host) => format!("host {host}"),
                };
                let port = port.map_or("-".to_owned(), |port| port.to_string());
                format!("{host} {port} {path}")
            }
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn a_service_is_named_alone_or_with_namespace_port_path_and_query() {
        for (text, expected) in [
            ("service-a", "service service-a - /"),
            ("service-a/", "service service-a - /"),
            ("service-a/service-b", "service service-a - /service-b"),
            ("service-a.shop", "service service-a.shop - /"),
            ("service-a.shop.svc/x", "service service-a.shop - /x"),
            ("service-a.shop.svc.cluster.local:80", "service service-a.shop 80 /"),
            ("service-a.shop:80/x?y=1", "service service-a.shop 80 /x?y=1"),
            ("service-a:9000/readyz", "service service-a 9000 /readyz"),
            ("service-a?x=1&y=2", "service service-a - /?x=1&y=2"),
            ("service-a/x#part", "service service-a - /x"),
            ("service-a/go?to=http://else/", "service service-a - /go?to=http://else/"),
            ("service-a/@me", "service service-a - /@me"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn another_host_comes_with_its_scheme() {
        for (text, expected) in [
            ("http://10.96.0.7", "host 10.96.0.7 80 /"),
            ("HTTP://b.shop.svc.cluster.local:8001/x", "host b.shop.svc.cluster.local 8001 /x"),
            ("http://[fd00::7]:8001/x", "host [fd00::7] 8001 /x"),
            ("http://[fd00::7]/x", "host [fd00::7] 80 /x"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn a_host_of_a_url_may_be_a_service() {
        for (text, service) in [
            ("http://a", Some("a")),
            ("http://a.shop.svc.cluster.local:81/x", Some("a.shop")),
            ("http://a.shop.svc", Some("a.shop")),
            ("http://10.96.0.7", None),
            ("http://[fd00::7]:8001", None),
            ("http://www.example.org", None),
            ("a.shop", None),
        ] {
            let found = text.parse::<Target>().unwrap().maybe_service();
            assert_eq!(found.map(|service| service.to_string()).as_deref(), service, "{text}");
        }
    }

    #[test]
    fn what_a_request_line_can_not_hold_is_percent_encoded() {
        assert_eq!(read("a/büro x"), "service a - /b%C3%BCro%20x");
        assert_eq!(read("a/x?q={\"k\":1}"), "service a - /x?q=%7B%22k%22:1%7D");
        assert_eq!(read("a/100%25"), "service a - /100%25");
    }

    #[test]
    fn what_is_no_target_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "names no service"),
            ("/x", "names no service"),
            (":80", "names no service"),
            ("Service-A", "`Service-A` is no service name"),
            ("7up", "`7up` is no service name"),
            ("a_b", "`a_b` is no service name"),
            ("a.Shop", "`Shop` is no namespace"),
            ("a.", "`` is no namespace"),
            ("a.shop.svc.example", "needs its scheme: http://a.shop.svc.example"),
            ("10.96.0.7", "needs its scheme: http://10.96.0.7"),
            ("a:0", "port `0` is not between 1 and 65535"),
            ("a:65536", "port `65536`"),
            ("a:+80", "port `+80`"),
            ("a:", "port ``"),
            ("a:http", "port `http`"),
            ("me:secret@a", "authorization"),
            ("http://me@a", "authorization"),
            ("https://a", "https is not spoken"),
            ("ftp://a", "scheme `ftp`"),
            ("http://", "is no host"),
            ("http://a b", "is no host"),
            ("a/\r\nx-evil: 1", "control character"),
        ] {
            let said = read(text);
            assert!(said.starts_with("error: ") && said.contains(reason), "{text}: {said}");
        }
    }

    #[test]
    fn every_target_that_parses_makes_a_uri() {
        for text in ["a/büro x", "a?x", "a/%", "http://[fd00::7]:8001/x", "a/~!$&'()*+,;=:@"] {
            let target: Target = text.parse().unwrap();
            assert!(target.path.parse::<http::uri::PathAndQuery>().is_ok(), "{text}");
        }
    }
}
