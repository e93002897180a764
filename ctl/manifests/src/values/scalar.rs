//! What a plain YAML scalar means to kubectl and helm: YAML 1.1, as their parser resolves it.
//!
//! The rules are those of `go.yaml.in/yaml/v2` under `sigs.k8s.io/yaml` v1.6: `yes` is true, `0400` is octal, `1_000` a thousand.

use serde_json::{Number, Value};

/// Why a plain scalar has no meaning here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScalarError {
    #[error("it is read as a date; put it in quotes")]
    Date,
    #[error("it is a number that JSON can't hold; put it in quotes")]
    NotFinite,
}

/// The value of a plain scalar.
pub(crate) fn plain(text: &str) -> Result<Value, ScalarError> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Value::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Value::Bool(false),
        _ => return number_or_text(text),
    })
}

fn number_or_text(text: &str) -> Result<Value, ScalarError> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Err(ScalarError::NotFinite);
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
        return Ok(Value::from(text));
    }
    if text.starts_with('.') {
        // Here underscores are not part of a number.
        return float(text).unwrap_or_else(|| Ok(Value::from(text)));
    }
    if is_date(text) {
        return Err(ScalarError::Date);
    }
    let digits = text.replace('_', "");
    if let Some(number) = integer(&digits) {
        return Ok(Value::Number(number));
    }
    float(&digits).unwrap_or_else(|| Ok(Value::from(text)))
}

/// An integer by Go's rules for base 0: 0x, 0o, 0b, and octal after a lone 0.
fn integer(text: &str) -> Option<Number> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    if negative {
        return i64::try_from(-i128::from(magnitude)).ok().map(Number::from);
    }
    // A sign makes it a signed number, also for the parser this follows.
    if text.starts_with('+') && i64::try_from(magnitude).is_err() {
        return None;
    }
    Some(Number::from(magnitude))
}

/// A float, when the text is one; a whole one becomes an integer, because to JSON they are the same.
fn float(text: &str) -> Option<Result<Value, ScalarError>> {
    let allowed = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
    if !text.chars().all(allowed) || !text.contains(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let number: f64 = text.parse().ok()?;
    Some(whole_or_float(number).map(Value::Number).ok_or(ScalarError::NotFinite))
}

/// JSON's number for a float: an integer when nothing is lost.
pub(crate) fn whole_or_float(number: f64) -> Option<Number> {
    // 2^53: above it a float's neighbours are more than one apart.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() <= EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and within 2^53")]
        return Some(Number::from(number as i64));
    }
    Number::from_f64(number)
}

/// YYYY-M-D, with or without a time after it.
fn is_date(text: &str) -> bool {
    let day = text.split(['T', 't', ' ']).next().unwrap_or_default();
    let parts: Vec<&str> = day.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return false };
    let number = |part: &str, most: u32| {
        (1..=2).contains(&part.len()) && part.parse::<u32>().is_ok_and(|n| (1..=most).contains(&n))
    };
    year.len() == 4 && year.bytes().all(|b| b.is_ascii_digit()) && number(month, 12) && number(day, 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Each pair was printed by `sigs.k8s.io/yaml` v1.6.0, which kubectl and helm use.
    #[test]
    fn plain_scalars_mean_what_they_mean_to_helm() {
        let cases = [
            ("yes", json!(true)),
            ("y", json!(true)),
            ("On", json!(true)),
            ("NO", json!(false)),
            ("off", json!(false)),
            ("yEs", json!("yEs")),
            ("~", json!(null)),
            ("", json!(null)),
            ("nil", json!("nil")),
            ("0400", json!(256)),
            ("0o17", json!(15)),
            ("0x1F", json!(31)),
            ("0b101", json!(5)),
            ("-0b101", json!(-5)),
            ("1_000", json!(1000)),
            ("+12", json!(12)),
            ("-0", json!(0)),
            ("089", json!(89)),
            ("1.50", json!(1.5)),
            ("1e3", json!(1000)),
            (".5", json!(0.5)),
            ("6.", json!(6)),
            ("1.2.3", json!("1.2.3")),
            ("0.1.0", json!("0.1.0")),
            ("12:30:45", json!("12:30:45")),
            ("64Mi", json!("64Mi")),
            ("-", json!("-")),
            (".", json!(".")),
            ("18446744073709551615", json!(18_446_744_073_709_551_615_u64)),
        ];
        for (text, value) in cases {
            assert_eq!(plain(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn a_date_and_an_infinity_are_refused_instead_of_changed() {
        assert_eq!(plain("2024-01-02"), Err(ScalarError::Date));
        assert_eq!(plain("2024-1-2T10:00:00Z"), Err(ScalarError::Date));
        assert_eq!(plain("-.inf"), Err(ScalarError::NotFinite));
    }
}
