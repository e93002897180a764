//! A's own variables.

use std::time::Duration;

use http::Uri;
use outbox::Mode;
use runtime::env::{Env, Period, Value as _};

/// Where B is, where A's database is, and how messages get from one to the other.
#[derive(Clone, Debug)]
pub struct Config {
    /// `http://HOST[:PORT]`.
    pub service_b: Uri,
    /// For a whole call to B, retries included, and for one delivery.
    pub upstream_timeout: Duration,
    pub database: database::Url,
    pub messages: MessagesConfig,
}

/// How messages are kept and delivered.
#[derive(Clone, Copy, Debug)]
pub struct MessagesConfig {
    pub delivery: Mode,
    /// Deliveries at one time.
    pub concurrency: usize,
    /// How long a request waits for its message to arrive.
    pub wait: Duration,
    /// How long an outbox row belongs to one process. At least twice `upstream_timeout`.
    pub lease: Duration,
    /// A message that could not be delivered for so long is given up.
    pub max_age: Duration,
    /// How long messages are kept; the same as B's. Longer than `max_age`.
    pub retention: Duration,
    /// Messages that may wait for their delivery.
    pub limit: u64,
}

impl Default for MessagesConfig {
    fn default() -> Self {
        Self {
            delivery: Mode::Active,
            concurrency: 64,
            wait: Duration::from_secs(5),
            lease: Duration::from_secs(30),
            max_age: Duration::from_hours(24),
            retention: Duration::from_hours(168),
            limit: 100_000,
        }
    }
}

/// More than B could want, and than file descriptors allow.
const MOST_DELIVERIES: usize = 1_024;

impl Config {
    /// Reads `SERVICE_B_URL`, `UPSTREAM_TIMEOUT`, the database's variables and those of messages.
    pub fn read(env: &mut Env<'_>) -> Self {
        let service_b = Uri::from_static("http://127.0.0.1:8001");
        let allowed = format!("{}, and more than 0s", Duration::ALLOWED);
        let service_b = env.get("SERVICE_B_URL", service_b, "where service B is");
        let upstream_timeout = env.get_where(
            "UPSTREAM_TIMEOUT",
            Duration::from_secs(5),
            "for a call to service B, retries included",
            &allowed,
            |timeout| !timeout.is_zero(),
        );
        Self {
            service_b,
            upstream_timeout,
            database: database::Settings::read(env, "service-a.sqlite3").url,
            messages: MessagesConfig::read(env, upstream_timeout),
        }
    }
}

impl MessagesConfig {
    fn read(env: &mut Env<'_>, upstream_timeout: Duration) -> Self {
        let default = Self::default();
        let delivery = env.get("DELIVERY", default.delivery, "active, or paused: messages are taken and kept");
        let concurrency = env.get_where(
            "DELIVERY_CONCURRENCY",
            default.concurrency,
            "deliveries at one time",
            &format!("a whole number from 1 to {MOST_DELIVERIES}"),
            |n| (1..=MOST_DELIVERIES).contains(n),
        );
        let wait = env.get("DELIVERY_WAIT", default.wait, "how long POST /messages waits for service B to have it");
        let shortest = upstream_timeout * 2;
        let lease = env.get_where(
            "OUTBOX_LEASE",
            // Follows a longer timeout, so that setting that one alone is no mistake.
            default.lease.max(upstream_timeout * 3),
            "how long a message belongs to one process",
            &format!("{}, and at least twice UPSTREAM_TIMEOUT", Duration::ALLOWED),
            |lease| *lease >= shortest,
        );
        let limit = env.get_where(
            "OUTBOX_LIMIT",
            usize::try_from(default.limit).unwrap_or(usize::MAX),
            "messages that may wait for their delivery; beyond them 503",
            "a whole number from 1 on",
            |n| *n > 0,
        );
        let Period(max_age) = env.get_where(
            "OUTBOX_MAX_AGE",
            Period(default.max_age),
            "after which a message that can't be delivered is given up",
            &format!("{}, and more than 0s", Period::ALLOWED),
            |period| !period.0.is_zero(),
        );
        let Period(retention) = env.get_where(
            "RETENTION",
            Period(default.retention),
            "how long messages are kept; the same on service B",
            &format!("{}, and more than OUTBOX_MAX_AGE", Period::ALLOWED),
            |period| period.0 > max_age,
        );
        if retention <= max_age {
            env.mistake("OUTBOX_MAX_AGE", &Period(max_age).text(), "a period shorter than RETENTION");
        }
        let limit = limit as u64;
        Self { delivery, concurrency, wait, lease, max_age, retention, limit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Config, String> {
        let lookup = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let mut env = Env::new(&lookup);
        let config = Config::read(&mut env);
        env.finish(config).map_err(|error| error.to_string())
    }

    #[test]
    fn b_is_on_this_machine_unless_said_otherwise() {
        let config = read(&[]).unwrap();

        assert_eq!(config.service_b, format!("http://127.0.0.1:{}", api::b::PORT).as_str());
        assert_eq!(config.upstream_timeout, Duration::from_secs(5));
        assert_eq!(config.database, database::Url::Sqlite("service-a.sqlite3".into()));
        assert_eq!(config.messages.lease, Duration::from_secs(30));
        assert_eq!(config.messages.retention, Duration::from_hours(168));
    }

    #[test]
    fn both_mistakes_are_told() {
        let told = read(&[("SERVICE_B_URL", "service-b:8001"), ("UPSTREAM_TIMEOUT", "0s")]).unwrap_err();

        assert!(told.contains(r#"SERVICE_B_URL="service-b:8001" can't be used; allowed: http://HOST"#), "{told}");
        assert!(told.contains(r#"UPSTREAM_TIMEOUT="0s""#), "{told}");
    }

    #[test]
    fn a_lease_outlasts_a_delivery_and_follows_its_timeout() {
        assert_eq!(read(&[("UPSTREAM_TIMEOUT", "1m")]).unwrap().messages.lease, Duration::from_mins(3));
        assert!(read(&[("OUTBOX_LEASE", "9s")]).unwrap_err().contains("OUTBOX_LEASE=\"9s\""));
        assert_eq!(read(&[("OUTBOX_LEASE", "10s")]).unwrap().messages.lease, Duration::from_secs(10));
    }

    #[test]
    fn messages_are_kept_for_longer_than_they_are_delivered() {
        assert!(read(&[("RETENTION", "2h"), ("OUTBOX_MAX_AGE", "1h")]).is_ok());
        assert!(read(&[("RETENTION", "1h"), ("OUTBOX_MAX_AGE", "1h")]).unwrap_err().contains("RETENTION=\"1h\""));
        assert!(read(&[("OUTBOX_MAX_AGE", "8d")]).unwrap_err().contains("OUTBOX_MAX_AGE=\"8d\""));
    }

    #[test]
    fn delivery_is_active_or_paused() {
        assert_eq!(read(&[("DELIVERY", "paused")]).unwrap().messages.delivery, Mode::Paused);
        for (name, value) in [("DELIVERY", "off"), ("DELIVERY_CONCURRENCY", "0"), ("OUTBOX_LIMIT", "0")] {
            assert!(read(&[(name, value)]).unwrap_err().contains(name));
        }
    }
}
