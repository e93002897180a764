//! `msctl trace`.

use std::time::Duration;

use clap::Args;

use super::{OutputArgs, call::WayArgs, duration};

/// Show a trace as a tree of hops: one by its id, or the latest of a service
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  msctl trace service-a
  msctl trace 4bf92f3577b34da6a3ce929d0e0e4736
  msctl trace --service orders -n shop
  msctl trace service-a --jaeger jaeger.observability:16686 -o json")]
pub(crate) struct TraceArgs {
    /// A trace id (32 hexadecimal digits, or a traceparent header), or a service whose latest trace is wanted
    #[arg(value_name = "TRACE-ID|SERVICE", required_unless_present = "service")]
    pub(crate) target: Option<String>,
    /// The service whose latest trace is wanted, also where its name looks like an id
    #[arg(long, value_name = "NAME[.NAMESPACE]", conflicts_with = "target")]
    pub(crate) service: Option<String>,
    /// How long to wait for Jaeger's answer; exit code 70 when it passes
    #[arg(long, default_value = "30s", value_name = "DURATION", value_parser = duration::parse_positive)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) way: WayArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
