//! Spans and metrics of writes.

use database::sqlite::Sqlite;
use opentelemetry_proto::tonic::trace::v1::Span;
use telemetry::propagation::from_text;

use crate::collector::Collector;
use crate::store::{Db, Dir, SCHEMA, Store, context, row};
use database::PostgresUrl;
use database::postgres::Postgres;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

#[tokio::test]
async fn a_sampled_write_is_a_client_span_linked_with_its_batch_on_sqlite() {
    let dir = Dir::new();
    let collector = Collector::default();
    let telemetry = collector.telemetry();
    let _entered = telemetry.enter();
    let db = Db::Sqlite(Sqlite::open(dir.file(), SCHEMA, Store, context(&telemetry)));
    let spans = written(&db.opened().await, &collector, &telemetry).await;
    linked(&spans, "sqlite", "a.sqlite3");
}

#[tokio::test]
async fn a_sampled_write_is_a_client_span_linked_with_its_batch_on_postgres() {
    let Some(server) = test_postgres::shared() else { return };
    let database = server.database();
    let collector = Collector::default();
    let telemetry = collector.telemetry();
    let _entered = telemetry.enter();
    let url = PostgresUrl::parse(&database.url()).unwrap();
    let db = Db::Postgres(Postgres::open(url, SCHEMA, Store, context(&telemetry)));
    let spans = written(&db.opened().await, &collector, &telemetry).await;
    linked(&spans, "postgresql", database.name());
}

/// The spans of one batch with a write that is sampled and one that is not.
async fn written(db: &Db, collector: &Collector, telemetry: &telemetry::Telemetry) -> Vec<Span> {
    let before = collector.spans(telemetry).await.len();
    let write = |parent: &'static str, id| {
        let db = db.clone();
        let work = async move { db.write(row(id)).await };
        tokio::spawn(telemetry::FutureExt::with_context(work, from_text(parent, None)))
    };
    let both = [write(SAMPLED, 1), write(UNSAMPLED, 2)];
    for one in both {
        assert_eq!(one.await.unwrap(), Ok(2), "they are one batch");
    }
    collector.spans(telemetry).await.split_off(before)
}

fn linked(spans: &[Span], system: &str, namespace: &str) {
    let named = |name: &str| spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name}: {spans:?}"));
    assert_eq!(spans.len(), 2, "{spans:?}");
    let (write, batch) = (named("INSERT messages"), named("COMMIT batch"));
    assert_eq!(hex(&write.trace_id), TRACE);
    assert_eq!(hex(&write.parent_span_id), "00f067aa0ba902b7");
    assert!(batch.parent_span_id.is_empty() && batch.trace_id != write.trace_id);
    assert_eq!(write.links[0].span_id, batch.span_id);
    assert_eq!(batch.links[0].span_id, write.span_id);
    assert_eq!((write.kind, batch.kind), (3, 3), "both are clients");
    for (span, operation) in [(write, "INSERT"), (batch, "COMMIT")] {
        assert_eq!(attribute(span, "db.system.name"), system);
        assert_eq!(attribute(span, "db.namespace"), namespace);
        assert_eq!(attribute(span, "db.operation.name"), operation);
    }
    assert_eq!(attribute(write, "db.collection.name"), "messages");
    assert_eq!(attribute(batch, "db.operation.batch.size"), "2");
    assert!(batch.start_time_unix_nano >= write.start_time_unix_nano);
    assert!(batch.end_time_unix_nano <= write.end_time_unix_nano);
}

#[tokio::test]
async fn a_write_that_fails_is_a_failed_span_and_one_given_up_is_cancelled() {
    let dir = Dir::new();
    let collector = Collector::default();
    let telemetry = collector.telemetry();
    let _entered = telemetry.enter();
    let db = Db::Sqlite(Sqlite::open(dir.file(), SCHEMA, Store, context(&telemetry))).opened().await;
    let before = collector.spans(&telemetry).await.len();

    db.write(row(1)).await.unwrap();
    db.write(row(1)).await.unwrap_err();
    tokio::select! {
        biased;
        _ = db.write(row(2)) => unreachable!(),
        () = std::future::ready(()) => {}
    }
    db.close().await;

    let spans = collector.spans(&telemetry).await.split_off(before);
    let kinds: Vec<_> =
        spans.iter().filter(|span| span.name == "INSERT messages").map(|span| attribute(span, "error.type")).collect();
    assert_eq!(kinds, ["", "refused", "cancelled"]);
}

#[tokio::test]
async fn commits_are_counted() {
    let dir = Dir::new();
    let telemetry = crate::collector::no_telemetry();
    let db = Db::Sqlite(Sqlite::open(dir.file(), SCHEMA, Store, context(&telemetry))).opened().await;
    for id in [1, 2, 2] {
        let _ = db.write(row(id)).await;
    }
    let metrics = telemetry.metrics().render();
    for line in [
        "database_up 1",
        "database_connects_total 1",
        "database_refused_writes_total 1",
        "database_batch_writes_sum 3.0",
        "database_commits_total{outcome=\"committed\"} 3",
    ] {
        assert!(metrics.contains(&format!("{line}\n")), "{line} in {metrics}");
    }
}

#[tokio::test]
async fn a_database_that_is_not_there_is_not_up() {
    let telemetry = crate::collector::no_telemetry();
    let url = PostgresUrl::parse("postgres://me:secret@127.0.0.1:1/nowhere").unwrap();
    let db = Db::Postgres(Postgres::open(url, SCHEMA, Store, context(&telemetry)));
    crate::store::until("the reason is told", async || {
        matches!(db.write(row(1)).await, Err(database::Error::Unavailable { detail })
            if detail.contains("postgres://127.0.0.1:1/nowhere") && detail.contains("refused") && !detail.contains("secret"))
    })
    .await;
    assert!(telemetry.metrics().render().contains("database_up 0\n"));
}

fn attribute(span: &Span, key: &str) -> String {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    let found = span.attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|attribute| attribute.value.clone()).and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => other.map(|other| panic!("{other:?}")).unwrap_or_default(),
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
