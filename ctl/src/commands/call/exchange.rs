//! Sending the request, and what it means when there is no answer.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use reach::DialError;
use tokio::time::{Instant, sleep};
use upstream::{Body, Config, Kind};

use super::dialer::Dialer;
use super::request::Outgoing;
use super::route::{Open, Route};
use crate::cluster::failure;
use crate::error::{Error, ExitCode};
use crate::lookup;
use crate::target::ServiceName;
use crate::way::Voice;

/// Further attempts at a request that nobody took: a pod that goes is replaced in Service and DNS within about a second.
const RETRIES: u32 = 6;
/// Without a connection for so long, the port is looked up: one that the Service does not have is not refused, but
/// lost on the way.
const DOUBT: Duration = Duration::from_secs(1);
/// Between two questions for a name that cluster DNS should know, and does not yet.
const DNS_PAUSE: Duration = Duration::from_millis(250);
/// Longer than cluster DNS remembers that there was no such name (5 s in `CoreDNS`' usual configuration).
const DNS_TRIES: u32 = 28;

/// What came of an attempt.
enum Outcome {
    Answered(Response<Body>),
    /// The Service has another port than its name suggests.
    OtherPort(u16),
    /// The Service exists, and cluster DNS does not know it yet.
    NotKnownYet,
}

/// An answer, and what got it.
pub(super) struct Exchanged {
    pub(super) response: Response<Body>,
    pub(super) line: Line,
}

/// A client that has been answered: what it asks next takes the same connection.
#[derive(Debug)]
pub(super) struct Line {
    client: upstream::Client<Dialer>,
    dialer: Dialer,
}

impl Line {
    /// Sends once more, now that it is known who answers, and where.
    pub(super) async fn ask(
        &self,
        open: &Open,
        outgoing: &Outgoing,
    ) -> Result<Result<Response<Body>, upstream::Error>, Error> {
        match self.client.send(build(open, outgoing)?).await {
            Err(cause) if cause.kind() == Kind::Connect && self.dialer.lost() => {
                Err(unanswered(&cause, self.dialer.last_failure().as_deref(), open, outgoing))
            }
            answer => Ok(answer),
        }
    }
}

/// Sends until there is an answer, or none can be had.
pub(super) async fn send(
    open: &mut Open,
    voice: &mut Voice<'_>,
    outgoing: &Outgoing,
    route: &Route<'_>,
) -> Result<Exchanged, Error> {
    let mut doubtful = outgoing.target.service().is_some() && open.cluster.is_some();
    let client_config = config(route);
    let mut asked_dns = 0;
    loop {
        let dialer = Dialer::new(open.connector.clone());
        let request = build(open, outgoing)?;
        let (shown, began) = (format!("{} {}", request.method(), request.uri()), Instant::now());
        let client = upstream::Client::with_connector(client_config.clone(), dialer.clone());
        voice.stage(format!("waiting for {}:{} to answer", open.host, open.port));
        let attempt = attempt(&client, request, &dialer, open, outgoing, doubtful);
        match voice.over(attempt).await? {
            Outcome::Answered(response) => {
                if route.args.way.verbose {
                    let (way, took) = (open.connector.way(), began.elapsed().as_millis());
                    route.printer.note(&format!("{shown}: {} in {took} ms, by {way}", response.status()));
                }
                return Ok(Exchanged { response, line: Line { client, dialer } });
            }
            Outcome::OtherPort(port) => {
                doubtful = false;
                open.port = port;
            }
            Outcome::NotKnownYet if asked_dns == DNS_TRIES => return Err(unknown_to_dns(open, outgoing)),
            Outcome::NotKnownYet => {
                asked_dns += 1;
                route.printer.live(vec![format!("waiting for cluster DNS to know {}", open.host)]);
                sleep(DNS_PAUSE).await;
            }
        }
    }
}

fn config(route: &Route<'_>) -> Config {
    Config {
        timeout: route.args.timeout,
        // The way dials with a limit of its own, and may have to be made anew first.
        connect_timeout: route.args.timeout,
        max_retries: RETRIES,
        ..Config::default()
    }
}

fn build(open: &Open, outgoing: &Outgoing) -> Result<Request<Bytes>, Error> {
    let authority = format!("{}:{}", open.host, open.port);
    let uri = Uri::builder().scheme("http").authority(authority).path_and_query(outgoing.target.path.as_str()).build();
    let request = uri.and_then(|uri| {
        let mut request = Request::builder().method(outgoing.method.clone()).uri(uri).body(outgoing.body.clone())?;
        *request.headers_mut() = outgoing.headers.clone();
        Ok(request)
    });
    request.map_err(|cause| Error::usage("the request cannot be made").why(cause.to_string()))
}

async fn attempt(
    client: &upstream::Client<Dialer>,
    request: Request<Bytes>,
    dialer: &Dialer,
    open: &Open,
    outgoing: &Outgoing,
    doubtful: bool,
) -> Result<Outcome, Error> {
    tokio::select! {
        biased;
        answer = client.send(request) => match answer {
            Ok(response) => Ok(Outcome::Answered(response)),
            Err(cause) => Err(unanswered(&cause, dialer.last_failure().as_deref(), open, outgoing)),
        },
        () = dialer.hopeless() => hopeless(dialer, open, outgoing).await,
        outcome = doubt(dialer, open, outgoing), if doubtful => outcome,
    }
}

