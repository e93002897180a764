//! `msctl up`.

use clap::Args;

/// Run the services of msctl.yaml on this machine, until Ctrl-C
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  msctl up
  msctl up service-a
  msctl up --detach
  msctl call service-a/service-b --trace --local

Ctrl-C once lets requests that are under way end; twice ends everything at once. However it ends, nothing of it
is left running.")]
pub(crate) struct UpArgs {
    /// Services; all that have a `run` by default
    #[arg(value_name = "SERVICE")]
    pub(crate) services: Vec<String>,
    /// Return when all is ready, and go on in the background until `msctl down`
    #[arg(short = 'd', long)]
    pub(crate) detach: bool,
    /// This is the one in the background: it leaves the terminal
    #[arg(long, hide = true, conflicts_with = "detach")]
    pub(crate) background: bool,
}
