//! `msctl call`.

use crate::cli::{Globals, call::CallArgs};
use crate::error::{Error, ExitCode};
use crate::output::Printer;

pub(crate) async fn run(args: CallArgs, globals: &Globals, printer: &Printer) -> Result<ExitCode, Error> {
    let _ = (args, globals, printer);
    Err(Error::new(ExitCode::Failed, "call is not built in yet"))
}
