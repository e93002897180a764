//! Messages that were delivered long ago, written straight into A's tables.

use std::fmt::Write as _;
use std::io::Cursor;
use std::path::Path;

use database::sqlite::rusqlite::params;
use futures::SinkExt as _;
use uuid::{ContextV7, Timestamp, Uuid};

use super::connect::{postgres, sqlite};
use super::databases::{Fresh, Kind};
use super::load;

/// They come evenly over so many milliseconds, up to now: less than the time that A keeps them.
const SPAN: i64 = 3 * 24 * 3600 * 1000;
/// Every tenth has an idempotency key.
const KEYED: usize = 10;
/// Rows that go to Postgres in one message.
const CHUNK: usize = 5_000;

struct Row {
    id: Uuid,
    body: String,
    created_at: i64,
    delivered_at: i64,
}

/// Writes `count` of them, in the order of their ids, and has the database look at its tables as it would have in time.
pub(crate) fn delivered(database: &Fresh, kind: Kind, count: usize) {
    match kind {
        Kind::Sqlite => into_sqlite(database.path(), count),
        Kind::Postgres => load::runtime().block_on(into_postgres(database.url(), count)),
    }
}

fn rows(count: usize) -> impl Iterator<Item = Row> {
    let (context, start) = (ContextV7::new(), outbox::time::now() - SPAN);
    let step = move |n: usize| i64::try_from(n).expect("a million") * SPAN / i64::try_from(count).expect("a million");
    (0..count).map(move |n| {
        let created_at = start + step(n);
        let (seconds, millis) = (created_at.unsigned_abs() / 1000, created_at.unsigned_abs() % 1000);
        let nanos = u32::try_from(millis).expect("below a thousand") * 1_000_000;
        Row {
            id: Uuid::new_v7(Timestamp::from_unix(&context, seconds, nanos)),
            body: format!(r#"{{"order":"{}","customer":{n},"items":[1,2,3],"note":"two lines"}}"#, Uuid::now_v7()),
            created_at,
            delivered_at: created_at + 7,
        }
    })
}

/// Of a message that has one: it is still kept.
fn key(row: &Row) -> (String, [u8; 32], i64) {
    let half = row.id.as_u128().wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835).to_be_bytes();
    let hash: [u8; 32] = std::array::from_fn(|n| half[n % 16]);
    (format!("{:x}", u128::from_be_bytes(half)), hash, outbox::time::now() + SPAN)
}

fn into_sqlite(path: &Path, count: usize) {
    const MESSAGE: &str = "INSERT INTO messages (id, state, attempts, created_at, delivered_at, body) \
                           VALUES (?1, 1, 1, ?2, ?3, ?4)";
    const KEY: &str = "INSERT INTO idempotency_keys (key, body_hash, message_id, expires_at) VALUES (?1, ?2, ?3, ?4)";

    let mut connection = sqlite(path);
    let transaction = connection.transaction().expect("BEGIN");
    {
        let mut message = transaction.prepare(MESSAGE).expect("A's table of messages");
        let mut keys = transaction.prepare(KEY).expect("A's table of keys");
        for (n, row) in rows(count).enumerate() {
            let columns = params![row.id.as_bytes(), row.created_at, row.delivered_at, row.body];
            message.execute(columns).expect("a new message");
            if n % KEYED == 0 {
                let (key, hash, expires_at) = key(&row);
                keys.execute(params![key, hash, row.id.as_bytes(), expires_at]).expect("a new key");
            }
        }
    }
    transaction.commit().expect("COMMIT");
    connection.pragma_update(None, "wal_checkpoint", "truncate").expect("a checkpoint");
}

async fn into_postgres(url: &str, count: usize) {
    const MESSAGES: &str = "COPY messages (id, state, attempts, created_at, delivered_at, body) FROM STDIN";
    const KEYS: &str = "COPY idempotency_keys (key, body_hash, message_id, expires_at) FROM STDIN";

    let client = postgres(url).await;
    let (mut messages, mut keys) = (String::new(), String::new());
    let sink = client.copy_in(MESSAGES).await.expect("A's table of messages");
    let mut sink = std::pin::pin!(sink);
    for (n, row) in rows(count).enumerate() {
        let Row { id, body, created_at, delivered_at } = &row;
        let _ = writeln!(messages, "{id}\t1\t1\t{created_at}\t{delivered_at}\t{body}");
        if n % KEYED == 0 {
            let (key, hash, expires_at) = key(&row);
            let _ = write!(keys, "{key}\t\\\\x");
            for byte in hash {
                let _ = write!(keys, "{byte:02x}");
            }
            let _ = writeln!(keys, "\t{id}\t{expires_at}");
        }
        if n % CHUNK == CHUNK - 1 {
            sink.send(Cursor::new(std::mem::take(&mut messages))).await.expect("new messages");
        }
    }
    sink.send(Cursor::new(messages)).await.expect("new messages");
    sink.finish().await.expect("new messages");
    let sink = client.copy_in(KEYS).await.expect("A's table of keys");
    let mut sink = std::pin::pin!(sink);
    sink.send(Cursor::new(keys)).await.expect("new keys");
    sink.finish().await.expect("new keys");
    // One by one: several are one transaction, and VACUUM wants none.
    for look in ["VACUUM ANALYZE", "CHECKPOINT"] {
        client.batch_execute(look).await.unwrap_or_else(|error| panic!("{look}: {error}"));
    }
}
