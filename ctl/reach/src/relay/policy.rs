//! Which addresses the relay dials.

use std::net::{IpAddr, Ipv4Addr};

use super::Cidr;

/// How much the name that led to an address is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The cluster's own zone holds the address itself: a Service or a pod, whatever range the cluster uses for them.
    ClusterZone,
    /// An address written out, a name outside the zone, or an alias that leads out of it (`ExternalName`).
    Elsewhere,
}

/// Never, whoever names them: a Service without selector can point anywhere.
const NEVER: [(Cidr, &str); 14] = [
    (Cidr::v4([127, 0, 0, 0], 8), "loopback"),
    (Cidr::v6(1, 128), "loopback"),
    (Cidr::v4([0, 0, 0, 0], 8), "unspecified"),
    (Cidr::v6(0, 128), "unspecified"),
    (Cidr::v4([169, 254, 0, 0], 16), "link-local, where clouds keep credentials"),
    (Cidr::v6(0xfe80 << 112, 10), "link-local"),
    (Cidr::v4([224, 0, 0, 0], 4), "multicast"),
    (Cidr::v6(0xff00 << 112, 8), "multicast"),
    (Cidr::v4([255, 255, 255, 255], 32), "broadcast"),
    // Metadata services outside link-local: AWS and Google (IPv6, with DNS and time beside them), Alibaba, Oracle,
    // Azure's host agent.
    (Cidr::v6(0xfd00_0ec2 << 96, 32), "a metadata service"),
    (Cidr::v6(0xfd20_00ce << 96, 64), "a metadata service"),
    (Cidr::v4([100, 100, 100, 200], 32), "a metadata service"),
    (Cidr::v4([192, 0, 0, 192], 32), "a metadata service"),
    (Cidr::v4([168, 63, 129, 16], 32), "a metadata service"),
];

/// Where pods, Services and nodes live: RFC 1918, RFC 6598, RFC 4193.
const PRIVATE: [Cidr; 5] = [
    Cidr::v4([10, 0, 0, 0], 8),
    Cidr::v4([172, 16, 0, 0], 12),
    Cidr::v4([192, 168, 0, 0], 16),
    Cidr::v4([100, 64, 0, 0], 10),
    Cidr::v6(0xfc00 << 112, 7),
];

#[derive(Debug, Clone, Default)]
pub(super) struct Policy {
    allow: Vec<Cidr>,
    /// Tests have nothing but loopback to dial.
    #[cfg(test)]
    pub(super) loopback: bool,
}

impl Policy {
    pub(super) fn new(allow: Vec<Cidr>) -> Self {
        Self {
            allow,
            #[cfg(test)]
            loopback: false,
        }
    }

    /// Why `address` is not dialled, if so.
    pub(super) fn refuses(&self, address: IpAddr, origin: Origin) -> Option<String> {
        let address = address.to_canonical();
        #[cfg(test)]
        if self.loopback && address.is_loopback() {
            return None;
        }
        let never = |address| NEVER.iter().find(|(range, _)| range.contains(address));
        if let Some((_, what)) = never(address).or_else(|| never(embedded(address)?.into())) {
            return Some(format!("{address} is never dialled: it is {what}"));
        }
        let allowed =
            origin == Origin::ClusterZone || PRIVATE.iter().chain(&self.allow).any(|range| range.contains(address));
        (!allowed).then(|| format!("{address} is outside the ranges that the relay may dial"))
    }
}

/// The IPv4 address that a translator or a tunnel on the way makes of an IPv6 one: NAT64's well-known prefix
/// (RFC 6052, `64:ff9b::/96`) and 6to4 (RFC 3056, `2002::/16`).
fn embedded(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(address) = address else { return None };
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => Some(address.to_bits()),
        [0x2002, ..] => Some(address.to_bits() >> 80),
        _ => None,
    }
    .map(|bits| {
        let [.., a, b, c, d] = bits.to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(address: &str, origin: Origin) -> bool {
        let policy = Policy::new(vec!["192.0.2.0/24".parse().unwrap()]);
        policy.refuses(address.parse().unwrap(), origin).is_some()
    }

    #[test]
    fn private_and_configured_ranges_are_dialled() {
        for address in ["10.96.0.10", "172.20.1.1", "192.168.3.4", "100.64.0.1", "fd12::1", "192.0.2.1"] {
            assert!(!refused(address, Origin::Elsewhere), "{address}");
        }
    }

    #[test]
    fn other_addresses_are_dialled_only_when_the_clusters_zone_holds_them() {
        for address in ["203.0.113.5", "2001:db8::1", "11.0.0.1", "64:ff9b::203.0.113.5", "2002:cb00:7105::1"] {
            assert!(refused(address, Origin::Elsewhere), "{address}");
            assert!(!refused(address, Origin::ClusterZone), "{address}");
        }
    }

    #[test]
    fn loopback_link_local_metadata_and_the_like_are_never_dialled() {
        for address in [
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "0.0.0.0",
            "::",
            "169.254.169.254",
            "fe80::1",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",
            "64:ff9b::169.254.169.254",
            "64:ff9b::7f00:1",
            "2002:a9fe:a9fe::1",
            "2002:7f00:1::",
            "100.100.100.200",
            "192.0.0.192",
            "168.63.129.16",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
        ] {
            assert!(refused(address, Origin::ClusterZone), "{address}");
            assert!(refused(address, Origin::Elsewhere), "{address}");
        }
    }
}
