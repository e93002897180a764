//! The troubles of a server.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use database::postgres::Postgres;
use database::postgres::tokio_postgres::{self, NoTls};
use database::{Error, PostgresUrl};
use runtime::Readiness;
use test_postgres::{Kill, Options};

use crate::store::{Db, Write, postgres, row, until};

#[tokio::test]
async fn a_server_killed_under_load_loses_nothing_that_was_acknowledged_and_is_used_again() {
    let Some(server) = test_postgres::private(Options::default()) else { return };
    let database = server.database();
    let db = postgres(&database.url()).opened().await;
    let (next, end) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicBool::new(false)));
    let (sure, unsure) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    let writers: Vec<_> = (0..16)
        .map(|_| {
            let (db, next, end) = (db.clone(), Arc::clone(&next), Arc::clone(&end));
            let (sure, unsure) = (Arc::clone(&sure), Arc::clone(&unsure));
            tokio::spawn(async move {
                while !end.load(Ordering::Relaxed) {
                    let id = next.fetch_add(1, Ordering::Relaxed);
                    match db.write(row(id)).await {
                        Ok(_) => sure.lock().unwrap().push(id),
                        Err(Error::Unknown { .. }) => unsure.lock().unwrap().push(id),
                        Err(Error::Unavailable { .. }) => tokio::time::sleep(Duration::from_millis(5)).await,
                        Err(other) => panic!("{other}"),
                    }
                }
            })
        })
        .collect();
    for _ in 0..3 {
        let before = sure.lock().unwrap().len();
        until("rows come", async || sure.lock().unwrap().len() > before + 200).await;
        server.kill(Kill::Postmaster).unwrap();
        until("it is noticed", async || db.write(row(-1)).await.is_err()).await;
        server.restart().unwrap();
    }
    let before = sure.lock().unwrap().len();
    until("rows come again", async || sure.lock().unwrap().len() > before + 200).await;
    end.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }

    let there = db.clone().opened().await.ids().await.unwrap();
    let (sure, unsure) = (sure.lock().unwrap().clone(), unsure.lock().unwrap().clone());
    let (sure, unsure) = (BTreeSet::from_iter(sure), BTreeSet::from_iter(unsure));
    let lost: Vec<_> = sure.iter().filter(|id| there.binary_search(id).is_err()).collect();
    assert!(lost.is_empty(), "{} of {} acknowledged are lost", lost.len(), sure.len());
    let refused_but_there: Vec<_> =
        there.iter().filter(|id| **id >= 0 && !sure.contains(id) && !unsure.contains(id)).collect();
    assert!(refused_but_there.is_empty(), "told as not written: {refused_but_there:?}");
    db.close().await;
}

