//! What a batch costs where a great many messages were delivered before.

use database::postgres::tokio_postgres::types::ToSql;
use database::postgres::tokio_postgres::{self, Client, NoTls};
use uuid::Uuid;

use super::sql;

/// A's tables as they are once such a database was analysed; then comes a batch.
const FILL: &str = "\
INSERT INTO messages (id, state, attempts, created_at, delivered_at, body) \
SELECT gen_random_uuid(), 1, 1, 0, 7, '{}' FROM generate_series(1, 20000); \
ANALYZE messages; ANALYZE outbox; \
INSERT INTO messages (id, state, attempts, created_at, body) \
SELECT gen_random_uuid(), 0, 0, 0, '{}' FROM generate_series(1, 200); \
INSERT INTO outbox (id, available_at, attempts, enqueued_at) SELECT id, 0, 0, 0 FROM messages WHERE state = 0";

async fn explain(client: &Client, sql: &str, params: &[&(dyn ToSql + Sync)]) -> String {
    client.batch_execute("BEGIN").await.unwrap();
    client.batch_execute(sql::USE_INDEXES).await.unwrap();
    let explain = format!("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {sql}");
    let lines: Vec<String> = client.query(&explain, params).await.unwrap().iter().map(|row| row.get(0)).collect();
    client.batch_execute("ROLLBACK").await.unwrap();
    lines.join("\n")
}

#[tokio::test]
async fn no_statement_compares_each_row_of_a_batch_with_each() {
    let Some(server) = test_postgres::shared() else { return };
    let database = server.database();
    let (client, connection) = tokio_postgres::connect(&database.url(), NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client.batch_execute(include_str!("0001.sql")).await.unwrap();
    client.batch_execute(FILL).await.unwrap();
    let ids = client.query("SELECT id FROM outbox", &[]).await.unwrap();
    let ids: Vec<Uuid> = ids.iter().map(|row| row.get(0)).collect();
    let owner = Uuid::now_v7();
    let owners = vec![owner; ids.len()];
    let (numbers, errors) = (vec![1_i64; ids.len()], vec!["refused"; ids.len()]);
    let many = 1_000_i64;

    let statements: [(&str, &[&(dyn ToSql + Sync)]); 6] = [
        (sql::CLAIM, &[&owner, &many, &many, &many, &i64::MAX]),
        (sql::DELIVERED, &[&ids, &numbers]),
        (sql::AGAIN, &[&ids, &owners, &numbers, &errors]),
        (sql::DEAD, &[&ids, &owners, &numbers, &errors]),
        (sql::EXPIRE, &[&many, &many, &"away"]),
        (sql::GIVE_BACK, &[&owner, &ids]),
    ];
    client.execute("UPDATE outbox SET lease_owner = $1", &[&owner]).await.unwrap();
    for (sql, params) in statements {
        let plan = explain(&client, sql, params).await;
        assert!(!plan.contains("Rows Removed by Join Filter"), "{sql}\n{plan}");
        assert!(!plan.contains("Seq Scan"), "{sql}\n{plan}");
    }
    drop(client);
    connection.await.unwrap().unwrap();
}
