//! From here to a cluster, and from there to a service.
//!
//! Three parts, each usable without the next:
//! - [`connect`]: a client of the API server, built from kubeconfig files as kubectl reads them;
//! - [`Tunnel`]: a relay pod made on demand, and streams through it to what cluster DNS names;
//! - [`relay`]: what runs in that pod.
//!
//! [`Connector`] makes any of the [ways](Way) a connector of hyper-util's clients.

pub mod relay;

mod client;
mod coalesce;
mod connector;
mod direct;
mod error_chain;
mod flow;
mod forward;
mod proxy_status;
mod tunnel;
mod way;

pub use client::{ApiError, Cluster, ConnectError, KubeOptions, Trouble, connect, namespace};
pub use connector::{Connector, Stream};
pub use relay::Cidr;
pub use tunnel::{DialError, Progress, ProgressFn, PullPolicy, Tunnel, TunnelError, TunnelOptions, TunnelStream};
pub use way::{UnknownWay, Way, resolve_way};
