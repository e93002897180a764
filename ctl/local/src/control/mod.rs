//! The control socket of `msctl up`: how other commands reach the supervisor.
//!
//! HTTP/1.1 over a Unix socket, so that it can be looked at: `curl --unix-socket .msctl/control.sock http://up/status`.
//! Its folder is the user's own, and each connection is asked whose it is (`SO_PEERCRED`): the same user or root, or
//! it is closed.
//!
//! | request | body | answer |
//! |---|---|---|
//! | `GET /info` | | [`Info`] |
//! | `GET /status` | | an array of [`ServiceStatus`](crate::ServiceStatus) |
//! | `POST /started` | | when all that `up` began with is ready, an array of [`Applied`](crate::Applied) |
//! | `POST /apply` | `{"specs": […]}` | events, then an array of [`Applied`](crate::Applied) |
//! | `POST /scale` | `{"name", "replicas"}` | events, then [`Scaled`](crate::Scaled) |
//! | `POST /delete` | `{"name"}` | events, then [`Deleted`](crate::Deleted) |
//! | `POST /stop` | | events, then `null`, when nothing runs any more |
//! | `POST /logs` | `{"services": […], "options"}` | lines, then `null`; no services: all there are |
//! | `CONNECT HOST:PORT` | | the bytes of a connection to a service; 404, 502, 503, 504 with a [`DialError`](crate::names::DialError) |
//!
//! A stream is NDJSON (`application/x-ndjson`): lines `{"event": …}`, and a last one `{"result": …}` or `{"error": …}`
//! with an [`Error`]; one without such a last line broke off. Other failures are an `Error` with a status
//! that fits its kind.
//!
//! **A client that leaves in the midst of an operation leaves it to its end.** Half a deploy is a state that nobody
//! asked for, and a terminal that goes away asks for nothing. Who wants something else says so: the next operation on
//! the service waits its turn and then replaces what the last one made. A client that does not read loses events, never
//! the result, and delays nothing.

mod client;
mod connect;
mod lines;
mod operations;
mod peer;
mod route;
mod server;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;

use crate::names::Names;
use crate::{Error, ServiceSpec, Supervisor, logs};

pub use client::{Client, DialFailure};

/// What runs behind a control socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Info {
    /// Of the `msctl` that runs it.
    pub version: String,
    pub pid: u32,
    /// The namespace of local mode: the project's name.
    pub namespace: String,
    /// The project's msctl.yaml.
    pub project: PathBuf,
    pub since: Timestamp,
    /// The name proxy.
    pub proxy: SocketAddr,
    /// Where spans are sent, as `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub telemetry: String,
}

/// Serves until `stop` is cancelled; answers that are on their way by then have two seconds to get there.
pub async fn serve(listener: UnixListener, supervisor: Supervisor, names: Names, info: Info, stop: CancellationToken) {
    server::run(listener, server::Shared::new(supervisor, names, info, stop)).await;
}

/// The body of `/apply`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Apply {
    specs: Vec<ServiceSpec>,
}

/// The body of `/scale`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Scale {
    name: String,
    replicas: u32,
}

/// The body of `/delete`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Delete {
    name: String,
}

/// The body of `/logs`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ReadLogs {
    services: Vec<String>,
    options: logs::Options,
}

/// A line of a stream.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Line<E, T> {
    Event(E),
    /// The last one.
    Result(T),
    /// The last one.
    Error(Error),
}
