//! What becomes of a message that is posted: one path, whether its client waits for it or not.

use std::time::Duration;

use api::message::{Message, State};
use database::Error;
use http::StatusCode;
use outbox::{Body, Ended, Engine, Receiver, Settings};
use runtime::{Context, Failure};
use serde_json::value::RawValue;
use telemetry::{FutureExt as _, propagation};
use tokio::time::{Instant, timeout, timeout_at};
use uuid::Uuid;

use crate::config::Config;
use crate::store::{Accepted, Backend, Kept, Key, Lease, New, Redelivery, Store, time_of};

/// `source` of A's events.
const SOURCE: &str = "/service-a";
/// `type` of A's events.
const KIND: &str = "dev.msctl.message.created.v1";
/// Seconds until a full outbox may have room again.
const FULL_RETRY_AFTER: u32 = 1;
/// How long an answer that is due is held back to look a message's state up: a database that hangs costs no more.
const LOOK: Duration = Duration::from_millis(500);

/// A's messages: where they are kept, and how they get to B. Cheap to clone.
#[derive(Debug)]
pub(crate) struct Messages<B> {
    pub(crate) store: Store<B>,
    engine: Engine<Store<B>>,
    /// How long a request waits for its message to arrive.
    pub(crate) wait: Duration,
    pub(crate) retention: Duration,
    last_delivery: Duration,
}

impl<B: Backend> Clone for Messages<B> {
    fn clone(&self) -> Self {
        Self { store: self.store.clone(), engine: self.engine.clone(), ..*self }
    }
}

/// What a client is told of its message.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) message: Message,
}

impl<B: Backend> Messages<B> {
    pub(crate) fn start(backend: B, config: &Config, context: &Context) -> Self {
        let messages = &config.messages;
        let settings = Settings {
            receiver: Receiver {
                name: api::b::NAME,
                url: Receiver::url(&config.service_b, api::b::EVENTS_PATH),
                path: api::b::EVENTS_PATH,
                user_agent: crate::USER_AGENT,
                source: SOURCE,
                kind: KIND,
            },
            mode: messages.delivery,
            timeout: config.upstream_timeout,
            concurrency: messages.concurrency,
            lease: messages.lease,
            max_age: messages.max_age,
            retention: messages.retention,
            limit: messages.limit,
        };
        let last_delivery = settings.last_delivery();
        let store = Store(backend);
        let engine = Engine::start(store.clone(), settings, &context.telemetry);
        Self { store, engine, wait: messages.wait, retention: messages.retention, last_delivery }
    }

    /// After the last request was answered.
    pub(crate) async fn stop(self) {
        self.engine.stop().await;
        self.store.0.close().await;
    }

    /// Takes a message: writes it, has it delivered, and waits for that for at most `wait`.
    pub(crate) async fn post(&self, body: Box<RawValue>, key: Option<Key>, wait: Duration) -> Result<Answer, Failure> {
        let deadline = Instant::now() + wait;
        if let Err(full) = self.engine.admit() {
            let full = Failure::unavailable(full.to_string(), FULL_RETRY_AFTER);
            let Some(key) = key else { return Err(full) };
            // It may be there already: then there is nothing to take.
            return match self.store.0.known(key).await? {
                Some(Accepted::Known(id)) => self.again(id, deadline).await,
                Some(Accepted::KeyUsed) => Err(key_used()),
                Some(Accepted::New) | None => Err(full),
            };
        }
        let id = Uuid::now_v7();
        // Before it is written, so that nothing that happens to it is missed.
        let waiting = (!wait.is_zero()).then(|| self.engine.wait(id));
        let trace = propagation::to_text(&telemetry::Context::current());
        let (traceparent, tracestate) = trace.map_or((None, None), |text| (Some(text.traceparent), text.tracestate));
        let created_at = time_of(id).unwrap_or_else(outbox::time::now);
        // The one copy: for the write, the delivery and the answer. Many of them may be waiting.
        let body = Body::from(Box::<str>::from(body));
        let new = New { id, body: body.clone(), created_at, traceparent, tracestate, lease: None, key };
        match self.write(new).await? {
            Accepted::New => {}
            Accepted::Known(id) => return self.again(id, deadline).await,
            Accepted::KeyUsed => return Err(key_used()),
        }
        let committed = |ended| Answer::kept(kept(id, created_at, &body, ended));
        let Some(mut waiting) = waiting else { return committed(None) };
        match timeout_at(deadline, waiting.ended()).await {
            Ok(Some(ended)) => committed(Some(ended)),
            // Others ended it, or nobody yet: the database knows more. It is committed, whether that can be asked now or
            // not.
            Ok(None) | Err(_) => match timeout(LOOK, self.store.0.get(id)).await {
                Ok(Ok(Some(kept))) => Answer::kept(kept),
                _ => committed(None),
            },
        }
    }

