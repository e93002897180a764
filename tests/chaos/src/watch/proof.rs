//! Whether a trace proves that a message was on the disk before it was answered for.

use std::fmt;

use super::trace::Call;

/// What to look for.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    /// In the message's body, so in what the database writes.
    pub(crate) marker: String,
    /// Strings in the answer that acknowledges it.
    pub(crate) answer: Vec<String>,
}

/// Why there is no proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unproven {
    /// The trace has no answer.
    Silence,
    /// The answer began before the log had the message.
    Unwritten,
    /// No sync of the log began after the message was written to it and ended before the answer began.
    Unsynced,
}

/// Looks for: the message's first write to a log, then a sync of that log from begin to end, then the answer.
///
/// `log` tells the database's log by its file's name.
pub(crate) fn prove(calls: &[Call], watched: &Watched, log: impl Fn(&str) -> bool) -> Result<(), Unproven> {
    let is_write =
        |call: &&Call| matches!(&*call.name, "write" | "writev" | "pwrite64" | "pwritev" | "sendto" | "sendmsg");
    let answer = calls
        .iter()
        .filter(is_write)
        .filter(|call| call.file.starts_with("socket:") && call.arguments.contains("HTTP/1.1 20"))
        .find(|call| watched.answer.iter().all(|part| call.arguments.contains(part)))
        .ok_or(Unproven::Silence)?;
    let written = calls
        .iter()
        .filter(is_write)
        .find(|call| call.succeeded && log(&call.file) && call.arguments.contains(&watched.marker))
        .filter(|call| call.ended < answer.began)
        .ok_or(Unproven::Unwritten)?;
    let synced = calls
        .iter()
        .filter(|call| call.succeeded && matches!(&*call.name, "fdatasync" | "fsync") && call.file == written.file)
        .any(|call| call.began > written.ended && call.ended < answer.began);
    if synced { Ok(()) } else { Err(Unproven::Unsynced) }
}

impl fmt::Display for Unproven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Silence => "no answer in the trace",
            Self::Unwritten => "answered before it was written",
            Self::Unsynced => "answered before it was synced",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, file: &str, arguments: &str, began: usize, ended: usize) -> Call {
        let (name, file, arguments) = (name.to_owned(), file.to_owned(), arguments.to_owned());
        Call { name, file, arguments, began, ended, succeeded: true }
    }

    fn written() -> Call {
        call("pwrite64", "a-wal", "m1", 1, 2)
    }

    fn answered(began: usize) -> Call {
        call("writev", "socket:[1]", "HTTP/1.1 202 m1", began, began)
    }

    fn proof(calls: &[Call]) -> Result<(), Unproven> {
        let watched = Watched { marker: "m1".to_owned(), answer: vec!["m1".to_owned()] };
        prove(calls, &watched, |file| file.ends_with("-wal"))
    }

    #[test]
    fn a_sync_between_the_write_and_the_answer_is_proof() {
        assert_eq!(proof(&[written(), call("fdatasync", "a-wal", "", 3, 5), answered(6)]), Ok(()));
    }

    #[test]
    fn a_sync_of_another_file_or_one_that_failed_or_that_began_too_early_or_ended_too_late_is_none() {
        let failed = Call { succeeded: false, ..call("fdatasync", "a-wal", "", 3, 5) };
        for sync in [
            call("fdatasync", "b-wal", "", 3, 5),
            failed,
            call("fdatasync", "a-wal", "", 0, 5),
            call("fdatasync", "a-wal", "", 3, 7),
        ] {
            assert_eq!(proof(&[written(), sync, answered(6)]), Err(Unproven::Unsynced));
        }
    }

    #[test]
    fn an_answer_without_a_write_before_it_and_a_message_without_an_answer_are_told() {
        assert_eq!(proof(&[answered(1)]), Err(Unproven::Unwritten));
        assert_eq!(proof(&[answered(1), call("pwrite64", "a-wal", "m1", 2, 3)]), Err(Unproven::Unwritten));
        assert_eq!(proof(&[written()]), Err(Unproven::Silence));
    }
}
