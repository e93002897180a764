//! A line in a file: its time, a space, and the text, as container runtimes keep them.

use jiff::Timestamp;

/// `2026-11-22T23:54:24.123456Z text`.
pub(super) fn write(into: &mut Vec<u8>, time: Timestamp, text: &[u8]) {
    into.extend_from_slice(format!("{time:.6} ").as_bytes());
    into.extend_from_slice(text);
    into.push(b'\n');
}

/// None for what is no whole line, as after a crash of the machine.
pub(super) fn parse(line: &[u8]) -> Option<(Timestamp, String)> {
    let space = line.iter().position(|&byte| byte == b' ')?;
    let time = str::from_utf8(&line[..space]).ok()?.parse().ok()?;
    Some((time, String::from_utf8_lossy(&line[space + 1..]).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_back_as_it_was() {
        let time: Timestamp = "2026-11-22T23:54:24.000120Z".parse().unwrap();
        let mut written = Vec::new();
        write(&mut written, time, b" two  spaces\xff");
        assert_eq!(written, b"2026-11-22T23:54:24.000120Z  two  spaces\xff\n");
        assert_eq!(parse(&written[..written.len() - 1]), Some((time, " two  spaces\u{fffd}".to_owned())));
        assert_eq!(parse(b"half a line"), None);
    }
}
