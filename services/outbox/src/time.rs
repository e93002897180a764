//! Times on the wire: RFC 3339 in UTC with milliseconds, from Unix milliseconds.
//!
//! By hand: one format out and one check in need no time zones.

use std::time::{SystemTime, UNIX_EPOCH};

const DAY: i64 = 86_400_000;

/// `2026-01-31T23:59:59.123Z`. Years beyond 0 to 9999, which the format can't hold, are written as the nearest it can.
pub fn rfc3339(unix_millis: i64) -> String {
    /// 0000-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z.
    const HELD: (i64, i64) = (-62_167_219_200_000, 253_402_300_799_999);
    let millis = unix_millis.clamp(HELD.0, HELD.1);
    let (year, month, day) = date(millis.div_euclid(DAY));
    let of_day = millis.rem_euclid(DAY);
    let (hours, minutes) = (of_day / 3_600_000, of_day / 60_000 % 60);
    let (seconds, millis) = (of_day / 1_000 % 60, of_day % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{millis:03}Z")
}

/// Unix milliseconds by this machine's clock.
pub fn now() -> i64 {
    // A clock before 1970 is no clock.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The civil date of a day counted from 1970-01-01, by Howard Hinnant's algorithm
/// (<https://howardhinnant.github.io/date_algorithms.html#civil_from_days>): years that begin in March put the leap day
/// last.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Whether `text` is a `date-time` of RFC 3339, section 5.6: any offset, any number of decimals, leap seconds too.
pub fn is_rfc3339(text: &str) -> bool {
    checked(text.as_bytes()).is_some()
}

fn checked(text: &[u8]) -> Option<()> {
    let (year, rest) = number(text, 4)?;
    let (month, rest) = number(rest.strip_prefix(b"-")?, 2)?;
    let (day, rest) = number(rest.strip_prefix(b"-")?, 2)?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    let (b'T' | b't', rest) = rest.split_first()? else {
        return None;
    };
    let (hour, rest) = number(rest, 2)?;
    let (minute, rest) = number(rest.strip_prefix(b":")?, 2)?;
    let (second, rest) = number(rest.strip_prefix(b":")?, 2)?;
    let rest = match rest.strip_prefix(b".") {
        None => rest,
        Some(decimals) => {
            let length = decimals.iter().take_while(|byte| byte.is_ascii_digit()).count();
            decimals.get(length..).filter(|_| length > 0)?
        }
    };
    let offset = match rest.split_first()? {
        (b'Z' | b'z', []) => true,
        (b'+' | b'-', rest) => {
            let (hours, rest) = number(rest, 2)?;
            let (minutes, rest) = number(rest.strip_prefix(b":")?, 2)?;
            hours < 24 && minutes < 60 && rest.is_empty()
        }
        _ => false,
    };
    ((1..=days).contains(&day) && hour < 24 && minute < 60 && second <= 60 && offset).then_some(())
}

fn number(text: &[u8], digits: usize) -> Option<(u32, &[u8])> {
    let (head, rest) = text.split_at_checked(digits)?;
    let value = head.iter().try_fold(0, |value, byte| Some(value * 10 + char::from(*byte).to_digit(10)?))?;
    Some((value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc_with_milliseconds() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_769_903_999_123, "2026-01-31T23:59:59.123Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (i64::MAX, "9999-12-31T23:59:59.999Z"),
            (i64::MIN, "0000-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(rfc3339(millis), text);
        }
    }

    #[test]
    fn days_follow_each_other_through_four_centuries_and_each_is_read_back() {
        let mut expected = (1900, 1, 1);
        let first = -25_567;
        for days in first..first + 146_097 {
            assert_eq!(date(days), expected);
            assert!(is_rfc3339(&rfc3339(days * DAY)));
            let (year, month, day) = expected;
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                2 if leap => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            expected = match (day < length, month < 12) {
                (true, _) => (year, month, day + 1),
                (false, true) => (year, month + 1, 1),
                (false, false) => (year + 1, 1, 1),
            };
        }
        assert_eq!(expected, (2300, 1, 1));
    }

    #[test]
    fn the_rfcs_times_are_told_from_what_is_none() {
        for good in [
            "1985-04-12T23:20:50.52Z",
            "1996-12-19T16:39:57-08:00",
            "1990-12-31T23:59:60Z",
            "1937-01-01T12:00:27.87+00:20",
            "2018-04-05t17:31:00z",
            "2000-02-29T00:00:00.123456789123Z",
            "2018-04-05T17:31:00-00:00",
        ] {
            assert!(is_rfc3339(good), "{good}");
        }
        for bad in [
            "",
            "2018-04-05",
            "2018-04-05T17:31Z",
            "2018-04-05T17:31:00",
            "2018-04-05 17:31:00Z",
            "2018-4-5T17:31:00Z",
            "2018-13-05T17:31:00Z",
            "2018-00-05T17:31:00Z",
            "2018-04-31T17:31:00Z",
            "2018-04-00T17:31:00Z",
            "2019-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2018-04-05T24:00:00Z",
            "2018-04-05T17:60:00Z",
            "2018-04-05T17:31:61Z",
            "2018-04-05T17:31:00.Z",
            "2018-04-05T17:31:00,5Z",
            "2018-04-05T17:31:00+24:00",
            "2018-04-05T17:31:00+0100",
            "2018-04-05T17:31:00+01",
            "2018-04-05T17:31:00Z ",
            "2018-04-05T17:31:00é",
            "+018-04-05T17:31:00Z",
            "1523000000",
        ] {
            assert!(!is_rfc3339(bad), "{bad}");
        }
    }
}
