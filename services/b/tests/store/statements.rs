use api::message::Outcome;
use service_b::store::{Arrival, LONGEST_KEY};

use crate::support::Database;
use crate::{arrival, on_both, opened};

on_both!(
    a_new_event_is_applied_and_a_known_one_is_ignored,
    the_same_id_of_two_sources_is_two_events,
    every_text_comes_back_as_it_was_written,
    the_longest_keys_are_taken,
    pages_are_newest_first_and_end,
    a_page_ends_with_its_limit_or_with_its_bytes,
    what_was_committed_is_there_after_reopening,
);

async fn a_new_event_is_applied_and_a_known_one_is_ignored(database: &Database) {
    let store = opened(&database.url).await;
    let before = outbox::time::now();
    assert_eq!(store.record(arrival("/a", "1")).await.unwrap(), Outcome::Applied);

    // Another type or body does not make it another event.
    let again = Arrival { kind: "u".into(), body: "{}".into(), ..arrival("/a", "1") };
    assert_eq!(store.record(again).await.unwrap(), Outcome::Ignored);

    assert_eq!(store.count().await.unwrap(), 1);
    let found = store.find("1".into(), None).await.unwrap();
    let [stored] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((stored.kind.as_str(), stored.body.as_str()), ("t", r#"{"id":"1"}"#));
    assert!((before - 1_000..=outbox::time::now() + 1_000).contains(&stored.received_at), "{stored:?}");
}

async fn the_same_id_of_two_sources_is_two_events(database: &Database) {
    let store = opened(&database.url).await;
    for source in ["/b", "/a", "/c"] {
        assert_eq!(store.record(arrival(source, "1")).await.unwrap(), Outcome::Applied);
    }
    assert_eq!(store.count().await.unwrap(), 3);
    let sources = |found: Vec<service_b::store::Stored>| found.into_iter().map(|row| row.source).collect::<Vec<_>>();
    assert_eq!(sources(store.find("1".into(), None).await.unwrap()), ["/a", "/b"]);
    assert_eq!(sources(store.find("1".into(), Some("/c".into())).await.unwrap()), ["/c"]);
    assert!(store.find("1".into(), Some("/d".into())).await.unwrap().is_empty());
    assert!(store.find("2".into(), None).await.unwrap().is_empty());
}

async fn every_text_comes_back_as_it_was_written(database: &Database) {
    let store = opened(&database.url).await;
    let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(30_000), "]".repeat(30_000));
    let large = format!(r#"{{"a":"{}"}}"#, "é".repeat(32_000));
    let awkward = r#"'";--%_\ 😀 é"#;
    for (id, body) in [
        ("escapes", r#"{ "b":1.00, "a":1e400, "b":"\u0000\ud83d\ude00\udead", "c":[ [],{} ] }"#),
        ("deep", deep.as_str()),
        ("large", large.as_str()),
        (awkward, "{}"),
        ("É", "{}"),
        ("E\u{301}", "{}"),
        ("é", "{}"),
        (" ", "{}"),
    ] {
        let arrival = Arrival { body: body.to_owned(), kind: awkward.to_owned(), ..arrival(awkward, id) };
        assert_eq!(store.record(arrival.clone()).await.unwrap(), Outcome::Applied, "{id}");
        let found = store.find(id.to_owned(), Some(awkward.to_owned())).await.unwrap();
        let [stored] = found.as_slice() else { panic!("{} rows of {id}", found.len()) };
        assert_eq!(Arrival { body: stored.body.clone(), ..arrival.clone() }, arrival, "{id}");
        let identity = (stored.source.as_str(), stored.id.as_str(), stored.kind.as_str());
        assert_eq!(identity, (awkward, id, awkward));
    }
}

/// Postgres compresses what repeats: these do not.
async fn the_longest_keys_are_taken(database: &Database) {
    let store = opened(&database.url).await;
    let noise = |seed: u64| -> String {
        let mut state = seed;
        let next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(b'!' + u8::try_from((state >> 33) % 94).unwrap())
        };
        std::iter::repeat_with(next).take(LONGEST_KEY).collect()
    };
    let longest = arrival(&noise(1), &noise(2));
    assert_eq!(store.record(longest.clone()).await.unwrap(), Outcome::Applied);
    assert_eq!(store.record(longest.clone()).await.unwrap(), Outcome::Ignored);
    assert_eq!(store.find(longest.id, Some(longest.source)).await.unwrap().len(), 1);
}

async fn pages_are_newest_first_and_end(database: &Database) {
    let store = opened(&database.url).await;
    assert!(store.page(None, 10).await.unwrap().rows.is_empty());
    for id in 0..25 {
        store.record(arrival("/a", &id.to_string())).await.unwrap();
    }
    let (mut before, mut seen) = (None, Vec::new());
    loop {
        let page = store.page(before, 10).await.unwrap();
        assert!(page.rows.len() <= 10);
        before = page.rows.last().map(|row| row.seq);
        seen.extend(page.rows.into_iter().map(|row| row.id));
        if !page.more {
            break;
        }
    }
    let expected: Vec<_> = (0..25).rev().map(|id| id.to_string()).collect();
    assert_eq!(seen, expected);
    let exactly = store.page(None, 25).await.unwrap();
    assert_eq!((exactly.rows.len(), exactly.more), (25, false));
    let beyond = store.page(Some(i64::MIN), 10).await.unwrap();
    assert!(beyond.rows.is_empty() && !beyond.more);
}

async fn a_page_ends_with_its_limit_or_with_its_bytes(database: &Database) {
    let store = opened(&database.url).await;
    let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(600 * 1024));
    // What an event is called counts as well.
    let named = Arrival { kind: "k".repeat(600 * 1024), ..arrival("/a", "named") };
    for id in ["0", "1", "2", "3"] {
        store.record(Arrival { body: large.clone(), ..arrival("/a", id) }).await.unwrap();
    }
    store.record(named).await.unwrap();
    store.record(arrival("/a", "small")).await.unwrap();

    let (mut before, mut pages) = (None, Vec::new());
    loop {
        let page = store.page(before, 200).await.unwrap();
        before = page.rows.last().map(|row| row.seq);
        pages.push(page.rows.into_iter().map(|row| row.id).collect::<Vec<_>>().join(" "));
        if !page.more {
            break;
        }
    }
    assert_eq!(pages, ["small named 3", "2 1", "0"]);

    for (limit, ids, more) in [(1, 1, true), (2, 2, true), (3, 3, true)] {
        let page = store.page(None, limit).await.unwrap();
        assert_eq!((page.rows.len(), page.more), (ids, more));
    }
}

async fn what_was_committed_is_there_after_reopening(database: &Database) {
    let store = opened(&database.url).await;
    store.record(arrival("/a", "1")).await.unwrap();
    store.close().await;
    assert!(store.record(arrival("/a", "2")).await.is_err(), "it is closed");
    drop(store);

    let store = opened(&database.url).await;
    assert_eq!(store.record(arrival("/a", "1")).await.unwrap(), Outcome::Ignored);
    assert_eq!(store.count().await.unwrap(), 1);
}
