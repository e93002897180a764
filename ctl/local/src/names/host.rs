//! Reading a host as a name of cluster DNS.

/// What a host's form says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
    /// Can't be a service's name: an address, `localhost`, a host of the network.
    Foreign,
    Name(String, Place),
}

/// Where a name says that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It does not say: `NAME`.
    Here,
    /// `NAME.NAMESPACE`, and perhaps a host of the network.
    Namespace(String),
    /// `NAME.NAMESPACE.svc[.cluster.local]`: of a cluster's DNS and of nobody else's.
    Cluster(String),
}

impl Host {
    /// Reads `host`, in whatever case it is written, with or without the dot of a name that is complete.
    pub(super) fn parse(host: &str) -> Self {
        let host = host.to_ascii_lowercase();
        let host = host.strip_suffix('.').unwrap_or(&host);
        let labels: Vec<&str> = host.split('.').collect();
        if host == "localhost" || !labels.iter().all(|label| is_label(label)) || is_number(labels.last()) {
            return Self::Foreign;
        }
        let name = labels[0].to_owned();
        match labels[1..] {
            [] => Self::Name(name, Place::Here),
            [namespace] => Self::Name(name, Place::Namespace(namespace.to_owned())),
            [namespace, "svc"] | [namespace, "svc", "cluster", "local"] => {
                Self::Name(name, Place::Cluster(namespace.to_owned()))
            }
            _ => Self::Foreign,
        }
    }
}

/// RFC 1123: what a Service's name is made of. (An IPv6 address has colons.)
fn is_label(label: &str) -> bool {
    let ends = [label.bytes().next(), label.bytes().last()];
    (1..=63).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && ends.iter().all(|end| *end != Some(b'-'))
}

/// No top-level domain is a number: it is an IPv4 address, in one of its forms.
fn is_number(label: Option<&&str>) -> bool {
    label.is_some_and(|label| label.bytes().all(|byte| byte.is_ascii_digit()) || label.starts_with("0x"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str, place: Place) -> Host {
        Host::Name(name.to_owned(), place)
    }

    #[test]
    fn every_form_of_a_services_name_is_read() {
        let demo = || "demo".to_owned();
        for (host, expected) in [
            ("service-b", name("service-b", Place::Here)),
            ("Service-B.", name("service-b", Place::Here)),
            ("service-b.demo", name("service-b", Place::Namespace(demo()))),
            ("service-b.demo.svc", name("service-b", Place::Cluster(demo()))),
            ("service-b.DEMO.svc.cluster.local.", name("service-b", Place::Cluster(demo()))),
        ] {
            assert_eq!(Host::parse(host), expected, "{host}");
        }
    }

    #[test]
    fn other_hosts_are_no_names_of_services() {
        for host in [
            "localhost",
            "LOCALHOST.",
            "127.0.0.1",
            "127.1",
            "0x7f000001",
            "2130706433",
            "[::1]",
            "::1",
            "www.example.org",
            "service-b.demo.svc.example.org",
            "_service",
            "-b",
            "",
            ".",
            "a..b",
        ] {
            assert_eq!(Host::parse(host), Host::Foreign, "{host}");
        }
    }
}
