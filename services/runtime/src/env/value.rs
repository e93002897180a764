//! The types that an environment variable can hold.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;

/// A type that is read from an environment variable and written in `--help`.
pub trait Value: Sized {
    /// What a person may write.
    const ALLOWED: &'static str;

    /// `None` when `text` is not of the type.
    fn parse(text: &str) -> Option<Self>;

    /// As a person would write it.
    fn text(&self) -> String;

    /// How an error quotes a text that can't be used. A type that may hold a secret quotes less than all of it.
    fn quoted(text: &str) -> Cow<'_, str> {
        Cow::Borrowed(text)
    }
}

impl Value for SocketAddr {
    const ALLOWED: &'static str = "an IP address with a port, such as 127.0.0.1:8000 or [::]:8000";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

impl Value for usize {
    const ALLOWED: &'static str = "a whole number";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

/// A duration with its unit: `250ms`, `5s`, `1m`, `1h`. At most a day: what waits longer than that is a mistake in the
/// unit.
impl Value for Duration {
    const ALLOWED: &'static str = "a duration with its unit (ms, s, m, h), such as 250ms, 5s or 1m, at most 24h";

    fn parse(text: &str) -> Option<Self> {
        let (number, unit) = number_and_unit(text)?;
        let millis = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };
        let duration = Duration::from_millis(number.checked_mul(millis)?);
        (duration <= Duration::from_hours(24)).then_some(duration)
    }

    fn text(&self) -> String {
        let millis = self.as_millis();
        match millis {
            0 => "0s".to_owned(),
            _ if millis.is_multiple_of(60_000) => format!("{}m", millis / 60_000),
            _ if millis.is_multiple_of(1_000) => format!("{}s", millis / 1_000),
            _ => format!("{millis}ms"),
        }
    }
}

/// How long something is kept: `12h`, `7d`. Its own type, because what is kept for longer than a day is no mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

impl Value for Period {
    const ALLOWED: &'static str = "a period with its unit (s, m, h, d), such as 90m, 24h or 7d, at most 3650d";

    fn parse(text: &str) -> Option<Self> {
        let (number, unit) = number_and_unit(text)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return None,
        };
        let period = Duration::from_secs(number.checked_mul(seconds)?);
        (period <= Duration::from_hours(3650 * 24)).then_some(Self(period))
    }

    fn text(&self) -> String {
        let seconds = self.0.as_secs();
        match seconds {
            0 => "0s".to_owned(),
            _ if seconds.is_multiple_of(86_400) => format!("{}d", seconds / 86_400),
            _ if seconds.is_multiple_of(3_600) => format!("{}h", seconds / 3_600),
            _ if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
            _ => format!("{seconds}s"),
        }
    }
}

fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    Some((number.parse().ok()?, unit))
}

/// Where another service is: `http://HOST[:PORT]`, without path or query, so that the caller's own paths can follow.
impl Value for Uri {
    const ALLOWED: &'static str = "http://HOST[:PORT] without a path, such as http://service-b:8001";

    fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let plain = uri.scheme() == Some(&Scheme::HTTP) && uri.path() == "/" && uri.query().is_none();
        let named = uri.host().is_some_and(|host| !host.is_empty());
        // A port out of range parses as an authority without a port.
        let ported = uri
            .authority()
            .is_some_and(|a| !a.as_str().contains('@') && (a.port_u16().is_some() || a.as_str() == a.host()));
        (plain && named && ported).then_some(uri)
    }

    fn text(&self) -> String {
        self.to_string().trim_end_matches('/').to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit_and_fit_a_day() {
        let read = |text| <Duration as Value>::parse(text);

        assert_eq!(read("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(read("0s"), Some(Duration::ZERO));
        assert_eq!(read("1m"), Some(Duration::from_mins(1)));
        assert_eq!(read("24h"), Some(Duration::from_hours(24)));
        for bad in ["", "5", "s", "-1s", "1.5s", "1 s", "5S", "1d", "25h", "99999999999999999999s"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn periods_may_be_days() {
        let read = |text| <Period as Value>::parse(text).map(|period| period.0);

        assert_eq!(read("7d"), Some(Duration::from_hours(7 * 24)));
        assert_eq!(read("168h"), read("7d"));
        assert_eq!(read("90s"), Some(Duration::from_secs(90)));
        for bad in ["", "7", "d", "1.5d", "-1d", "250ms", "3651d", "99999999999999999999d"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
        for text in ["0s", "90s", "30m", "25h", "7d"] {
            assert_eq!(<Period as Value>::parse(text).unwrap().text(), text);
        }
    }

    #[test]
    fn durations_are_written_as_they_may_be_read() {
        for text in ["0s", "250ms", "5s", "1m", "90s"] {
            let duration = <Duration as Value>::parse(text).unwrap();
            assert_eq!(duration.text(), text);
        }
    }

    #[test]
    fn an_upstream_is_a_plain_http_address() {
        let read = |text| <Uri as Value>::parse(text);

        assert!(read("http://service-b:8001").is_some());
        assert!(read("http://service-b").is_some());
        assert!(read("http://[::1]:8001/").is_some());
        for bad in [
            "service-b:8001",
            "https://service-b",
            "http://",
            "http://b/path",
            "http://b?x=1",
            "http://b:99999",
            "http://b:",
            "http://me@b",
        ] {
            assert!(read(bad).is_none(), "{bad:?}");
        }
    }
}