    /// Writes `new` and hands it to the engine.
    ///
    /// In a task of its own: a client that goes away must not keep a message that was committed from its delivery until
    /// its lease runs out.
    async fn write(&self, mut new: New) -> Result<Accepted, Error> {
        let messages = self.clone();
        let write = async move {
            let ticket = messages.engine.ticket(new.body.as_str().len());
            new.lease = ticket.lease().map(|(owner, time)| Lease { owner, time });
            let outgoing = new.outgoing();
            failpoints::hit("a.before_write");
            let accepted = messages.store.accept(new).await?;
            failpoints::hit("a.after_write");
            if accepted == Accepted::New {
                messages.engine.deliver(ticket, outgoing);
            }
            Ok(accepted)
        };
        let written = tokio::spawn(write.with_context(telemetry::Context::current())).await;
        written.unwrap_or_else(|_| Err(Error::Unknown { detail: "the write was given up".to_owned() }))
    }

    /// The present state of a message that came before; the wait for it is joined.
    async fn again(&self, id: Uuid, deadline: Instant) -> Result<Answer, Failure> {
        // Before its state is looked at, so that no change is missed.
        let mut waiting = self.engine.wait(id);
        let found = timeout_at(deadline.max(Instant::now()) + LOOK, self.store.0.get(id)).await;
        // It is stored, but whether it is delivered is not to be made up.
        let found = found.unwrap_or_else(|_| Err(Error::Unavailable { detail: "no read in time".to_owned() }));
        let found = found.map_err(unread)?.ok_or_else(gone)?;
        if found.state != State::Pending || deadline <= Instant::now() {
            return Answer::kept(found);
        }
        // What happened, and whether anything did, is then in the database.
        let _ = timeout_at(deadline, waiting.ended()).await;
        match timeout(LOOK, self.store.0.get(id)).await {
            Ok(Ok(kept)) => Answer::kept(kept.ok_or_else(gone)?),
            // It was so a moment ago.
            Ok(Err(_)) | Err(_) => Answer::kept(found),
        }
    }

    /// Has a message that was given up delivered again.
    pub(crate) async fn redeliver(&self, id: Uuid) -> Result<Answer, Failure> {
        let age = i64::try_from(self.last_delivery.as_millis()).unwrap_or(i64::MAX);
        match self.store.redeliver(id, outbox::time::now().saturating_sub(age)).await? {
            Redelivery::Pending => self.engine.claim_soon(),
            Redelivery::NotDead(state) => {
                let detail = format!("the message is {state}; only one that is dead can be delivered again");
                return Err(Failure::new(StatusCode::CONFLICT, detail));
            }
            Redelivery::TooOld => return Err(gone()),
            Redelivery::Unknown if self.is_past(id) => return Err(gone()),
            Redelivery::Unknown => return Err(unknown(id)),
        }
        let kept = self.store.0.get(id).await.map_err(unread)?.ok_or_else(|| unknown(id))?;
        Ok(Answer { status: StatusCode::ACCEPTED, ..Answer::kept(kept)? })
    }

    /// Whether a message with this identifier would have been deleted for its age.
    fn is_past(&self, id: Uuid) -> bool {
        time_of(id).is_some_and(|created_at| {
            let age = outbox::time::now().saturating_sub(created_at);
            u128::try_from(age).is_ok_and(|age| age >= self.retention.as_millis())
        })
    }
}

impl Answer {
    /// 201 when B has it, else 202: it is stored.
    fn of(message: Message) -> Self {
        let status = match message.state {
            State::Delivered => StatusCode::CREATED,
            State::Pending | State::Dead => StatusCode::ACCEPTED,
        };
        Self { status, message }
    }

    fn kept(kept: Kept) -> Result<Self, Failure> {
        from_row(kept).map(Self::of)
    }
}

/// What became of a message of which only that it is stored is known.
fn unread(error: Error) -> Failure {
    match error {
        Error::Unavailable { .. } | Error::Overloaded | Error::Unknown { .. } => Failure::unavailable(
            "the message is stored, but the database can't tell its state now; ask for it again",
            database::RETRY_AFTER,
        ),
        error => error.into(),
    }
}

/// A message that was just committed, and perhaps ended since, as it would be read.
fn kept(id: Uuid, created_at: i64, body: &Body, ended: Option<Ended>) -> Kept {
    let ended = ended.unwrap_or(Ended { state: State::Pending, attempts: 0, at: 0, error: None });
    Kept {
        id,
        body: body.as_str().to_owned(),
        state: ended.state,
        attempts: ended.attempts.into(),
        created_at,
        delivered_at: (ended.state == State::Delivered).then_some(ended.at),
        next_attempt_at: None,
        last_error: ended.error,
    }
}

/// What is read from the database, as it is told.
pub(crate) fn from_row(kept: Kept) -> Result<Message, Failure> {
    let id = kept.id;
    Message::try_from(kept).map_err(|error| {
        tracing::error!(%id, %error, "the database holds a body that is no JSON");
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "the message can't be read")
    })
}

pub(crate) fn unknown(id: Uuid) -> Failure {
    Failure::new(StatusCode::NOT_FOUND, format!("there is no message {id}"))
}

fn key_used() -> Failure {
    let detail = "this Idempotency-Key came with another body before; a new request needs a new key";
    Failure::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
}

fn gone() -> Failure {
    let detail = "the message is older than RETENTION: it is not kept, and service B may not know it any more";
    Failure::new(StatusCode::GONE, detail)
}
