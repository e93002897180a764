//! The one thread that takes requests into the store.
//!
//! One, because the store takes one at a time anyway, and what unpacking takes in memory is taken once. A thread of its
//! own, because a large batch takes some ten milliseconds, in which the runtime has others to serve; and because memory
//! that one thread allocates and another frees stays with the allocator for longer.

use std::io;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::otlp::{self, Encoding};
use crate::store::{Store, Taken};

/// Requests that wait; what they take is bounded by what all bodies may.
const WAITING: usize = 64;

#[derive(Debug, Clone)]
pub(super) struct Worker {
    jobs: mpsc::Sender<Job>,
}

#[derive(Debug)]
struct Job {
    encoding: Encoding,
    body: Vec<u8>,
    done: oneshot::Sender<Done>,
}

/// The body comes back, to be freed where it was allocated.
type Done = (Vec<u8>, Result<Taken, String>);

impl Worker {
    /// The thread ends when the last clone of its worker is dropped.
    pub(super) fn start(store: Arc<Store>) -> io::Result<Self> {
        let (jobs, mut queue) = mpsc::channel::<Job>(WAITING);
        std::thread::Builder::new().name("spans".to_owned()).spawn(move || {
            while let Some(Job { encoding, body, done }) = queue.blocking_recv() {
                let taken = take(&store, encoding, &body);
                // Whoever sent it may be gone.
                let _ = done.send((body, taken));
            }
        })?;
        Ok(Self { jobs })
    }

    /// What became of the request; `None` when the thread is gone.
    pub(super) async fn take(&self, encoding: Encoding, body: Vec<u8>) -> Option<Done> {
        let (done, answer) = oneshot::channel();
        self.jobs.send(Job { encoding, body, done }).await.ok()?;
        answer.await.ok()
    }
}

fn take(store: &Store, encoding: Encoding, body: &[u8]) -> Result<Taken, String> {
    let taken = match encoding {
        Encoding::Protobuf => store.take(body),
        Encoding::Json => {
            let request = otlp::transcode(body).map_err(|error| format!("the JSON is no OTLP request: {error}"))?;
            store.take(&request)
        }
    };
    taken.map_err(|malformed| malformed.to_string())
}
