//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::databases::Engine;
use crate::error::Result;
use crate::output::{complain, say};
use crate::run::{Plan, run};
use crate::{planted, watch};

/// Kills services and databases under load, and compares what was acknowledged with what arrived.
#[derive(Debug, Parser)]
#[command(name = "chaos")]
pub(crate) struct Cli {
    /// The folder of `service-a` and `service-b`, built with fail points (tests/chaos/build).
    #[arg(long, global = true, env = "CHAOS_SERVICES", default_value = "target/chaos")]
    services: PathBuf,
    #[arg(long, global = true, value_enum, default_value_t = Databases::Both)]
    databases: Databases,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Kills under load, then compares every attempt with B's rows.
    Kill(Run),
    /// Shows that planted faults are found.
    Planted,
    /// Shows from the system calls that no 2xx is written before the message's data was synced.
    Watch,
}

#[derive(Clone, Debug, Args)]
struct Run {
    /// Replays the schedule of an earlier run; a new one every time by default.
    #[arg(long)]
    seed: Option<u64>,
    /// For each database.
    #[arg(long, default_value_t = 1_000)]
    kills: u64,
    /// Of those, the ones of Postgres servers, where the services have them.
    #[arg(long, default_value_t = 50)]
    postgres_kills: u64,
    /// Ends after this time, for each database, however many were killed.
    #[arg(long)]
    seconds: Option<u64>,
    #[arg(long, default_value_t = 96, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    clients: u32,
    /// Runs with a fault that is to be found: apply-before-recording, ack-before-commit.
    #[arg(long, value_name = "FAULT")]
    planted: Option<String>,
    /// An existing folder for the services' logs.
    #[arg(long)]
    logs: Option<PathBuf>,
    /// Attempts a second, at most.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: u32,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Databases {
    Sqlite,
    Postgres,
    Both,
}

impl Databases {
    fn engines(self) -> Vec<Engine> {
        match self {
            Self::Sqlite => vec![Engine::Sqlite],
            Self::Postgres => vec![Engine::Postgres],
            Self::Both => vec![Engine::Sqlite, Engine::Postgres],
        }
    }
}

/// How it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Exit {
    Good = 0,
    /// Something was lost, doubled, wrong, or could not be found out.
    Bad = 1,
    Interrupted = 130,
}

pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // One thread: the machine is for the services.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(format!("can't start the async runtime: {error}"));
            return ExitCode::from(Exit::Bad as u8);
        }
    };
    let exit = runtime.block_on(async {
        // Whatever runs is dropped by then, and killed with that.
        tokio::select! {
            done = work(&cli) => match done {
                Ok(true) => Exit::Good,
                Ok(false) => Exit::Bad,
                Err(failure) => {
                    complain(failure);
                    Exit::Bad
                }
            },
            _ = tokio::signal::ctrl_c() => Exit::Interrupted,
        }
    });
    drop(runtime);
    ExitCode::from(exit as u8)
}

async fn work(cli: &Cli) -> Result<bool> {
    // The services do not run in our working directory.
    let binaries = std::path::absolute(&cli.services).map_err(crate::error::Failure::to("find the services"))?;
    let mut good = true;
    for engine in cli.databases.engines() {
        good &= match &cli.command {
            Command::Kill(asked) => {
                let Run { seed, kills, postgres_kills, seconds, clients, rate, planted, logs } = asked.clone();
                let seed = seed.unwrap_or_else(new_seed);
                say(format!("kills on {engine}, seed {seed}"));
                let binaries = binaries.clone();
                let plan =
                    Plan { seed, engine, kills, postgres_kills, seconds, clients, rate, binaries, planted, logs };
                let report = run(&plan).await?;
                report.print();
                report.good()
            }
            Command::Planted => planted::all_found(engine, &binaries).await?,
            Command::Watch => watch::all_synced(engine, &binaries).await?,
        };
    }
    Ok(good)
}

fn new_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::from(now.subsec_nanos()) ^ now.as_secs().rotate_left(20)
}
