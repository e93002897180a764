//! `msctl call`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::duration;

/// Send one request to a service through cluster DNS; its body goes to stdout
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  msctl call service-a
  msctl call service-a/service-b --trace
  msctl call service-a -d '{\"key\":\"value\"}' -H 'content-type: application/json'
  msctl call -X DELETE orders.shop:8080/orders/7 -i
  msctl call service-a -d @body.json --output-file answer.txt

Exit code 5 when the answer's status is 400 or above; the body is printed all the same.")]
pub(crate) struct CallArgs {
    /// NAME[.NAMESPACE][:PORT][/PATH][?QUERY]; another host needs its scheme: http://HOST[:PORT][/PATH]
    #[arg(value_name = "TARGET")]
    pub(crate) target: String,
    /// Method; GET by default, POST when there is a body
    #[arg(short = 'X', long = "request", value_name = "METHOD")]
    pub(crate) method: Option<String>,
    /// Header; may be repeated
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub(crate) headers: Vec<String>,
    /// Body; @FILE reads a file, @- stdin; JSON is sent as application/json unless -H says otherwise
    #[arg(short = 'd', long = "data", value_name = "DATA", allow_hyphen_values = true)]
    pub(crate) data: Option<String>,
    /// Print the status line and headers before the body
    #[arg(short = 'i', long)]
    pub(crate) include: bool,
    /// Write the body to a file
    #[arg(long, value_name = "FILE")]
    pub(crate) output_file: Option<PathBuf>,
    /// Print the tree of hops after the body
    #[arg(long)]
    pub(crate) trace: bool,
    /// Way to the service; relay from outside a cluster, direct inside one
    #[arg(long, value_enum, value_name = "WAY")]
    pub(crate) via: Option<Via>,
    /// Image of the relay pod
    #[arg(long, value_name = "IMAGE")]
    pub(crate) relay_image: Option<String>,
    /// Where Jaeger is
    #[arg(long, default_value = "jaeger", value_name = "NAME[.NAMESPACE][:PORT]")]
    pub(crate) jaeger: String,
    /// How long the whole call may take: 500ms, 30s, 1m; exit code 70 when it passes
    #[arg(long, default_value = "30s", value_name = "DURATION", value_parser = duration::parse_positive)]
    pub(crate) timeout: Duration,
}

/// Ways from here to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Via {
    /// A small pod in the target's namespace, made on demand, reached through one port-forward
    Relay,
    /// Straight from this machine, as a pod inside the cluster does
    Direct,
}
