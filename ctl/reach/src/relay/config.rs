//! The relay's settings. The Job passes them as environment variables, so that its command line never changes.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::{Cidr, InvalidCidr};

/// Where every relay listens, on its pod's loopback.
pub const PORT: u16 = 8600;

pub(crate) const IDLE_VARIABLE: &str = "MSCTL_RELAY_IDLE_TIMEOUT";
pub(crate) const ALLOW_VARIABLE: &str = "MSCTL_RELAY_ALLOW";

/// How a relay behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayConfig {
    /// A loopback address. `127.0.0.1:8600`; the port by `MSCTL_RELAY_PORT`.
    pub listen: SocketAddr,
    /// Ends itself after so long without an open stream. `MSCTL_RELAY_IDLE_TIMEOUT`, 10 minutes.
    pub idle_timeout: Duration,
    /// What open streams get to finish once it ends. `MSCTL_RELAY_DRAIN_TIMEOUT`, 3 s.
    pub drain_timeout: Duration,
    /// Name resolution and connecting together. `MSCTL_RELAY_DIAL_TIMEOUT`, 5 s.
    pub dial_timeout: Duration,
    /// Port-forwards at a time. `MSCTL_RELAY_MAX_CONNECTIONS`, 64.
    pub max_connections: usize,
    /// Streams at a time, over all connections. `MSCTL_RELAY_MAX_STREAMS`, 2048.
    pub max_streams: usize,
    /// Ranges that may be dialled beside the private ones and what the cluster's own zone names. `MSCTL_RELAY_ALLOW`, a
    /// list with commas.
    pub allow: Vec<Cidr>,
    /// Nameservers and the cluster's suffix.
    pub resolv_conf: PathBuf,
}

impl Default for RelayConfig {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, PORT).into(),
            idle_timeout: Duration::from_mins(10),
            drain_timeout: Duration::from_secs(3),
            dial_timeout: Duration::from_secs(5),
            max_connections: 64,
            max_streams: 2048,
            allow: Vec::new(),
            resolv_conf: "/etc/resolv.conf".into(),
        }
    }
}

/// A variable that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}=\"{value}\" is not {allowed}")]
pub struct RelayConfigError {
    pub name: &'static str,
    pub value: String,
    pub allowed: &'static str,
}

impl RelayConfig {
    /// From the environment, by way of `lookup`.
    ///
    /// # Errors
    /// The first variable whose value can't be used.
    pub fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, RelayConfigError> {
        let defaults = Self::default();
        let get = |name: &str| lookup(name).filter(|value| !value.is_empty());
        Ok(Self {
            listen: (Ipv4Addr::LOCALHOST, read(&get, "MSCTL_RELAY_PORT", "a port from 1 to 65535", parse_port, PORT)?)
                .into(),
            idle_timeout: read(&get, IDLE_VARIABLE, DURATION, parse_duration, defaults.idle_timeout)?,
            drain_timeout: read(&get, "MSCTL_RELAY_DRAIN_TIMEOUT", DURATION, parse_duration, defaults.drain_timeout)?,
            dial_timeout: read(&get, "MSCTL_RELAY_DIAL_TIMEOUT", DURATION, parse_duration, defaults.dial_timeout)?,
            max_connections: read(&get, "MSCTL_RELAY_MAX_CONNECTIONS", COUNT, parse_count, defaults.max_connections)?,
            max_streams: read(&get, "MSCTL_RELAY_MAX_STREAMS", COUNT, parse_count, defaults.max_streams)?,
            allow: read(
                &get,
                ALLOW_VARIABLE,
                "a list of ranges like 192.0.2.0/24,2001:db8::/32",
                parse_ranges,
                vec![],
            )?,
            resolv_conf: defaults.resolv_conf,
        })
    }
}

const DURATION: &str = "a duration like 250ms, 5s or 10m";
const COUNT: &str = "a number from 1 to 65536";

fn read<T>(
    get: &impl Fn(&str) -> Option<String>,
    name: &'static str,
    allowed: &'static str,
    parse: impl Fn(&str) -> Option<T>,
    default: T,
) -> Result<T, RelayConfigError> {
    match get(name) {
        None => Ok(default),
        Some(value) => match parse(&value) {
            Some(parsed) => Ok(parsed),
            None => Err(RelayConfigError { name, value, allowed }),
        },
    }
}

fn parse_port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port != 0)
}

fn parse_count(text: &str) -> Option<usize> {
    text.parse().ok().filter(|count| (1..=65536).contains(count))
}

fn parse_ranges(text: &str) -> Option<Vec<Cidr>> {
    text.split(',').map(|range| range.trim().parse()).collect::<Result<_, InvalidCidr>>().ok()
}

fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..digits].parse().ok()?;
    match &text[digits..] {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        "h" => number.checked_mul(3600).map(Duration::from_secs),
        _ => None,
    }
}

/// As [`RelayConfig::from_env`] reads it.
pub(crate) fn write_duration(duration: Duration) -> String {
    match duration.subsec_millis() {
        0 => format!("{}s", duration.as_secs()),
        _ => format!("{}ms", duration.as_millis()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(pairs: &[(&str, &str)]) -> Result<RelayConfig, RelayConfigError> {
        RelayConfig::from_env(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn an_empty_environment_gives_the_defaults() {
        assert_eq!(from(&[]), Ok(RelayConfig::default()));
        assert_eq!(from(&[(IDLE_VARIABLE, "")]), Ok(RelayConfig::default()));
    }

    #[test]
    fn values_are_read() {
        let config = from(&[
            ("MSCTL_RELAY_PORT", "9000"),
            (IDLE_VARIABLE, "90s"),
            ("MSCTL_RELAY_DIAL_TIMEOUT", "250ms"),
            (ALLOW_VARIABLE, "192.0.2.0/24, 2001:db8::/32"),
        ])
        .unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:9000");
        assert_eq!((config.idle_timeout, config.dial_timeout), (Duration::from_secs(90), Duration::from_millis(250)));
        assert_eq!(config.allow.len(), 2);
    }

    #[test]
    fn a_bad_value_is_named_with_what_is_allowed() {
        for (name, value) in [
            (IDLE_VARIABLE, "10"),
            (IDLE_VARIABLE, "ten minutes"),
            ("MSCTL_RELAY_PORT", "0"),
            ("MSCTL_RELAY_MAX_STREAMS", "-1"),
            (ALLOW_VARIABLE, "10.0.0.0/33"),
        ] {
            let error = from(&[(name, value)]).unwrap_err();
            assert_eq!((error.name, error.value.as_str()), (name, value));
        }
        let error = from(&[(IDLE_VARIABLE, "10")]).unwrap_err();
        assert_eq!(error.to_string(), "MSCTL_RELAY_IDLE_TIMEOUT=\"10\" is not a duration like 250ms, 5s or 10m");
    }

    #[test]
    fn durations_survive_the_way_through_the_environment() {
        for millis in [1, 250, 1000, 1500, 600_000] {
            let duration = Duration::from_millis(millis);
            assert_eq!(parse_duration(&write_duration(duration)), Some(duration));
        }
    }
}
