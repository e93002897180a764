//! The supervisor with real processes. This binary is also what it starts: the guard, the service, and a supervisor that
//! can be killed.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests, without the harness that clippy knows"
)]

mod changes;
mod ends;
mod failures;
mod project;
mod service;
mod starts;
mod victim;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

type Cases = Vec<(&'static str, fn())>;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some(project::GUARD) => return local::guard::run().map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS),
        Some(service::ROLE) => service::main(),
        Some(victim::ROLE) => return victim::main(),
        _ => {}
    }
    let cases = [starts::cases(), changes::cases(), failures::cases(), ends::cases()].concat();
    let trials = cases.into_iter().map(|(name, case)| {
        Trial::test(name, move || {
            case();
            Ok(())
        })
    });
    let trials = trials.collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
