//! Names of services, as cluster DNS has them: `service-b`, `service-b.demo` and `service-b.demo.svc.cluster.local` are
//! the address of `service-b` in the project called `demo`.
//!
//! No name server, no hosts file, no root: whoever speaks HTTP through the [proxy](crate::proxy) or asks the
//! [control socket](crate::control) for a connection gets the name resolved here.

mod dial;
mod error;
mod host;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};

pub use dial::{DialError, Unnamed};
pub use error::NameError;

use crate::balance::{Balancer, Door};
use host::{Host, Place};

/// The host under which services and `msctl` find whoever keeps traces, as in the demo chart: a service of that name would
/// be in its place, for good.
pub const JAEGER: &str = "jaeger";

/// The names of a project; a cheap clone of one table.
#[derive(Clone, Debug)]
pub struct Names {
    namespace: Arc<str>,
    table: Arc<RwLock<Table>>,
}

/// Each name's ports, and where they lead.
type Table = BTreeMap<String, BTreeMap<u16, Route>>;

/// Where a port of a name leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    Address(SocketAddr),
    /// A balancer: nobody is sent to it while it has nobody to send them on to.
    Balancer(Door),
    /// Any other host, resolved when it is dialled: what an environment names.
    Host(String, u16),
}

impl From<SocketAddr> for Route {
    fn from(address: SocketAddr) -> Self {
        Self::Address(address)
    }
}

impl From<&Balancer> for Route {
    fn from(balancer: &Balancer) -> Self {
        Self::Balancer(balancer.door())
    }
}

impl Route {
    fn port(&self) -> u16 {
        match self {
            Self::Address(address) => address.port(),
            Self::Balancer(door) => door.address().port(),
            Self::Host(_, port) => *port,
        }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Balancer(door) => write!(f, "{}", door.address()),
            Self::Host(host, port) => write!(f, "{host}:{port}"),
        }
    }
}

/// What a host and a port are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Ours(Route),
    /// Not a name of this project: an address, `localhost`, a host of the network.
    Elsewhere,
    /// Nothing of ours, but written like a service's name: a host of the network only if the system's resolver knows
    /// it, else this error.
    Doubtful(NameError),
}

impl Names {
    /// Of the project called `namespace`.
    pub fn new(namespace: &str) -> Self {
        Self { namespace: namespace.into(), table: Arc::default() }
    }

    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The service is there (a balancer's or any other address), and listens on that port; in the place of what was
    /// known of it.
    pub fn service(&self, name: &str, route: impl Into<Route>) {
        let route = route.into();
        let ports = BTreeMap::from([(route.port(), route)]);
        self.write(|table| table.insert(name.to_owned(), ports));
    }

    /// A port of a host that is no service of the project but answers beside them, such as `jaeger`; its other ports
    /// stay. A service of the same name replaces it.
    pub fn host(&self, name: &str, port: u16, route: impl Into<Route>) {
        let route = route.into();
        self.write(|table| table.entry(name.to_owned()).or_default().insert(port, route));
    }

    /// The name is nobody's any more.
    pub fn remove(&self, name: &str) {
        self.write(|table| table.remove(name));
    }

    /// Where `port` of `host` is.
    ///
    /// # Errors
    /// A name that can only be of this project and is none of it: unknown, of another namespace, without that port.
    pub fn resolve(&self, host: &str, port: u16) -> Result<Answer, NameError> {
        let (name, place) = match Host::parse(host) {
            Host::Foreign => return Ok(Answer::Elsewhere),
            Host::Name(name, place) => (name, place),
        };
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let ports = table.get(&name);
        let unknown = || NameError::Unknown {
            name: name.clone(),
            namespace: self.namespace.to_string(),
            similar: similar(&name, table.keys()),
            known: table.keys().cloned().collect(),
        };
        let elsewhere = |asked: String| NameError::OtherNamespace {
            name: name.clone(),
            asked,
            namespace: self.namespace.to_string(),
        };
        let found = |ports: &BTreeMap<u16, Route>| match ports.get(&port) {
            Some(route) => Ok(Answer::Ours(route.clone())),
            None => Err(NameError::WrongPort { name: name.clone(), port, ports: ports.keys().copied().collect() }),
        };
        match (ports, place) {
            (Some(ports), Place::Here) => found(ports),
            (Some(ports), Place::Namespace(namespace) | Place::Cluster(namespace)) if *namespace == *self.namespace => {
                found(ports)
            }
            (None, Place::Here) => Ok(Answer::Doubtful(unknown())),
            (None, Place::Cluster(namespace)) if *namespace == *self.namespace => Err(unknown()),
            (None, Place::Namespace(namespace)) if *namespace == *self.namespace => Ok(Answer::Doubtful(unknown())),
            (_, Place::Cluster(namespace)) => Err(elsewhere(namespace)),
            (Some(_), Place::Namespace(namespace)) => Ok(Answer::Doubtful(elsewhere(namespace))),
            // `example.org` is a host like any other.
            (None, Place::Namespace(_)) => Ok(Answer::Elsewhere),
        }
    }

    fn write<T>(&self, change: impl FnOnce(&mut Table) -> T) {
        change(&mut self.table.write().unwrap_or_else(PoisonError::into_inner));
    }
}

/// The known name that was most likely meant.
fn similar<'a>(name: &str, known: impl Iterator<Item = &'a String>) -> Option<String> {
    /// Above clap's 0.7: services of one project often begin alike.
    const ALIKE: f64 = 0.8;
    let best = known
        .map(|known| (strsim::jaro_winkler(name, known), known))
        .filter(|(likeness, _)| *likeness > ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    Some(best.1.clone())
}
