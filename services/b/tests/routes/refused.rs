//! What is no event, or none that can be taken: an answer that says why, and nothing in the database.

use crate::client::B;
use crate::support;

const PATH: &str = "/events";

/// Binary mode with one header replaced or, when it has no value, left out.
fn headers<'a>(changed: &'a str, value: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
    let all = [
        ("ce-specversion", "1.0"),
        ("ce-id", "1"),
        ("ce-source", "/a"),
        ("ce-type", "t"),
        ("content-type", "application/json"),
    ];
    let kept = all.into_iter().filter(|(name, _)| *name != changed);
    kept.chain(value.map(|value| (changed, value))).collect()
}

#[tokio::test]
async fn a_bad_attribute_is_400_and_named() {
    let database = support::sqlite();
    let b = B::ready(&database.url).await;
    let long = "x".repeat(1025);
    for (name, value, detail) in [
        ("ce-id", None, "id is missing"),
        ("ce-source", None, "source is missing"),
        ("ce-type", None, "type is missing"),
        ("ce-specversion", None, "specversion is missing"),
        ("ce-specversion", Some("0.3"), "specversion is \"0.3\"; 1.0 is"),
        ("ce-id", Some(""), "id is empty"),
        ("ce-id", Some("%00"), "id has a character"),
        ("ce-id", Some("%C0%A0"), "id can't be read from its header"),
        ("ce-id", Some(&long), "id has 1025 bytes; 1024 are the most"),
        ("ce-source", Some(&long), "source has 1025 bytes"),
        ("ce-source", Some("a b"), "source is no URI reference"),
        ("ce-time", Some("yesterday"), "time is no time of RFC 3339"),
        ("ce-datacontenttype", Some("application/json"), "datacontenttype must not be a header"),
        ("ce-my_name", Some("x"), "\"my_name\" is no attribute's name"),
    ] {
        b.post(&headers(name, value), "{}").await.is_problem(400, detail, PATH);
    }
    let twice = [headers("", None), vec![("ce-id", "2")]].concat();
    b.post(&twice, "{}").await.is_problem(400, "id is there more than once", PATH);
    assert_eq!(b.stats().await.messages, 0);
}

#[tokio::test]
async fn bad_data_is_refused_with_its_reason() {
    let database = support::sqlite();
    let b = B::ready(&database.url).await;
    let good = headers("", None);
    for (body, detail) in [
        (&b"[]"[..], "data is JSON, but not an object"),
        (b"1", "data is JSON, but not an object"),
        (b"null", "data is JSON, but not an object"),
        (b"\"{}\"", "data is JSON, but not an object"),
        (b"", "the body is not JSON"),
        (b"{", "the body is not JSON"),
        (b"{\"a\":\"\0\"}", "the body is not JSON"),
        (b"{}{}", "the body is not JSON"),
        (b"{\"a\":\"\xff\"}", "the body is not UTF-8"),
    ] {
        b.post(&good, body).await.is_problem(400, detail, PATH);
    }
    let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(64 * 1024));
    b.post(&good, &large).await.is_problem(413, "larger than 65536 bytes", PATH);
    assert_eq!(b.stats().await.messages, 0);

    let unclosed = format!(r#"{{"a":{}"#, "[".repeat(60_000));
    b.post(&good, &unclosed).await.is_problem(400, "the body is not JSON", PATH);
    let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(32_000), "]".repeat(32_000));
    assert_eq!(b.post(&good, &deep).await.status(), 201);
    let copy: api::message::Received = b.get("/messages/1").await.json();
    assert_eq!(copy.body.get(), deep);
}

#[tokio::test]
async fn a_media_type_that_is_not_taken_is_415_with_those_that_are() {
    let database = support::sqlite();
    let b = B::ready(&database.url).await;
    for (told, detail) in [
        (Some("application/cloudevents-batch+json"), "this is a batch"),
        (Some("application/cloudevents+avro"), "the event format application/cloudevents+avro is not known"),
        (Some("text/plain"), "Content-Type is text/plain"),
        (None, "no Content-Type"),
    ] {
        let answer = b.post(&headers("content-type", told), "[]").await;
        answer.is_problem(415, detail, PATH);
        assert!(answer.header("accept").unwrap().contains("application/json"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_bad_structured_event_is_400_with_the_reason() {
    let database = support::sqlite();
    let b = B::ready(&database.url).await;
    let kind = [("content-type", "application/cloudevents+json")];
    let event = |more: &str| format!(r#"{{"specversion":"1.0","id":"1","source":"/a","type":"t"{more}}}"#);
    for (body, detail) in [
        ("[]".to_owned(), "the body is no event: "),
        (event(r#","id":"2""#), "id is there more than once"),
        (event(r#","time":5"#), "time must be a JSON string"),
        (event(r#","mine":1.5"#), "mine must be"),
        (event(r#","Mine":"x""#), "\"Mine\" is no attribute's name"),
        (event(r#","subject":"\ud800""#), "subject can't be read"),
        (event(r#","data":{},"data_base64":"""#), "data and data_base64 exclude each other"),
        (event(r#","data_base64":"?""#), "data_base64 can't be read"),
        (event(r#","datacontenttype":"text/xml","data":"<a/>""#), "datacontenttype is text/xml; JSON is taken only"),
        (event(r#","data":[]"#), "data is JSON, but not an object"),
        (event(""), "data is missing"),
        ("{}".to_owned(), "specversion is missing"),
        ("{".to_owned(), "the body is not JSON"),
    ] {
        b.post(&kind, &body).await.is_problem(400, detail, PATH);
    }
    assert_eq!(b.stats().await.messages, 0);
}
