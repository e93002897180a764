//! What is known of a message while it is followed. It outlives the wait: stdout gets it, however the wait ends.

use bytes::Bytes;
use http::response::Parts;

use super::message::{Ending, Message};
use crate::commands::call::request::Outgoing;
use crate::commands::call::sink::{self, Sink};
use crate::error::{Error, ExitCode};

/// The last answer that told of the message, and where to ask for more.
#[derive(Debug, Default)]
pub(in crate::commands::call) struct Kept {
    last: Option<(Parts, Bytes)>,
    message: Option<Message>,
    found: Option<Found>,
}

/// Commands for later.
#[derive(Debug)]
struct Found {
    look: String,
    redeliver: String,
}

impl Kept {
    /// Takes the first answer, which may tell nothing of a message.
    pub(in crate::commands::call) fn begin(&mut self, head: Parts, body: Bytes) {
        self.message = Message::read(&body);
        self.last = Some((head, body));
    }

    pub(super) fn learn(&mut self, head: Parts, body: Bytes, message: Message) {
        self.last = Some((head, body));
        self.message = Some(message);
    }

    /// `said` are the command line's flags that say where, for a name that does not.
    pub(super) fn is_found_at(&mut self, question: &Outgoing, said: &str) {
        let named = question.target.service().is_some_and(|service| service.namespace.is_none());
        let said = if named { said } else { "" };
        let query = question.target.path.split_once('?').map_or(String::new(), |(_, query)| format!("?{query}"));
        let shown = question.shown_target();
        let look = format!("msctl call {}{said}", quoted(&format!("{shown}{query}")));
        let redeliver = format!("msctl call -X POST {}{said}", quoted(&format!("{shown}/redeliver")));
        self.found = Some(Found { look, redeliver });
    }

    pub(super) fn head(&self) -> Option<&Parts> {
        self.last.as_ref().map(|(head, _)| head)
    }

    pub(super) fn has_state(&self) -> bool {
        self.message.is_some()
    }

    pub(super) fn ending(&self) -> Option<Ending> {
        self.message.as_ref().and_then(Message::ending)
    }

    pub(super) fn progress(&self) -> String {
        self.message.as_ref().map_or_else(|| "what was accepted".to_owned(), ToString::to_string)
    }

    /// Prints the last answer, if there is one; another is never printed.
    pub(in crate::commands::call) fn print(&self, sink: &mut Sink<'_>, include: bool) -> Result<(), Error> {
        let Some((head, body)) = &self.last else { return Ok(()) };
        sink.begin()?;
        if include {
            sink.write(&sink::head(head))?;
        }
        sink.write(body)?;
        sink.end()
    }

    /// Adds to the error of a wait that did not come to its end how to go on.
    pub(in crate::commands::call) fn explain(&self, error: Error) -> Error {
        let Some(found) = &self.found else { return error };
        match error.code() {
            // What it was doing then has been said.
            ExitCode::TimedOut | ExitCode::Failed => error.next(&found.look),
            ExitCode::Interrupted => error.why("that goes on without msctl").next(&found.look),
            _ => error,
        }
    }

    /// The error of a message that was given up.
    pub(in crate::commands::call) fn dead(&self) -> Error {
        let name = self.message.as_ref().map_or_else(|| "the message".to_owned(), Message::name);
        let after = self.message.as_ref().and_then(Message::attempts).map(|attempts| format!(" after {attempts}"));
        let what = format!("{name} is dead: it was given up{}", after.unwrap_or_default());
        let error = Error::new(ExitCode::CalleeFailed, what)
            .why(self.message.as_ref().and_then(Message::last_error).unwrap_or_default());
        match &self.found {
            Some(found) => error.next(&found.redeliver),
            None => error,
        }
    }
}

/// As a shell reads it back.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._/:@%+,=[]".contains(c);
    // Brackets are an IPv6 address's; a shell takes them as they are unless a file is named so.
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_to_run_next_can_be_pasted() {
        assert_eq!(quoted("service-a.shop:8000/messages/7"), "service-a.shop:8000/messages/7");
        assert_eq!(quoted("a/x?id=7&y=1"), "'a/x?id=7&y=1'");
        assert_eq!(quoted("a/it's"), r"'a/it'\''s'");
    }
}
