//! `msctl status`.

use clap::Args;

use super::OutputArgs;

/// Show services, and the reason when one is not ready
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  msctl status
  msctl status service-a -o wide
  msctl status -A
  msctl status -l team=shop -o json")]
pub(crate) struct StatusArgs {
    /// Services; all of the namespace by default
    #[arg(value_name = "SERVICE")]
    pub(crate) services: Vec<String>,
    /// All namespaces
    #[arg(short = 'A', long)]
    pub(crate) all_namespaces: bool,
    /// Only services with these labels: key=value,other!=value
    #[arg(short = 'l', long, value_name = "LABELS")]
    pub(crate) selector: Option<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
