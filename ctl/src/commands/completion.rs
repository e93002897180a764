//! `msctl completion`: a shell's completion script.

use clap::CommandFactory as _;

use crate::cli::Cli;
use crate::cli::completion::{CompletionArgs, Shell};
use crate::error::{Error, ExitCode};
use crate::output::Printer;

pub(crate) fn run(args: &CompletionArgs, printer: &Printer) -> Result<ExitCode, Error> {
    printer.text(&script(args.shell))?;
    Ok(ExitCode::Done)
}

fn script(shell: Shell) -> String {
    let shell = match shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "msctl", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_gets_a_script_that_knows_every_verb_a_person_types() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = script(shell);
            for verb in ["deploy", "scale", "call", "status", "trace", "delete", "completion"] {
                assert!(script.contains(verb), "{shell:?} does not know {verb}");
            }
        }
    }
}
