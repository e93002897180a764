//! One variable's text to its value, or to an error that says what is allowed.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use super::SettingError;

pub(super) fn invalid(name: &'static str, value: &str, allowed: impl Display) -> SettingError {
    SettingError { name, value: value.to_owned(), allowed: allowed.to_string() }
}

/// As the specification has it: `true` in any case is true, everything else false; ours refuses what is neither.
pub(super) fn boolean(name: &'static str, value: &str) -> Result<bool, SettingError> {
    if value.eq_ignore_ascii_case("true") {
        Ok(true)
    } else if value.eq_ignore_ascii_case("false") {
        Ok(false)
    } else {
        Err(invalid(name, value, "true, false"))
    }
}

pub(super) fn whole<N>(name: &'static str, value: &str, range: RangeInclusive<N>, unit: &str) -> Result<N, SettingError>
where
    N: FromStr + PartialOrd + Display,
{
    value.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
        let (low, high) = (range.start(), range.end());
        invalid(name, value, format_args!("a whole number of {unit} from {low} to {high}"))
    })
}

/// OpenTelemetry's durations are whole milliseconds without a unit.
pub(super) fn milliseconds(name: &'static str, value: &str) -> Result<Duration, SettingError> {
    whole(name, value, 1..=3_600_000, "milliseconds").map(Duration::from_millis)
}

/// `key=value,key=value` with percent-encoded values, as W3C Baggage writes them.
pub(super) fn pairs(name: &'static str, value: &str) -> Result<Vec<(String, String)>, SettingError> {
    value
        .split(',')
        .map(str::trim)
        .filter(|member| !member.is_empty())
        .map(|member| {
            member
                .split_once('=')
                .map(|(key, text)| (key.trim(), text.trim()))
                .filter(|(key, _)| !key.is_empty())
                .and_then(|(key, text)| Some((percent_decoded(key)?, percent_decoded(text)?)))
                .ok_or_else(|| {
                    invalid(name, value, "key=value pairs with commas between them, percent-encoded where needed")
                })
        })
        .collect()
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = char::from(rest.next()?).to_digit(16)?;
            let low = char::from(rest.next()?).to_digit(16)?;
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}
