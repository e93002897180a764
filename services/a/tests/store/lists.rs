//! What is read.

use api::message::State;
use outbox::{Settled, Storage as _};
use service_a::store::{Backend, Lease, New, Page};
use test_postgres::Relay;
use uuid::Uuid;

use crate::fixture::{Fixture, LONG, dead, new, opened};

crate::on_both!(
    messages_are_listed_by_state_the_newest_first,
    a_page_ends_with_its_limit_or_with_its_bytes,
    every_page_is_bounded_by_bytes_whatever_is_listed,
    those_that_ended_are_told_from_those_that_are_pending,
    the_outbox_tells_how_many_wait_and_since_when,
);

async fn listed<B: Backend>(fixture: &Fixture<B>, state: Option<State>) -> Vec<Uuid> {
    let mut ids = Vec::new();
    let mut before = Uuid::max();
    loop {
        let page = fixture.store.0.list(Page { before, state, limit: 2 }).await.unwrap();
        ids.extend(page.messages.iter().map(|kept| kept.id));
        match page.messages.last() {
            Some(last) if page.more => before = last.id,
            _ => return ids,
        }
    }
}

async fn messages_are_listed_by_state_the_newest_first<B: Backend>(fixture: Fixture<B>) {
    let owner = Uuid::now_v7();
    assert!(listed(&fixture, None).await.is_empty());
    let (mut all, mut by_state) = (Vec::new(), [Vec::new(), Vec::new(), Vec::new()]);
    for n in 0..12 {
        let id = fixture.accept(Some((owner, LONG))).await.id;
        match n % 3 {
            0 => fixture.settle(id, owner, Settled::Delivered).await,
            1 => fixture.settle(id, owner, dead()).await,
            _ => {}
        }
        all.insert(0, id);
        by_state[n % 3].insert(0, id);
    }
    assert_eq!(listed(&fixture, None).await, all);
    assert_eq!(listed(&fixture, Some(State::Delivered)).await, by_state[0]);
    assert_eq!(listed(&fixture, Some(State::Dead)).await, by_state[1]);
    assert_eq!(listed(&fixture, Some(State::Pending)).await, by_state[2]);
}

async fn a_page_ends_with_its_limit_or_with_its_bytes<B: Backend>(fixture: Fixture<B>) {
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(60_000));
    for _ in 0..30 {
        fixture.store.accept(new(&large)).await.unwrap();
    }
    let page = |before, limit| fixture.store.0.list(Page { before, state: None, limit });
    let first = page(Uuid::max(), 30).await.unwrap();
    assert!(first.more && (15..25).contains(&first.messages.len()), "{}", first.messages.len());
    let rest = page(first.messages.last().unwrap().id, 30).await.unwrap();
    assert_eq!(first.messages.len() + rest.messages.len(), 30);
    assert!(!rest.more);
}

const LARGE: usize = 60_000;
/// Bodies of one page; its last message may exceed it.
const PAGE: usize = 1024 * 1024;

async fn every_page_is_bounded_by_bytes_whatever_is_listed<B: Backend>(fixture: Fixture<B>) {
    let owner = Uuid::now_v7();
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(LARGE));
    let mut by_state = [Vec::new(), Vec::new(), Vec::new()];
    for n in 0..120 {
        let message = New { lease: Some(Lease { owner, time: LONG }), ..new(&large) };
        fixture.store.accept(message.clone()).await.unwrap();
        match n % 3 {
            0 => fixture.settle(message.id, owner, Settled::Delivered).await,
            1 => fixture.settle(message.id, owner, dead()).await,
            _ => {}
        }
        by_state[n % 3].insert(0, message.id);
    }
    let mut all = by_state.concat();
    all.sort_by(|a, b| b.cmp(a));
    let [delivered, dead, pending] = by_state;
    for (state, expected) in
        [(None, all), (Some(State::Delivered), delivered), (Some(State::Dead), dead), (Some(State::Pending), pending)]
    {
        let (mut ids, mut before) = (Vec::new(), Uuid::max());
        loop {
            let page = fixture.store.0.list(Page { before, state, limit: 200 }).await.unwrap();
            let bytes: usize = page.messages.iter().map(|kept| kept.body.len()).sum();
            ids.extend(page.messages.iter().map(|kept| kept.id));
            if !page.more {
                assert!(bytes <= PAGE + large.len(), "{state:?}: {bytes}");
                break;
            }
            assert!((PAGE + 1..=PAGE + large.len()).contains(&bytes), "{state:?}: {bytes}");
            before = *ids.last().unwrap();
        }
        assert_eq!(ids, expected, "{state:?}");
    }
}

#[tokio::test]
async fn postgres_sends_a_page_and_not_all_that_might_be_on_it() {
    let Some(server) = test_postgres::shared() else { return };
    let database = server.database();
    let relay = Relay::to(&database.url()).await;
    let (store, large) = (opened(relay.url()).await, format!("{{\"a\":\"{}\"}}", "x".repeat(LARGE)));
    for _ in 0..100 {
        store.accept(new(&large)).await.unwrap();
    }
    for state in [None, Some(State::Pending)] {
        let before = relay.bytes();
        let page = store.0.list(Page { before: Uuid::max(), state, limit: 200 }).await.unwrap();
        assert!(page.more && page.messages.len() == 18, "{}", page.messages.len());
        let sent = relay.bytes() - before;
        assert!((PAGE..PAGE + 3 * LARGE).contains(&sent), "{sent} bytes for a page of {state:?}");
    }
    store.0.close().await;
}

async fn those_that_ended_are_told_from_those_that_are_pending<B: Backend>(fixture: Fixture<B>) {
    let owner = Uuid::now_v7();
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(fixture.accept(Some((owner, LONG))).await.id);
    }
    fixture.settle(ids[0], owner, Settled::Delivered).await;
    fixture.settle(ids[1], owner, dead()).await;
    let mut ended = fixture.store.ended([ids.clone(), vec![Uuid::now_v7()]].concat()).await.unwrap();
    ended.sort();
    assert_eq!(ended, ids[..2]);
}

async fn the_outbox_tells_how_many_wait_and_since_when<B: Backend>(fixture: Fixture<B>) {
    let depth = fixture.store.depth(10).await.unwrap();
    assert_eq!((depth.rows, depth.oldest), (0, None));
    let first = fixture.accept(None).await;
    for _ in 0..4 {
        fixture.accept(None).await;
    }
    let depth = fixture.store.depth(10).await.unwrap();
    assert_eq!(depth.rows, 5);
    assert!((depth.oldest.unwrap() - first.created_at).abs() <= 5);
    assert_eq!(fixture.store.depth(3).await.unwrap().rows, 3, "no more are counted than are asked for");
}
