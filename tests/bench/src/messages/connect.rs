//! Connections without a service.

use std::path::Path;

use database::postgres::tokio_postgres::{Client, NoTls, connect};
use database::sqlite::rusqlite::Connection;

/// With the pragmas that the services set.
pub(crate) fn sqlite(path: &Path) -> Connection {
    let connection = Connection::open(path).expect("a database");
    for (pragma, value) in [("journal_mode", "wal"), ("synchronous", "full"), ("foreign_keys", "on")] {
        connection.pragma_update(None, pragma, value).unwrap_or_else(|error| panic!("{pragma}: {error}"));
    }
    connection
}

/// As the server comes: with synchronous commits.
pub(crate) async fn postgres(url: &str) -> Client {
    let (client, connection) = connect(url, NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
}
