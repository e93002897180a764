//! Connections beyond the cap: answered 503 and closed.
//!
//! The other way, to stop accepting, leaves them in the kernel's backlog: the client sees a connection that is open
//! and silent, can't tell an overloaded server from a slow one, and waits out its deadline. A 503 with Retry-After is
//! an answer: it can go to another replica at once.

use std::sync::Arc;
use std::time::Duration;

use api::Problem;
use http::{StatusCode, header};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::problem::Failure;

/// Refusals under way at one time; beyond them a connection is just closed. Without a bound, refusing would be the
/// overload.
const MAX_REFUSING: usize = 64;

/// For one refusal: to write it, and to read what the client had already sent, so that closing does not destroy the
/// answer.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(1);

/// Seconds until it may be worth another try at this replica.
const RETRY_AFTER: u32 = 1;

/// Refuses connections.
#[derive(Clone, Debug)]
pub(crate) struct Overload {
    places: Arc<Semaphore>,
    answer: Arc<[u8]>,
}

impl Overload {
    pub(crate) fn new() -> Self {
        Self { places: Arc::new(Semaphore::new(MAX_REFUSING)), answer: answer().into() }
    }

    /// The work of refusing `socket`; `None` when there is no place for it, and the socket is closed by being dropped.
    pub(crate) fn refuse(&self, mut socket: TcpStream) -> Option<impl Future<Output = ()> + Send + use<>> {
        let place = self.places.clone().try_acquire_owned().ok()?;
        let answer = self.answer.clone();
        Some(async move {
            let refusal = async {
                // Failures are the client's: it has gone away.
                if socket.write_all(&answer).await.is_ok() && socket.shutdown().await.is_ok() {
                    let mut bin = [0; 1024];
                    while matches!(socket.read(&mut bin).await, Ok(1..)) {}
                }
            };
            let _ = timeout(REFUSAL_TIMEOUT, refusal).await;
            drop(place);
        })
    }
}

fn answer() -> Vec<u8> {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let body = Failure::new(status, "all connections of this replica are taken").json();
    let mut answer = format!(
        "HTTP/1.1 {status}\r\n{}: {}\r\n{}: {}\r\n{}: {RETRY_AFTER}\r\n{}: close\r\n\r\n",
        header::CONTENT_TYPE,
        Problem::CONTENT_TYPE,
        header::CONTENT_LENGTH,
        body.len(),
        header::RETRY_AFTER,
        header::CONNECTION,
    )
    .into_bytes();
    answer.extend_from_slice(&body);
    answer
}
