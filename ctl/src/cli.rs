//! The command line: clap types only, one file a verb.

pub(crate) mod call;
pub(crate) mod completion;
pub(crate) mod delete;
pub(crate) mod deploy;
pub(crate) mod down;
pub(crate) mod duration;
pub(crate) mod guard;
pub(crate) mod logs;
pub(crate) mod relay;
pub(crate) mod scale;
pub(crate) mod status;
pub(crate) mod trace;
pub(crate) mod up;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Deploys, scales and calls HTTP microservices on Kubernetes, and shows every hop of every call.
#[derive(Debug, Parser)]
#[command(
    name = "msctl",
    version,
    arg_required_else_help = true,
    subcommand_required = true,
    max_term_width = 110,
    after_help = "Examples:
  msctl deploy service-a service-b          # the bundled services, from their bundled values
  msctl scale service-a --replicas 5        # returns when five are ready
  msctl call service-a/service-b --trace    # one request through cluster DNS, and the tree of its hops
  msctl status -A                           # every service, with the reason when one is not ready
  msctl up --detach                         # the services of msctl.yaml on this machine; then every verb with --local

Exit codes: 0 done, 1 failed, 2 usage, 3 cluster unreachable, 4 rollout failed, 5 the callee answered an error,
7 forbidden, 70 timed out, 130 interrupted (Ctrl-C, SIGTERM, or a terminal that went away)."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// A verb.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Deploy(deploy::DeployArgs),
    Scale(scale::ScaleArgs),
    Call(call::CallArgs),
    Status(status::StatusArgs),
    Logs(logs::LogsArgs),
    Trace(trace::TraceArgs),
    Delete(delete::DeleteArgs),
    Up(up::UpArgs),
    Down(down::DownArgs),
    Completion(completion::CompletionArgs),
    Guard(guard::GuardArgs),
    Relay(relay::RelayArgs),
}

impl Command {
    /// As it is typed.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Deploy(_) => "deploy",
            Self::Scale(_) => "scale",
            Self::Call(_) => "call",
            Self::Status(_) => "status",
            Self::Logs(_) => "logs",
            Self::Trace(_) => "trace",
            Self::Delete(_) => "delete",
            Self::Up(_) => "up",
            Self::Down(_) => "down",
            Self::Completion(_) => "completion",
            Self::Guard(_) => "guard",
            Self::Relay(_) => "relay",
        }
    }
}

/// Where, and as whom: accepted before and after the verb. Those of a cluster are kubectl's.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Where")]
pub(crate) struct Globals {
    /// Namespace; the context's own, else `default`
    #[arg(short = 'n', long, global = true, value_name = "NAMESPACE")]
    pub(crate) namespace: Option<String>,
    /// Context of the kubeconfig; its current one by default. Without -e it stands for no environment of msctl.yaml
    #[arg(long, global = true, value_name = "CONTEXT")]
    pub(crate) context: Option<String>,
    /// Kubeconfig file; $KUBECONFIG, else ~/.kube/config by default. Without -e it stands for no environment of msctl.yaml
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// User to impersonate
    #[arg(long = "as", global = true, value_name = "USER")]
    pub(crate) as_user: Option<String>,
    /// Group to impersonate; may be repeated
    #[arg(long = "as-group", global = true, value_name = "GROUP")]
    pub(crate) as_groups: Vec<String>,
    /// How long one request to the API server may take: 500ms, 30s, 1m; 0 is no limit
    #[arg(long, global = true, value_name = "DURATION", value_parser = duration::parse)]
    pub(crate) request_timeout: Option<Duration>,
    /// Environment of msctl.yaml: a cluster that it names, or `local`; its default one without this, --context and --kubeconfig
    #[arg(short = 'e', long, global = true, value_name = "NAME")]
    pub(crate) environment: Option<String>,
    /// The services that `msctl up` runs on this machine: the same as -e local
    #[arg(long, global = true)]
    pub(crate) local: bool,
    /// The project's msctl.yaml, or its folder; found upwards from here by default
    #[arg(long, global = true, env = "MSCTL_PROJECT", hide_env_values = true, value_name = "FILE")]
    pub(crate) project: Option<PathBuf>,
}

/// The form of the result on stdout.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    #[default]
    Table,
    Wide,
    Json,
    Yaml,
    Name,
}

/// `-o`.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct OutputArgs {
    /// Form of the result
    #[arg(short = 'o', long = "output", value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: Format,
}

/// Whether to wait for the outcome, and for how long.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct WaitArgs {
    /// Wait until it is done or cannot succeed (the default); --wait=false returns once it is asked for
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = true, default_missing_value = "true",
          action = clap::ArgAction::Set, value_name = "BOOL")]
    wait: bool,
    /// The same as --wait=false
    #[arg(long, conflicts_with = "wait")]
    no_wait: bool,
    /// How long to wait: 30s, 5m; exit code 70 when it passes
    #[arg(long, default_value = "5m", value_name = "DURATION", value_parser = duration::parse_positive)]
    pub(crate) timeout: Duration,
}

impl WaitArgs {
    pub(crate) fn wanted(&self) -> bool {
        self.wait && !self.no_wait
    }
}

/// The services of a command line, each once: a name that is given twice is done once.
pub(crate) fn distinct(services: &[String]) -> Vec<String> {
    let mut services = services.to_vec();
    services.sort();
    services.dedup();
    services
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_verb_shows_an_example_that_parses() {
        for verb in Cli::command().get_subcommands_mut() {
            let name = verb.get_name().to_owned();
            let help = verb.render_long_help().to_string();
            let examples: Vec<&str> = help.lines().map(str::trim).filter(|line| line.starts_with("msctl ")).collect();
            assert!(!examples.is_empty(), "`msctl {name} --help` has no example");
            for example in examples {
                let words = words(example);
                assert!(Cli::try_parse_from(&words).is_ok(), "does not parse: {example}");
            }
        }
    }

    /// Splits as a shell does, for what our examples use: single quotes, comments, redirections and pipes end it.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quoted = false;
        for c in line.chars() {
            match c {
                '\'' => quoted = !quoted,
                '#' | '>' | '|' if !quoted => break,
                ' ' if !quoted => words.push(String::new()),
                c => words.last_mut().unwrap().push(c),
            }
        }
        words.retain(|word| !word.is_empty());
        words
    }

    #[test]
    fn cluster_flags_are_accepted_on_both_sides_of_the_verb() {
        for line in [["msctl", "-n", "shop", "status"], ["msctl", "status", "-n", "shop"]] {
            let cli = Cli::try_parse_from(line).unwrap();
            assert_eq!(cli.globals.namespace.as_deref(), Some("shop"));
        }
    }

    #[test]
    fn waiting_is_the_default_and_has_two_ways_off() {
        for (flag, wanted) in [("--wait", true), ("--wait=false", false), ("--no-wait", false)] {
            let cli = Cli::try_parse_from(["msctl", "deploy", "service-a", flag]).unwrap();
            let Command::Deploy(args) = cli.command else { panic!("another verb") };
            assert_eq!(args.wait.wanted(), wanted, "{flag}");
        }
    }
}
