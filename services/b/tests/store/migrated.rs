//! A file of the first version.

use std::time::Duration;

use api::message::Outcome;
use database::sqlite::rusqlite::Connection;

use crate::support::{self, Other};
use crate::{arrival, opened, purged};

/// As a program of the first version leaves it.
const FIRST: &str = concat!(
    include_str!("../../src/store/migrations/sqlite-1.sql"),
    "CREATE TABLE database_schema (\
        id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL, oldest_program INTEGER NOT NULL); \
     INSERT INTO database_schema VALUES (1, 1, 1);"
);

/// As it goes on writing into it.
fn applied_by_the_first(id: &str) -> String {
    format!(
        "INSERT INTO inbox (source, id) VALUES ('/a', '{id}'); \
         INSERT INTO messages (source, id, type, body, received_at) VALUES ('/a', '{id}', 't', '{{}}', 1);"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_the_first_version_is_used_on_beside_programs_of_that_version() {
    let database = support::sqlite();
    let first = database.other().await;
    first.run(FIRST).await;
    for id in ["1", "2", "3"] {
        first.run(&applied_by_the_first(id)).await;
    }

    let store = opened(&database.url).await;
    assert_eq!(store.record(arrival("/a", "2")).await.unwrap(), Outcome::Ignored);
    assert_eq!(store.record(arrival("/a", "4")).await.unwrap(), Outcome::Applied);
    first.run(&applied_by_the_first("5")).await;
    assert_eq!(numbers(&first), [1, 2, 3, 4, 5]);

    // Neither program gives a number again, whoever deleted what had it.
    assert_eq!(purged(&store, Duration::ZERO, 10).await, 5);
    first.run(&applied_by_the_first("6")).await;
    assert_eq!(store.record(arrival("/a", "7")).await.unwrap(), Outcome::Applied);
    assert_eq!(numbers(&first), [6, 7]);
    first.run("DELETE FROM inbox; DELETE FROM messages").await;
    assert_eq!(store.record(arrival("/a", "8")).await.unwrap(), Outcome::Applied);
    assert_eq!(numbers(&first), [8]);

    let schema: (u32, u32) = connection(&first)
        .query_row("SELECT version, oldest_program FROM database_schema", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    assert_eq!(schema, (2, 1), "a program of the first version may go on");
}

fn connection(other: &Other) -> &Connection {
    match other {
        Other::Sqlite(connection) => connection,
        Other::Postgres(_) => panic!("another database"),
    }
}

fn numbers(other: &Other) -> Vec<i64> {
    let mut select = connection(other).prepare("SELECT seq FROM messages ORDER BY seq").unwrap();
    select.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}
