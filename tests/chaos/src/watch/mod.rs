//! What SIGKILL can't see: a commit that is not synced survives the death of its process, but not that of the machine.
//! So the system calls of the services and of Postgres are watched while messages are sent one after another: each
//! 2xx, A's and B's, must come after a sync of the database's log that began after the message was written to it.

mod proof;
mod strace;
mod trace;

use std::path::Path;
use std::time::Duration;

use api::message::Message;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;

use self::proof::{Unproven, Watched, prove};
use self::strace::Strace;
use crate::client::Connection;
use crate::databases::{Engine, Store};
use crate::error::{Failure, Result};
use crate::fleet::Fleet;
use crate::output::say;
use crate::rows;

const MESSAGES: usize = 30;
/// Of a delivery.
const PATIENCE: Duration = Duration::from_secs(30);
const FAULT: &str = "no-sync";

/// A message that was acknowledged.
#[derive(Debug)]
struct Sent {
    marker: String,
    id: String,
}

/// The answers of one service without a proof.
#[derive(Debug)]
struct Unsynced {
    service: &'static str,
    why: Vec<(String, Unproven)>,
}

/// True when every answer has its proof, and none has it with the fault planted.
pub(crate) async fn all_synced(engine: Engine, binaries: &Path) -> Result<bool> {
    let mut good = true;
    for planted in [false, true] {
        for Unsynced { service, why } in watch(engine, binaries, planted).await? {
            let unsynced = why.iter().filter(|(_, why)| *why != Unproven::Silence).count();
            let fault = if planted { "no-sync planted" } else { "as it is" };
            say(format!(
                "{engine}, {service}, {fault}: {} of {MESSAGES} answers after their sync",
                MESSAGES - why.len()
            ));
            let as_wanted = if planted { unsynced > 0 } else { why.is_empty() };
            if !as_wanted {
                good = false;
                say(format!("  {}", if planted { "NOT FOUND" } else { "NOT SYNCED" }));
                why.iter().take(5).for_each(|(id, why)| say(format!("  {id}: {why}")));
            }
        }
    }
    Ok(good)
}

async fn watch(engine: Engine, binaries: &Path, planted: bool) -> Result<Vec<Unsynced>> {
    let mut fleet = Fleet::prepare(engine, binaries, None).await?;
    if planted {
        fleet.a = fleet.a.with("PLANTED_FAULT", FAULT);
        fleet.b = fleet.b.with("PLANTED_FAULT", FAULT);
    }
    let (a, b) = (fleet.serve_one(&fleet.a).await?, fleet.serve_one(&fleet.b).await?);
    let mut connection = Connection::open(a.address).await.map_err(|why| Failure::new("connect to A", why))?;
    // Also waits for the migrations, and for the connections to the databases.
    send(&mut connection, "warm-up", false).await?;
    all_delivered(&fleet).await?;

    let mut ids = vec![a.id(), b.id()];
    ids.extend(fleet.databases.servers().iter().flat_map(|server| server.processes()));
    let strace = Strace::attach(&ids, &fleet.guard).await?;
    let mut sent = Vec::new();
    for number in 0..MESSAGES {
        sent.push(send(&mut connection, &format!("marker{number:04}of-this-run"), number % 2 == 0).await?);
    }
    all_delivered(&fleet).await?;
    let calls = trace::parse(&strace.finish().await?);

    // As the tracer prints them.
    let of_a = |one: &Sent| vec![one.id.clone(), one.marker.clone()];
    let of_b = |one: &Sent| vec![one.id.clone(), r#"\"applied\""#.to_owned()];
    let judge = |service, store: &Store, answer: &dyn Fn(&Sent) -> Vec<String>| {
        let log = log_of(store);
        let proved = sent.iter().map(|one| {
            let watched = Watched { marker: one.marker.clone(), answer: answer(one) };
            (one.id.clone(), prove(&calls, &watched, &log))
        });
        Unsynced { service, why: proved.filter_map(|(id, proved)| Some((id, proved.err()?))).collect() }
    };
    Ok(vec![judge("A", &fleet.databases.a, &of_a), judge("B", &fleet.databases.b, &of_b)])
}

/// Tells the files of a database's write-ahead log.
fn log_of(store: &Store) -> impl Fn(&str) -> bool + use<> {
    let (beginning, end) = match store {
        Store::Sqlite(path) => (path.display().to_string(), "-wal"),
        Store::Postgres(server) => (server.data().unwrap_or_default().join("pg_wal").display().to_string(), ""),
    };
    move |file| file.starts_with(&beginning) && file.ends_with(end)
}

/// Sends one message until it is acknowledged; only a database that is not ready yet may take more than one request.
async fn send(connection: &mut Connection, marker: &str, respond_async: bool) -> Result<Sent> {
    let action = "send a message";
    // Several times: a log's pages have heads, and one may come in the middle of a marker.
    let body = format!("{{\"a\":\"{marker}\",\"b\":\"{marker}\",\"c\":\"{marker}\"}}");
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let mut request = Request::post(api::a::MESSAGES_PATH).header("content-type", "application/json");
        if respond_async {
            request = request.header("prefer", "respond-async");
        }
        let request = request.body(Full::new(Bytes::from(body.clone()))).map_err(Failure::to(action))?;
        let response = connection.send(request).await.map_err(|why| Failure::new(action, why))?;
        if response.status.is_success() {
            let message: Message = serde_json::from_slice(&response.body).map_err(Failure::to(action))?;
            return Ok(Sent { marker: marker.to_owned(), id: message.id });
        }
        if tokio::time::Instant::now() >= deadline {
            let told = String::from_utf8_lossy(&response.body).into_owned();
            return Err(Failure::new(action, format!("{}: {told}", response.status)));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn all_delivered(fleet: &Fleet) -> Result<()> {
    let wait = async {
        while rows::count(&fleet.databases.a, "outbox").await? > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    };
    tokio::time::timeout(PATIENCE, wait)
        .await
        .map_err(|_| Failure::new("deliver", format!("not within {PATIENCE:?}")))?
}
