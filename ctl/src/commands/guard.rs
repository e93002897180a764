//! `msctl guard`: what runs beside `msctl up`. One thread, and no runtime but its own.

use crate::error::{Error, ExitCode};

pub(crate) fn run() -> Result<ExitCode, Error> {
    match ::local::guard::run() {
        Ok(()) => Ok(ExitCode::Done),
        Err(cause) => Err(Error::new(ExitCode::Failed, "the guard of `msctl up` failed")
            .why(cause.to_string())
            .place("a process that `msctl up` starts")
            .next("msctl up starts one; it is nothing to be run by hand")),
    }
}
