//! What is known of a message while it is followed. It outlives the wait: stdout gets it, however the wait ends.

use bytes::Bytes;
use http::response::Parts;

use super::message::{Ending, Message};
use crate::commands::call::request::Outgoing;
use crate::commands::call::sink::{self, Sink};
use crate::error::{Error, ExitCode};
use crate::way::Stage;

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
    /// Waits on: what was accepted is not sent a second time.
    follow: String,
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
        let follow = format!("msctl call {} --follow{said}", quoted(&format!("{shown}{query}")));
        let redeliver = format!("msctl call -X POST {}{said}", quoted(&format!("{shown}/redeliver")));
        self.found = Some(Found { look, follow, redeliver });
    }

    /// What it is at, and the command that waits on.
    pub(super) fn stands_at(&self, stage: &Stage, text: String) {
        match &self.found {
            Some(found) => stage.is_until(text, &found.follow),
            None => stage.is(text),
        }
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
            ExitCode::Failed => error.next(&found.look),
            // Where it was our own time, the command has been said too.
            ExitCode::TimedOut | ExitCode::Interrupted => {
                let said = error.rest().iter().any(|(word, text)| *word == "next" && *text == found.follow);
                let error = error.why(self.goes_on());
                if said { error } else { error.next(&found.follow) }
            }
            _ => error,
        }
    }

    fn goes_on(&self) -> String {
        match &self.message {
            Some(message) => format!("{}; it goes on without msctl", message.standing()),
            None => "what was accepted goes on without msctl".to_owned(),
        }
    }

    /// The error of a message that was given up.
    pub(in crate::commands::call) fn dead(&self) -> Error {
        let name = self.message.as_ref().map_or_else(|| "the message".to_owned(), Message::name);
        let after = self.message.as_ref().and_then(Message::attempts).map(|attempts| format!(" after {attempts}"));
        let what = format!("{name} is dead: it was given up{}", after.unwrap_or_default());
        let error = Error::new(ExitCode::CalleeFailed, what)
            .why(self.message.as_ref().and_then(Message::last_error).unwrap_or("the service says no reason"));
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
    fn a_wait_that_is_given_up_is_gone_on_with_and_nothing_is_sent_again() {
        let question = |target: &str| Outgoing {
            target: target.parse().unwrap(),
            method: http::Method::GET,
            headers: http::HeaderMap::new(),
            body: Bytes::new(),
        };
        let head = || http::Response::new(()).into_parts().0;
        for (target, body, code, said) in [
            (
                "service-a/messages/7",
                r#"{"id":"7","state":"pending"}"#,
                ExitCode::Interrupted,
                [
                    "why: message 7 is pending; it goes on without msctl",
                    "next: msctl call service-a/messages/7 --follow -n shop",
                ],
            ),
            (
                "service-a.shop/jobs?id=7",
                "",
                ExitCode::TimedOut,
                [
                    "why: what was accepted goes on without msctl",
                    "next: msctl call 'service-a.shop/jobs?id=7' --follow",
                ],
            ),
        ] {
            let mut kept = Kept::default();
            kept.begin(head(), Bytes::from_static(body.as_bytes()));
            kept.is_found_at(&question(target), " -n shop");
            let text = kept.explain(Error::new(code, "given up")).to_string();
            assert!(said.iter().all(|said| text.contains(said)) && text.ends_with(said[1]), "{text}");
        }
    }

    #[test]
    fn a_command_to_run_next_can_be_pasted() {
        assert_eq!(quoted("service-a.shop:8000/messages/7"), "service-a.shop:8000/messages/7");
        assert_eq!(quoted("a/x?id=7&y=1"), "'a/x?id=7&y=1'");
        assert_eq!(quoted("a/it's"), r"'a/it'\''s'");
    }
}
