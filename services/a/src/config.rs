//! A's own variables.

use std::time::Duration;

use http::Uri;
use runtime::env::{Env, Value as _};

/// Where B is, and how long it may take.
#[derive(Clone, Debug)]
pub struct Config {
    /// `http://HOST[:PORT]`.
    pub service_b: Uri,
    /// For a whole call to B, retries included.
    pub upstream_timeout: Duration,
}

impl Config {
    /// Reads `SERVICE_B_URL` and `UPSTREAM_TIMEOUT`.
    pub fn read(env: &mut Env<'_>) -> Self {
        let service_b = Uri::from_static("http://127.0.0.1:8001");
        let allowed = format!("{}, and more than 0s", Duration::ALLOWED);
        Self {
            service_b: env.get("SERVICE_B_URL", service_b, "where service B is"),
            upstream_timeout: env.get_where(
                "UPSTREAM_TIMEOUT",
                Duration::from_secs(5),
                "for a call to service B, retries included",
                &allowed,
                |timeout| !timeout.is_zero(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b_is_on_this_machine_unless_said_otherwise() {
        let nothing = |_: &str| None;
        let mut env = Env::new(&nothing);

        let config = Config::read(&mut env);

        assert_eq!(config.service_b, format!("http://127.0.0.1:{}", api::b::PORT).as_str());
        assert_eq!(config.upstream_timeout, Duration::from_secs(5));
    }

    #[test]
    fn both_mistakes_are_told() {
        let lookup = |name: &str| match name {
            "SERVICE_B_URL" => Some("service-b:8001".to_owned()),
            "UPSTREAM_TIMEOUT" => Some("0s".to_owned()),
            _ => None,
        };
        let mut env = Env::new(&lookup);
        let config = Config::read(&mut env);

        let told = env.finish(config).unwrap_err().to_string();

        assert!(told.contains(r#"SERVICE_B_URL="service-b:8001" can't be used; allowed: http://HOST"#), "{told}");
        assert!(told.contains(r#"UPSTREAM_TIMEOUT="0s""#), "{told}");
    }
}
