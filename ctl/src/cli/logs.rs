//! `msctl logs`.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::duration;

/// Show what services write to stdout and stderr, all their pods merged
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  msctl logs service-a
  msctl logs service-a service-b --follow
  msctl logs --tail 20 --timestamps
  msctl logs service-a --since 10m -o json | jq -r .line

Without --follow lines come in the order of time. With it they come as they are written, through restarts and
rollouts: pods that come are followed from their first line, pods that go are read to their last.

Ctrl-C ends --follow with exit code 130, as it ends kubectl's; a closed pipe ends it with 0.")]
pub(crate) struct LogsArgs {
    /// Services; all of the namespace by default
    #[arg(value_name = "SERVICE")]
    pub(crate) services: Vec<String>,
    /// Go on with lines as they come
    #[arg(short = 'f', long)]
    pub(crate) follow: bool,
    /// The last so many lines of each pod only
    #[arg(long, value_name = "N")]
    pub(crate) tail: Option<u32>,
    /// Lines of the last so long only: 30s, 5m, 1h
    #[arg(long, value_name = "DURATION", value_parser = duration::parse_past)]
    pub(crate) since: Option<Duration>,
    /// When each line was written, before it
    #[arg(long)]
    pub(crate) timestamps: bool,
    /// Form of the result; json is one object a line
    #[arg(short = 'o', long = "output", value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: LogFormat,
}

/// The form of lines on stdout.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    #[default]
    Table,
    Json,
}
