//! `/etc/resolv.conf`, and which names to ask for.

use std::net::{IpAddr, SocketAddr};

/// What the kubelet wrote for the pod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::relay) struct ResolvConf {
    pub(super) nameservers: Vec<SocketAddr>,
    search: Vec<String>,
}

impl ResolvConf {
    pub(in crate::relay) fn parse(text: &str) -> Self {
        let mut conf = Self::default();
        for line in text.lines() {
            let line = line.split(['#', ';']).next().unwrap_or_default();
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => {
                    let address = words.next().and_then(|word| word.split('%').next()?.parse::<IpAddr>().ok());
                    conf.nameservers.extend(address.map(|address| SocketAddr::new(address, 53)));
                }
                // The last one counts (resolv.conf(5)).
                Some("search" | "domain") => {
                    conf.search = words.map(|word| word.trim_matches('.').to_ascii_lowercase()).collect();
                    conf.search.retain(|domain| !domain.is_empty());
                }
                _ => {}
            }
        }
        conf
    }

    /// Where Services live: `svc.cluster.local`, whatever the cluster's domain is.
    fn zone(&self) -> Option<&str> {
        self.search.iter().map(String::as_str).find(|domain| domain.starts_with("svc."))
    }

    /// Whether the cluster itself answers for `name`, which is fully qualified.
    pub(super) fn in_zone(&self, name: &str) -> bool {
        let domain = self.zone().and_then(|zone| zone.strip_prefix("svc."));
        let Some(rest) = domain.and_then(|domain| name.trim_end_matches('.').strip_suffix(domain)) else {
            return false;
        };
        rest.ends_with(".svc.") || rest.ends_with(".pod.")
    }

    /// The fully qualified names that `host` may stand for, the likeliest first; none when it is no host name.
    ///
    /// `service-b` is a Service of the relay's namespace, `service-b.demo` and `service-b.demo.svc` one of another.
    pub(super) fn candidates(&self, host: &str) -> Option<Vec<String>> {
        let name = host.strip_suffix('.').unwrap_or(host);
        if !is_host_name(name) {
            return None;
        }
        if host.ends_with('.') {
            return Some(vec![name.to_owned()]);
        }
        let mut names = Vec::with_capacity(self.search.len() + 2);
        let dots = name.matches('.').count();
        if let Some(zone) = self.zone() {
            let domain = zone.strip_prefix("svc.").unwrap_or(zone);
            if name.rsplit_once('.').is_some_and(|(_, last)| last == "svc") {
                names.push(format!("{name}.{domain}"));
            } else if dots == 1 {
                names.push(format!("{name}.{zone}"));
            }
        }
        let searched = self.search.iter().map(|domain| format!("{name}.{domain}"));
        if dots >= 2 {
            names.push(name.to_owned());
            names.extend(searched);
        } else {
            names.extend(searched);
            names.push(name.to_owned());
        }
        let mut seen = std::collections::HashSet::new();
        names.retain(|name| name.len() <= 253 && seen.insert(name.clone()));
        Some(names)
    }
}

/// Labels of 1 to 63 letters, digits, hyphens and (seen in the wild) underscores.
fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    name.len() <= 253 && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conf() -> ResolvConf {
        ResolvConf::parse(
            "# by the kubelet\nsearch demo.svc.cluster.local svc.cluster.local cluster.local corp.example\n\
             nameserver 10.96.0.10\nnameserver fe80::1%eth0\noptions ndots:5\n",
        )
    }

    fn first(host: &str) -> String {
        conf().candidates(host).unwrap().remove(0)
    }

    #[test]
    fn nameservers_and_search_list_are_read() {
        let conf = conf();
        assert_eq!(conf.nameservers, ["10.96.0.10:53".parse().unwrap(), "[fe80::1]:53".parse().unwrap()]);
        assert_eq!(conf.search.len(), 4);
        assert_eq!(conf.zone(), Some("svc.cluster.local"));
    }

    #[test]
    fn a_service_is_found_with_the_first_question_however_it_is_written() {
        assert_eq!(first("service-b"), "service-b.demo.svc.cluster.local");
        assert_eq!(first("service-b.shop"), "service-b.shop.svc.cluster.local");
        assert_eq!(first("service-b.shop.svc"), "service-b.shop.svc.cluster.local");
        assert_eq!(first("service-b.shop.svc.cluster.local"), "service-b.shop.svc.cluster.local");
        assert_eq!(first("api.example.com"), "api.example.com");
    }

    #[test]
    fn a_pod_of_a_headless_service_and_a_short_foreign_name_are_found_later() {
        let names = conf().candidates("pod-0.service-a-headless").unwrap();
        assert_eq!(names[1], "pod-0.service-a-headless.demo.svc.cluster.local");
        assert!(conf().candidates("example.com").unwrap().contains(&"example.com".to_owned()));
        assert!(conf().candidates("intranet").unwrap().contains(&"intranet.corp.example".to_owned()));
    }

    #[test]
    fn a_trailing_dot_ends_the_search() {
        assert_eq!(conf().candidates("service-b.shop."), Some(vec!["service-b.shop".to_owned()]));
    }

    #[test]
    fn no_name_is_asked_for_twice() {
        for host in ["a", "a.b", "a.b.svc", "a.b.c"] {
            let names = conf().candidates(host).unwrap();
            let distinct: std::collections::HashSet<_> = names.iter().collect();
            assert_eq!(distinct.len(), names.len(), "{names:?}");
        }
    }

    #[test]
    fn what_is_no_host_name_is_never_asked_for() {
        for host in ["", ".", "a..b", "a b", "a/b", "ä", &"x".repeat(64), &"x.".repeat(130)] {
            assert_eq!(conf().candidates(host), None, "{host}");
        }
    }

    #[test]
    fn only_services_and_pods_are_in_the_zone() {
        let conf = conf();
        assert!(conf.in_zone("service-b.demo.svc.cluster.local"));
        assert!(conf.in_zone("10-0-0-1.demo.pod.cluster.local."));
        for other in ["example.com", "cluster.local", "evilsvc.cluster.local", "svc.cluster.local", "x.cluster.local"] {
            assert!(!conf.in_zone(other), "{other}");
        }
        assert!(!ResolvConf::parse("nameserver 10.0.0.1").in_zone("a.b.svc.cluster.local"));
    }
}
