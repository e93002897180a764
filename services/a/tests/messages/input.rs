//! Bad input: a clear answer, and nothing stored.

use api::message::Messages;

use crate::client::{ask, get, post};
use crate::double::Double;
use crate::service::{Service, a_and_b, config};

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

#[tokio::test]
async fn bodies_that_are_none_are_refused_and_odd_ones_are_taken_as_they_are() {
    let (a, b, _directory) = a_and_b().await;
    for other in ["[]", "null", "1", "\"text\"", "true", "[{}]"] {
        assert!(post(a.address, &[], other).await.problem(422).contains("object"), "{other}");
    }
    for malformed in ["", "{", "{}{}", "{'a':1}", "{\"a\":}", "{\"a\":\"\u{0}\"}", "{\"a\":1,}"] {
        assert!(post(a.address, &[], malformed).await.problem(400).contains("not JSON"), "{malformed:?}");
    }
    let not_utf_8 = ask(a.address, "POST", "/messages", JSON, b"{\"a\":\"\xff\"}").await;
    assert!(not_utf_8.problem(400).contains("UTF-8"));
    let too_large = format!("{{\"a\":\"{}\"}}", "x".repeat(64 * 1024));
    assert!(post(a.address, &[], &too_large).await.problem(413).contains("65536"));
    ask(a.address, "POST", "/messages", &[("content-type", "text/plain")], b"{}").await.problem(415);
    ask(a.address, "POST", "/messages", &[], b"{}").await.problem(415);
    let unclosed = format!("{{\"a\":{}", "[".repeat(60_000));
    post(a.address, &[], &unclosed).await.problem(400);
    assert!(b.events().is_empty());
    let listed: Messages = serde_json::from_str(&get(a.address, "/messages").await.body).unwrap();
    assert!(listed.messages.is_empty());

    let nested = format!("{{\"a\":{}{}}}", "[".repeat(30_000), "]".repeat(30_000));
    let objects = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    for odd in [nested.as_str(), &objects, r#"{"a":"\u0000\ud83d\ude00","a":2}"#, "{\"\":1e999}", "\n {} \n"] {
        let answer = post(a.address, &[], odd).await;
        assert_eq!(answer.status, 201, "{odd:.40}");
        assert_eq!(b.events().last().unwrap().body, odd.trim());
    }
}

/// A column of Postgres holds no NUL; an escape of one is six characters.
#[tokio::test]
async fn an_escaped_nul_is_kept_and_delivered_on_postgres() {
    let Some(server) = test_postgres::shared() else { return };
    let (database, b) = (server.database(), Double::start());
    let url = <database::Url as runtime::env::Value>::parse(&database.url()).unwrap();
    let a = Service::start(config(b.uri(), url)).await;
    let odd = r#"{"\u0000":"\u0000\ud800","a":[1e999]}"#;
    let answer = post(a.address, &[("idempotency-key", "\\u0000")], odd).await;
    assert_eq!((answer.status, answer.message().body.get()), (201, odd), "{answer:?}");
    assert_eq!(get(a.address, answer.header("location").unwrap()).await.message().body.get(), odd);
    let listed: Messages = serde_json::from_str(&get(a.address, "/messages").await.body).unwrap();
    assert_eq!(listed.messages[0].body.get(), odd);
    assert_eq!(b.events()[0].body, odd);
    post(a.address, &[], "{\"a\":\"\u{0}\"}").await.problem(400);
    for nul in ["/messages?state=%00", "/messages?cursor=%00", "/messages/%00"] {
        get(a.address, nul).await.problem(400);
    }
    a.stop().await;
}

#[tokio::test]
async fn identifiers_that_are_none_are_400_and_unknown_ones_404() {
    let (a, _b, _directory) = a_and_b().await;
    let unknown = "0199c0de-0000-7000-8000-000000000000";
    for bad in ["1", "%ff", "0199c0de00007000800000000000000", "{0199c0de-0000-7000-8000-000000000000}", "%00", "..%2f"]
    {
        get(a.address, &format!("/messages/{bad}")).await.problem(400);
        ask(a.address, "POST", &format!("/messages/{bad}/redeliver"), &[], b"").await.problem(400);
    }
    get(a.address, &format!("/messages/{unknown}")).await.problem(404);
    let young = uuid::Uuid::now_v7();
    ask(a.address, "POST", &format!("/messages/{young}/redeliver"), &[], b"").await.problem(404);
    assert_eq!(ask(a.address, "DELETE", &format!("/messages/{unknown}"), &[], b"").await.status, 405);
}

#[tokio::test]
async fn lists_are_paged_and_their_parameters_checked() {
    let (a, _b, _directory) = a_and_b().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.insert(0, post(a.address, &[], "{}").await.message().id);
    }
    let mut path = "/messages?limit=2&state=delivered".to_owned();
    let (mut listed, mut cursor) = (Vec::new(), String::new());
    loop {
        let page: Messages = serde_json::from_str(&get(a.address, &path).await.body).unwrap();
        listed.extend(page.messages.into_iter().map(|message| message.id));
        let Some(next) = page.next_cursor else { break };
        path = format!("/messages?limit=2&state=delivered&cursor={next}");
        cursor = next;
    }
    assert_eq!(listed, ids);

    let tampered = format!("{}A", &cursor[..cursor.len() - 1]);
    let tampered = if tampered == cursor { format!("{}B", &cursor[..cursor.len() - 1]) } else { tampered };
    for bad in [
        "limit=0".to_owned(),
        "limit=201".to_owned(),
        "limit=-1".to_owned(),
        "limit=x".to_owned(),
        "state=lost".to_owned(),
        "state=Dead".to_owned(),
        "cursor=".to_owned(),
        "cursor=AAAA".to_owned(),
        format!("cursor={cursor}"),
        format!("state=delivered&cursor={tampered}"),
        format!("state=delivered&cursor={cursor}{cursor}"),
    ] {
        get(a.address, &format!("/messages?{bad}")).await.problem(400);
    }
}

#[tokio::test]
async fn keys_that_can_not_be_used_are_400() {
    let (a, b, _directory) = a_and_b().await;
    let long = "k".repeat(256);
    for bad in ["", " ", "a b", "ä", &long] {
        assert!(post(a.address, &[("idempotency-key", bad)], "{}").await.problem(400).contains("Idempotency-Key"));
    }
    post(a.address, &[("idempotency-key", "a"), ("idempotency-key", "a")], "{}").await.problem(400);
    assert!(b.events().is_empty());
    assert_eq!(post(a.address, &[("idempotency-key", &long[1..])], "{}").await.status, 201);
}
