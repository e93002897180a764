//! The only place that prints.

use std::fmt::Display;

/// A line of progress or of a report.
#[expect(clippy::print_stdout, reason = "the printer")]
pub(crate) fn say(line: impl Display) {
    println!("{line}");
}

#[expect(clippy::print_stderr, reason = "the printer")]
pub(crate) fn complain(line: impl Display) {
    eprintln!("{line}");
}

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(number: impl TryInto<u64>) -> String {
    let digits = number.try_into().unwrap_or(u64::MAX).to_string();
    let places = digits.len();
    let separated = digits.chars().enumerate().flat_map(|(at, digit)| {
        let comma = (at > 0 && (places - at) % 3 == 0).then_some(',');
        comma.into_iter().chain([digit])
    });
    separated.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        for (number, text) in [(0_u64, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }
}
