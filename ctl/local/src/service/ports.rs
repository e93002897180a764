//! Ports of replicas.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixDatagram};

use tokio::net::TcpSocket;

/// Below the range from which Linux gives ports to outgoing connections, so that none of them takes a replica's.
const RANGE: RangeInclusive<u16> = 20_000..=29_999;

/// A port that is a replica's until it is dropped.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    _claim: UnixDatagram,
}

impl Port {
    /// A port on which nobody listens; none when there is none.
    pub(crate) fn take() -> Option<Self> {
        let (first, last) = RANGE.into_inner();
        let start = rand::random_range(RANGE);
        (start..=last).chain(first..start).find_map(|number| {
            let claim = claim(number).ok()?;
            is_free(number).then_some(Self { number, _claim: claim })
        })
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }
}

/// Keeps others from giving the same port away before its process listens on it: also the supervisor of another project
/// that starts at this moment. A name in the abstract namespace (unix(7)) is as wide as a port is, one network namespace,
/// and ends with its process.
fn claim(port: u16) -> io::Result<UnixDatagram> {
    UnixDatagram::bind_addr(&UnixAddr::from_abstract_name(format!("msctl-port-{port}"))?)
}

/// Asks for every address: a service may listen on more than the loopback one. Bound only, so that nobody connects.
fn is_free(port: u16) -> bool {
    let bound = TcpSocket::new_v4().and_then(|socket| {
        // What is left of ended connections is in nobody's way.
        socket.set_reuseaddr(true)?;
        socket.bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))
    });
    bound.is_ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_port_is_given_once_and_again_when_it_came_back() {
        let held: Vec<Port> = std::iter::repeat_with(|| Port::take().unwrap()).take(50).collect();
        let numbers: BTreeSet<u16> = held.iter().map(Port::number).collect();
        assert_eq!(numbers.len(), 50);
        assert!(numbers.iter().all(|number| RANGE.contains(number) && claim(*number).is_err()));
        drop(held);
        assert!(numbers.iter().any(|number| claim(*number).is_ok()));
    }

    #[tokio::test]
    async fn a_port_on_which_somebody_listens_is_not_free() {
        let port = Port::take().unwrap();
        assert!(is_free(port.number()));
        let _other = TcpListener::bind((Ipv4Addr::LOCALHOST, port.number())).unwrap();
        assert!(!is_free(port.number()));
    }
}
