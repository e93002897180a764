use api::message::{Inbox, Received};

use crate::client::B;
use crate::support::{self, Database};

#[tokio::test]
async fn cursors_lead_through_the_whole_list_on_sqlite() {
    whole_list(&support::sqlite()).await;
}

#[tokio::test]
async fn cursors_lead_through_the_whole_list_on_postgres() {
    if let Some(database) = support::postgres() {
        whole_list(&database).await;
    }
}

async fn whole_list(database: &Database) {
    let b = B::ready(&database.url).await;
    let empty: Inbox = b.get("/messages").await.json();
    assert!(empty.messages.is_empty() && empty.next_cursor.is_none());
    for id in 0..21 {
        assert_eq!(b.event(&id.to_string()).await.status(), 201);
    }
    let (mut path, mut pages, mut seen) = ("/messages?limit=7".to_owned(), 0, Vec::new());
    loop {
        let page: Inbox = b.get(&path).await.json();
        pages += 1;
        assert_eq!(page.messages.len(), 7);
        seen.extend(page.messages.into_iter().map(|message| message.id));
        let Some(cursor) = page.next_cursor else { break };
        // What arrives meanwhile is newer, and does not move what follows.
        assert_eq!(b.event(&format!("late-{pages}")).await.status(), 201);
        path = format!("/messages?limit=7&cursor={cursor}");
    }
    let expected: Vec<_> = (0..21).rev().map(|id| id.to_string()).collect();
    assert_eq!((seen, pages), (expected, 3));
    let all: Inbox = b.get("/messages").await.json();
    assert_eq!((all.messages.len(), all.next_cursor), (23, None));
}

#[tokio::test]
async fn a_page_is_bounded_in_bytes_on_sqlite() {
    bounded_pages(&support::sqlite()).await;
}

#[tokio::test]
async fn a_page_is_bounded_in_bytes_on_postgres() {
    if let Some(database) = support::postgres() {
        bounded_pages(&database).await;
    }
}

async fn bounded_pages(database: &Database) {
    const MIB: usize = 1024 * 1024;
    let b = B::ready(&database.url).await;
    let body = format!(r#"{{"a":"{}"}}"#, "x".repeat(64 * 1024 - 8));
    assert_eq!(body.len(), 64 * 1024, "the largest that is taken");
    for id in 0..40 {
        assert_eq!(b.event_with(&id.to_string(), &body).await.status(), 201);
    }
    let (mut path, mut sizes, mut seen) = ("/messages?limit=200".to_owned(), Vec::new(), Vec::new());
    loop {
        let answer = b.get(&path).await;
        assert!(answer.body().len() < MIB + body.len() + 8 * 1024, "{}", answer.body().len());
        let page: Inbox = answer.json();
        sizes.push(page.messages.len());
        assert!(page.messages.iter().all(|message| message.body.get() == body));
        seen.extend(page.messages.into_iter().map(|message| message.id));
        let Some(cursor) = page.next_cursor else { break };
        path = format!("/messages?limit=200&cursor={cursor}");
    }
    let expected: Vec<_> = (0..40).rev().map(|id| id.to_string()).collect();
    assert_eq!((seen, sizes), (expected, vec![16, 16, 8]));
}

#[tokio::test]
async fn cursors_that_were_tampered_with_and_bad_parameters_are_400() {
    let database = support::sqlite();
    let b = B::ready(&database.url).await;
    for id in ["1", "2"] {
        b.event(id).await;
    }
    let page: Inbox = b.get("/messages?limit=1").await.json();
    let cursor = page.next_cursor.unwrap();
    let other = if cursor.starts_with('A') { "B" } else { "A" };
    let tampered = format!("{other}{}", &cursor[1..]);
    let foreign = outbox::cursor::encode("a/messages", &1_i64.to_be_bytes());
    for bad in [tampered.as_str(), &cursor[1..], &foreign, "1", "", "%00", "null"] {
        b.get(&format!("/messages?cursor={bad}")).await.is_problem(
            400,
            "the cursor is none of this list's",
            "/messages",
        );
    }
    for (query, detail) in [
        ("limit=0", "limit must be a whole number from 1 to 200"),
        ("limit=201", "limit must be"),
        ("limit=", "limit must be"),
        ("limit=1&limit=2", "limit is given more than once"),
        ("cursor=%FF", "not percent-encoded UTF-8"),
    ] {
        b.get(&format!("/messages?{query}")).await.is_problem(400, detail, "/messages");
    }
}

#[tokio::test]
async fn one_message_is_found_by_id_and_by_source_where_that_is_needed() {
    let database = support::sqlite();
    let b = B::ready(&database.url).await;
    b.event("1").await;
    b.event("a%2Fb").await;
    let headers = [
        ("ce-specversion", "1.0"),
        ("ce-id", "1"),
        ("ce-source", "/b"),
        ("ce-type", "t"),
        ("content-type", "application/json"),
    ];
    assert_eq!(b.post(&headers, "{}").await.status(), 201);

    b.get("/messages/1").await.is_problem(409, "say which with ?source=", "/messages/1");
    for (path, source, id) in
        [("/messages/1?source=%2Fb", "/b", "1"), ("/messages/1?source=/a", "/a", "1"), ("/messages/a%2Fb", "/a", "a/b")]
    {
        let message: Received = b.get(path).await.json();
        assert_eq!((message.source.as_str(), message.id.as_str()), (source, id));
    }
    b.get("/messages/2").await.is_problem(404, "there is no message with this id", "/messages/2");
    b.get("/messages/1?source=/c").await.is_problem(404, "there is no message with this id", "/messages/1");
    b.get("/messages/%00").await.is_problem(404, "there is no message with this id", "/messages/%00");
    b.get("/messages/1?source=%00").await.is_problem(404, "there is no message with this id", "/messages/1");
    b.get("/messages/%FF").await.is_problem(400, "the id is not percent-encoded UTF-8", "/messages/%FF");
    b.get("/messages/1?source=/a&source=/a").await.is_problem(400, "source is given more than once", "/messages/1");
}
