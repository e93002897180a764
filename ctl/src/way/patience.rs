//! How long a command waits, and how what it was making hears that it was too long.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reach::Progress;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, ExitCode};
use crate::interrupt::{Interrupt, interrupted};

/// What a command is at: for those who wait, and for the error when they have waited too long.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stage(Rc<RefCell<At>>);

#[derive(Debug, Default)]
struct At {
    /// Where it is, once that is known.
    place: Option<String>,
    text: String,
    /// What to do when it takes too long, where that is not a longer wait.
    next: Option<String>,
}

impl Stage {
    pub(crate) fn is(&self, text: impl Into<String>) {
        let mut at = self.0.borrow_mut();
        (at.text, at.next) = (text.into(), None);
    }

    /// From here on: for the `where` line of an error that has none of its own.
    pub(crate) fn place(&self, place: impl Into<String>) {
        self.0.borrow_mut().place = Some(place.into());
    }

    /// An error of what goes on here.
    pub(crate) fn within(&self, error: Error) -> Error {
        match &self.0.borrow().place {
            Some(place) => error.or_scene(place.clone()),
            None => error,
        }
    }

    /// As `is`, with what to do when it takes too long.
    pub(crate) fn is_until(&self, text: impl Into<String>, next: impl Into<String>) {
        let mut at = self.0.borrow_mut();
        (at.text, at.next) = (text.into(), Some(next.into()));
    }

    pub(super) fn text(&self) -> String {
        self.0.borrow().text.clone()
    }

    fn next(&self, usual: &str) -> String {
        self.0.borrow().next.clone().unwrap_or_else(|| usual.to_owned())
    }
}

/// Whether the way is being made, first or anew: then something may have to be taken back.
#[derive(Debug, Clone, Default)]
pub(crate) struct Making(Arc<AtomicBool>);

impl Making {
    pub(crate) fn is(&self, now: bool) {
        self.0.store(now, Ordering::Relaxed);
    }

    pub(crate) fn hear(&self, progress: &Progress) {
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

/// How long something may take, and how it hears that it was too long.
#[derive(Debug)]
pub(crate) struct Patience {
    /// "calling service-a".
    pub(crate) what: String,
    pub(crate) timeout: Duration,
    began: Instant,
    pub(crate) stage: Stage,
    pub(crate) making: Making,
    pub(crate) cancel: CancellationToken,
}

impl Patience {
    /// Its time begins now.
    pub(crate) fn new(what: impl Into<String>, timeout: Duration) -> Self {
        let (stage, making, cancel) = (Stage::default(), Making::default(), CancellationToken::new());
        Self { what: what.into(), timeout, began: Instant::now(), stage, making, cancel }
    }

    /// The moment when it is over.
    pub(crate) fn deadline(&self) -> std::time::Instant {
        (self.began + self.timeout).into_std()
    }

    fn left(&self) -> Duration {
        self.timeout.saturating_sub(self.began.elapsed())
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
    let Patience { what, timeout, stage, making, cancel, .. } = patience;
    tokio::pin!(work);
    let at = |error: Error| {
        let error = stage.within(error);
        match stage.text() {
            stage if stage.is_empty() => error,
            stage => error.why(format!("it was {stage}")),
        }
    };
    let given_up = tokio::select! {
        biased;
        signal = interrupt.signalled() => {
            at(interrupted(what, signal)).next(stage.next("msctl status, for what keeps it"))
        }
        outcome = &mut work => return outcome.map_err(|error| stage.within(error)),
        () = sleep(patience.left()) => {
            let late = Error::new(ExitCode::TimedOut, format!("{what}: not done within {timeout:?}"));
            at(late).next(stage.next("a longer --timeout, or `msctl status` for what keeps it"))
        }
    };
    cancel.cancel();
    if !making.now() {
        return Err(given_up);
    }
    // A second signal ends the moment too.
    tokio::select! {
        _ = tokio::time::timeout(MOMENT, work) => {}
        _ = interrupt.signalled() => {}
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

    #[tokio::test(start_paused = true)]
    async fn what_is_done_one_after_the_other_shares_the_time() {
        let patience = Patience::new("calling a", Duration::from_secs(5));
        let mut interrupt = Interrupt::listen().unwrap();
        let first = async {
            sleep(Duration::from_secs(4)).await;
            Ok(())
        };
        bounded(&patience, &mut interrupt, first).await.unwrap();
        let error = bounded(&patience, &mut interrupt, std::future::pending::<Result<(), Error>>()).await.unwrap_err();
        assert_eq!((error.code(), patience.began.elapsed().as_secs()), (ExitCode::TimedOut, 5));
    }

    #[tokio::test(start_paused = true)]
    async fn what_takes_too_long_may_have_another_remedy_than_a_longer_wait() {
        let next = |stage: fn(&Stage)| async move {
            let patience = Patience::new("calling a", Duration::from_secs(1));
            stage(&patience.stage);
            let mut interrupt = Interrupt::listen().unwrap();
            let error = bounded(&patience, &mut interrupt, std::future::pending::<Result<(), Error>>()).await;
            error.unwrap_err().rest().into_iter().filter(|(word, _)| *word == "next").map(|(_, next)| next).collect()
        };
        let usual = vec!["a longer --timeout, or `msctl status` for what keeps it".to_owned()];
        let found: Vec<String> = next(|stage| stage.is_until("x", "look")).await;
        assert_eq!(found, ["look"]);
        let found: Vec<String> = next(|stage| {
            stage.is_until("x", "look");
            stage.is("y");
        })
        .await;
        assert_eq!(found, usual);
    }

    #[test]
    fn a_way_is_being_made_until_it_is_connected_and_again_when_it_is_lost() {
        let making = Making::default();
        let connected = Progress::Connected { pod: "p".into(), created: true, elapsed: Duration::from_secs(1) };
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
}
