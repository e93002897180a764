//! How many rows the statements of a batch look at, where the planner knows least.

use database::postgres::tokio_postgres::{self, Client, NoTls};
use uuid::Uuid;

use super::sql;

const BATCH: u64 = 200;
/// An index may lead to a row's older version, too.
const LINEAR: u64 = 2 * BATCH;

/// A great many messages were delivered before, and the outbox was nearly empty when it was looked at.
const BEFORE: &str = "\
INSERT INTO messages (id, state, attempts, created_at, delivered_at, body) \
SELECT gen_random_uuid(), 1, 1, 0, 7, '{}' FROM generate_series(1, 20000); \
INSERT INTO outbox (id, available_at, attempts, enqueued_at) \
SELECT gen_random_uuid(), 0, 0, 0 FROM generate_series(1, 20000); \
DELETE FROM outbox WHERE ctid <> (SELECT max(ctid) FROM outbox)";

/// Then B was away for a while.
const BACKLOG: &str = "\
INSERT INTO messages (id, state, attempts, created_at, body) \
SELECT gen_random_uuid(), 0, 0, 0, '{}' FROM generate_series(1, 5000); \
INSERT INTO outbox (id, available_at, attempts, enqueued_at) SELECT id, 0, 0, 0 FROM messages WHERE state = 0";

/// The rows that a plan's nodes gave and left out, the most of one node.
fn most_rows(plan: &str) -> u64 {
    let number = |line: &str, before: &str| -> Option<u64> {
        let digits: String = line.split_once(before)?.1.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    };
    let (mut most, mut loops) = (0, 0);
    for line in plan.lines() {
        loops = number(line, "loops=").unwrap_or(loops);
        let rows =
            number(line, "actual rows=").or_else(|| number(line, "Filter: ").filter(|_| line.contains("Removed")));
        most = most.max(rows.unwrap_or(0) * loops);
    }
    most
}

async fn explain(client: &Client, plans: &str, sql: &str, types: &str, values: &str) -> String {
    let begin = format!("BEGIN; SET LOCAL plan_cache_mode = {plans}; PREPARE looked_at ({types}) AS {sql}");
    client.batch_execute(&begin).await.unwrap();
    client.batch_execute(sql::USE_INDEXES).await.unwrap();
    let explain = format!("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) EXECUTE looked_at ({values})");
    let lines: Vec<String> = client.query(&explain, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    client.batch_execute("ROLLBACK; DEALLOCATE looked_at").await.unwrap();
    lines.join("\n")
}

#[tokio::test]
async fn a_batch_looks_at_its_own_rows_only() {
    let Some(server) = test_postgres::shared() else { return };
    let database = server.database();
    let (client, connection) = tokio_postgres::connect(&database.url(), NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    // VACUUM wants to be alone.
    for step in [include_str!("0001.sql"), BEFORE, "VACUUM ANALYZE messages", "VACUUM ANALYZE outbox", BACKLOG] {
        client.batch_execute(step).await.unwrap();
    }
    let owner = Uuid::now_v7();
    client.execute("UPDATE outbox SET lease_owner = $1", &[&owner]).await.unwrap();
    let some = format!("SELECT id FROM outbox ORDER BY random() LIMIT {BATCH}");
    let rows = client.query(&some, &[]).await.unwrap();
    let ids: Vec<String> = rows.iter().map(|row| row.get::<_, Uuid>(0).to_string()).collect();
    let ids = format!("'{{{}}}'", ids.join(","));
    let all = |value: &str| format!("'{{{}}}'", vec![value; rows.len()].join(","));
    let (owners, numbers, errors) = (all(&owner.to_string()), all("1"), all("refused"));

    let settled = format!("{ids}, {owners}, {numbers}, {errors}");
    let statements = [
        (sql::CLAIM, "uuid, bigint, bigint, bigint, bigint", format!("'{owner}', 1000, 0, {BATCH}, 1000000"), LINEAR),
        (sql::DELIVERED, "uuid[], bigint[]", format!("{ids}, {numbers}"), LINEAR),
        // Each with each, of the batch alone.
        (sql::AGAIN, "uuid[], uuid[], bigint[], text[]", settled.clone(), BATCH * BATCH),
        (sql::DEAD, "uuid[], uuid[], bigint[], text[]", settled, BATCH * BATCH),
        (sql::EXPIRE, "bigint, bigint, text", format!("1, {BATCH}, 'away'"), LINEAR),
        (sql::GIVE_BACK, "uuid, uuid[]", format!("'{owner}', {ids}"), LINEAR),
        (sql::PURGE, "uuid, uuid, bigint", format!("'{}', '{}', {BATCH}", Uuid::nil(), Uuid::max()), LINEAR),
    ];
    for (sql, types, values, most) in &statements {
        for plans in ["force_custom_plan", "force_generic_plan"] {
            let plan = explain(&client, plans, sql, types, values).await;
            assert!((1..=*most).contains(&most_rows(&plan)), "{plans}, at most {most} of:\n{plan}");
        }
    }
    drop(client);
    connection.await.unwrap().unwrap();
}
