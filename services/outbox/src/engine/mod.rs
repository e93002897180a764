//! The delivery engine: what happens to a message between its commit and its arrival.

mod claims;
mod due;
mod expiry;
mod flight;
mod housekeeping;
mod job;

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use telemetry::{Context, FutureExt as _};
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::Ended;
use crate::courier::Courier;
use crate::gate::Gate;
use crate::metrics::Metrics;
use crate::room::{Place, Room};
use crate::settings::{Mode, Settings};
use crate::storage::{Outgoing, Storage};
use crate::waiters::{Waiters, Waiting};

use due::Due;
use flight::Flights;

/// Delivers messages as long as the process runs. Cheap to clone.
#[derive(Debug)]
pub struct Engine<S>(Arc<Inner<S>>);

impl<S> Clone for Engine<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// What its tasks share.
#[derive(Debug)]
pub(crate) struct Inner<S> {
    storage: S,
    settings: Settings,
    /// This process, in `lease_owner`.
    owner: Uuid,
    courier: Courier,
    gate: Gate,
    room: Room,
    waiters: Waiters,
    /// What is in memory, from its commit or its claim until it is settled.
    flights: Flights,
    /// One for each delivery under way.
    slots: Semaphore,
    /// Our own retries.
    due: Due,
    /// Claims that may take rows before they are due, because the receiver is back.
    early: AtomicU64,
    /// Whether the last claim came back full.
    more: AtomicBool,
    /// Asks for a claim now.
    wake: Notify,
    /// The last sample.
    rows: AtomicU64,
    /// The same: when the oldest message was created, in unix milliseconds.
    oldest: AtomicI64,
    metrics: Metrics,
    stopping: CancellationToken,
    /// The database is being closed: nothing can be recorded any more.
    stopped: CancellationToken,
    tasks: TaskTracker,
    /// Leases that were not used, to be given back.
    returned: Mutex<Vec<Uuid>>,
}

/// A message's way into the engine, made before it is written.
#[derive(Debug)]
pub struct Ticket {
    place: Option<Place>,
    owner: Uuid,
    lease: Duration,
    /// The lease is counted from here, by the monotonic clock: the database counts it from later on.
    begun: Instant,
}

/// The outbox holds as many messages as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{rows} messages wait to be delivered, and no more than {limit} may")]
pub struct Full {
    pub rows: u64,
    pub limit: u64,
}

/// The parts of a shutdown, together within what the runtime leaves for it (5 s).
const QUEUE: Duration = Duration::from_millis(50);
const UNDER_WAY: Duration = Duration::from_secs(3);
const GIVE_BACK: Duration = Duration::from_millis(750);

impl<S: Storage> Engine<S> {
    /// Starts to deliver, unless [`Mode::Paused`]; to be called inside a tokio runtime.
    pub fn start(storage: S, settings: Settings, telemetry: &telemetry::Telemetry) -> Self {
        let inner = Arc::new(Inner {
            storage,
            owner: Uuid::now_v7(),
            courier: Courier::new(&settings),
            gate: Gate::default(),
            room: Room::new(),
            waiters: Waiters::default(),
            flights: Flights::default(),
            slots: Semaphore::new(settings.concurrency),
            due: Due::default(),
            early: AtomicU64::new(0),
            more: AtomicBool::new(false),
            wake: Notify::new(),
            rows: AtomicU64::new(0),
            oldest: AtomicI64::new(i64::MAX),
            metrics: Metrics::register(telemetry.metrics()),
            stopping: CancellationToken::new(),
            stopped: CancellationToken::new(),
            tasks: TaskTracker::new(),
            returned: Mutex::default(),
            settings,
        });
        if inner.settings.mode == Mode::Active {
            inner.in_background(claims::run(inner.clone()));
            inner.in_background(expiry::run(inner.clone()));
        }
        inner.in_background(housekeeping::sample(inner.clone()));
        inner.in_background(housekeeping::look_for_waiters(inner.clone()));
        inner.in_background(housekeeping::purge(inner.clone()));
        Self(inner)
    }

    /// Whether another message may be taken, by the last sample of how many wait.
    pub fn admit(&self) -> Result<(), Full> {
        let (rows, limit) = (self.0.rows.load(Ordering::Relaxed), self.0.settings.limit);
        if rows < limit { Ok(()) } else { Err(Full { rows, limit }) }
    }

    /// Before a message with a body of so many bytes is written.
    pub fn ticket(&self, bytes: usize) -> Ticket {
        let ours = self.0.settings.mode == Mode::Active && !self.0.stopping.is_cancelled();
        Ticket {
            place: ours.then(|| self.0.room.take(bytes)).flatten(),
            owner: self.0.owner,
            lease: self.0.settings.lease,
            begun: Instant::now(),
        }
    }

    /// After it was committed. A message without a lease is left to whoever claims it.
    pub fn deliver(&self, ticket: Ticket, outgoing: Outgoing) {
        match ticket.place {
            Some(place) => job::start(&self.0, outgoing, ticket.begun + ticket.lease, place),
            None => self.claim_soon(),
        }
    }

    /// Rows of nobody have appeared.
    pub fn claim_soon(&self) {
        self.0.wake.notify_one();
    }

    /// Waits for the message `id` to be delivered or given up by anyone, from now on.
    pub fn wait(&self, id: Uuid) -> Waiting {
        self.0.waiters.wait(id)
    }

    /// Gives back the leases of what is not under way, and finishes what is, as far as the time for it goes.
    pub async fn stop(&self) {
        self.finish().await;
        self.0.stopped.cancel();
    }

    async fn finish(&self) {
        let inner = &self.0;
        inner.stopping.cancel();
        inner.tasks.close();
        // Those in the queue leave at once, and need not wait for the slowest delivery.
        let finished = timeout(QUEUE, inner.tasks.wait()).await.is_ok();
        inner.give_back().await;
        if finished {
            return;
        }
        if timeout(UNDER_WAY, inner.tasks.wait()).await.is_err() {
            tracing::warn!(
                unfinished = inner.flights.count(),
                "the outbox stops with deliveries that are not recorded; they will be made again, and ignored"
            );
        }
        inner.give_back().await;
    }
}

impl Ticket {
    /// Whose the row shall be, and for how long; `None` when it shall be claimed.
    pub fn lease(&self) -> Option<(Uuid, Duration)> {
        self.place.as_ref().map(|_| (self.owner, self.lease))
    }
}

impl<S: Storage> Inner<S> {
    /// What nobody asked for belongs to no trace.
    fn in_background(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task.with_context(Context::new().with_telemetry_suppressed()));
    }

    async fn give_back(&self) {
        let returned = std::mem::take(&mut *self.returned());
        let count = returned.len();
        if returned.is_empty() {
            return;
        }
        match timeout(GIVE_BACK, self.storage.give_back(self.owner, returned)).await {
            Ok(Ok(())) => tracing::info!(count, "leases were given back"),
            Ok(Err(error)) => tracing::warn!(count, %error, "leases could not be given back, and will run out"),
            Err(_) => tracing::warn!(count, "leases could not be given back in time, and will run out"),
        }
    }

    fn returned(&self) -> MutexGuard<'_, Vec<Uuid>> {
        self.returned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, id: Uuid, ended: &Ended) {
        self.waiters.end(id, Some(ended));
    }
}
