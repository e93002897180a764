//! What a verb did, also when it failed half-way: printed as on success, and then the error.

use crate::error::{Error, ExitCode};

/// What was done, and why no more was.
#[derive(Debug)]
pub(crate) struct Outcome<T> {
    pub(crate) done: Vec<T>,
    pub(crate) failed: Option<Error>,
}

impl<T> Outcome<T> {
    pub(crate) fn of(done: Vec<T>, result: Result<(), Error>) -> Self {
        Self { done, failed: result.err() }
    }

    /// Of an interrupted verb: that what was done `stays`, if it is anything, and the command that shows how it is now.
    pub(crate) fn or_stays(self, stays: &str, look: String) -> Self {
        let stays = if self.done.is_empty() { "" } else { stays };
        let failed = self.failed.map(|error| match error.code() {
            ExitCode::Interrupted => error.why(stays).next(look),
            _ => error,
        });
        Self { failed, ..self }
    }

    /// Prints what was done, after a failure only if that is something.
    pub(super) fn end(self, print: impl FnOnce(Vec<T>) -> Result<(), Error>) -> Result<ExitCode, Error> {
        let Self { done, failed } = self;
        match failed {
            None => print(done).map(|()| ExitCode::Done),
            Some(error) if done.is_empty() => Err(error),
            // That nobody could read it is the lesser trouble.
            Some(error) => {
                let _ = print(done);
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupt_says_that_something_stays_only_when_something_was_done() {
        let interrupted = |done: Vec<u8>| {
            let error = Error::new(ExitCode::Interrupted, "interrupted: delete service-a");
            Outcome::of(done, Err(error)).or_stays("it stays", "msctl status".to_owned()).failed.unwrap().to_string()
        };
        assert_eq!(interrupted(vec![]), "error: interrupted: delete service-a\n  next: msctl status");
        assert_eq!(interrupted(vec![1]), "error: interrupted: delete service-a\n  why: it stays\n  next: msctl status");
    }

    #[test]
    fn what_was_done_is_printed_before_a_failure_and_nothing_is_when_nothing_was() {
        let failed = || Err(Error::new(ExitCode::TimedOut, "late"));
        for (done, result, printed, code) in [
            (vec![1], Ok(()), true, Ok(ExitCode::Done)),
            (vec![], Ok(()), true, Ok(ExitCode::Done)),
            (vec![1], failed(), true, Err(ExitCode::TimedOut)),
            (vec![], failed(), false, Err(ExitCode::TimedOut)),
        ] {
            let mut asked = false;
            let ended = Outcome::of(done, result).end(|_| {
                asked = true;
                Ok(())
            });
            assert_eq!((asked, ended.map_err(|error| error.code())), (printed, code));
        }
    }
}
