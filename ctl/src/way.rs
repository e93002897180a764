//! Opening the way from here to services: the relay's tunnel, or none at all inside a cluster. What it waits for is
//! said while it waits, and what it was making is taken back when it is given up.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reach::{Cluster, Connector, Progress, Tunnel, TunnelError, TunnelOptions, Way};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::cli::Globals;
use crate::cli::call::{Via, WayArgs};
use crate::cluster::{failure, session};
use crate::error::{Error, ExitCode};
use crate::interrupt::Interrupt;
use crate::output::Printer;
use crate::target::ServiceName;

/// The relay is msctl itself, in the image of the same version.
const RELAY_IMAGE: &str = concat!("ghcr.io/msctl/msctl:", env!("CARGO_PKG_VERSION"));
/// For one connection inside a cluster.
const DIAL_AT_MOST: Duration = Duration::from_secs(10);
/// Messages on their way to the printer; more than a relay has to say before it is there.
const MESSAGES: usize = 32;
/// A wait that takes longer than this is spoken of.
const SILENCE: Duration = Duration::from_secs(1);

/// Which way `--via` asks for, or the one that fits where we run; and the API server, which the relay needs. Inside a
/// cluster the network is ours to use without it: only what the API server knows is out of reach.
pub(crate) async fn choose(args: &WayArgs, globals: &Globals) -> Result<(Way, Option<Cluster>), Error> {
    let asked = args.via.map(|via| match via {
        Via::Relay => Way::Relay,
        Via::Direct => Way::Direct,
    });
    match (reach::resolve_way(asked), session::connect(globals).await) {
        (way, Ok(cluster)) => Ok((way, Some(cluster))),
        (Way::Direct, Err(_)) => Ok((Way::Direct, None)),
        // A pod without a service account's token and without a kubeconfig.
        (Way::Relay, Err(_)) if asked.is_none() && in_a_pod() => Ok((Way::Direct, None)),
        (Way::Relay, Err(error)) => Err(error),
    }
}

/// Every container of a pod has it: <https://kubernetes.io/docs/tutorials/services/connect-applications-service/>
fn in_a_pod() -> bool {
    std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
}

/// The namespace of the command, for where nothing else says one.
pub(crate) fn namespace<'a>(cluster: Option<&'a Cluster>, globals: &'a Globals) -> &'a str {
    match cluster {
        Some(cluster) => &cluster.namespace,
        None => globals.namespace.as_deref().unwrap_or("default"),
    }
}

/// Whether names need their namespace. The relay stands in the target's own, so that a bare name means there what it
/// means to the services; from elsewhere it has to be said, unless nobody knows it but our own resolver.
pub(crate) fn qualifies(way: Way, cluster: Option<&Cluster>, globals: &Globals, target: Option<&ServiceName>) -> bool {
    let said = globals.namespace.is_some() || target.is_some_and(|target| target.namespace.is_some());
    way == Way::Direct && (said || cluster.is_some())
}

/// What a relay has to say, for the terminal.
#[derive(Debug)]
enum Said {
    /// What is waited for, now.
    Waiting(String),
    /// Worth keeping on the screen.
    Warning(String),
    /// The wait is over; of interest with `--verbose` only.
    Done(String),
}

impl From<&Progress> for Said {
    fn from(progress: &Progress) -> Self {
        let text = progress.to_string();
        match progress {
            Progress::Warning { .. } => Self::Warning(text),
            Progress::Connected { .. } => Self::Done(text),
            _ => Self::Waiting(text),
        }
    }
}

/// What a command is at: for those who wait, and for the error when they have waited too long.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stage(Rc<RefCell<String>>);

impl Stage {
    pub(crate) fn is(&self, text: impl Into<String>) {
        *self.0.borrow_mut() = text.into();
    }

    fn text(&self) -> String {
        self.0.borrow().clone()
    }
}

/// Whether the way is being made, first or anew: then something may have to be taken back.
#[derive(Debug, Clone, Default)]
pub(crate) struct Making(Arc<AtomicBool>);

impl Making {
    fn is(&self, now: bool) {
        self.0.store(now, Ordering::Relaxed);
    }

    fn hear(&self, progress: &Progress) {
        match progress {
            Progress::Connected { .. } => self.is(false),
            // A warning says nothing about it.
            Progress::Warning { .. } => {}
            _ => self.is(true),
        }
    }

