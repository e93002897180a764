//! The least that an HTTP service around the bare loop can be: it reads a request without looking at it, has its rows
//! committed with those of the others, and writes an answer that is always the same. What A is asked for can't be had for less
//! on the same cores, with the same clients.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Thread};

use database::sqlite::rusqlite::TransactionBehavior;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::connect::sqlite;
use super::databases::{Databases, Kind};
use super::load::{self, Request};
use super::rate::{Rate, counted};
use super::{bare, load::runtime};

/// As long as A's.
const ANSWER: &[u8] = b"HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\nlocation: /messages/\
01a00000-0000-7000-8000-000000000000\r\npreference-applied: respond-async\r\ncontent-length: 223\r\ndate: Thu, 01 Jan \
1970 00:00:00 GMT\r\n\r\n\
{\"id\":\"01a00000-0000-7000-8000-000000000000\",\"state\":\"pending\",\"attempts\":0,\"created_at\":\"1970-01-01T00:00:00.000Z\",\
\"body\":{\"order\":\"8a6e0804-2bd0-4672-b79d-d97027f9071a\",\"customer\":4711,\"items\":[1,2,3],\"note\":\"two lines\"}}";

/// Who waits for the next commit.
#[derive(Debug, Default)]
struct Queue(Mutex<Vec<oneshot::Sender<()>>>);

impl Queue {
    fn push(&self, waiting: oneshot::Sender<()>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(waiting);
    }

    fn take(&self) -> Vec<oneshot::Sender<()>> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Messages that it takes a second, as A takes them.
pub(crate) fn messages(databases: &Databases) -> Rate {
    let database = databases.migrated(Kind::Sqlite, api::a::NAME);
    let (queue, over) = (Arc::<Queue>::default(), AtomicBool::new(false));
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut connection = sqlite(database.path());
            while !over.load(Ordering::Relaxed) {
                let waiting = queue.take();
                if waiting.is_empty() {
                    thread::park();
                    continue;
                }
                let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).expect("BEGIN");
                for _ in &waiting {
                    bare::insert_message(&transaction).expect("a row that is new");
                }
                transaction.commit().expect("COMMIT");
                for waiting in waiting {
                    // Who went away at the end of the run.
                    let _ = waiting.send(());
                }
            }
        });
        let address = serve(Arc::clone(&queue), writer.thread().clone());
        let rate = counted(None, None, |progress| load::closed_loop(address, &Request::message(), progress));
        over.store(true, Ordering::Relaxed);
        writer.thread().unpark();
        rate
    })
}

/// On one thread, as A does; it ends with this program.
fn serve(queue: Arc<Queue>, writer: Thread) -> SocketAddr {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.set_nonblocking(true).expect("a socket option");
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || {
        runtime().block_on(async {
            let listener = TcpListener::from_std(listener).expect("a listener");
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                tokio::spawn(answer(stream, Arc::clone(&queue), writer.clone()));
            }
        });
    });
    address
}

/// All requests have the same length.
async fn answer(mut stream: TcpStream, queue: Arc<Queue>, writer: Thread) {
    stream.set_nodelay(true).expect("a socket option");
    let mut request = vec![0; Request::message().len()];
    while stream.read_exact(&mut request).await.is_ok() {
        let (committed, waiting) = oneshot::channel();
        queue.push(committed);
        writer.unpark();
        if waiting.await.is_err() || stream.write_all(ANSWER).await.is_err() {
            return;
        }
    }
}
