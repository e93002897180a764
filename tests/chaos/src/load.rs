//! Clients that want messages to be stored, each with one request at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use api::message::{Message, State};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{Request, StatusCode};
use http_body_util::Full;
use tokio::sync::watch;
use tokio::time::sleep;
use uuid::Uuid;

use crate::body::body;
use crate::client::{Connection, Response};
use crate::front::Live;
use crate::ledger::{Answer, Attempt, Manner, Try};
use crate::random::Random;

/// How long clients go on asking for what has a key, once nobody is killed any more.
const INSIST: Duration = Duration::from_secs(30);

/// What all clients share.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) seed: u64,
    pub(crate) live: Live,
    /// How all attempts ask; mixed when `None`.
    pub(crate) manner: Option<Manner>,
    pub(crate) started: Instant,
    /// Attempts a second of one client; it makes up for no lost time.
    pub(crate) rate: f64,
    pub(crate) next: AtomicU64,
    pub(crate) acknowledged: AtomicU64,
}

impl Load {
    pub(crate) fn new(seed: u64, live: Live, rate: f64) -> Self {
        let (next, acknowledged) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { seed, live, manner: None, started: Instant::now(), rate, next, acknowledged }
    }

    pub(crate) fn attempts(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// How attempt `number` asks.
    fn manner(&self, number: u64) -> Manner {
        let mut random = Random::new(self.seed, "manner", number);
        let mixed = Manner { respond_async: random.chance(50), keyed: random.chance(60) };
        self.manner.unwrap_or(mixed)
    }
}

/// A client's memory of its connection.
#[derive(Debug)]
pub(crate) struct Client {
    load: Arc<Load>,
    random: Random,
    connection: Option<(usize, Connection)>,
}

impl Client {
    pub(crate) fn new(load: Arc<Load>, index: u64) -> Self {
        let random = Random::new(load.seed, "client", index);
        Self { load, random, connection: None }
    }

    /// Sends until it is over; then ends what it began. Every attempt, with every answer.
    pub(crate) async fn run(mut self, over: watch::Receiver<bool>) -> Vec<Attempt> {
        let mut attempts = Vec::new();
        let pause = Duration::from_secs_f64(1.0 / self.load.rate);
        while !*over.borrow() {
            let begun = Instant::now();
            let number = self.load.next.fetch_add(1, Ordering::Relaxed);
            let attempt = self.attempt(number, &over).await;
            self.load.acknowledged.fetch_add(u64::from(attempt.acknowledged()), Ordering::Relaxed);
            attempts.push(attempt);
            sleep(pause.saturating_sub(begun.elapsed())).await;
        }
        attempts
    }

    /// One message: without a key one request, with a key as many as it takes, and sometimes one more.
    pub(crate) async fn attempt(&mut self, number: u64, over: &watch::Receiver<bool>) -> Attempt {
        let mut attempt = Attempt::new(number, self.load.manner(number));
        let posted = Bytes::from(body(self.load.seed, number));
        let twin = attempt.manner.keyed && self.random.chance(5);
        let mut deadline = None;
        loop {
            if twin {
                let mut other = Self::new(self.load.clone(), u64::MAX - number);
                let (first, second) = tokio::join!(self.ask(&attempt, &posted), other.ask(&attempt, &posted));
                attempt.tries.extend([first, second]);
            } else {
                let one = self.ask(&attempt, &posted).await;
                attempt.tries.push(one);
            }
            let wrong = attempt.tries.iter().any(|one| matches!(one.answer, Answer::Wrong { .. }));
            let enough = attempt.acknowledged() && !self.random.chance(10);
            if *over.borrow() {
                deadline.get_or_insert_with(|| Instant::now() + INSIST);
            }
            let given_up = deadline.is_some_and(|deadline| Instant::now() >= deadline);
            if !attempt.manner.keyed || wrong || enough || given_up {
                return attempt;
            }
            sleep(Duration::from_millis(self.random.between(5, 100))).await;
        }
    }

    async fn ask(&mut self, attempt: &Attempt, posted: &Bytes) -> Try {
        let (asked, mut connection) = self.connect().await;
        let at = self.load.started.elapsed();
        let answer = match connection.send(request(attempt, posted)).await {
            Ok(response) => {
                self.connection = Some((asked, connection));
                judge(&response, posted)
            }
            Err(reason) => Answer::Lost { reason },
        };
        Try { at, asked, answer }
    }

