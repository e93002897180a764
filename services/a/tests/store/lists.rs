//! What is read.

use api::message::State;
use outbox::{Settled, Storage as _};
use service_a::store::{Backend, Page};
use uuid::Uuid;

use crate::fixture::{Fixture, LONG, dead, new};

crate::on_both!(
    messages_are_listed_by_state_the_newest_first,
    a_page_ends_with_its_limit_or_with_its_bytes,
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
