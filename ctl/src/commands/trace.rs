//! `msctl trace`.

use crate::cli::{Globals, trace::TraceArgs};
use crate::error::{Error, ExitCode};
use crate::output::Printer;

pub(crate) async fn run(args: TraceArgs, globals: &Globals, printer: &Printer) -> Result<ExitCode, Error> {
    let _ = (args, globals, printer);
    Err(Error::new(ExitCode::Failed, "trace is not built in yet"))
}
