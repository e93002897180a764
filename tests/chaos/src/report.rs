//! What a run came to, for a person.

use std::sync::Arc;
use std::time::Duration;

use crate::compare::{Kind, Verdict};
use crate::databases::Engine;
use crate::output::{grouped, say};
use crate::run::Plan;
use crate::slot::Tally;

/// A run and its verdict.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) plan: Plan,
    pub(crate) tally: Arc<Tally>,
    pub(crate) verdict: Verdict,
    pub(crate) killing: Duration,
    pub(crate) draining: Duration,
}

/// Problems of a kind that are told with their history.
const SHOWN: usize = 5;

impl Report {
    pub(crate) fn good(&self) -> bool {
        self.verdict.problems.is_empty() && self.tally.surprises().is_empty()
    }

    pub(crate) fn print(&self) {
        let Self { plan, tally, verdict, killing, draining } = self;
        say(format!(
            "{}, seed {}: {} kills in {:.0} s, {} of them of Postgres; the outbox was empty {:.1} s later",
            plan.engine,
            plan.seed,
            grouped(tally.all()),
            killing.as_secs_f64(),
            grouped(tally.postgres()),
            draining.as_secs_f64()
        ));
        for (kind, count) in tally.by_kind() {
            say(format!("  {count:6}  {kind}"));
        }
        say(format!(
            "  {} attempts: {} acknowledged, {} not, of which {} arrived all the same",
            grouped(verdict.attempts as u64),
            grouped(verdict.acknowledged as u64),
            grouped(verdict.unknown as u64),
            grouped(verdict.unknown_there as u64),
        ));
        let kinds = [Kind::Lost, Kind::Doubled, Kind::Wrong, Kind::Foreign, Kind::Key, Kind::Answer, Kind::State];
        let counts: Vec<_> = kinds.iter().map(|kind| format!("{} {kind}", verdict.count(*kind))).collect();
        say(format!("  {}", counts.join(", ")));
        for kind in kinds {
            let problems = verdict.problems.iter().filter(|problem| problem.kind == kind);
            for problem in problems.take(SHOWN) {
                say(format!("  {}: {}", kind.to_string().to_uppercase(), problem.told));
            }
        }
        for told in tally.surprises().iter().take(SHOWN) {
            say(format!("  UNASKED DEATH: {told}"));
        }
        if !self.good() {
            let Plan { seed, engine, kills, postgres_kills, .. } = plan;
            let options = format!("--seed {seed} --kills {kills} --postgres-kills {postgres_kills}");
            say(format!("  FAILED; the same schedule again: chaos --databases {engine} kill {options}"));
        }
    }
}

impl std::fmt::Display for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        })
    }
}
