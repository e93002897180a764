//! `Prefer` (RFC 7240): whether a client waits for its message to arrive, and how long.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

const PREFER: HeaderName = HeaderName::from_static("prefer");
pub(super) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// The preferences that are known here. What is malformed or unknown is ignored, as the RFC has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Prefer {
    respond_async: bool,
    /// Seconds.
    wait: Option<u64>,
}

impl Prefer {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut prefer = Self::default();
        let values = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
        for preference in values.flat_map(|value| split(value, ',')) {
            // Parameters follow after semicolons; none is known.
            let preference = split(preference, ';').next().unwrap_or_default();
            let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
            let (name, value) = (name.trim(), value.trim().trim_matches('"'));
            if name.eq_ignore_ascii_case("respond-async") {
                prefer.respond_async = true;
            } else if name.eq_ignore_ascii_case("wait") && prefer.wait.is_none() {
                prefer.wait = value.parse().ok();
            }
        }
        prefer
    }

    /// How long to wait, `most` at most. With both preferences the client waits for so long, and takes a 202 after it
    /// (RFC 7240, section 4.3).
    pub(super) fn wait(self, most: Duration) -> Duration {
        match self {
            Self { wait: Some(seconds), .. } => most.min(Duration::from_secs(seconds)),
            Self { respond_async: true, wait: None } => Duration::ZERO,
            Self { .. } => most,
        }
    }

    /// `Preference-Applied` of an answer that came without (`early`) or with B having the message.
    pub(super) fn applied(self, early: bool, most: Duration) -> Option<HeaderValue> {
        let wait = self.wait.filter(|seconds| Duration::from_secs(*seconds) <= most);
        let text = match (self.respond_async && early, wait) {
            (true, Some(seconds)) => format!("respond-async, wait={seconds}"),
            (true, None) => "respond-async".to_owned(),
            (false, Some(seconds)) => format!("wait={seconds}"),
            (false, None) => return None,
        };
        HeaderValue::try_from(text).ok()
    }
}

/// The parts of `text` between separators that are in no quoted string (RFC 9110, section 5.6.4).
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c| {
        if std::mem::take(&mut escaped) {
            return false;
        }
        match c {
            '\\' => escaped = quoted,
            '"' => quoted = !quoted,
            c => return c == separator && !quoted,
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Duration = Duration::from_secs(5);

    fn prefer(values: &[&'static str]) -> Prefer {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(PREFER, HeaderValue::from_static(value));
        }
        Prefer::of(&headers)
    }

    #[test]
    fn preferences_come_in_one_header_or_several_with_parameters_and_in_any_case() {
        let both = Prefer { respond_async: true, wait: Some(3) };
        for values in [
            &["respond-async, wait=3"][..],
            &["Respond-Async", "WAIT = 3"],
            &["wait=3; x=1, handling=lenient", "respond-async; y"],
            &["wait=\"3\", respond-async=\"\", wait=4"],
        ] {
            assert_eq!(prefer(values), both, "{values:?}");
        }
        for ignored in ["", "return=minimal", "wait", "wait=soon", "wait=-1", "respond-asynchronously", ",;=,"] {
            assert_eq!(prefer(&[ignored]), Prefer::default(), "{ignored:?}");
        }
    }

    #[test]
    fn what_is_quoted_is_no_preference() {
        for ignored in [
            r#"x="a, respond-async, b""#,
            r#"x="\", respond-async""#,
            r#"x=1; y="a, wait=3""#,
            r#"x="never ends, respond-async"#,
        ] {
            assert_eq!(prefer(&[ignored]), Prefer::default(), "{ignored}");
        }
        let after = prefer(&[r#"x="a;\"b,", wait=3; y=";", respond-async"#, "wait=4"]);
        assert_eq!(after, Prefer { respond_async: true, wait: Some(3) });
    }

    #[test]
    fn a_client_waits_no_longer_than_it_wants_and_no_longer_than_the_service_has_it() {
        assert_eq!(prefer(&[]).wait(MOST), MOST);
        assert_eq!(prefer(&["wait=2"]).wait(MOST), Duration::from_secs(2));
        assert_eq!(prefer(&["wait=60"]).wait(MOST), MOST);
        assert_eq!(prefer(&["respond-async"]).wait(MOST), Duration::ZERO);
        assert_eq!(prefer(&["respond-async, wait=2"]).wait(MOST), Duration::from_secs(2));
    }

    #[test]
    fn what_was_applied_is_told() {
        let applied = |value, early| prefer(&[value]).applied(early, MOST);
        assert_eq!(applied("respond-async", true).unwrap(), "respond-async");
        assert_eq!(applied("respond-async", false), None);
        assert_eq!(applied("respond-async, wait=2", true).unwrap(), "respond-async, wait=2");
        assert_eq!(applied("wait=2", true).unwrap(), "wait=2");
        assert_eq!(applied("wait=60", true), None);
    }
}
