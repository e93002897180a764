//! A replica's life: started, watched, started again, until it is told to end.

use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use nix::sys::signal::Signal;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::backoff::Backoff;
use super::health::{Change, Stuck, watch};
use super::ports::Port;
use super::probe::Addresses;
use super::replica::{Failure, Replica, Stop};
use super::{Service, environment};
use crate::Event;
use crate::event::Span;
use crate::logs::{Capture, Tail};
use crate::process::{Process, Program};
use crate::scarce;
use crate::status::ReplicaState;

/// How often somebody who waits hears that a replica still is not ready.
const REMINDER: Duration = Duration::from_secs(1);

/// While connections are waited for.
const DRAINING: Duration = Duration::from_millis(10);

/// For the kernel to end a process after SIGKILL; one that waits for a device can take longer.
const KILL: Duration = Duration::from_secs(5);

/// How one process ended.
enum End {
    /// As it was told to.
    Told,
    Failed {
        how: String,
        log: Vec<String>,
        for_good: bool,
    },
}

/// What a running process is watched for.
enum Noticed {
    Exit(String),
    Stuck(Stuck),
    Stop,
}

/// Runs the replica until it is told to end.
pub(super) async fn run(service: Arc<Service>, replica: Arc<Replica>) {
    let mut life = Life::new(service, replica);
    let mut backoff = Backoff::default();
    let mut stop = life.replica.stop.subscribe();
    loop {
        let started = Instant::now();
        let End::Failed { how, log, for_good } = life.one_process(&mut stop).await else { break };
        if life.service.context.closing.is_cancelled() {
            break;
        }
        let pause = backoff.after(started.elapsed());
        life.failed(how, log, for_good, pause);
        tokio::select! {
            () = sleep(pause) => {}
            _ = stop.wait_for(Option::is_some) => break,
        }
        life.replica.state.send_modify(|snapshot| snapshot.restarts += 1);
    }
    life.ended();
}

struct Life {
    service: Arc<Service>,
    replica: Arc<Replica>,
    /// Nobody else's while its process runs.
    ports: Option<(Port, Option<Port>)>,
    log: Arc<crate::logs::LogFile>,
}

impl Life {
    fn new(service: Arc<Service>, replica: Arc<Replica>) -> Self {
        let teller = Arc::downgrade(&service);
        let tell = Arc::new(move |event: Event| {
            if let Some(service) = teller.upgrade() {
                service.tell(&event);
            }
        });
        let log = service.context.logs.open(&service.name, &replica.name, tell);
        Self { service, replica, ports: None, log }
    }

    /// From its start to its end.
    async fn one_process(&mut self, stop: &mut watch::Receiver<Option<Stop>>) -> End {
        if stop.borrow().is_some() || self.service.context.closing.is_cancelled() {
            return End::Told;
        }
        let started = Instant::now();
        let spawned = self.spawn().await;
        let (mut process, tail, at) = match spawned {
            Ok(spawned) => spawned,
            Err((how, for_good)) => return End::Failed { how, log: Vec::new(), for_good },
        };
        let spec = self.replica.spec.clone();
        let reminded = Mutex::new(started);
        let mut stuck = pin!(watch(&spec, at, |change| self.changed(change, started, &reminded)));
        let noticed = tokio::select! {
            exit = process.exited() => Noticed::Exit(exit.to_string()),
            stuck = &mut stuck => Noticed::Stuck(stuck),
            _ = stop.wait_for(Option::is_some) => Noticed::Stop,
        };
        let (how, for_good) = match noticed {
            Noticed::Exit(how) => (how, false),
            Noticed::Stuck(stuck) => {
                let (why, for_good) = match stuck {
                    Stuck::Start(why) => (why, true),
                    Stuck::Live(why) => (why, false),
                };
                self.event(|replica| Event::Unhealthy { replica, why: why.clone() });
                self.set(|snapshot| (snapshot.state, snapshot.why) = (ReplicaState::Unready, Some(why.clone())));
                self.terminate(&mut process).await;
                (why, for_good)
            }
            Noticed::Stop => {
                self.drain(&mut process, stop).await;
                return End::Told;
            }
        };
        End::Failed { how, log: tail.last().await, for_good }
    }

    /// The reason when it can't be started, and whether that lasts.
    async fn spawn(&mut self) -> Result<(Process, Tail, Addresses), (String, bool)> {
        let at = self.addresses().map_err(|error| (format!("no port for it: {error}"), !scarce::is_ours(&error)))?;
        let spec = &self.replica.spec;
        self.set(|snapshot| {
            snapshot.state = ReplicaState::Starting;
            snapshot.at = Some(at);
            let failure = snapshot.failure.as_ref();
            snapshot.why = Some(
                failure.map_or_else(|| "starting".to_owned(), |failure| format!("starting again after: {failure}")),
            );
        });
        self.event(|replica| Event::Starting { replica });
        let capture = Capture::start(self.log.clone())
            .map_err(|error| (format!("no pipe for its log: {error}"), !scarce::is_ours(&error)))?;
        let program = Program {
            argv: spec.argv.clone(),
            folder: spec.folder.clone(),
            env: environment::build(spec, &self.replica.name, at, &self.service.context),
            output: capture.path(),
        };
        let process = self.service.context.guard.spawn(program).await.map_err(|why| (why, true))?;
        let tail = capture.into_tail();
        self.set(|snapshot| {
            snapshot.pid = Some(process.pid());
            snapshot.since = Timestamp::now();
            snapshot.tail = Some(tail.clone());
        });
        Ok((process, tail, at))
    }

