//! From a host and a port to a connection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::{Answer, NameError, Names, Route};

/// For one connection, name resolution included.
const DIAL: Duration = Duration::from_secs(10);
/// For the system's resolver to say whether it knows a name that looks like a service's. Where there is no network its
/// own patience is a multiple of this, and nearly always the name was just misspelt.
const DOUBT: Duration = Duration::from_secs(2);

/// What becomes of a name that is written like a service's and is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unnamed {
    /// An error at once: only services are meant.
    Refuse,
    /// The system's resolver may know it.
    Ask,
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum DialError {
    /// It is no name of the project's, or not its port.
    #[error("{reason}")]
    Name { reason: NameError },
    /// A service of which no replica is ready.
    #[error("no replica of {target} is ready")]
    NotReady { target: String },
    /// The system's resolver knows no such host, or none can be asked.
    #[error("{host} can't be resolved: {detail}")]
    NoHost { host: String, detail: String },
    /// Nothing listens there.
    #[error("{target} refuses connections")]
    Refused { target: String },
    #[error("{target} did not take a connection within {} s", .after_ms / 1000)]
    TimedOut { target: String, after_ms: u64 },
    #[error("{target} can't be reached: {detail}")]
    Unreachable { target: String, detail: String },
}

impl From<NameError> for DialError {
    fn from(reason: NameError) -> Self {
        Self::Name { reason }
    }
}

impl Names {
    /// A connection to `port` of `host`: a service's address when it is a name of ours, any other host as it is.
    ///
    /// # Errors
    /// When there is none, with the address that was tried; within 10 s.
    pub async fn dial(&self, host: &str, port: u16, unnamed: Unnamed) -> Result<TcpStream, DialError> {
        let stream = match self.resolve(host, port)? {
            Answer::Ours(Route::Balancer(door)) if !door.is_open() => {
                return Err(DialError::NotReady { target: format!("{host}:{port}") });
            }
            Answer::Ours(Route::Balancer(door)) => ours(host, port, door.address()).await,
            Answer::Ours(Route::Address(address)) => ours(host, port, address).await,
            Answer::Ours(Route::Host(other, at)) => named(&other, at).await,
            Answer::Elsewhere => named(host, port).await,
            Answer::Doubtful(reason) if unnamed == Unnamed::Refuse => return Err(reason.into()),
            Answer::Doubtful(reason) => match timeout(DOUBT, resolve(host, port)).await {
                Ok(Ok(addresses)) => connect(&addresses, format!("{host}:{port}")).await,
                Ok(Err(_)) | Err(_) => return Err(reason.into()),
            },
        }?;
        // Whoever sent bytes to be passed on meant them to go.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }
}

async fn ours(host: &str, port: u16, address: SocketAddr) -> Result<TcpStream, DialError> {
    connect(&[address], format!("{host}:{port} ({address})")).await
}

/// A host that is none of ours.
async fn named(host: &str, port: u16) -> Result<TcpStream, DialError> {
    let target = format!("{host}:{port}");
    let after_ms = u64::try_from(DIAL.as_millis()).unwrap_or(u64::MAX);
    let addresses = match timeout(DIAL, resolve(host, port)).await {
        Ok(Ok(addresses)) => addresses,
        Ok(Err(error)) => return Err(DialError::NoHost { host: host.to_owned(), detail: text(&error) }),
        Err(_) => return Err(DialError::TimedOut { target, after_ms }),
    };
    connect(&addresses, target).await
}

async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let found: Vec<_> = lookup_host((bare, port)).await?.collect();
    if found.is_empty() { Err(io::Error::new(io::ErrorKind::NotFound, "it has no address")) } else { Ok(found) }
}

async fn connect(addresses: &[SocketAddr], target: String) -> Result<TcpStream, DialError> {
    match timeout(DIAL, TcpStream::connect(addresses)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Err(DialError::Refused { target }),
        Ok(Err(error)) => Err(DialError::Unreachable { target, detail: text(&error) }),
        Err(_) => Err(DialError::TimedOut { target, after_ms: u64::try_from(DIAL.as_millis()).unwrap_or(u64::MAX) }),
    }
}

/// Without the number that Rust puts after the system's words.
fn text(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}
