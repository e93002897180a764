//! What msctl says when it fails: `error: WHAT`, and below it why, where and the next command.

/// What fills a gap when nobody knew better: more is expected of every error that a test meets.
const FALLBACKS: [&str; 2] = ["  where: this machine", " --help"];

/// Whether there is an error, and each is whole. One about the command line alone may be clap's, which has a form of its own.
#[must_use]
pub fn is_whole(stderr: &str) -> bool {
    if stderr.trim_end().ends_with("For more information, try '--help'.") {
        return stderr.contains("error: ");
    }
    let mut lines = stderr.lines().peekable();
    let mut found = false;
    while let Some(line) = lines.next() {
        if !line.starts_with("error: ") {
            continue;
        }
        found = true;
        let mut below = Vec::new();
        while let Some(line) = lines.next_if(|line| line.starts_with("  ")) {
            below.push(line);
        }
        let has = |part: &str| below.iter().any(|line| line.starts_with(part));
        let filled = below.iter().any(|line| {
            line.starts_with(FALLBACKS[0]) || (line.starts_with("  next: msctl ") && line.ends_with(FALLBACKS[1]))
        });
        if filled || !["  why: ", "  where: ", "  next: "].into_iter().all(has) {
            return false;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_asked_for_and_quoted_lines_are_none() {
        let whole = "waiting\nerror: x\n  why: a\n  where: b\n  last log lines of p:\n    error: y\n  next: c\n";
        assert!(is_whole(whole));
        for part in ["why", "where", "next", "error"] {
            assert!(!is_whole(&whole.replacen(&format!("{part}: "), "    x: ", 1)), "{part}");
        }
        assert!(!is_whole(""));
        assert!(!is_whole(&format!("{whole}error: another\n")));
        assert!(!is_whole(&whole.replace("  where: b", "  where: this machine")));
        assert!(!is_whole(&whole.replace("  next: c", "  next: msctl call --help")));
        assert!(is_whole("error: invalid value\n\nFor more information, try '--help'.\n"));
    }
}
