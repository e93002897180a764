//! B's own variables.

use std::time::Duration;

use database::Url;
use runtime::env::{Env, Period, Value as _};

/// B's database, and how long B remembers.
#[derive(Clone, Debug)]
pub struct Config {
    pub database: Url,
    /// How long an event is remembered. One that is sent again after that is applied again, so senders must have given
    /// up before.
    pub retention: Duration,
}

impl Config {
    /// Reads `DATABASE_URL` (or `DATABASE_URL_FILE`) and `RETENTION`.
    pub fn read(env: &mut Env<'_>) -> Self {
        let week = Period(Duration::from_hours(7 * 24));
        let allowed = format!("{}, and more than 0s", Period::ALLOWED);
        let about = "how long an applied event is remembered; service A's RETENTION must be the same";
        Self {
            database: database::Settings::read(env, "service-b.sqlite3").url,
            retention: env.get_where("RETENTION", week, about, &allowed, |period| !period.0.is_zero()).0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_a_file_and_a_week() {
        let nothing = |_: &str| None;
        let mut env = Env::new(&nothing);

        let config = Config::read(&mut env);

        assert_eq!(config.database, Url::Sqlite("service-b.sqlite3".into()));
        assert_eq!(config.retention, Duration::from_hours(168));
    }

    #[test]
    fn both_mistakes_are_told() {
        let lookup = |name: &str| match name {
            "DATABASE_URL" => Some("mysql://b".to_owned()),
            "RETENTION" => Some("0s".to_owned()),
            _ => None,
        };
        let mut env = Env::new(&lookup);
        let config = Config::read(&mut env);

        let told = env.finish(config).unwrap_err().to_string();

        assert!(told.contains("DATABASE_URL=") && told.contains(r#"RETENTION="0s""#), "{told}");
    }
}