    fn now(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Prints what the way has to say, while something goes on over it.
pub(crate) struct Voice<'a> {
    stage: Stage,
    messages: mpsc::Receiver<Said>,
    printer: &'a Printer,
    verbose: bool,
}

impl std::fmt::Debug for Voice<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Voice").field("verbose", &self.verbose).finish_non_exhaustive()
    }
}

/// A connection of our own, from here.
pub(crate) fn direct() -> Connector {
    Connector::direct(DIAL_AT_MOST)
}

/// Opens `way` into `namespace`. Cancelling `cancel` takes back what was being made, and is waited for.
pub(crate) async fn open<'a>(
    way: Way,
    cluster: Option<&Cluster>,
    namespace: &str,
    args: &WayArgs,
    patience: &Patience,
    printer: &'a Printer,
) -> Result<(Connector, Voice<'a>), Error> {
    let (speak, messages) = mpsc::channel(MESSAGES);
    patience.stage.is(format!("opening a way into namespace {namespace}"));
    let mut voice = Voice { stage: patience.stage.clone(), messages, printer, verbose: args.verbose };
    let (Way::Relay, Some(cluster)) = (way, cluster) else { return Ok((direct(), voice)) };
    let image = args.relay_image.clone().unwrap_or_else(|| RELAY_IMAGE.to_owned());
    let making = patience.making.clone();
    let options = TunnelOptions {
        progress: Some(Arc::new(move |progress| {
            making.hear(progress);
            // A message that finds no place is an old one's repetition.
            drop(speak.try_send(Said::from(progress)));
        })),
        cancel: patience.cancel.clone(),
        ..TunnelOptions::new(namespace, image)
    };
    // Large, and once a process.
    let opening = Box::pin(Tunnel::open(cluster, options));
    patience.making.is(true);
    let tunnel = voice.over(opening).await;
    patience.making.is(false);
    let tunnel = tunnel.map_err(|cause| refused(cluster, namespace, &cause))?;
    Ok((Connector::relay(tunnel), voice))
}

impl Voice<'_> {
    /// What is gone about from now on.
    pub(crate) fn stage(&self, text: impl Into<String>) {
        self.stage.is(text);
    }

    /// `work`, and what is said meanwhile: by the way, or after a second by us.
    pub(crate) async fn over<T>(&mut self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        let silence = sleep(SILENCE);
        tokio::pin!(silence);
        let outcome = loop {
            tokio::select! {
                biased;
                outcome = &mut work => break outcome,
                Some(said) = self.messages.recv() => {
                    self.print(said);
                    silence.as_mut().reset(Instant::now() + SILENCE);
                }
                () = &mut silence, if !silence.is_elapsed() => self.printer.live(vec![self.stage.text()]),
            }
        };
        while let Ok(said) = self.messages.try_recv() {
            self.print(said);
        }
        self.printer.clear_live();
        outcome
    }

    fn print(&self, said: Said) {
        match said {
            Said::Waiting(text) => self.printer.live(vec![text]),
            Said::Warning(text) => self.printer.warning(&text),
            Said::Done(text) => {
                self.printer.clear_live();
                if self.verbose {
                    self.printer.note(&text);
                }
            }
        }
    }
}

fn refused(cluster: &Cluster, namespace: &str, cause: &TunnelError) -> Error {
    let error = Error::new(failure::code(cause.trouble()), format!("cannot open a way into namespace {namespace}"))
        .why(cause.to_string())
        .place(session::place(cluster));
    match cause.hint() {
        Some(hint) => error.next(hint),
        None => error,
    }
}

/// How long something may take, and how it hears that it was too long.
#[derive(Debug)]
pub(crate) struct Patience {
    /// "calling service-a".
    pub(crate) what: String,
    pub(crate) timeout: Duration,
    pub(crate) stage: Stage,
    pub(crate) making: Making,
    pub(crate) cancel: CancellationToken,
}

impl Patience {
    pub(crate) fn new(what: impl Into<String>, timeout: Duration) -> Self {
        let (stage, making, cancel) = (Stage::default(), Making::default(), CancellationToken::new());
        Self { what: what.into(), timeout, stage, making, cancel }
    }
}

