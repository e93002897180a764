//! One place in the fleet: a process that lives, is killed, and comes back, until the run says that it shall stay.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use test_postgres::{Kill, Server};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::error::{Failure, Result};
use crate::front::Live;
use crate::schedule::{Life, Reign, Who};
use crate::service::{Log, Process, Service, Started};

/// The kills so far.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    by_kind: Mutex<BTreeMap<String, u64>>,
    services: AtomicU64,
    postgres: AtomicU64,
    surprises: Mutex<Vec<String>>,
}

impl Tally {
    fn killed_service(&self, who: Who, how: &str) {
        self.services.fetch_add(1, Ordering::Relaxed);
        self.note(&format!("{who:?}, {how}"));
    }

    fn killed_postgres(&self, kill: Kill) {
        self.postgres.fetch_add(1, Ordering::Relaxed);
        let what = if kill == Kill::Postmaster { "first process" } else { "every process" };
        self.note(&format!("Postgres, {what}"));
    }

    /// Counts something that is no kill, or which kind a kill was.
    pub(crate) fn note(&self, kind: &str) {
        *self.by_kind.lock().unwrap_or_else(PoisonError::into_inner).entry(kind.to_owned()).or_default() += 1;
    }

    fn surprise(&self, told: String) {
        self.surprises.lock().unwrap_or_else(PoisonError::into_inner).push(told);
    }

    pub(crate) fn all(&self) -> u64 {
        self.services.load(Ordering::Relaxed) + self.postgres()
    }

    pub(crate) fn postgres(&self) -> u64 {
        self.postgres.load(Ordering::Relaxed)
    }

    pub(crate) fn by_kind(&self) -> BTreeMap<String, u64> {
        self.by_kind.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Deaths that nobody had asked for.
    pub(crate) fn surprises(&self) -> Vec<String> {
        self.surprises.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What a place in the fleet needs.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) service: Service,
    pub(crate) index: usize,
    pub(crate) live: Live,
    pub(crate) tally: Arc<Tally>,
    /// True once nobody shall be killed any more.
    pub(crate) over: watch::Receiver<bool>,
}

impl Slot {
    /// Lives one life after the other; gives back a process that has nothing to die of.
    pub(crate) async fn run(mut self, lives: impl Iterator<Item = Life>) -> Result<Process> {
        for life in lives {
            if *self.over.borrow() {
                break;
            }
            self.live_once(&life).await?;
            // Back at once when it is over: the last dead are not waited for.
            let _ = timeout(life.dead, self.over.wait_for(|over| *over)).await;
        }
        let process = self.service.serve().await?;
        self.live.set(self.index, Some(process.address));
        Ok(process)
    }

    async fn live_once(&mut self, life: &Life) -> Result<()> {
        let service = match life.point {
            Some((point, pass)) => self.service.with("FAILPOINTS", format!("{point}=kill@{pass}")),
            None => self.service.clone(),
        };
        let mut process = match service.start().await? {
            Started::Listening(process) => process,
            Started::Died(status, log) => {
                self.died(&format!("{status}"), &log);
                return Ok(());
            }
        };
        self.live.set(self.index, Some(process.address));
        let (id, tally, who) = (process.id(), self.tally.clone(), self.service.who);
        let end = async {
            let time = async {
                if let Some(pause) = life.pause {
                    sleep(life.lasts / 2).await;
                    signal(id, Signal::SIGSTOP);
                    tally.note(&format!("{who:?} halted for a while"));
                    sleep(pause).await;
                    signal(id, Signal::SIGCONT);
                }
                sleep(life.lasts).await;
            };
            tokio::select! {
                () = time => {}
                _ = self.over.wait_for(|over| *over) => {}
            }
        };
        let by_itself = tokio::select! {
            status = process.ended() => Some(status),
            () = end => None,
        };
        self.live.set(self.index, None);
        if let Some(status) = by_itself {
            self.died(&format!("{status}"), process.log());
        } else {
            process.kill().await;
            // Its point may have come in the same moment; it is one death either way.
            self.tally.killed_service(self.service.who, "at a random moment");
        }
        Ok(())
    }

