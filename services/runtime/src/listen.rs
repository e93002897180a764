//! Opening a listening socket.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// Connections that the kernel keeps for us while we are busy; it takes the lesser of this and `net.core.somaxconn`.
const BACKLOG: i32 = 1024;

/// An address that can't be listened on.
#[derive(Debug, thiserror::Error)]
#[error("can't listen on {address}: {}; set {variable} to {}", cause(.source), remedy(.source))]
pub struct ListenError {
    pub address: SocketAddr,
    /// The environment variable that holds the address.
    pub variable: &'static str,
    pub source: io::Error,
}

/// Listens on `address`, which `variable` holds.
pub(crate) fn listen(address: SocketAddr, variable: &'static str) -> Result<TcpListener, ListenError> {
    open(address).map_err(|source| ListenError { address, variable, source })
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the old process's connections to leave TIME_WAIT.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // `[::]` means every address of the pod, whichever family its network has.
        socket.set_only_v6(false)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn cause(source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::AddrInUse => "the address is in use by another process".to_owned(),
        io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
        io::ErrorKind::PermissionDenied => "not allowed (ports below 1024 need a privilege)".to_owned(),
        _ => source.to_string(),
    }
}

fn remedy(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::AddrInUse => "an address with a free port",
        io::ErrorKind::AddrNotAvailable => "an address of this machine, or 0.0.0.0 for all of them",
        io::ErrorKind::PermissionDenied => "an address with a port from 1024 on",
        _ => "another address",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_in_use_is_named_with_the_variable_to_change() {
        let taken = listen("127.0.0.1:0".parse().unwrap(), "LISTEN_ADDR").unwrap();
        let address = taken.local_addr().unwrap();

        let told = listen(address, "LISTEN_ADDR").unwrap_err().to_string();

        assert_eq!(
            told,
            format!(
                "can't listen on {address}: the address is in use by another process; \
                 set LISTEN_ADDR to an address with a free port"
            )
        );
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_named() {
        let told = listen("192.0.2.1:8000".parse().unwrap(), "ADMIN_ADDR").unwrap_err().to_string();

        assert!(told.contains("192.0.2.1:8000") && told.contains("ADMIN_ADDR"), "{told}");
    }
}