/// Looks the port up when it leads nowhere; resolves only if that changes something.
async fn doubt(dialer: &Dialer, open: &Open, outgoing: &Outgoing) -> Result<Outcome, Error> {
    tokio::select! {
        () = dialer.failed() => {}
        () = sleep(DOUBT) => {}
    }
    if !dialer.connected()
        && let (Some(cluster), Some(service)) = (&open.cluster, outgoing.target.service())
    {
        let (name, namespace) = (&service.name, &open.namespace);
        match lookup::ports(cluster, name, namespace).await {
            Ok(Some(ports)) if !ports.have(open.port) => {
                let other = ports.traffic().filter(|_| open.port_assumed);
                let wrong = || lookup::wrong_port(name, namespace, open.port, &ports);
                return other.map(Outcome::OtherPort).ok_or_else(wrong);
            }
            // The name resolves to something else, or soon to nothing.
            Ok(None) => return Err(lookup::unknown(cluster, name, namespace).await),
            Ok(Some(_)) if lookup::is_scaled_to_zero(cluster, name, namespace).await => {
                return Err(lookup::nobody(name, namespace));
            }
            // As assumed, or not to be known: pods come and go.
            Ok(Some(_)) | Err(_) => {}
        }
    }
    std::future::pending().await
}

/// A dial failed for good. A name that is not known is looked for among the Services, which know first.
async fn hopeless(dialer: &Dialer, open: &Open, outgoing: &Outgoing) -> Result<Outcome, Error> {
    let failure = dialer.last_failure();
    let service = outgoing.target.service();
    match (failure.as_deref(), &open.cluster, service) {
        (Some(failure @ DialError::NotFound { .. }), Some(cluster), Some(service)) => {
            match lookup::ports(cluster, &service.name, &open.namespace).await {
                Ok(None) => Err(lookup::unknown(cluster, &service.name, &open.namespace).await),
                Ok(Some(_)) => Ok(Outcome::NotKnownYet),
                Err(_) => Err(undialled(failure, open, outgoing)),
            }
        }
        (Some(failure), ..) => Err(undialled(failure, open, outgoing)),
        // It was followed by a success: a retry that was quicker than we are.
        (None, ..) => Ok(Outcome::NotKnownYet),
    }
}

/// The Service exists, its name does not.
fn unknown_to_dns(open: &Open, outgoing: &Outgoing) -> Error {
    let name = target_name(open, outgoing.target.service());
    Error::new(ExitCode::Failed, format!("cannot call {name}"))
        .why(format!("Service {name} exists, and cluster DNS does not know it: is it headless, with no pod ready?"))
        .place(place(open))
        .next(format!("msctl status {name} -n {}", open.namespace))
}

fn target_name(open: &Open, service: Option<&ServiceName>) -> String {
    service.map_or_else(|| open.host.clone(), |service| service.name.clone())
}

/// Why a connection can't be had.
fn undialled(failure: &DialError, open: &Open, outgoing: &Outgoing) -> Error {
    let service = outgoing.target.service();
    let name = target_name(open, service);
    let error = Error::new(failure::code(failure.trouble()), format!("cannot call {name}"))
        .why(failure.to_string())
        .place(place(open));
    match (failure, service) {
        (DialError::Refused { .. }, Some(service)) => error
            .why("no pod of it is ready, or it does not listen there")
            .next(format!("msctl status {} -n {}", service.name, open.namespace)),
        _ => match failure.hint() {
            Some(hint) => error.next(hint),
            None => error,
        },
    }
}

fn place(open: &Open) -> String {
    match &open.cluster {
        Some(cluster) => format!("namespace {}, context {}", open.namespace, cluster.context),
        None => format!("namespace {}", open.namespace),
    }
}

/// Why there is no answer.
fn unanswered(cause: &upstream::Error, dial: Option<&DialError>, open: &Open, outgoing: &Outgoing) -> Error {
    if let (Kind::Connect, Some(dial)) = (cause.kind(), dial) {
        return undialled(dial, open, outgoing);
    }
    let code = if cause.is_timeout() { ExitCode::TimedOut } else { ExitCode::Failed };
    let service = outgoing.target.service();
    let error = Error::new(code, format!("{} did not answer", target_name(open, service)))
        .why(cause.report())
        .place(place(open));
    match (cause.kind(), service) {
        (Kind::Broken, Some(service)) => {
            let repeated = if outgoing.method.is_idempotent() {
                "it was tried again, with the same end"
            } else {
                "it was not sent again: it may have been done"
            };
            error.why(repeated).next(format!("msctl status {} -n {}", service.name, open.namespace))
        }
        _ => error,
    }
}

/// Why the answer ended before its end.
pub(super) fn broken_off(cause: &upstream::Error, received: u64) -> Error {
    let code = if cause.is_timeout() { ExitCode::TimedOut } else { ExitCode::Failed };
    let error = Error::new(code, format!("the answer broke off after {received} bytes")).why(cause.report());
    if cause.is_timeout() { error.next("a longer --timeout") } else { error }
}

/// Why an answer that is to be followed could not be read to its end.
pub(super) fn unread(cause: &upstream::Error) -> Error {
    let code = if cause.is_timeout() { ExitCode::TimedOut } else { ExitCode::Failed };
    Error::new(code, "the answer cannot be followed: it was not read to its end").why(cause.report())
}
