//! `msctl relay`.

use crate::cli::{Globals, relay::RelayArgs};
use crate::error::{Error, ExitCode};
use crate::output::Printer;

pub(crate) async fn run(args: RelayArgs, globals: &Globals, printer: &Printer) -> Result<ExitCode, Error> {
    let _ = (args, globals, printer);
    Err(Error::new(ExitCode::Failed, "relay is not built in yet"))
}
