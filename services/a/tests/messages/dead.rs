//! What a process leaves that died after its commit.

use std::time::{Duration, Instant};

use service_a::store::{Accepted, Backend, Lease, New, Store};
use uuid::Uuid;

/// The trace of the request that the process had answered.
pub(crate) const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// The id of a message that is leased for a second to a process that is no more, and when that second began: some time
/// before the commit was through.
pub(crate) async fn left_behind<B: Backend>(store: &Store<B>) -> (String, Instant) {
    let lease = Lease { owner: Uuid::now_v7(), time: Duration::from_secs(1) };
    let new = New {
        id: Uuid::now_v7(),
        body: r#"{"from":"the dead"}"#.into(),
        created_at: outbox::time::now(),
        traceparent: Some(format!("00-{TRACE}-00f067aa0ba902b7-01")),
        tracestate: None,
        lease: Some(lease),
        key: None,
    };
    let accept = async {
        loop {
            let began = Instant::now();
            match store.accept(new.clone()).await {
                Ok(accepted) => return (accepted, began),
                // It is still being opened.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    let (accepted, began) = tokio::time::timeout(Duration::from_secs(10), accept).await.expect("opened in time");
    assert_eq!(accepted, Accepted::New);
    (new.id.to_string(), began)
}
