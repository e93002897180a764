//! `msctl completion`: a shell's completion script.

use clap::{Command, CommandFactory as _};

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
    clap_complete::generate(shell, &mut typed(&Cli::command()), "msctl", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// The command line without the verbs that msctl itself runs: the scripts would offer what the help does not show.
fn typed(cli: &Command) -> Command {
    Command::new("msctl")
        .version(env!("CARGO_PKG_VERSION"))
        .args(cli.get_arguments())
        .subcommands(cli.get_subcommands().filter(|verb| !verb.is_hide_set()))
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
            assert!(script.contains("--kubeconfig"), "{shell:?} does not know what all verbs take");
        }
    }

    #[test]
    fn no_shell_offers_what_the_help_hides() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            assert!(!script(shell).contains("guard"), "{shell:?}");
        }
        // `relay` is also a value of --via.
        let verbs = |cli: &Command| cli.get_subcommands().map(|verb| verb.get_name().to_owned()).collect::<Vec<_>>();
        let (all, typed) = (verbs(&Cli::command()), verbs(&typed(&Cli::command())));
        let hidden: Vec<&String> = all.iter().filter(|verb| !typed.contains(verb)).collect();
        assert_eq!(hidden, ["guard", "relay"]);
    }
}
