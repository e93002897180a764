//! `msctl deploy`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{OutputArgs, WaitArgs};

/// What a person may name.
fn services() -> String {
    let bundled: Vec<&str> = manifests::values::bundled().collect();
    format!("Services: a bundled one ({}), or any name with --image and --port", bundled.join(", "))
}

/// Deploy services and wait until they are ready, or say why they cannot be
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  msctl deploy service-a
  msctl deploy service-a service-b -n shop --create-namespace
  msctl deploy orders --image ghcr.io/example/orders:1.4.2 --port 8080
  msctl deploy service-a --values prod.yaml --set resources.limits.memory=64Mi
  msctl deploy service-a --replicas 3
  msctl deploy service-a --dry-run=server
  msctl deploy service-a --dry-run=client -o yaml > service-a.yaml

A deploy does not touch the replicas that a person or an autoscaler has set since, unless --replicas or
--set replicas asks for it.")]
pub(crate) struct DeployArgs {
    #[arg(required = true, value_name = "SERVICE", help = services())]
    pub(crate) services: Vec<String>,
    #[command(flatten)]
    pub(crate) values: ValuesArgs,
    /// Show what would change and change nothing: client asks no cluster, server has the API server check it
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "client", value_name = "WHO")]
    pub(crate) dry_run: Option<DryRun>,
    /// Create the namespace when it is missing
    #[arg(long)]
    pub(crate) create_namespace: bool,
    /// Take over fields that another manager (kubectl, helm, a controller) owns
    #[arg(long)]
    pub(crate) force_conflicts: bool,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Who checks a dry run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DryRun {
    Client,
    Server,
}

/// Values, merged in this order as Helm merges: bundled defaults, files, --set, then the short forms.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Values")]
pub(crate) struct ValuesArgs {
    /// Image with its registry and tag: ghcr.io/example/orders:1.4.2
    #[arg(long, value_name = "REPO:TAG")]
    pub(crate) image: Option<String>,
    /// Port that the service listens on
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,
    /// Replicas; without it, what was set last stays
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    pub(crate) replicas: Option<i32>,
    /// File of values, `-` is stdin; may be repeated, the last one wins
    #[arg(long, value_name = "FILE")]
    pub(crate) values: Vec<PathBuf>,
    /// Value, in Helm's syntax: a.b=1,list={x,y}; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// As --set, the value is always a string
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set_string: Vec<String>,
    /// As --set, the value is JSON
    #[arg(long, value_name = "KEY=JSON")]
    pub(crate) set_json: Vec<String>,
    /// As --set, the value is what a file holds
    #[arg(long, value_name = "KEY=FILE")]
    pub(crate) set_file: Vec<String>,
}