#[tokio::test]
async fn a_backend_killed_in_the_middle_of_a_transaction_writes_nothing() {
    let Some(server) = test_postgres::shared() else { return };
    let database = server.database();
    let db = postgres(&database.url()).opened().await;
    db.write(row(1)).await.unwrap();
    let writing = tokio::spawn({
        let db = db.clone();
        async move { db.write(Write::Sql("SELECT pg_sleep(30)")).await }
    });
    let (admin, connection) = tokio_postgres::connect(&database.url(), NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
        WHERE datname = current_database() AND query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()";
    until("there is one to kill", async || !admin.query(kill, &[]).await.unwrap().is_empty()).await;

    let outcome = writing.await.unwrap();
    assert!(matches!(&outcome, Err(Error::Unavailable { .. })), "the commit was not sent: {outcome:?}");
    until("it is back", async || db.write(row(2)).await.is_ok()).await;
    until("reads too", async || db.ids().await == Ok(vec![1, 2])).await;
    db.close().await;
    drop(admin);
    connection.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_read_only_server_is_told_and_used_once_it_can_be_written() {
    let Some(server) = test_postgres::shared() else { return };
    let database = server.database();
    let db = postgres(&database.url()).opened().await;
    db.write(row(2)).await.unwrap();
    let (admin, connection) = tokio_postgres::connect(&database.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    let name = database.name();
    admin.batch_execute(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await.unwrap();
    terminate(&admin).await;
    until(
        "it is told",
        async || matches!(db.write(row(1)).await, Err(Error::Unavailable { detail }) if detail.contains("read-only")),
    )
    .await;
    admin
        .batch_execute(&format!(
            "SET transaction_read_only = off; ALTER DATABASE {name} RESET default_transaction_read_only"
        ))
        .await
        .unwrap();
    until("it is used", async || db.write(row(1)).await.is_ok()).await;
    assert_eq!(db.ids().await, Ok(vec![1, 2]));
}

#[tokio::test]
async fn a_statement_that_a_migration_made_stale_is_prepared_anew() {
    const ALL: Write = Write::Sql("SELECT * FROM messages LIMIT 0");
    let Some(server) = test_postgres::shared() else { return };
    let database = server.database();
    let db = postgres(&database.url()).opened().await;
    db.write(ALL).await.unwrap();
    let (admin, connection) = tokio_postgres::connect(&database.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    admin.batch_execute("ALTER TABLE messages ADD COLUMN more TEXT").await.unwrap();
    db.write(ALL).await.expect("the batch is tried again");
}

#[tokio::test]
async fn a_commit_is_never_asynchronous_and_the_server_knows_who_it_is() {
    let Some(server) = test_postgres::shared() else { return };
    let database = server.database();
    let (admin, connection) = tokio_postgres::connect(&database.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    let name = database.name();
    admin.batch_execute(&format!("ALTER DATABASE {name} SET synchronous_commit = off")).await.unwrap();

    let Db::Postgres(db) = postgres(&database.url()).opened().await else { unreachable!() };
    let shown = db
        .read(crate::store::SELECT, async |session| {
            session
                .query("SELECT current_setting('synchronous_commit'), current_setting('application_name')", &[])
                .await
        })
        .await
        .unwrap();
    assert_eq!(shown[0].get::<_, &str>(0), "on");
    assert!(shown[0].get::<_, &str>(1).starts_with("database"), "{shown:?}");
}

#[tokio::test]
async fn a_url_in_a_file_is_read_again_at_every_connect() {
    let Some(server) = test_postgres::shared() else { return };
    let database = server.database();
    let dir = crate::store::Dir::new();
    let file = dir.path().join("url");
    std::fs::write(&file, "postgres://nobody@127.0.0.1:1/a").unwrap();
    let lookup = |name: &str| (name == "DATABASE_URL_FILE").then(|| file.display().to_string());
    let mut env = runtime::env::Env::new(&lookup);
    let settings = database::Settings::read(&mut env, "a.sqlite3");
    let database::Url::Postgres(url) = env.finish(settings).unwrap().url else { panic!() };
    let db = Db::Postgres(database::postgres::Postgres::open(
        url,
        crate::store::SCHEMA,
        crate::store::Store,
        crate::store::context(&crate::collector::no_telemetry()),
    ));
    until("it is away", async || db.write(row(1)).await.is_err()).await;
    std::fs::write(&file, database.url()).unwrap();
    until("it is there", async || db.write(row(1)).await.is_ok()).await;
}

#[tokio::test]
async fn a_service_that_can_write_and_not_read_is_ready_and_its_reads_say_why_not() {
    let Some(server) = test_postgres::shared() else { return };
    let database = server.database();
    let (admin, connection) = tokio_postgres::connect(&database.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    let role = format!("{}_role", database.name());
    let made = format!("CREATE ROLE {role} LOGIN CONNECTION LIMIT 1; GRANT ALL ON SCHEMA public TO {role}");
    admin.batch_execute(&made).await.unwrap();
    let context = crate::store::context(&crate::collector::no_telemetry());
    let health = context.health.clone();
    let url = PostgresUrl::parse(&database.url().replace("//postgres@", &format!("//{role}@"))).unwrap();
    let db = Db::Postgres(Postgres::open(url, crate::store::SCHEMA, crate::store::Store, context));

    until("it writes", async || db.write(row(1)).await.is_ok()).await;
    assert_eq!(health.readiness(), Readiness::Ready);
    let read = db.ids().await;
    assert!(matches!(&read, Err(Error::Unavailable { detail }) if detail.contains("too many connections")), "{read:?}");

    admin.batch_execute(&format!("ALTER ROLE {role} CONNECTION LIMIT 2")).await.unwrap();
    until("it reads, too", async || db.ids().await == Ok(vec![1])).await;
    db.close().await;
    let drop_role = format!("DROP OWNED BY {role}; DROP ROLE {role}");
    admin.batch_execute(&drop_role).await.unwrap();
}

#[tokio::test]
async fn a_server_that_accepts_and_says_nothing_is_given_up() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let db = postgres(&format!("postgres://postgres@{}/a", silent.local_addr().unwrap()));
    until("it is told", async || {
        matches!(db.write(row(1)).await, Err(Error::Unavailable { detail }) if detail.contains("did not answer within"))
    })
    .await;
}

/// Keeps the error of a failed statement to itself, which leaves the transaction one that a COMMIT rolls back.
struct Careless;

impl database::postgres::Apply<i64, ()> for Careless {
    async fn apply(
        &mut self,
        transaction: &database::postgres::Transaction<'_>,
        ids: &mut [i64],
    ) -> Result<Vec<()>, tokio_postgres::Error> {
        for id in ids.iter() {
            transaction.execute("INSERT INTO messages (id, body) VALUES ($1, 'x')", &[id]).await?;
            let _ = transaction.execute("SELECT 1 / ($1::bigint - $1)", &[id]).await;
        }
        Ok(vec![(); ids.len()])
    }
}

#[tokio::test]
async fn what_a_commit_would_roll_back_is_never_acknowledged() {
    let Some(server) = test_postgres::shared() else { return };
    let database = server.database();
    let reading = postgres(&database.url()).opened().await;
    let db = database::postgres::Postgres::open(
        PostgresUrl::parse(&database.url()).unwrap(),
        crate::store::SCHEMA,
        Careless,
        crate::store::context(&crate::collector::no_telemetry()),
    );
    until("it is told", async || {
        let outcome = db.writer().write(crate::store::INSERT, 1).await;
        assert!(matches!(outcome, Err(Error::Unavailable { .. })), "{outcome:?}");
        outcome.unwrap_err().to_string().contains("kept back")
    })
    .await;
    assert_eq!(reading.ids().await, Ok(vec![]));
}

#[test]
fn a_url_needs_a_scheme() {
    assert!(PostgresUrl::parse("host=localhost").is_none());
}

pub(crate) async fn terminate(admin: &tokio_postgres::Client) {
    let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    admin.query(others, &[]).await.unwrap();
}
