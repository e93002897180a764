//! Faults that are planted into the services on purpose, and must be found: else a run that finds nothing proves
//! nothing. The moment of death is a fail point, so each fault surely shows; without the fault the same script is clean.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;

use crate::compare::{Kind, Verdict};
use crate::databases::Engine;
use crate::error::Result;
use crate::fleet::Fleet;
use crate::ledger::Manner;
use crate::load::{Client, Load};
use crate::output::say;
use crate::schedule::Who;
use crate::service::Service;
use crate::settle::settle;

/// A fault, where it is planted, and what it makes of a message.
#[derive(Debug)]
struct Fault {
    name: &'static str,
    who: Who,
    /// What comes at the point where the faulty process dies, before it dies.
    before: Option<&'static str>,
    makes: Kind,
}

const FAULTS: &[Fault] = &[
    Fault {
        name: "apply-before-recording",
        who: Who::B,
        // The message is there by itself; its record dies with the transaction, so it is applied again.
        before: None,
        makes: Kind::Doubled,
    },
    Fault {
        name: "ack-before-commit",
        who: Who::A,
        // The sleep lets the answer reach the client.
        before: Some("sleep(200ms)"),
        makes: Kind::Lost,
    },
];

/// Messages of a script. Those that come while a commit is under way are in the next together, so there are fewer
/// commits than messages; the process dies at one of the first.
const MESSAGES: u64 = 100;

pub(crate) async fn all_found(engine: Engine, binaries: &Path) -> Result<bool> {
    let mut good = true;
    for fault in FAULTS {
        let mut with = Verdict::default();
        // The first commits may be the service's own, of no message.
        for pass in 2..=5 {
            with = script(engine, binaries, fault, pass, true).await?;
            if with.count(fault.makes) > 0 {
                break;
            }
        }
        let without = script(engine, binaries, fault, 2, false).await?;
        let (found, clean) = (with.count(fault.makes), without.problems.len());
        let (name, makes) = (fault.name, fault.makes);
        say(format!("{engine}, {name} planted: {found} {makes} of {MESSAGES}; without it {clean} problems"));
        for problem in with.problems.iter().filter(|problem| problem.kind == makes).take(1) {
            say(format!("  found: {}: {}", problem.kind, problem.told));
        }
        for problem in &without.problems {
            say(format!("  WITHOUT THE FAULT: {}: {}", problem.kind, problem.told));
        }
        if found == 0 {
            say(format!("  NOT FOUND: {:?}", with.problems));
        }
        good &= found > 0 && clean == 0;
    }
    Ok(good)
}

/// Messages one after another to one A and one B; the faulty one dies at its point and comes back sound.
async fn script(engine: Engine, binaries: &Path, fault: &Fault, pass: u64, planted: bool) -> Result<Verdict> {
    const SEED: u64 = 1;
    let fleet = Fleet::prepare(engine, binaries, None).await?;
    let doomed = |service: &Service| {
        let actions = fault.before.into_iter().chain(["kill"]);
        let rules: Vec<_> = actions.map(|action| format!("database.before_commit={action}@{pass}")).collect();
        let service = service.with("FAILPOINTS", rules.join(","));
        if planted { service.with("PLANTED_FAULT", fault.name) } else { service }
    };
    let (a, b) = match fault.who {
        Who::A => (doomed(&fleet.a).with("DELIVERY", "paused"), fleet.b.clone()),
        Who::B => (fleet.a.clone(), doomed(&fleet.b)),
    };
    let (mut a, mut b) = (fleet.serve_one(&a).await?, fleet.serve_one(&b).await?);
    let again = async {
        match fault.who {
            Who::A => {
                a.ended().await;
                a = fleet.serve_one(&fleet.a).await?;
            }
            Who::B => {
                b.ended().await;
                b = fleet.serve_one(&fleet.b).await?;
            }
        }
        Ok(())
    };
    // Answered at once and asked once: what is acknowledged and lost stays lost.
    let manner = Some(Manner { respond_async: true, keyed: false });
    let load = Arc::new(Load { manner, ..Load::new(SEED, fleet.live_a.clone(), f64::from(u32::MAX)) });
    let (_end, over) = watch::channel(false);
    let send = async {
        let mut client = Client::new(load, 0);
        let mut attempts = Vec::new();
        for number in 0..MESSAGES {
            attempts.push(client.attempt(number, &over).await);
        }
        Ok(attempts)
    };
    // Both have to end: a point that is never passed would show nothing.
    let ((), attempts) =
        tokio::time::timeout(PATIENCE, async { tokio::try_join!(again, send) }).await.map_err(|_| {
            crate::error::Failure::new(format!("plant {}", fault.name), "its point was not passed in time")
        })??;
    settle(&fleet, SEED, &attempts).await
}

const PATIENCE: std::time::Duration = std::time::Duration::from_mins(1);