    fn died(&self, status: &str, log: &Log) {
        match log.fired() {
            Some(point) => self.tally.killed_service(self.service.who, &format!("at {point}")),
            None => self.tally.surprise(format!("{:?} ended by itself: {status}\n{log}", self.service.who)),
        }
    }
}

fn signal(id: u32, signal: Signal) {
    if let Ok(id) = i32::try_from(id) {
        // Not waited for yet, so the number is still its own.
        let _ = kill(Pid::from_raw(id), signal);
    }
}

/// Kills and restarts a Postgres server until it is over; it runs afterwards.
pub(crate) async fn reign(
    server: Arc<Server>,
    reigns: impl Iterator<Item = Reign>,
    tally: Arc<Tally>,
    mut over: watch::Receiver<bool>,
) -> Result<()> {
    for Reign { lasts, kill, dead } in reigns {
        if timeout(lasts, over.wait_for(|over| *over)).await.is_ok() {
            break;
        }
        let server = server.clone();
        let cycle = move || {
            server.kill(kill)?;
            std::thread::sleep(dead.min(Duration::from_secs(1)));
            server.restart()
        };
        let done = tokio::task::spawn_blocking(cycle).await.map_err(Failure::to("restart Postgres"))?;
        done.map_err(Failure::to("restart Postgres"))?;
        tally.killed_postgres(kill);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use test_postgres::Guard;

    use super::*;

    /// A shell script in the place of a service.
    fn slot(script: &str) -> (Slot, watch::Sender<bool>) {
        let guard = Arc::new(Guard::new("test-slot").unwrap());
        let binary = guard.folder().join(api::a::NAME);
        // By another process: were it open for writing in this one, a child that another test starts meanwhile would have
        // it open as well, and what is open for writing can't be started.
        let write = std::process::Command::new("sh")
            .args(["-c", r#"printf '#!/bin/sh\n%s\n' "$2" >"$1" && chmod 755 "$1""#, "sh"])
            .args([binary.as_os_str(), script.as_ref()])
            .status();
        assert!(write.unwrap().success());
        let service = Service::new(Who::A, guard.folder(), guard.clone());
        let (end, over) = watch::channel(false);
        (Slot { service, index: 0, live: Live::new(1), tally: Arc::default(), over }, end)
    }

    const LISTENS: &str = "echo '{\"listen\":\"127.0.0.1:7\"}' >&2";
    const DIES: &str = "echo 'failpoint a.after_write@3: kill' >&2; kill -s KILL $$";

    fn life(point: Option<(&'static str, u64)>, lasts: Duration) -> Life {
        Life { point, pause: None, lasts, dead: Duration::ZERO }
    }

    async fn lived(script: &str, life: Life) -> Arc<Tally> {
        let (mut slot, _end) = slot(script);
        slot.live_once(&life).await.unwrap();
        assert_eq!(slot.live.all(), []);
        slot.tally.clone()
    }

    #[tokio::test]
    async fn a_death_is_counted_by_how_it_came() {
        let short = Duration::from_millis(20);
        let long = Duration::from_mins(1);
        let armed = life(Some(("a.after_write", 3)), long);
        for (script, life, kind) in [
            (format!("{LISTENS}; exec sleep 60"), life(None, short), "A, at a random moment"),
            (
                format!("{LISTENS}; [ $FAILPOINTS = a.after_write=kill@3 ] && {DIES}"),
                armed.clone(),
                "A, at a.after_write",
            ),
            // Before it listens.
            (DIES.to_owned(), armed, "A, at a.after_write"),
        ] {
            let tally = lived(&script, life).await;
            assert_eq!(tally.by_kind(), BTreeMap::from([(kind.to_owned(), 1)]), "{:?}", tally.surprises());
            assert!(tally.all() == 1 && tally.surprises().is_empty());
        }
    }

    #[tokio::test]
    async fn a_death_that_nobody_asked_for_is_told_with_the_last_words() {
        let tally = lived(&format!("{LISTENS}; echo overboard >&2; exit 3"), life(None, Duration::from_mins(1))).await;
        assert_eq!(tally.all(), 0);
        let [told] = &tally.surprises()[..] else { panic!("{tally:?}") };
        assert!(told.contains("exit status: 3") && told.contains("overboard"), "{told}");
    }

    #[tokio::test]
    async fn when_it_is_over_a_process_without_points_serves() {
        let (slot, end) = slot(&format!("[ -z \"$FAILPOINTS\" ] && {LISTENS}; exec sleep 60"));
        let (live, tally) = (slot.live.clone(), slot.tally.clone());
        let lives = std::iter::repeat_with(|| life(None, Duration::from_millis(10)));
        let run = tokio::spawn(slot.run(lives));
        let killed = async {
            while tally.all() < 2 {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_mins(1), killed).await.expect("one life after the other");
        end.send_replace(true);

        let mut process = run.await.unwrap().unwrap();

        assert_eq!(live.all(), [(0, process.address)]);
        process.kill().await;
    }
}
