//! What was sent, and every answer to it.

use std::fmt;
use std::time::Duration;

/// How a client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Manner {
    /// With `Prefer: respond-async`.
    pub(crate) respond_async: bool,
    /// With an `Idempotency-Key`, and again until there is an answer.
    pub(crate) keyed: bool,
}

/// One message that a client wanted to be stored.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) number: u64,
    pub(crate) manner: Manner,
    pub(crate) tries: Vec<Try>,
}

/// One request of an attempt.
#[derive(Clone, Debug)]
pub(crate) struct Try {
    /// Since the start of the run.
    pub(crate) at: Duration,
    /// The index of the process of A that was asked.
    pub(crate) asked: usize,
    pub(crate) answer: Answer,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// 201 or 202: A promises that the message arrives once.
    Acknowledged { status: u16, id: String },
    /// 503 or 429: come back later.
    Refused { status: u16, detail: String },
    /// No answer: what became of the message is not known.
    Lost { reason: String },
    /// An answer that A must not give.
    Wrong { status: u16, detail: String },
}

impl Attempt {
    pub(crate) fn new(number: u64, manner: Manner) -> Self {
        Self { number, manner, tries: Vec::new() }
    }

    /// The id of every acknowledgement.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.tries.iter().filter_map(|one| match &one.answer {
            Answer::Acknowledged { id, .. } => Some(id.as_str()),
            _ => None,
        })
    }

    pub(crate) fn acknowledged(&self) -> bool {
        self.ids().next().is_some()
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Manner { respond_async, keyed } = self.manner;
        let way = if respond_async { "asynchronous" } else { "synchronous" };
        write!(f, "attempt {} ({way}, {})", self.number, if keyed { "with a key" } else { "without a key" })?;
        for Try { at, asked, answer } in &self.tries {
            write!(f, "\n      {:9.3} s  A{asked}  ", at.as_secs_f64())?;
            match answer {
                Answer::Acknowledged { status, id } => write!(f, "{status}  {id}")?,
                Answer::Refused { status, detail } | Answer::Wrong { status, detail } => {
                    write!(f, "{status}  {detail}")?;
                }
                Answer::Lost { reason } => write!(f, "no answer: {reason}")?,
            }
        }
        Ok(())
    }
}
