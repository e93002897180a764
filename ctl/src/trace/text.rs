//! Text that fits in a terminal: cell widths, cutting, durations.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Cells that the text takes in a terminal.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// The text without what could move the cursor or speak to the terminal: a span's name comes from
/// whoever sent it. Line breaks and tabs become spaces.
pub(super) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            // Controls, and the marks that reorder a line (bidirectional overrides).
            c if c.is_control() => '\u{fffd}',
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// The text with everything beyond ASCII replaced, for terminals that know no better.
pub(super) fn ascii(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect()
}

/// The text in at most `cells`, its end replaced by `mark` where it is longer.
pub(super) fn cut_end(text: &str, cells: usize, mark: &str) -> String {
    if width(text) <= cells {
        return text.to_owned();
    }
    let room = cells.saturating_sub(width(mark));
    let mut kept = String::new();
    let mut used = 0;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > room {
            break;
        }
        kept.push(c);
    }
    if cells >= width(mark) {
        kept.push_str(mark);
    }
    kept
}

/// The text in at most `cells`, its beginning replaced by `mark` where it is longer: the end of a
/// pod's name is what tells replicas apart.
pub(super) fn cut_start(text: &str, cells: usize, mark: &str) -> String {
    if width(text) <= cells {
        return text.to_owned();
    }
    let room = cells.saturating_sub(width(mark));
    let mut used = 0;
    let kept: Vec<char> = text
        .chars()
        .rev()
        .take_while(|c| {
            used += c.width().unwrap_or(0);
            used <= room
        })
        .collect();
    let mark = if cells >= width(mark) { mark } else { "" };
    mark.chars().chain(kept.into_iter().rev()).collect()
}

/// Fills up with spaces on the right.
pub(super) fn pad_end(text: &str, cells: usize) -> String {
    let fill = cells.saturating_sub(width(text));
    format!("{text}{:fill$}", "")
}

/// Fills up with spaces on the left.
pub(super) fn pad_start(text: &str, cells: usize) -> String {
    let fill = cells.saturating_sub(width(text));
    format!("{:fill$}{text}", "")
}

/// Microseconds as a person says them: three digits that count.
pub(super) fn duration(micros: u64, micro_sign: &str) -> String {
    match micros {
        0..=999 => format!("{micros} {micro_sign}s"),
        1_000..=999_999 => format!("{} ms", three_digits(micros)),
        1_000_000..=59_999_999 => format!("{} s", three_digits(micros / 1_000)),
        _ => {
            let seconds = micros / 1_000_000;
            let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
            if hours > 0 { format!("{hours}h{minutes:02}m{seconds:02}s") } else { format!("{minutes}m{seconds:02}s") }
        }
    }
}

/// Thousandths as a decimal number, cut (not rounded, so that 999.96 ms is no 1000 ms) to three
/// digits that count.
fn three_digits(thousandths: u64) -> String {
    let (whole, rest) = (thousandths / 1_000, thousandths % 1_000);
    match whole {
        0..=9 => format!("{whole}.{:02}", rest / 10),
        10..=99 => format!("{whole}.{}", rest / 100),
        _ => whole.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_keep_three_digits() {
        let said = |micros| duration(micros, "µ");
        assert_eq!(said(0), "0 µs");
        assert_eq!(said(999), "999 µs");
        assert_eq!(said(1_000), "1.00 ms");
        assert_eq!(said(4_219), "4.21 ms");
        assert_eq!(said(42_190), "42.1 ms");
        assert_eq!(said(999_999), "999 ms");
        assert_eq!(said(1_234_567), "1.23 s");
        assert_eq!(said(59_999_999), "59.9 s");
        assert_eq!(said(61_000_000), "1m01s");
        assert_eq!(said(3_661_000_000), "1h01m01s");
        assert_eq!(said(u64::MAX), "5124095576h01m49s");
    }

    #[test]
    fn cutting_counts_cells_not_letters() {
        assert_eq!(cut_end("注文を処理する", 9, "…"), "注文を処…");
        assert_eq!(cut_end("注文を処理する", 8, "…"), "注文を…");
        assert_eq!(cut_start("service-a-6b7f-x2x4z", 8, "…"), "…7f-x2x4z"[..].replace("7f", "f"));
        assert_eq!(cut_end("fits", 4, "…"), "fits");
        assert_eq!(cut_end("abc", 0, "…"), "");
        assert_eq!(cut_start("abc", 0, "..."), "");
    }

    #[test]
    fn a_span_name_can_not_speak_to_the_terminal() {
        assert_eq!(clean("GET /\u{1b}[2J\nx\u{202e}y"), "GET /\u{fffd}[2J x\u{fffd}y");
    }
}
