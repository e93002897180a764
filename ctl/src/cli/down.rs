//! `msctl down`.

use clap::Args;

/// End what `msctl up` runs, and remove its state
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  msctl down
  msctl down --volumes")]
pub(crate) struct DownArgs {
    /// Also remove the services' own files: their databases
    #[arg(short = 'v', long)]
    pub(crate) volumes: bool,
}
