//! Sending the request, and what it means when there is no answer.

use std::cell::RefCell;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use reach::DialError;
use tokio::time::{Instant, sleep};
use upstream::{Body, Config, Kind};

use super::dialer::Dialer;
use super::request::Outgoing;
use super::route::{Open, Route};
use crate::error::{Error, ExitCode};
use crate::output::Printer;
use crate::target::ServiceName;
use crate::way::{Dialled, Doubt, Known, Stage, Voice};

/// Further attempts at a request that nobody took: a pod that goes is replaced in Service and DNS within about a second.
const RETRIES: u32 = 6;
/// Without a connection for so long, the port is looked up: one that the Service does not have is not refused, but
/// lost on the way.
const DOUBT: Duration = Duration::from_secs(1);
/// Between two looks at a service whose pods are not ready: what keeps them changes while they start.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Between two questions for a name that the platform should know, and does not yet.
const DNS_PAUSE: Duration = Duration::from_millis(250);
/// Longer than cluster DNS remembers that there was no such name (5 s in `CoreDNS`' usual configuration).
const DNS_TRIES: u32 = 28;

/// What came of an attempt.
enum Outcome {
    Answered(Response<Body>),
    /// The service has another port than its name suggests.
    OtherPort(u16),
    /// The service exists, and its name does not yet.
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
    stage: &Stage,
) -> Result<Exchanged, Error> {
    let mut doubtful = true;
    let client_config = config(route);
    let mut asked_dns = 0;
    loop {
        let dialer = Dialer::new(open.connector.clone());
        let request = build(open, outgoing)?;
        let (shown, began) = (format!("{} {}", request.method(), request.uri()), Instant::now());
        let client = upstream::Client::with_connector(client_config.clone(), dialer.clone());
        voice.stage(format!("waiting for {}:{} to answer", open.host, open.port));
        let unready = RefCell::default();
        let wait = Wait { dialer: &dialer, open, outgoing, stage, printer: route.printer, unready: &unready };
        match voice.over(wait.attempt(&client, request, doubtful)).await? {
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
            Outcome::NotKnownYet if asked_dns == DNS_TRIES => return Err(unresolved(open, outgoing)),
            Outcome::NotKnownYet => {
                asked_dns += 1;
                let resolver = open.way.resolver();
                route.printer.live(vec![format!("waiting for {resolver} to know {}", open.host)]);
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

/// One attempt, and what is found out while nobody answers.
#[derive(Clone, Copy)]
struct Wait<'a> {
    dialer: &'a Dialer,
    open: &'a Open,
    outgoing: &'a Outgoing,
    stage: &'a Stage,
    printer: &'a Printer,
    /// What keeps the pods, as far as it is known.
    unready: &'a RefCell<Option<String>>,
}

impl Wait<'_> {
    async fn attempt(
        self,
        client: &upstream::Client<Dialer>,
        request: Request<Bytes>,
        doubtful: bool,
    ) -> Result<Outcome, Error> {
        let Self { dialer, open, outgoing, .. } = self;
        tokio::select! {
            biased;
            answer = client.send(request) => match answer {
                Ok(response) => Ok(Outcome::Answered(response)),
                Err(cause) => {
                    let service =
                        outgoing.target.service().filter(|_| matches!(cause.kind(), Kind::Broken | Kind::Connect));
                    let blamed = match service {
                        Some(service) => open.way.blame(&service.name, open.port).await,
                        None => None,
                    };
                    // Refusals may come quicker than what is known of the pods.
                    let looked = match dialled(open, outgoing) {
                        Some(dialled) if doubtful && blamed.is_none() && self.unknown_yet() => {
                            open.way.doubt(&dialled).await?
                        }
                        _ => Doubt::Nothing,
                    };
                    let why = match looked {
                        Doubt::OtherPort(port) => return Ok(Outcome::OtherPort(port)),
                        Doubt::Unready(why) => why,
                        Doubt::Nothing => self.unready(),
                    };
                    let error =
                        || unanswered(&cause, dialer.last_failure().as_deref(), open, outgoing).why(why);
                    Err(blamed.unwrap_or_else(error))
                }
            },
            () = dialer.hopeless() => self.hopeless().await,
            outcome = self.doubt(), if doubtful => outcome,
        }
    }

    /// Looks up the port, and then the pods, when it leads nowhere; resolves only if that changes something.
    async fn doubt(self) -> Result<Outcome, Error> {
        let Self { dialer, open, .. } = self;
        let began = Instant::now();
        tokio::select! {
            () = dialer.failed() => {}
            () = sleep(DOUBT) => {}
        }
        let Some(dialled) = dialled(open, self.outgoing) else { return std::future::pending().await };
        while !dialer.connected() {
            let found = open.way.doubt(&dialled).await;
            // A request that is on its way in the meantime is not to be dropped, nor sent again.
            if dialer.connected() {
                break;
            }
            match found? {
                Doubt::Nothing => break,
                Doubt::OtherPort(port) => return Ok(Outcome::OtherPort(port)),
                Doubt::Unready(why) => self.tell(&dialled.service, &why, began),
            }
            sleep(LOOK_AGAIN).await;
        }
        std::future::pending().await
    }

    /// Says what keeps the service, also in the error of a wait that is too long.
    fn tell(self, service: &ServiceName, why: &str, began: Instant) {
        let Open { host, port, way, .. } = self.open;
        let text = format!("waiting for {host}:{port} to answer; {why}");
        if began.elapsed() >= DOUBT {
            self.printer.live(vec![text.clone()]);
        }
        let namespace = service.namespace_or(way.namespace());
        let look = format!("msctl status {} -n {namespace} for what keeps it, or a longer --timeout", service.name);
        self.stage.is_until(text, look);
        self.unready.replace(Some(why.to_owned()));
    }

    /// Nobody has been reached, and not because there is no way.
    fn unknown_yet(self) -> bool {
        let failure = self.dialer.last_failure();
        let refused = matches!(
            failure.as_deref(),
            Some(DialError::Refused { .. } | DialError::TimedOut { .. } | DialError::Unreachable { .. })
        );
        refused && !self.dialer.connected() && self.unready.borrow().is_none()
    }

    /// Nothing where there has been a connection: its pods have been ready since.
    fn unready(self) -> String {
        let known = self.unready.borrow().clone().filter(|_| !self.dialer.connected());
        known.unwrap_or_default()
    }

    /// A dial failed for good. A name that is not known is asked for where services are known first.
    async fn hopeless(self) -> Result<Outcome, Error> {
        let Self { dialer, open, outgoing, .. } = self;
        let failure = dialer.last_failure();
        let service = outgoing.target.service();
        match (failure.as_deref(), service) {
            (Some(failure @ DialError::NotFound { .. }), Some(service)) => {
                match (open.way.knows(&service.name).await, open.way.outside(service)) {
                    (Known::No(error), _) | (_, Some(error)) => Err(error),
                    (Known::Yes, None) => Ok(Outcome::NotKnownYet),
                    (Known::Unasked, None) => Err(undialled(failure, open, outgoing)),
                }
            }
            (Some(failure @ DialError::NotFound { .. }), None) => {
                let outside = outgoing.target.maybe_service().and_then(|service| open.way.outside(&service));
                Err(outside.unwrap_or_else(|| undialled(failure, open, outgoing)))
            }
            (Some(failure), _) => Err(undialled(failure, open, outgoing)),
            // It was followed by a success: a retry that was quicker than we are.
            (None, _) => Ok(Outcome::NotKnownYet),
        }
    }
}

/// Which Service is meant, if it is one.
fn dialled(open: &Open, outgoing: &Outgoing) -> Option<Dialled> {
    let named = outgoing.target.service();
    let service = named.cloned().or_else(|| outgoing.target.maybe_service())?;
    Some(Dialled { service, port: open.port, assumed: open.port_assumed, url: named.is_none() })
}

/// The service exists, its name does not.
fn unresolved(open: &Open, outgoing: &Outgoing) -> Error {
    let name = target_name(open, outgoing.target.service());
    Error::new(ExitCode::Failed, format!("cannot call {name}"))
        .why(open.way.unresolved(&name))
        .place(open.way.place())
        .next(format!("msctl status {name}{}", open.way.flags()))
}

fn target_name(open: &Open, service: Option<&ServiceName>) -> String {
    service.map_or_else(|| open.host.clone(), |service| service.name.clone())
}

/// Why a connection can't be had.
fn undialled(failure: &DialError, open: &Open, outgoing: &Outgoing) -> Error {
    let service = outgoing.target.service();
    let name = target_name(open, service);
    let error = Error::new(failure.trouble().into(), format!("cannot call {name}"))
        .why(failure.to_string())
        .place(open.way.place());
    match (failure, service) {
        (DialError::Refused { .. }, Some(service)) => {
            error.why(open.way.unready()).next(format!("msctl status {}{}", service.name, open.way.flags()))
        }
        _ => match (open.way.hint(failure), service) {
            (Some(hint), _) => error.next(hint),
            (None, Some(service)) => error.next(format!("msctl status {}{}", service.name, open.way.flags())),
            (None, None) => error,
        },
    }
}

/// Why there is no answer.
fn unanswered(cause: &upstream::Error, dial: Option<&DialError>, open: &Open, outgoing: &Outgoing) -> Error {
    if let (Kind::Connect, Some(dial)) = (cause.kind(), dial) {
        return undialled(dial, open, outgoing);
    }
    let service = outgoing.target.service();
    let error = failed(format!("{} did not answer", target_name(open, service)), cause, open);
    match (cause.kind(), service) {
        (Kind::Broken, service) => {
            let error = error.why(if outgoing.method.is_idempotent() {
                "it was tried again, with the same end"
            } else {
                "it was not sent again: it may have been done"
            });
            match service {
                Some(service) => error.next(format!("msctl status {}{}", service.name, open.way.flags())),
                None => error,
            }
        }
        // Most likely it is the port of something else.
        (Kind::Protocol, service) => {
            let target = service.map_or_else(|| format!("http://{}", open.host), ToString::to_string);
            error.next(format!("msctl call {target}:PORT, with the port that speaks HTTP"))
        }
        _ => with_logs(error, open, outgoing),
    }
}

/// Why the answer ended before its end.
pub(super) fn broken_off(cause: &upstream::Error, received: u64, open: &Open, outgoing: &Outgoing) -> Error {
    with_logs(failed(format!("the answer broke off after {received} bytes"), cause, open), open, outgoing)
}

/// Why an answer that is to be followed could not be read to its end.
pub(super) fn unread(cause: &upstream::Error, open: &Open, outgoing: &Outgoing) -> Error {
    let error = failed("the answer cannot be followed: it was not read to its end".to_owned(), cause, open);
    if cause.kind() == Kind::TooLarge {
        return error.next("without --follow it is printed as it comes, however large");
    }
    with_logs(error, open, outgoing)
}

fn failed(what: String, cause: &upstream::Error, open: &Open) -> Error {
    let code = if cause.is_timeout() { ExitCode::TimedOut } else { ExitCode::Failed };
    let error = Error::new(code, what).why(cause.report()).place(open.way.place());
    if cause.is_timeout() { error.next("a longer --timeout") } else { error }
}

/// What the service itself says of it, where it is a service.
fn with_logs(error: Error, open: &Open, outgoing: &Outgoing) -> Error {
    match outgoing.target.service() {
        Some(service) => error.next(logs(service, open)),
        None => error,
    }
}

/// The command that shows what a service said last.
pub(super) fn logs(service: &ServiceName, open: &Open) -> String {
    format!("msctl logs {} --tail 20{}", service.name, open.way.flags())
}
