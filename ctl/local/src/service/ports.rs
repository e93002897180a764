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
    /// A port on which nobody listens.
    ///
    /// # Errors
    /// When there is none, and when that can't be found out.
    pub(crate) fn take() -> io::Result<Self> {
        let (first, last) = RANGE.into_inner();
        let start = rand::random_range(RANGE);
        for number in (start..=last).chain(first..start) {
            match claim(number).and_then(|claim| bind(number).map(|()| claim)) {
                Ok(claim) => return Ok(Self { number, _claim: claim }),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::new(io::ErrorKind::AddrInUse, format!("all from {first} to {last} are in use")))
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
fn bind(port: u16) -> io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    // What is left of ended connections is in nobody's way.
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))
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
        bind(port.number()).unwrap();
        let _other = TcpListener::bind((Ipv4Addr::LOCALHOST, port.number())).unwrap();
        assert_eq!(bind(port.number()).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
