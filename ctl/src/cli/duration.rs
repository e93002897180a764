//! Durations as kubectl and Go write them: `500ms`, `30s`, `1m30s`, `1h`; a bare number is seconds.

use std::time::Duration;

/// A moment that far away can be told by every clock.
const LONGEST: Duration = Duration::from_hours(365 * 24);

/// The error is what clap prints after the flag's name.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    match read(text)? {
        long if long > LONGEST => Err(format!("`{text}` is more than a year; write 8760h at most")),
        duration => Ok(duration),
    }
}

fn read(text: &str) -> Result<Duration, String> {
    let refused = || format!("`{text}` is not a duration; write 500ms, 30s, 1m30s or 1h");
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(refused)?;
        let amount: u64 = rest[..digits].parse().map_err(|_| refused())?;
        rest = &rest[digits..];
        let unit = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let one = match &rest[..unit] {
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" => Duration::from_mins(1),
            "h" => Duration::from_hours(1),
            _ => return Err(refused()),
        };
        let part = u32::try_from(amount).ok().and_then(|amount| one.checked_mul(amount)).ok_or_else(refused)?;
        total = total.checked_add(part).ok_or_else(refused)?;
        rest = &rest[unit..];
    }
    if text.is_empty() { Err(refused()) } else { Ok(total) }
}

/// How long ago: as far as one likes.
pub(crate) fn parse_past(text: &str) -> Result<Duration, String> {
    positive(read(text)?)
}

/// As `parse`, but zero is refused: there would be no time to do anything.
pub(crate) fn parse_positive(text: &str) -> Result<Duration, String> {
    positive(parse(text)?)
}

fn positive(duration: Duration) -> Result<Duration, String> {
    match duration {
        Duration::ZERO => Err("must be more than zero".to_owned()),
        duration => Ok(duration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_kubectl_reads_them() {
        for (text, millis) in
            [("500ms", 500), ("30s", 30_000), ("5m", 300_000), ("1m30s", 90_000), ("1h", 3_600_000), ("7", 7_000)]
        {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_what_is_allowed() {
        for text in ["", "s", "5x", "-5s", "5s3", "99999999999999999999s", "1.5s"] {
            assert!(parse(text).is_err_and(|error| error.contains("30s")), "{text}");
        }
        assert!(parse_positive("0").is_err());
        assert_eq!(parse("8760h"), Ok(LONGEST));
        for text in ["8761h", "18446744073709551615"] {
            assert!(parse(text).is_err_and(|error| error.contains("8760h at most")), "{text}");
        }
    }
}
