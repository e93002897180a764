//! `msctl guard`: what keeps the processes of `msctl up` from outliving it.

use clap::Args;

/// Run the guard: what spawns the services of `msctl up`, and ends them with it
#[derive(Debug, Args)]
#[command(
    hide = true,
    after_help = "Examples:
  msctl guard"
)]
pub(crate) struct GuardArgs {}
