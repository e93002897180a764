//! `msctl relay`: what runs in the relay pod.

use clap::Args;

/// Run the relay: what the relay pod runs, made on demand by `call` and `trace`
#[derive(Debug, Args)]
#[command(
    hide = true,
    after_help = "Examples:
  msctl relay"
)]
pub(crate) struct RelayArgs {}
