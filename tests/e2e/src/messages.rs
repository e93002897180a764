//! What became of messages, as A and B themselves tell it.

use std::collections::HashMap;
use std::net::SocketAddr;

use crate::eventually;
use crate::http::ask;

/// Waits until A has delivered all; the leases of replicas that were killed have to run out first.
#[track_caller]
pub fn nothing_undelivered(a: SocketAddr) {
    eventually("every message delivered", || {
        let pending = ask(a, "GET /messages?state=pending&limit=1", &[], "")?.json();
        match pending["messages"].as_array().map(Vec::len) {
            Some(0) => Ok(()),
            _ => Err(pending.to_string()),
        }
    });
    let dead = ask(a, "GET /messages?state=dead&limit=1", &[], "").expect("an answer").json();
    assert_eq!(dead["messages"].as_array().map(Vec::len), Some(0), "{dead}");
}

/// All that B has: the ids under each number that a body has as `n`.
#[track_caller]
#[must_use]
pub fn received(b: SocketAddr) -> HashMap<u64, Vec<String>> {
    let mut received: HashMap<u64, Vec<String>> = HashMap::new();
    let mut cursor = String::new();
    loop {
        let page = ask(b, &format!("GET /messages?limit=200{cursor}"), &[], "").expect("a page").json();
        for message in page["messages"].as_array().expect("messages") {
            let number = message["body"]["n"].as_u64().expect("a number");
            received.entry(number).or_default().push(message["id"].as_str().expect("an id").to_owned());
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return received,
        }
    }
}
