//! What is there at the end: B's messages by its API and straight from its database, and what A still has to do.

use std::net::SocketAddr;

use api::message::Inbox;
use rusqlite::types::ValueRef;
use rusqlite::{Connection as Sqlite, OpenFlags};
use tokio_postgres::NoTls;
use uuid::Uuid;

use crate::body::{body, number_of};
use crate::client::Connection;
use crate::compare::Row;
use crate::databases::Store;
use crate::error::{Failure, Result, told};

impl Row {
    fn held_against(seed: u64, source: &str, id: &str, text: &[u8]) -> Self {
        let number = number_of(text);
        let same = number.is_some_and(|number| body(seed, number) == text);
        Self { source: source.to_owned(), id: id.to_owned(), number, same }
    }
}

/// B's messages, page by page.
pub(crate) async fn from_api(seed: u64, b: SocketAddr) -> Result<Vec<Row>> {
    let action = "read B's messages";
    let mut connection = Connection::open(b).await.map_err(|why| Failure::new(action, why))?;
    let mut rows = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("{}?limit=200{cursor}", api::b::MESSAGES_PATH);
        let response = connection.get(&path).await.map_err(|why| Failure::new(action, why))?;
        if response.status != http::StatusCode::OK {
            return Err(Failure::new(action, format!("{path}: {}", response.status)));
        }
        let page: Inbox = serde_json::from_slice(&response.body).map_err(Failure::to(action))?;
        let read =
            |one: &api::message::Received| Row::held_against(seed, &one.source, &one.id, one.body.get().as_bytes());
        rows.extend(page.messages.iter().map(read));
        match page.next_cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(rows),
        }
    }
}

const MESSAGES: &str = "SELECT source, id, body FROM messages";
const MESSAGES_AS_TEXT: &str = "SELECT source::text, id::text, body::text FROM messages";

/// B's messages, as its database has them.
pub(crate) async fn from_database(seed: u64, store: &Store) -> Result<Vec<Row>> {
    match store {
        Store::Sqlite(path) => {
            let connection = open(path)?;
            let read = |row: &rusqlite::Row<'_>| {
                let (source, id) = (text(row.get_ref(0)?), text(row.get_ref(1)?));
                Ok(Row::held_against(seed, &source, &id, row.get_ref(2)?.as_bytes()?))
            };
            let rows = connection.prepare(MESSAGES).and_then(|mut all| all.query_map([], read)?.collect());
            rows.map_err(Failure::to("read B's database"))
        }
        Store::Postgres(server) => {
            let client = connect(server.url()).await?;
            let rows = client.query(MESSAGES_AS_TEXT, &[]).await.map_err(Failure::to("read B's database"))?;
            let read = |row: &tokio_postgres::Row| {
                Row::held_against(seed, row.get(0), row.get(1), row.get::<_, &str>(2).as_bytes())
            };
            Ok(rows.iter().map(read).collect())
        }
    }
}

/// How many rows `table` has.
pub(crate) async fn count(store: &Store, table: &str) -> Result<u64> {
    let action = format!("count {table}");
    let sql = format!("SELECT count(*) FROM {table}");
    let rows: i64 = match store {
        Store::Sqlite(path) => open(path)?.query_row(&sql, [], |row| row.get(0)).map_err(Failure::to(&action))?,
        Store::Postgres(server) => {
            let client = connect(server.url()).await?;
            client.query_one(&sql, &[]).await.map_err(Failure::to(&action))?.get(0)
        }
    };
    u64::try_from(rows).map_err(Failure::to(&action))
}

/// Whether the files of a `SQLite` database are sound; always for Postgres, which says so by starting.
pub(crate) fn sound(store: &Store) -> Result<bool> {
    let Store::Sqlite(path) = store else { return Ok(true) };
    let checked = open(path)?.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0));
    Ok(checked.map_err(Failure::to("check a database"))? == "ok")
}

fn open(path: &std::path::Path) -> Result<Sqlite> {
    let connection =
        Sqlite::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(Failure::to("open a database"))?;
    connection.busy_timeout(std::time::Duration::from_secs(10)).map_err(Failure::to("open a database"))?;
    Ok(connection)
}

async fn connect(url: &str) -> Result<tokio_postgres::Client> {
    let (client, connection) =
        tokio_postgres::connect(url, NoTls).await.map_err(|error| Failure::new("connect to Postgres", told(&error)))?;
    tokio::spawn(connection);
    Ok(client)
}

/// Text, or the text of a UUID in 16 bytes.
fn text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        ValueRef::Blob(bytes) => {
            Uuid::from_slice(bytes).map_or_else(|_| format!("{bytes:?}"), |id| id.hyphenated().to_string())
        }
        other => format!("{other:?}"),
    }
}