/// `work` until it is done, its time is over or a signal comes. Given up while it makes a way, it is told so and has a
/// moment to take back what it was making; a request is dropped at once, so that none is sent after Ctrl-C.
pub(crate) async fn bounded<T>(
    patience: &Patience,
    interrupt: &mut Interrupt,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    /// One request to the API server, on a slow day.
    const MOMENT: Duration = Duration::from_secs(3);
    let Patience { what, timeout, stage, making, cancel } = patience;
    tokio::pin!(work);
    let given_up = tokio::select! {
        biased;
        () = interrupt.signalled() => Error::new(ExitCode::Interrupted, format!("interrupted: {what}")),
        outcome = &mut work => return outcome,
        () = sleep(*timeout) => {
            Error::new(ExitCode::TimedOut, format!("{what}: not done within {timeout:?}"))
                .why(format!("it was {}", stage.text()))
                .next("a longer --timeout, or `msctl status` for what keeps it")
        }
    };
    cancel.cancel();
    if !making.now() {
        return Err(given_up);
    }
    // A second signal ends the moment too.
    tokio::select! {
        _ = tokio::time::timeout(MOMENT, work) => {}
        () = interrupt.signalled() => {}
    }
    Err(given_up)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_way_that_takes_too_long_is_told_and_what_it_takes_back_awaited() {
        let patience = Patience::new("calling a", Duration::from_secs(5));
        patience.stage.is("waiting for a");
        patience.making.is(true);
        let (cancel, taken_back) = (patience.cancel.clone(), AtomicBool::new(false));
        let making = async {
            cancel.cancelled().await;
            sleep(Duration::from_secs(1)).await;
            taken_back.store(true, Ordering::Relaxed);
            Err::<(), _>(Error::new(ExitCode::Failed, "cancelled"))
        };
        let mut interrupt = Interrupt::listen().unwrap();
        let error = bounded(&patience, &mut interrupt, making).await.unwrap_err();
        assert_eq!(error.code(), ExitCode::TimedOut);
        assert!(taken_back.load(Ordering::Relaxed));
        let text = error.to_string();
        assert!(text.contains("calling a: not done within 5s") && text.contains("it was waiting for a"), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_way_that_does_not_listen_is_left_after_a_moment() {
        let patience = Patience::new("calling a", Duration::from_secs(1));
        patience.making.is(true);
        let mut interrupt = Interrupt::listen().unwrap();
        let deaf = std::future::pending::<Result<(), Error>>();
        let began = Instant::now();
        let error = bounded(&patience, &mut interrupt, deaf).await.unwrap_err();
        assert_eq!((error.code(), began.elapsed().as_secs()), (ExitCode::TimedOut, 4));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_given_up_is_dropped_at_once() {
        let patience = Patience::new("calling a", Duration::from_secs(1));
        let cancel = patience.cancel.clone();
        let request = async {
            cancel.cancelled().await;
            panic!("it went on");
        };
        let mut interrupt = Interrupt::listen().unwrap();
        let began = Instant::now();
        let error = bounded::<()>(&patience, &mut interrupt, request).await.unwrap_err();
        assert_eq!((error.code(), began.elapsed().as_secs()), (ExitCode::TimedOut, 1));
    }

    #[test]
    fn a_way_is_being_made_until_it_is_connected_and_again_when_it_is_lost() {
        let making = Making::default();
        let connected = Progress::Connected { pod: "p".into(), created: true, elapsed: SILENCE };
        for (progress, now) in [
            (Progress::Creating { job: "j".into() }, true),
            (connected, false),
            (Progress::Warning { message: "w".into() }, false),
            (Progress::Reconnecting { cause: "c".into() }, true),
        ] {
            making.hear(&progress);
            assert_eq!(making.now(), now, "{progress:?}");
        }
    }

    #[test]
    fn a_name_gets_its_namespace_only_where_it_is_known_and_not_ours() {
        let (anywhere, shop) = (Globals::default(), Globals { namespace: Some("shop".into()), ..Globals::default() });
        let full: ServiceName = "a.shop".parse().unwrap();
        assert!(!qualifies(Way::Relay, None, &shop, Some(&full)), "the relay is there");
        assert!(!qualifies(Way::Direct, None, &anywhere, None), "a pod that may not ask: its own namespace");
        assert!(qualifies(Way::Direct, None, &shop, None));
        assert!(qualifies(Way::Direct, None, &anywhere, Some(&full)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_wait_says_what_it_waits_for_and_a_short_one_nothing() {
        let (printer, _, err) = crate::output::tests::captured();
        let (_speak, messages) = mpsc::channel(MESSAGES);
        let mut voice = Voice { stage: Stage::default(), messages, printer: &printer, verbose: false };
        voice.stage.is("waiting for a");
        voice.over(sleep(SILENCE / 2)).await;
        assert_eq!(err.text(), "");
        voice.over(sleep(SILENCE * 5)).await;
        assert_eq!(err.text(), "waiting for a\n");
    }
}
