//! `msctl` deploys, scales and calls HTTP microservices, on Kubernetes or as processes of this machine, and shows every
//! hop of every call.

mod cli;
mod cluster;
mod collector;
mod commands;
mod error;
mod interrupt;
mod local;
mod output;
mod platform;
mod target;
mod telemetry;
mod trace;
mod wanted;
mod way;

use clap::Parser as _;

use crate::output::Printer;

/// musl's own allocator is several times slower under load.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    let printer = Printer::from_environment();
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(message) => return commands::usage(&message, &printer).into(),
    };
    commands::run(cli, &printer)
        .unwrap_or_else(|error| {
            printer.error(&error);
            error.code()
        })
        .into()
}
