//! How a service listens and what it bounds.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::env::{Env, Value as _};
use crate::launch::Program;

/// Where a service listens, how much it takes on, and how it leaves.
#[derive(Clone, Debug)]
pub struct ServeConfig {
    /// The traffic port's address.
    pub listen: SocketAddr,
    /// The admin port's address.
    pub admin: SocketAddr,
    /// How long traffic is still served as ever after the shutdown was asked for, while readiness fails and the
    /// endpoints propagate.
    pub drain_delay: Duration,
    /// How long requests in flight may take after that.
    pub drain_timeout: Duration,
    pub limits: Limits,
}

/// Bounds on what one client, and all of them together, can hold.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections on the traffic port at one time; those beyond it are answered 503 and closed.
    pub max_connections: usize,
    /// From a request head's first byte to its last, and from a new connection to its first byte.
    pub head_timeout: Duration,
    /// Bytes in a request head.
    pub max_head: usize,
    /// From a handler's first wait for the request's body to the body's end.
    pub body_timeout: Duration,
    /// Bytes in a request body.
    pub max_body: usize,
    /// How long a kept connection may wait for its next request.
    ///
    /// Longer than clients keep theirs (ours 30 s, nginx and Envoy upstreams 60 s, most load balancers 60 s): when the
    /// server is the first to close, a request may already be on its way, and the client can't know whether it was
    /// taken.
    pub idle_timeout: Duration,
    /// How long a client may leave an answer unread before the connection is dropped.
    pub write_timeout: Duration,
    /// How long a kept connection may stay idle once the drain began: the next request of a busy client arrives within
    /// it and is answered with `Connection: close`; an idle client loses nothing.
    pub drain_idle: Duration,
    /// How long input is still read and thrown away after an answer that ends the connection. Closing with unread
    /// input makes the kernel send a reset, which can destroy the answer before the client has read it.
    pub linger: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 1024,
            head_timeout: Duration::from_secs(10),
            max_head: 16 * 1024,
            body_timeout: Duration::from_secs(10),
            max_body: 64 * 1024,
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(30),
            drain_idle: Duration::from_secs(1),
            linger: Duration::from_secs(2),
        }
    }
}

/// The names of the variables that errors point to.
pub(crate) const LISTEN_ADDR: &str = "LISTEN_ADDR";
pub(crate) const ADMIN_ADDR: &str = "ADMIN_ADDR";

/// More than one process can hold, and far from what counts them could not count.
const MOST_CONNECTIONS: usize = 1_000_000;

impl ServeConfig {
    /// Loopback addresses with these ports, no drain delay, the default limits.
    pub fn local(port: u16, admin_port: u16) -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, port).into(),
            admin: (Ipv4Addr::LOCALHOST, admin_port).into(),
            drain_delay: Duration::ZERO,
            drain_timeout: Duration::from_secs(20),
            limits: Limits::default(),
        }
    }

    /// Reads the variables that every service has.
    pub(crate) fn read(env: &mut Env<'_>, program: &Program) -> Self {
        let default = Self::local(program.port, program.admin_port);
        let limits = default.limits;
        Self {
            listen: env.get(LISTEN_ADDR, default.listen, "address of the traffic port"),
            admin: env.get(ADMIN_ADDR, default.admin, "address of the admin port (probes, metrics)"),
            drain_delay: env.get(
                "DRAIN_DELAY",
                default.drain_delay,
                "after SIGTERM, how long traffic is still served while readiness fails",
            ),
            drain_timeout: env.get(
                "DRAIN_TIMEOUT",
                default.drain_timeout,
                "after that, how long requests in flight may still take",
            ),
            limits: Limits {
                max_connections: env.get_where(
                    "MAX_CONNECTIONS",
                    limits.max_connections,
                    "connections at one time; beyond them 503",
                    &format!("a whole number from 1 to {MOST_CONNECTIONS}"),
                    |n| (1..=MOST_CONNECTIONS).contains(n),
                ),
                max_body: positive(env, "MAX_BODY", limits.max_body, "bytes in a request body; beyond them 413"),
                head_timeout: lasting(env, "HEAD_TIMEOUT", limits.head_timeout, "for a request's head to arrive"),
                body_timeout: lasting(env, "BODY_TIMEOUT", limits.body_timeout, "for a request's body to arrive"),
                idle_timeout: lasting(env, "IDLE_TIMEOUT", limits.idle_timeout, "for a kept connection's next request"),
                ..limits
            },
        }
    }
}

fn positive(env: &mut Env<'_>, name: &'static str, default: usize, about: &'static str) -> usize {
    env.get_where(name, default, about, "a whole number from 1 on", |n| *n > 0)
}

fn lasting(env: &mut Env<'_>, name: &'static str, default: Duration, about: &'static str) -> Duration {
    let allowed = format!("{}, and more than 0s", Duration::ALLOWED);
    env.get_where(name, default, about, &allowed, |d| !d.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: Program =
        Program { name: "service-t", version: "0.0.0", about: "a test", port: 8000, admin_port: 9000 };

    #[test]
    fn the_defaults_run_on_a_laptop() {
        let lookup = |_: &str| None;
        let mut env = Env::new(&lookup);

        let config = ServeConfig::read(&mut env, &PROGRAM);

        assert_eq!(config.listen, "127.0.0.1:8000".parse().unwrap());
        assert_eq!(config.admin, "127.0.0.1:9000".parse().unwrap());
        assert_eq!(config.drain_delay, Duration::ZERO);
        assert_eq!(config.drain_timeout, Duration::from_secs(20));
        assert_eq!(config.limits.max_connections, 1024);
        assert!(env.finish(()).is_ok());
    }

    #[test]
    fn each_variable_reaches_its_field_and_zero_is_refused_where_it_would_stop_all_traffic() {
        let lookup = |name: &str| {
            Some(match name {
                "LISTEN_ADDR" => "0.0.0.0:80".into(),
                "DRAIN_DELAY" => "5s".into(),
                "MAX_BODY" => "1024".into(),
                "HEAD_TIMEOUT" => "0s".into(),
                "MAX_CONNECTIONS" => "0".into(),
                _ => return None,
            })
        };
        let mut env = Env::new(&lookup);

        let config = ServeConfig::read(&mut env, &PROGRAM);

        assert_eq!(config.listen, "0.0.0.0:80".parse().unwrap());
        assert_eq!(config.drain_delay, Duration::from_secs(5));
        assert_eq!(config.limits.max_body, 1024);
        let mistakes = env.finish(()).unwrap_err().0;
        let names: Vec<_> = mistakes.iter().map(|m| m.name.as_str()).collect();
        assert_eq!(names, ["MAX_CONNECTIONS", "HEAD_TIMEOUT"]);
    }

    #[test]
    fn connections_are_capped_at_a_million() {
        let read = |value: &str| {
            let lookup = |name: &str| (name == "MAX_CONNECTIONS").then(|| value.to_owned());
            let mut env = Env::new(&lookup);
            let config = ServeConfig::read(&mut env, &PROGRAM);
            env.finish(config.limits.max_connections)
        };
        assert_eq!(read("1000000"), Ok(1_000_000));
        for value in ["1000001", &usize::MAX.to_string()] {
            let told = read(value).unwrap_err().to_string();
            let allowed = "a whole number from 1 to 1000000";
            assert_eq!(told, format!("MAX_CONNECTIONS={value:?} can't be used; allowed: {allowed}"));
        }
    }
}
