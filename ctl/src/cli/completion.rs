//! `msctl completion`.

use clap::{Args, ValueEnum};

/// Print a shell's completion script
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  msctl completion bash > ~/.local/share/bash-completion/completions/msctl
  msctl completion zsh > ~/.zfunc/_msctl
  msctl completion fish > ~/.config/fish/completions/msctl.fish")]
pub(crate) struct CompletionArgs {
    /// Shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

/// Shells whose completion is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}
