//! The end of a run: everything is delivered, then everything is compared.

use std::time::{Duration, Instant};

use api::message::Messages;
use tokio::time::sleep;

use crate::client::Connection;
use crate::compare::{Kind, Row, Verdict, compare};
use crate::error::{Failure, Result};
use crate::fleet::Fleet;
use crate::ledger::Attempt;
use crate::rows;

/// A row that failed often waits up to a minute for its next try, and an orphaned one for its lease before that.
const DRAIN: Duration = Duration::from_mins(3);

/// Waits until A has nothing to deliver, and judges. Both services must run.
pub(crate) async fn settle(fleet: &Fleet, seed: u64, attempts: &[Attempt]) -> Result<Verdict> {
    let left = drain(fleet).await?;
    let from_database = rows::from_database(seed, &fleet.databases.b).await?;
    let mut verdict = compare(attempts, &from_database);
    if left > 0 {
        verdict.add(Kind::State, format!("{left} messages are still in A's outbox after {DRAIN:?}"));
    }
    for state in ["dead", "pending"] {
        let some = with_state(fleet, state).await?;
        if !some.is_empty() {
            verdict.add(Kind::State, format!("messages of A that are {state}: {}", some.join(", ")));
        }
    }
    same_by_api(fleet, seed, from_database, &mut verdict).await?;
    let (stored, arrived) =
        (rows::count(&fleet.databases.a, "messages").await?, rows::count(&fleet.databases.b, "messages").await?);
    if stored != arrived {
        verdict.add(Kind::State, format!("A has {stored} messages, B {arrived}"));
    }
    let recorded = rows::count(&fleet.databases.b, "inbox").await?;
    if recorded != arrived {
        verdict.add(Kind::State, format!("B has {arrived} messages and {recorded} in its inbox"));
    }
    for (name, store) in [("A", &fleet.databases.a), ("B", &fleet.databases.b)] {
        if !rows::sound(store)? {
            verdict.add(Kind::State, format!("{name}'s database is damaged"));
        }
    }
    Ok(verdict)
}

/// The rows that are left in A's outbox when it is empty, or when the time is over.
async fn drain(fleet: &Fleet) -> Result<u64> {
    let deadline = Instant::now() + DRAIN;
    loop {
        let left = rows::count(&fleet.databases.a, "outbox").await?;
        if left == 0 || Instant::now() >= deadline {
            return Ok(left);
        }
        // A database tells nobody that a table has become empty.
        sleep(Duration::from_millis(100)).await;
    }
}

/// The ids of some messages of A in `state`.
async fn with_state(fleet: &Fleet, state: &str) -> Result<Vec<String>> {
    let action = "read A's messages";
    let (_, address) = *fleet.live_a.all().first().ok_or_else(|| Failure::new(action, "A does not run"))?;
    let mut connection = Connection::open(address).await.map_err(|why| Failure::new(action, why))?;
    let path = format!("{}?limit=10&state={state}", api::a::MESSAGES_PATH);
    let response = connection.get(&path).await.map_err(|why| Failure::new(action, why))?;
    let page: Messages = serde_json::from_slice(&response.body)
        .map_err(|error| Failure::new(action, format!("{path}: {}: {error}", response.status)))?;
    let told = page.messages.into_iter().map(|one| format!("{} ({})", one.id, one.last_error.unwrap_or_default()));
    Ok(told.collect())
}

/// B's own list is its database.
async fn same_by_api(fleet: &Fleet, seed: u64, mut rows: Vec<Row>, verdict: &mut Verdict) -> Result<()> {
    let (_, address) =
        *fleet.live_b.all().first().ok_or_else(|| Failure::new("read B's messages", "B does not run"))?;
    let mut listed = rows::from_api(seed, address).await?;
    rows.sort_unstable();
    listed.sort_unstable();
    if rows != listed {
        let first = rows.iter().zip(&listed).find(|(row, other)| row != other);
        let told = first.map(|(row, other)| format!(", first {row} and {other}")).unwrap_or_default();
        let (rows, listed) = (rows.len(), listed.len());
        verdict.add(Kind::State, format!("B's database has {rows} messages, B lists {listed}{told}"));
    }
    Ok(())
}
