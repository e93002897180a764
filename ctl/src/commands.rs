//! The verbs, one file each: resolved arguments and a printer in, an exit code or an error out.

mod call;
mod completion;
pub(crate) mod delete;
pub(crate) mod deploy;
mod down;
mod guard;
pub(crate) mod logs;
pub(crate) mod outcome;
mod relay;
pub(crate) mod scale;
pub(crate) mod status;
mod trace;
mod up;

use clap::error::ErrorKind;
use tokio::runtime::{Builder, Runtime};

use crate::cli::{Cli, Command};
use crate::error::{Error, ExitCode};
use crate::output::Printer;
use crate::platform;
use crate::telemetry;

/// Runs the verb. The runtime and what it costs are there only for the verbs that talk to somebody.
pub(crate) fn run(cli: Cli, printer: &Printer) -> Result<ExitCode, Error> {
    match &cli.command {
        Command::Completion(args) => return completion::run(args, printer),
        Command::Guard(_) => return guard::run(),
        _ => {}
    }
    if let Some(aim) = platform::flag(&cli.globals) {
        printer.aim(aim);
    }
    let runtime = runtime(&cli.command).map_err(|cause| {
        Error::new(ExitCode::Failed, "cannot start the asynchronous runtime")
            .why(cause.to_string())
            .place("this machine")
            .next("ulimit -a shows what a process may have")
    })?;
    let help = format!("msctl {} --help", cli.command.name());
    let outcome = runtime.block_on(async {
        let outcome = dispatch(cli, printer).await;
        // Also after a failure: its spans are the ones that are wanted.
        telemetry::flush(printer).await;
        outcome
    });
    // A credential plugin or a resolver that hangs on a thread of its own does not hold the exit.
    runtime.shutdown_background();
    outcome.map_err(|error| {
        let error = error.or_next(help);
        match error.code() {
            ExitCode::Usage => error.or_place("the command line"),
            _ => error.or_place("this machine"),
        }
    })
}

fn runtime(command: &Command) -> std::io::Result<Runtime> {
    match command {
        // What passes bytes on for services has more than one thing to do at a time.
        Command::Up(args) if !args.detach => Builder::new_multi_thread().worker_threads(2).enable_all().build(),
        _ => Builder::new_current_thread().enable_all().build(),
    }
}

async fn dispatch(cli: Cli, printer: &Printer) -> Result<ExitCode, Error> {
    let globals = &cli.globals;
    match cli.command {
        Command::Call(args) => call::run(args, globals, printer).await,
        Command::Trace(args) => trace::run(args, globals, printer).await,
        Command::Relay(args) => relay::run(args, globals, printer).await,
        Command::Completion(args) => completion::run(&args, printer),
        Command::Guard(_) => guard::run(),
        Command::Up(args) => up::run(args, globals, printer).await,
        Command::Down(args) => down::run(args, globals, printer).await,
        Command::Deploy(args) => deploy::run(args, globals, printer).await,
        Command::Scale(args) => scale::run(args, globals, printer).await,
        Command::Logs(args) => logs::run(args, globals, printer).await,
        Command::Status(args) => status::run(args, globals, printer).await,
        Command::Delete(args) => delete::run(args, globals, printer).await,
    }
}

/// What clap says: help and the version are results, anything else is a usage error.
pub(crate) fn usage(message: &clap::Error, printer: &Printer) -> ExitCode {
    let colour = printer.colour();
    match message.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let text = if colour.stdout { message.render().ansi().to_string() } else { message.to_string() };
            match printer.text(&text) {
                Ok(()) => ExitCode::Done,
                Err(error) => {
                    printer.error(&error);
                    error.code()
                }
            }
        }
        _ => {
            let text = if colour.stderr { message.render().ansi().to_string() } else { message.to_string() };
            printer.styled(text.trim_end());
            ExitCode::Usage
        }
    }
}
