//! Opening a port of 127.0.0.1, and saying why it can't be.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use super::holder::{Holder, holder};

/// Connections that the kernel keeps for us while we are busy; it takes the lesser of this and `net.core.somaxconn`.
const BACKLOG: i32 = 1024;

/// A port that can't be listened on: taken nearly always.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortTaken {
    pub port: u16,
    /// Who listens on it; `None` when that is another user's process, or when the port is not the trouble.
    pub holder: Option<Holder>,
    pub cause: io::ErrorKind,
}

impl fmt::Display for PortTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { port, holder, cause } = self;
        match (cause, holder) {
            (io::ErrorKind::AddrInUse, Some(holder)) => write!(f, "port {port} is in use by {holder}"),
            (io::ErrorKind::AddrInUse, None) => write!(f, "port {port} is in use by a process of another user"),
            (io::ErrorKind::PermissionDenied, _) => {
                write!(f, "port {port} is not ours to listen on: ports below 1024 need a privilege")
            }
            _ => write!(f, "port {port} can't be listened on: {cause}"),
        }
    }
}

impl std::error::Error for PortTaken {}

/// Listens on `port` of 127.0.0.1, and on no other address: what runs here is for this machine only.
///
/// # Errors
/// When it can't be listened on.
pub async fn listen(port: u16) -> Result<TcpListener, PortTaken> {
    match open(port) {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            // Reads a file for each descriptor of the machine's processes.
            let holder = tokio::task::spawn_blocking(move || holder(port)).await.ok().flatten();
            Err(PortTaken { port, holder, cause: error.kind() })
        }
        Err(error) => Err(PortTaken { port, holder: None, cause: error.kind() }),
    }
}

fn open(port: u16) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    // The next `up` must not wait for the connections of the last one to leave TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}
