//! A run: load, kills, and the comparison afterwards.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::compare::Kind;
use crate::databases::Engine;
use crate::error::{Failure, Result};
use crate::fleet::{Fleet, REPLICAS};
use crate::front::Cuts;
use crate::ledger::Attempt;
use crate::load::{Client, Load};
use crate::output::{grouped, say};
use crate::report::Report;
use crate::schedule::{Who, lives, reigns};
use crate::service::{Process, Service};
use crate::settle::settle;
use crate::slot::{Slot, Tally, reign};

/// What is to be done.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) engine: Engine,
    /// Kills of every kind; the run ends when they are done,
    pub(crate) kills: u64,
    /// among them these of Postgres,
    pub(crate) postgres_kills: u64,
    /// or when this time is over.
    pub(crate) seconds: Option<u64>,
    pub(crate) clients: u32,
    /// Attempts a second.
    pub(crate) rate: u32,
    pub(crate) binaries: PathBuf,
    /// A fault that the services shall have.
    pub(crate) planted: Option<String>,
    /// A folder for the services' logs.
    pub(crate) logs: Option<PathBuf>,
}

/// Kills a second, about; only to spread those of Postgres over a run.
const PACE: u64 = 5;
/// A run that takes longer than this for each kill does not come to its end.
const SLOWEST: Duration = Duration::from_secs(3);
const PROGRESS: Duration = Duration::from_secs(5);

impl Plan {
    /// On average between two kills of one Postgres server.
    fn mean_reign(&self, servers: usize) -> Duration {
        let whole = self.kills * 1_000 / PACE;
        let servers = u64::try_from(servers).unwrap_or(1);
        // A restart, with its recovery, takes up to two seconds.
        Duration::from_millis((whole * servers / self.postgres_kills.max(1)).saturating_sub(2_000).max(500))
    }

    fn done(&self, tally: &Tally, begun: Instant) -> bool {
        let postgres = self.engine == Engine::Sqlite || tally.postgres() >= self.postgres_kills;
        let enough = tally.all() >= self.kills && postgres;
        enough || self.seconds.is_some_and(|seconds| begun.elapsed() >= Duration::from_secs(seconds))
    }
}

pub(crate) async fn run(plan: &Plan) -> Result<Report> {
    let begun = Instant::now();
    let tally = Arc::new(Tally::default());
    let cuts = Cuts { seed: plan.seed, tally: tally.clone() };
    let mut fleet = Fleet::prepare(plan.engine, &plan.binaries, Some(cuts)).await?;
    if let Some(folder) = &plan.logs {
        fleet.keep_logs(plan.engine, folder)?;
    }
    if let Some(fault) = &plan.planted {
        fleet.a = fleet.a.with("PLANTED_FAULT", fault);
        fleet.b = fleet.b.with("PLANTED_FAULT", fault);
    }
    let load = Arc::new(Load::new(plan.seed, fleet.live_a.clone(), f64::from(plan.rate) / f64::from(plan.clients)));
    let (end, over) = watch::channel(false);

    let mut places = JoinSet::new();
    for index in 0..REPLICAS {
        for (who, service, live) in [(Who::A, &fleet.a, &fleet.live_a), (Who::B, &fleet.b, &fleet.live_b)] {
            let (service, live): (Service, _) = (service.clone(), live.clone());
            let slot = Slot { service, index, live, tally: tally.clone(), over: over.clone() };
            places.spawn(slot.run(lives(plan.seed, who, index)));
        }
    }
    let mut servers = JoinSet::new();
    let all = fleet.databases.servers();
    for (index, server) in all.iter().enumerate() {
        let reigns = reigns(plan.seed, index, plan.mean_reign(all.len()));
        servers.spawn(reign(server.clone(), reigns, tally.clone(), over.clone()));
    }
    let mut clients = JoinSet::new();
    for index in 0..plan.clients {
        clients.spawn(Client::new(load.clone(), u64::from(index)).run(over.clone()));
    }

    kill_until_done(plan, &tally, &load, (&mut places, &mut servers)).await?;
    let killing = begun.elapsed();
    end.send_replace(true);
    while let Some(done) = servers.join_next().await {
        done.map_err(Failure::to("keep Postgres"))??;
    }
    let mut processes: Vec<Process> = Vec::new();
    while let Some(done) = places.join_next().await {
        processes.push(done.map_err(Failure::to("keep a process"))??);
    }
    let attempts: Vec<Attempt> = clients.join_all().await.into_iter().flatten().collect();
    say(format!("  the kills are over after {:.0} s; waiting for the outbox to empty", killing.as_secs_f64()));
    let draining = Instant::now();
    let mut verdict = settle(&fleet, plan.seed, &attempts).await?;
    let kills = usize::try_from(tally.all()).unwrap_or(usize::MAX);
    if verdict.acknowledged < kills {
        let told =
            format!("{} acknowledged beside {kills} kills: the load was too small to show much", verdict.acknowledged);
        verdict.add(Kind::State, told);
    }
    Ok(Report { plan: plan.clone(), tally, verdict, killing, draining: draining.elapsed() })
}

/// Prints how far it is; ends early when a place can't be kept.
async fn kill_until_done(
    plan: &Plan,
    tally: &Tally,
    load: &Load,
    (places, servers): (&mut JoinSet<Result<Process>>, &mut JoinSet<Result<()>>),
) -> Result<()> {
    let begun = Instant::now();
    let longest = SLOWEST * u32::try_from(plan.kills).unwrap_or(u32::MAX) + Duration::from_mins(1);
    let mut told = begun;
    while !plan.done(tally, begun) {
        if begun.elapsed() >= longest {
            let (kills, longest) = (tally.all(), longest.as_secs());
            return Err(Failure::new("kill enough", format!("{kills} of {} kills in {longest} s", plan.kills)));
        }
        tokio::select! {
            () = sleep(Duration::from_millis(50)) => {}
            Some(ended) = places.join_next() => {
                let ended = ended.map_err(Failure::to("keep a process"))?;
                return Err(ended.err().unwrap_or_else(|| Failure::new("keep a process", "it ended its lives early")));
            }
            Some(ended) = servers.join_next() => {
                let ended = ended.map_err(Failure::to("keep Postgres"))?;
                return Err(ended.err().unwrap_or_else(|| Failure::new("keep Postgres", "it ended its reigns early")));
            }
        }
        if told.elapsed() >= PROGRESS {
            told = Instant::now();
            say(format!(
                "  {:4.0} s: {} kills, {} of them of Postgres; {} attempts, {} acknowledged",
                begun.elapsed().as_secs_f64(),
                grouped(tally.all()),
                grouped(tally.postgres()),
                grouped(load.attempts()),
                grouped(load.acknowledged.load(std::sync::atomic::Ordering::Relaxed)),
            ));
        }
    }
    Ok(())
}
