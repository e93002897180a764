//! `msctl call`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::duration;

/// Send one request to a service through cluster DNS; its body goes to stdout
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
#[command(after_help = "Examples:
  msctl call service-a
  msctl call service-a/service-b --trace
  msctl call service-a -d '{\"key\":\"value\"}'
  msctl call orders/notes -d @notes.txt -H 'content-type: text/plain'
  msctl call -X DELETE orders.shop:8080/orders/7 -i
  msctl call service-a -d @body.json --output-file answer.txt
  msctl call service-a/messages -d '{\"key\":\"value\"}' --async --follow
  msctl call service-a/messages -d @order.json -H 'Idempotency-Key: order-7' --follow --trace

With --follow stdout gets one result: the message as it was when the wait ended, however it ended.
Exit code 5 when the message is dead, 70 when it is still pending after --timeout; both errors
name the command to run next.
Exit code 5 when the answer's status is 400 or above; the body is printed all the same.
Exit code 1 when --trace was asked for and the trace cannot be shown, though the call itself was answered.")]
pub(crate) struct CallArgs {
    /// NAME[.NAMESPACE][:PORT][/PATH][?QUERY]; another host needs its scheme, `http://HOST[:PORT][/PATH]`
    #[arg(value_name = "TARGET")]
    pub(crate) target: String,
    /// Method; GET by default, POST when there is a body
    #[arg(short = 'X', long = "request", value_name = "METHOD")]
    pub(crate) method: Option<String>,
    /// Header; may be repeated; `NAME:` alone leaves out one that is sent by default
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub(crate) headers: Vec<String>,
    /// Body; @FILE reads a file, @- stdin, 64 MiB at most and within --timeout. It is sent as application/json, and checked to be
    /// JSON where it is not empty, unless -H says otherwise
    #[arg(short = 'd', long = "data", value_name = "DATA", allow_hyphen_values = true)]
    pub(crate) data: Option<String>,
    /// Print the status line and headers before the body
    #[arg(short = 'i', long)]
    pub(crate) include: bool,
    /// Ask for an answer before the work is done (Prefer: respond-async)
    #[arg(long = "async")]
    pub(crate) asynchronous: bool,
    /// Wait until what was accepted is delivered or dead: the resource that Location names in a 201 or 202, or the one that GET
    /// answered, is asked for its `state`
    #[arg(long)]
    pub(crate) follow: bool,
    /// Write the body to a file; - is stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) output_file: Option<PathBuf>,
    /// Print the tree of hops after the body
    #[arg(long)]
    pub(crate) trace: bool,
    /// How long --trace waits for spans to arrive: 500ms, 5s; what has arrived by then is shown
    #[arg(long, default_value = "5s", value_name = "DURATION", value_parser = duration::parse_positive)]
    pub(crate) trace_timeout: Duration,
    /// How long the call may take, from reading its body to the end of the answer's, or of --follow: 500ms, 30s, 1m; exit code 70 when it passes
    #[arg(long, default_value = "30s", value_name = "DURATION", value_parser = duration::parse_positive)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) way: WayArgs,
}

/// How to get to services and to Jaeger.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Way")]
pub(crate) struct WayArgs {
    /// Way to the service; relay from outside a cluster, direct inside one
    #[arg(long, value_enum, value_name = "WAY")]
    pub(crate) via: Option<Via>,
    /// Image of the relay pod; that of this msctl's version by default
    #[arg(long, env = "MSCTL_RELAY_IMAGE", hide_env_values = true, value_name = "IMAGE")]
    pub(crate) relay_image: Option<String>,
    /// Where Jaeger is, and its query port; by default where the service sends its spans, else `jaeger` in its namespace
    #[arg(long, env = "MSCTL_JAEGER", hide_env_values = true, value_name = "NAME[.NAMESPACE][:PORT]")]
    pub(crate) jaeger: Option<String>,
    /// Say on stderr which way was taken and how long each step took
    #[arg(short = 'v', long)]
    pub(crate) verbose: bool,
}

/// Ways from here to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Via {
    /// A small pod in the target's namespace, made on demand, reached through one port-forward
    Relay,
    /// Straight from this machine, as a pod inside the cluster does
    Direct,
}