    /// New ones for every process: on those of the one before, another may listen by now, or what is left of its
    /// connections may keep a program from listening.
    fn addresses(&mut self) -> io::Result<Addresses> {
        let admin = if self.replica.spec.admin { Some(Port::take()?) } else { None };
        let (port, admin) = self.ports.insert((Port::take()?, admin));
        Ok(Addresses { port: port.number(), admin: admin.as_ref().map(Port::number) })
    }

    fn changed(&self, change: Change, started: Instant, reminded: &Mutex<Instant>) {
        match change {
            Change::Waiting(why) => {
                self.set(|snapshot| snapshot.why = Some(why.clone()));
                let mut reminded = reminded.lock().unwrap_or_else(PoisonError::into_inner);
                if reminded.elapsed() >= REMINDER {
                    *reminded = Instant::now();
                    self.event(|replica| Event::Waiting { replica, why });
                }
            }
            Change::Ready => {
                self.set(|snapshot| {
                    (snapshot.state, snapshot.why) = (ReplicaState::Ready, None);
                    snapshot.failure = None;
                });
                let after_ms = Span::from(started.elapsed()).0;
                self.event(|replica| Event::Ready { replica, after_ms });
            }
            Change::Unready(why) => {
                self.set(|snapshot| (snapshot.state, snapshot.why) = (ReplicaState::Unready, Some(why.clone())));
                self.event(|replica| Event::Unready { replica, why });
            }
        }
    }

    fn failed(&self, how: String, log: Vec<String>, for_good: bool, pause: Duration) {
        let event = Event::Crashed {
            replica: self.replica.name.clone(),
            how: how.clone(),
            again_ms: Span::from(pause).0,
            last_line: log.last().cloned(),
        };
        self.set(|snapshot| {
            let in_a_row = snapshot.failure.take().map_or(0, |failure| failure.in_a_row) + 1;
            let failure = Failure { how, log, in_a_row, for_good };
            let last = failure.log.last().map_or(String::new(), |line| format!("; its last line: {line}"));
            (snapshot.state, snapshot.pid) = (ReplicaState::BackingOff, None);
            snapshot.since = Timestamp::now();
            snapshot.why = Some(format!("{failure}; starts again in {}{last}", Span::from(pause)));
            snapshot.failure = Some(failure);
        });
        self.service.tell(&event);
    }

    fn ended(self) {
        self.service.context.logs.close(&self.replica.name);
        // Its ports are free before anybody learns that it has ended.
        drop(self.ports);
        self.replica.state.send_modify(|snapshot| {
            (snapshot.state, snapshot.pid) = (ReplicaState::Ended, None);
            snapshot.since = Timestamp::now();
        });
        self.service.tell(&Event::Stopped { replica: self.replica.name.clone() });
    }

    /// Out of the balancer, then connections may end, then it is told.
    async fn drain(&self, process: &mut Process, stop: &mut watch::Receiver<Option<Stop>>) {
        self.set(|snapshot| (snapshot.state, snapshot.why) = (ReplicaState::Stopping, None));
        self.event(|replica| Event::Stopping { replica });
        let unused = async {
            while self.service.connections(&self.replica.name) > 0 {
                sleep(DRAINING).await;
            }
        };
        tokio::select! {
            _ = timeout(self.replica.spec.drain_delay(), unused) => {}
            _ = stop.wait_for(|stop| *stop == Some(Stop::Now)) => {}
            _ = process.exited() => return,
        }
        self.terminate(process).await;
    }

    async fn terminate(&self, process: &mut Process) {
        process.signal(Signal::SIGTERM).await;
        let patience = self.replica.spec.stop_timeout();
        if timeout(patience, process.exited()).await.is_ok() {
            return;
        }
        let after_ms = Span::from(patience).0;
        self.event(|replica| Event::Killed { replica, after_ms });
        process.signal(Signal::SIGKILL).await;
        // One that the kernel can't end now is the guard's to wait for.
        let _ = timeout(KILL, process.exited()).await;
    }

    fn set(&self, change: impl FnOnce(&mut super::replica::Snapshot)) {
        self.replica.state.send_modify(change);
        self.service.balance();
    }

    fn event(&self, event: impl FnOnce(String) -> Event) {
        self.service.tell(&event(self.replica.name.clone()));
    }
}
