//! `--follow`: asks how far a message has come, over the connection that accepted it, until it has arrived or is given
//! up.

mod kept;
mod location;
mod message;
mod poll;

use ::telemetry::FutureExt as _;
use http::header::LOCATION;
use http::{Method, StatusCode};
use tokio::time::{Instant, sleep};

use super::exchange::Line;
use super::request::Outgoing;
use super::root;
use super::route::{Open, Route};
use crate::error::{Error, ExitCode};
use crate::way::Stage;
pub(super) use kept::Kept;
use location::Base;
pub(super) use message::Ending;
use poll::{Pace, Polled};

/// Bytes of an answer that is held back until the wait is over; a message is some 64 KiB at most.
pub(super) const LARGEST: usize = 4 << 20;
/// A wait that takes longer than this is spoken of.
const SILENCE: std::time::Duration = std::time::Duration::from_secs(1);

/// Everything that a question needs.
#[derive(Debug)]
pub(super) struct Follow<'a> {
    pub(super) route: &'a Route<'a>,
    pub(super) open: &'a Open,
    pub(super) line: &'a Line,
    pub(super) stage: &'a Stage,
}

impl Follow<'_> {
    /// Returns once the message has come to an end; what was answered last is in `kept`, also after an error.
    pub(super) async fn run(&self, outgoing: &Outgoing, kept: &mut Kept) -> Result<Ending, Error> {
        // The answer itself may say how it ended: a service that waits for its delivery does.
        let ending = kept.ending();
        let question = match self.resource(outgoing, kept) {
            Ok(path) => outgoing.question(path),
            Err(error) => return ending.ok_or(error),
        };
        kept.is_found_at(&question, &self.open.way.said());
        if let Some(ending) = ending {
            return Ok(ending);
        }
        // In a trace they would hide the delivery among them, and in the service's own they are nobody's work.
        self.ask_until_it_ends(&question, kept).with_context(root::unrecorded()).await
    }

    async fn ask_until_it_ends(&self, question: &Outgoing, kept: &mut Kept) -> Result<Ending, Error> {
        let began = Instant::now();
        let mut pace = Pace::default();
        let mut asked = 0_u32;
        self.tell(&kept.progress(), kept, began);
        loop {
            sleep(pace.pause()).await;
            asked += 1;
            let progress = match poll::ask(self.line, self.open, question).await? {
                Polled::Answered { head, body, message } => {
                    kept.learn(head, body, message);
                    kept.progress()
                }
                Polled::Later { why, after } => {
                    pace.not_before(after);
                    format!("{}; {why}", kept.progress())
                }
            };
            if let Some(ending) = kept.ending() {
                if self.route.args.way.verbose {
                    let took = began.elapsed().as_millis();
                    self.route.printer.note(&format!("{progress}; asked {asked} times in {took} ms"));
                }
                return Ok(ending);
            }
            self.tell(&progress, kept, began);
        }
    }

    fn tell(&self, progress: &str, kept: &Kept, began: Instant) {
        let text = format!("following {progress}");
        if began.elapsed() > SILENCE {
            self.route.printer.live(vec![text.clone()]);
        }
        kept.stands_at(self.stage, text);
    }

    /// Path and query of what is followed.
    fn resource(&self, outgoing: &Outgoing, kept: &Kept) -> Result<String, Error> {
        let Some(head) = kept.head() else { return Err(self.cannot(outgoing)) };
        let status = head.status;
        if status == StatusCode::OK && outgoing.method == Method::GET && kept.has_state() {
            return Ok(outgoing.target.path.clone());
        }
        let accepted = matches!(status, StatusCode::CREATED | StatusCode::ACCEPTED);
        let location = head.headers.get(LOCATION).filter(|value| !value.is_empty());
        let Some(location) = location.filter(|_| accepted) else {
            return Err(self
                .cannot(outgoing)
                .why(format!("it answered {status}{}", if accepted { " without a Location" } else { "" }))
                .why("a 201 or 202 with a Location can be followed, and a GET whose JSON has a `state`"));
        };
        let authority = format!("{}:{}", self.open.host, self.open.port);
        let host = outgoing.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
        let base = Base { authority: &authority, host, path: &outgoing.target.path };
        let text = String::from_utf8_lossy(location.as_bytes());
        base.resolve(&text).map_err(|cause| {
            self.cannot(outgoing).why(format!("it answered {status} with Location {text}")).why(cause.to_string())
        })
    }

    fn cannot(&self, outgoing: &Outgoing) -> Error {
        Error::new(ExitCode::Failed, format!("{} was answered, but cannot be followed", outgoing.shown_target()))
            .place(self.open.way.place())
            .next("leave out --follow: what it answered is its result")
    }
}

#[cfg(test)]
#[path = "follow/follow_tests.rs"]
mod tests;
