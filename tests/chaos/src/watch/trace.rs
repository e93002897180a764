//! Reads what `strace -f -y -ttt -o FILE` wrote.
//!
//! One tracer writes all lines, in the order in which it saw the calls begin and end; a traced process goes on only
//! after the tracer has seen its stop. So the order of lines is an order of events, across threads and processes.

use std::collections::HashMap;

/// A system call that was finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) name: String,
    /// The file or socket of the first argument.
    pub(crate) file: String,
    /// The arguments as printed.
    pub(crate) arguments: String,
    /// Lines of the trace.
    pub(crate) began: usize,
    pub(crate) ended: usize,
    pub(crate) succeeded: bool,
}

#[derive(Debug)]
struct Begun {
    text: String,
    line: usize,
}

/// The calls of a trace, in the order in which they ended.
pub(crate) fn parse(trace: &str) -> Vec<Call> {
    let mut begun: HashMap<&str, Begun> = HashMap::new();
    let mut calls = Vec::new();
    for (line, text) in trace.lines().enumerate() {
        // `PID TIME CALL`
        let mut parts = text.splitn(2, ' ');
        let (Some(thread), Some(rest)) = (parts.next(), parts.next()) else { continue };
        let Some((_, call)) = rest.trim_start().split_once(' ') else { continue };
        if let Some(start) = call.strip_suffix("<unfinished ...>") {
            begun.insert(thread, Begun { text: start.to_owned(), line });
        } else if call.starts_with("<... ") {
            let Some((_, rest)) = call.split_once(" resumed>") else { continue };
            if let Some(Begun { text, line: began }) = begun.remove(thread) {
                calls.extend(finished(&format!("{text}{rest}"), began, line));
            }
        } else {
            calls.extend(finished(call, line, line));
        }
    }
    calls
}

/// `NAME(ARGUMENTS) = RESULT`
fn finished(text: &str, began: usize, ended: usize) -> Option<Call> {
    let (call, result) = text.rsplit_once(" = ")?;
    let (name, arguments) = call.split_once('(')?;
    let file = arguments.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or("", |(file, _)| file);
    Some(Call {
        name: name.to_owned(),
        file: file.to_owned(),
        arguments: arguments.to_owned(),
        began,
        ended,
        succeeded: !result.starts_with('-') && !result.starts_with('?'),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = r#"11 1700000000.000001 pwrite64(5</t/a-wal>, "x = y", 5, 0) = 5
12 1700000000.000002 fdatasync(5</t/a-wal> <unfinished ...>
11  1700000000.000003 write(7<socket:[99]>, "HTTP/1.1 202", 12 <unfinished ...>
12 1700000000.000004 <... fdatasync resumed>) = 0
11 1700000000.000005 <... write resumed>) = -1 EPIPE (Broken pipe)
11 1700000000.000006 --- SIGPIPE {si_signo=SIGPIPE} ---
12 1700000000.000007 +++ exited with 0 +++
"#;

    #[test]
    fn calls_have_their_begin_and_their_end_also_when_others_came_between() {
        let calls = parse(TRACE);
        let seen: Vec<_> = calls.iter().map(|c| (&*c.name, &*c.file, c.began, c.ended, c.succeeded)).collect();
        assert_eq!(
            seen,
            [
                ("pwrite64", "/t/a-wal", 0, 0, true),
                ("fdatasync", "/t/a-wal", 1, 3, true),
                ("write", "socket:[99]", 2, 4, false),
            ]
        );
        assert!(calls[0].arguments.contains("x = y"));
    }
}
