//! `msctl scale`.

use clap::Args;

use super::{OutputArgs, WaitArgs};

/// Set the replicas of services and wait until that many are ready
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  msctl scale service-a --replicas 5
  msctl scale service-a service-b --replicas 0
  msctl scale service-a --min 2 --max 10

A service with an autoscaler takes --min and --max; --replicas is refused there, because the autoscaler would
undo it.")]
pub(crate) struct ScaleArgs {
    /// Services
    #[arg(required = true, value_name = "SERVICE")]
    pub(crate) services: Vec<String>,
    /// Replicas wanted; 0 stops the service
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..),
          required_unless_present_any = ["min", "max"], conflicts_with_all = ["min", "max"])]
    pub(crate) replicas: Option<i32>,
    /// Fewest replicas that the autoscaler may choose
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    pub(crate) min: Option<i32>,
    /// Most replicas that the autoscaler may choose
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    pub(crate) max: Option<i32>,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
