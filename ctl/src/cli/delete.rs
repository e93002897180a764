//! `msctl delete`.

use clap::Args;

use super::{OutputArgs, WaitArgs};

/// Delete what deploy made, and wait until it is gone
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  msctl delete service-a
  msctl delete service-a service-b -n shop
  msctl delete orders --ignore-not-found")]
pub(crate) struct DeleteArgs {
    /// Services
    #[arg(required = true, value_name = "SERVICE")]
    pub(crate) services: Vec<String>,
    /// A service that is not there is not an error
    #[arg(long)]
    pub(crate) ignore_not_found: bool,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