    /// The kept connection while its process lives, else one to a process that does; waits for one.
    async fn connect(&mut self) -> (usize, Connection) {
        loop {
            let all = self.load.live.all();
            if let Some((index, connection)) = self.connection.take()
                && all.contains(&(index, connection.address()))
                && !self.random.chance(2)
            {
                return (index, connection);
            }
            if !all.is_empty() {
                let (index, address) = *self.random.pick(&all);
                if let Ok(connection) = Connection::open(address).await {
                    return (index, connection);
                }
            }
            // Nobody lives: the next one comes within milliseconds.
            sleep(Duration::from_millis(5)).await;
        }
    }
}

fn request(attempt: &Attempt, posted: &Bytes) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(posted.clone()));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = http::Uri::from_static(api::a::MESSAGES_PATH);
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    if attempt.manner.respond_async {
        headers.insert("prefer", http::HeaderValue::from_static("respond-async"));
    }
    if attempt.manner.keyed {
        let key = http::HeaderValue::try_from(format!("key-{}", attempt.number));
        headers.extend(key.ok().map(|key| (http::HeaderName::from_static("idempotency-key"), key)));
    }
    request
}

/// What an answer says; one that breaks A's word is `Wrong`.
fn judge(response: &Response, posted: &Bytes) -> Answer {
    let status = response.status.as_u16();
    let text = || String::from_utf8_lossy(&response.body[..response.body.len().min(300)]).into_owned();
    match response.status {
        StatusCode::CREATED | StatusCode::ACCEPTED => match acknowledgement(response, posted) {
            Ok(id) => Answer::Acknowledged { status, id },
            Err(why) => Answer::Wrong { status, detail: format!("{why}: {}", text()) },
        },
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => Answer::Refused { status, detail: text() },
        _ => Answer::Wrong { status, detail: text() },
    }
}

fn acknowledgement(response: &Response, posted: &Bytes) -> Result<String, String> {
    let message: Message = serde_json::from_slice(&response.body).map_err(|error| error.to_string())?;
    let known = Uuid::try_parse(&message.id).is_ok_and(|id| id.hyphenated().to_string() == message.id);
    let location = response.headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let state_fits = match response.status {
        StatusCode::CREATED => message.state == State::Delivered,
        _ => message.state != State::Dead,
    };
    if !known {
        Err("the id is no UUID".to_owned())
    } else if location != Some(&format!("{}/{}", api::a::MESSAGES_PATH, message.id)) {
        Err(format!("Location is {location:?}"))
    } else if message.body.get().as_bytes() != &posted[..] {
        Err("the body is not what was posted".to_owned())
    } else if !state_fits {
        Err(format!("the state is {}", message.state))
    } else {
        Ok(message.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01a20526-461e-7668-8650-20b2c850e760";
    const POSTED: &str = r#"{"n":1, "x":[ ]}"#;

    fn response(status: u16, state: &str, location: &str, body: &str) -> Response {
        let text = format!(
            r#"{{"id":"{ID}","state":"{state}","attempts":0,"created_at":"2026-01-31T23:59:59.123Z","body":{body}}}"#
        );
        let mut headers = http::HeaderMap::new();
        headers.insert(LOCATION, location.parse().unwrap());
        Response { status: StatusCode::from_u16(status).unwrap(), headers, body: text.into() }
    }

    fn judged(response: &Response) -> Answer {
        judge(response, &Bytes::from_static(POSTED.as_bytes()))
    }

    #[test]
    fn a_promise_is_one_when_all_of_it_fits() {
        let location = format!("/messages/{ID}");
        for (status, state) in [(201, "delivered"), (202, "pending"), (202, "delivered")] {
            let answer = judged(&response(status, state, &location, POSTED));
            assert_eq!(answer, Answer::Acknowledged { status, id: ID.to_owned() });
        }
        for wrong in [
            response(201, "pending", &location, POSTED),
            response(202, "dead", &location, POSTED),
            response(202, "pending", "/messages/another", POSTED),
            response(202, "pending", &location, r#"{"n":1,"x":[]}"#),
            response(500, "pending", &location, POSTED),
            Response { body: Bytes::from_static(b"{}"), ..response(202, "pending", &location, POSTED) },
        ] {
            assert!(matches!(judged(&wrong), Answer::Wrong { .. }), "{wrong:?}");
        }
        assert!(matches!(judged(&response(503, "pending", &location, POSTED)), Answer::Refused { .. }));
    }
}
