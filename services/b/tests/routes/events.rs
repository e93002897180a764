use api::message::{Outcome, Receipt, Received, Stats};
use tokio::task::JoinSet;

use crate::client::B;
use crate::support::{self, Database};

const STRUCTURED: [(&str, &str); 1] = [("content-type", "application/cloudevents+json; charset=utf-8")];

#[tokio::test]
async fn an_event_is_applied_once_in_whichever_mode_it_comes() {
    let database = support::sqlite();
    let b = B::ready(&database.url).await;
    let body = r#"{ "key": "\u0000", "key":1.00 }"#;
    let headers = [
        ("ce-specversion", "1.0"),
        ("ce-id", "%E2%82%AC%201"),
        ("ce-source", "/a"),
        ("ce-type", "com.example.t"),
        ("ce-time", "2026-01-31T23:59:59Z"),
        ("ce-traceparent", "00-0af7651916cd43dd8448eb211c80319c-b9c7c989f97918e1-01"),
        ("content-type", "application/json"),
    ];

    let new = b.post(&headers, body).await;
    assert_eq!(new.status(), 201);
    let receipt = |outcome| Receipt { id: "€ 1".into(), source: "/a".into(), outcome };
    assert_eq!(new.json::<Receipt>(), receipt(Outcome::Applied));
    let location = new.header("location").unwrap();
    assert_eq!(location, "/messages/%E2%82%AC%201?source=%2Fa");

    let again = b.post(&headers, body).await;
    assert_eq!((again.status(), again.json::<Receipt>()), (200, receipt(Outcome::Ignored)));
    assert_eq!(again.header("location"), Some(location));

    let structured = r#"{"specversion":"1.0","id":"€ 1","source":"/a","type":"com.example.t","data":{}}"#;
    let again = b.post(&STRUCTURED, structured).await;
    assert_eq!((again.status(), again.json::<Receipt>()), (200, receipt(Outcome::Ignored)));

    let copy = b.get(location).await;
    assert_eq!(copy.status(), 200);
    let copy: Received = copy.json();
    assert_eq!((copy.id.as_str(), copy.source.as_str(), copy.kind.as_str()), ("€ 1", "/a", "com.example.t"));
    assert_eq!(copy.body.get(), body);
    assert!(outbox::time::is_rfc3339(&copy.received_at) && copy.received_at.len() == 24, "{}", copy.received_at);
    assert_eq!(b.stats().await, Stats { messages: 1, applied: 1, ignored: 2 });
}

#[tokio::test]
async fn a_structured_event_is_applied_with_its_data_as_it_was_written() {
    let database = support::sqlite();
    let b = B::ready(&database.url).await;
    let event =
        |id: &str, rest: &str| format!(r#"{{"specversion":"1.0","id":"{id}","source":"/a","type":"t",{rest}}}"#);
    for (id, rest, expected) in [
        ("1", r#""data": { "a":[1.0 ] }"#, r#"{ "a":[1.0 ] }"#),
        ("2", r#""datacontenttype":"text/json","data":{}"#, "{}"),
        ("3", r#""data_base64":"eyJhIjoxfQ==""#, r#"{"a":1}"#),
    ] {
        let answer = b.post(&STRUCTURED, event(id, rest)).await;
        assert_eq!(answer.status(), 201, "{answer:?}");
        let copy: Received = b.get(&format!("/messages/{id}")).await.json();
        assert_eq!(copy.body.get(), expected);
    }
}

#[tokio::test]
async fn a_nul_is_kept_in_data_and_refused_in_attributes_on_sqlite() {
    nul(&support::sqlite()).await;
}

#[tokio::test]
async fn a_nul_is_kept_in_data_and_refused_in_attributes_on_postgres() {
    if let Some(database) = support::postgres() {
        nul(&database).await;
    }
}

/// Postgres has no text with a NUL: as data it stays the escape that it was written as.
async fn nul(database: &Database) {
    let b = B::ready(&database.url).await;
    let body = r#"{"\u0000":"a\u0000b"}"#;
    assert_eq!(b.event_with("binary", body).await.status(), 201);
    let structured = |id: &str, more: &str, data: &str| {
        format!(r#"{{"specversion":"1.0","id":"{id}","source":"/a","type":"t",{more}"data":{data}}}"#)
    };
    assert_eq!(b.post(&STRUCTURED, structured("structured", "", body)).await.status(), 201);
    for id in ["binary", "structured"] {
        let copy: Received = b.get(&format!("/messages/{id}")).await.json();
        assert_eq!(copy.body.get(), body);
    }

    for (event, name) in [
        (structured("1\\u0000", "", "{}"), "id"),
        (structured("1", r#""subject":"\u0000","#, "{}"), "subject"),
        (structured("1", r#""mine":"\u0000","#, "{}"), "mine"),
        (structured("1", "", "{}").replace(r#""type":"t""#, r#""type":"\u0000""#), "type"),
        (structured("1", "", "{}").replace("/a", r"/\u0000"), "source"),
    ] {
        b.post(&STRUCTURED, &event).await.is_problem(400, name, "/events");
    }
    for name in ["ce-id", "ce-type", "ce-subject", "ce-source"] {
        let attributes = [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/a"), ("ce-type", "t")];
        let mut headers: Vec<_> = attributes.into_iter().filter(|(other, _)| *other != name).collect();
        headers.extend([(name, "a%00"), ("content-type", "application/json")]);
        let told = name.trim_start_matches("ce-");
        b.post(&headers, "{}").await.is_problem(400, told, "/events");
    }
    assert_eq!(b.stats().await, Stats { messages: 2, applied: 2, ignored: 0 });
}

#[tokio::test]
async fn every_media_type_of_json_is_taken_in_binary_mode() {
    let database = support::sqlite();
    let b = B::ready(&database.url).await;
    for (id, told) in ["application/json", "Text/JSON; charset=utf-8", "application/vnd.x+json"].into_iter().enumerate()
    {
        let id = id.to_string();
        let headers =
            [("ce-specversion", "1.0"), ("ce-id", &*id), ("ce-source", "/a"), ("ce-type", "t"), ("content-type", told)];
        assert_eq!(b.post(&headers, "{}").await.status(), 201, "{told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_event_fifty_times_at_once_to_two_replicas_is_applied_once_on_sqlite() {
    fifty_times_at_once(&support::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_event_fifty_times_at_once_to_two_replicas_is_applied_once_on_postgres() {
    if let Some(database) = support::postgres() {
        fifty_times_at_once(&database).await;
    }
}

async fn fifty_times_at_once(database: &Database) {
    let replicas =
        [std::sync::Arc::new(B::ready(&database.url).await), std::sync::Arc::new(B::ready(&database.url).await)];
    let mut tasks = JoinSet::new();
    for index in 0..50 {
        let b = replicas[index % 2].clone();
        tasks.spawn(async move { b.event("1").await.status() });
    }
    let mut statuses = tasks.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses[49], 201);
    assert!(statuses[..49].iter().all(|status| *status == 200), "{statuses:?}");

    let (first, second) = (replicas[0].stats().await, replicas[1].stats().await);
    assert_eq!((first.messages, second.messages), (1, 1));
    assert_eq!((first.applied + second.applied, first.ignored + second.ignored), (1, 49));
    let metrics = replicas[0].probe("/metrics").await;
    let counted =
        [format!("inbox_applied_total {}\n", first.applied), format!("inbox_ignored_total {}\n", first.ignored)];
    assert!(counted.iter().all(|line| metrics.body().contains(line)), "{counted:?} in {}", metrics.body());
}
