//! A supervisor that tells what it is asked, and ends an operation when it is told to.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::super::operations::Operations;
use super::super::{Client, Info, server};
use crate::logs::{LogLine, Options};
use crate::names::Names;
use crate::{Action, Applied, Deleted, Error, Event, Events, Probe, Scaled, ServiceSpec, ServiceState, ServiceStatus};

/// Both ends of a channel.
type Shared<T> = (mpsc::UnboundedSender<T>, Arc<Mutex<mpsc::UnboundedReceiver<T>>>);

fn shared<T>() -> Shared<T> {
    let (send, receive) = mpsc::unbounded_channel();
    (send, Arc::new(Mutex::new(receive)))
}

#[derive(Clone, Debug)]
pub(super) struct Double {
    pub(super) status: Vec<ServiceStatus>,
    /// Every operation begins by telling here, and ends with what comes there.
    begun: Shared<()>,
    results: Shared<Result<(), Error>>,
    /// Operations that went on to their end.
    pub(super) ended: Arc<AtomicUsize>,
    /// Events of each operation.
    pub(super) events: usize,
}

impl Double {
    fn new() -> Self {
        Self { status: vec![status()], begun: shared(), results: shared(), ended: Arc::default(), events: 2 }
    }

    pub(super) async fn began(&self) {
        self.begun.1.lock().await.recv().await.unwrap();
    }

    pub(super) fn finish(&self, result: Result<(), Error>) {
        self.results.0.send(result).unwrap();
    }

    async fn work(&self, events: Events) -> Result<(), Error> {
        for number in 0..self.events {
            // As the supervisor does: nobody is waited for.
            let _ = events.try_send(Event::Starting { replica: format!("service-a-{number}") });
            if number % 100 == 0 {
                tokio::task::yield_now().await;
            }
        }
        let _ = self.begun.0.send(());
        let result = self.results.1.lock().await.recv().await.unwrap();
        self.ended.fetch_add(1, Ordering::SeqCst);
        result
    }
}

impl Operations for Double {
    async fn started(&self) -> Result<Vec<Applied>, Error> {
        self.apply(vec![service("service-a")], mpsc::channel(1).0).await
    }

    async fn apply(&self, specs: Vec<ServiceSpec>, events: Events) -> Result<Vec<Applied>, Error> {
        self.work(events).await?;
        let applied = |spec: ServiceSpec| Applied { name: spec.name, action: Action::Created, ready: 1, wanted: 1 };
        Ok(specs.into_iter().map(applied).collect())
    }

    async fn scale(&self, _name: &str, replicas: u32, events: Events) -> Result<Scaled, Error> {
        self.work(events).await?;
        Ok(Scaled { before: 1, replicas, ready: replicas })
    }

    async fn delete(&self, name: &str, events: Events) -> Result<Deleted, Error> {
        self.work(events).await?;
        Ok(Deleted { name: name.to_owned(), replicas: Vec::new() })
    }

    async fn stop(&self, events: Events) {
        let _ = self.work(events).await;
    }

    fn status(&self) -> Vec<ServiceStatus> {
        self.status.clone()
    }

    fn logs(&self, services: Vec<String>, options: &Options) -> BoxStream<'static, Result<LogLine, Error>> {
        let lines = stream::iter(services.into_iter().map(|service| {
            Ok(LogLine {
                replica: format!("{service}-1"),
                line: "ä \"line\"\u{1b}[0m".to_owned(),
                time: "2026-01-02T03:04:05.678Z".parse().unwrap(),
                service,
            })
        }));
        if options.follow { lines.chain(stream::pending()).boxed() } else { lines.boxed() }
    }
}

/// A server on a socket in a folder of its own, and a client of it.
pub(super) struct Setting {
    pub(super) folder: PathBuf,
    pub(super) client: Client,
    pub(super) supervisor: Double,
    pub(super) names: Names,
    pub(super) info: Info,
    pub(super) stop: CancellationToken,
    pub(super) served: JoinHandle<()>,
    _folder: Folder,
}

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Setting {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(change: impl FnOnce(&mut Double)) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("msctl-control-{}-{number}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let socket = folder.join("control.sock");
        let listener = tokio::net::UnixListener::bind(&socket).unwrap();
        let mut supervisor = Double::new();
        change(&mut supervisor);
        let names = Names::new("demo");
        let info = Info {
            version: "1.2.3".to_owned(),
            pid: std::process::id(),
            namespace: "demo".to_owned(),
            project: "/somewhere/msctl.yaml".into(),
            since: "2026-01-02T03:04:05Z".parse().unwrap(),
            proxy: "127.0.0.1:1".parse().unwrap(),
            telemetry: "http://127.0.0.1:4318".to_owned(),
        };
        let stop = CancellationToken::new();
        let shared = server::Shared::new(supervisor.clone(), names.clone(), info.clone(), stop.clone());
        let served = tokio::spawn(server::run(listener, shared));
        let client = Client::new(socket);
        Self { _folder: Folder(folder.clone()), folder, client, supervisor, names, info, stop, served }
    }
}

pub(super) fn service(name: &str) -> ServiceSpec {
    let probe = Probe { path: None, admin: false, period_ms: 1000, timeout_ms: 1000, failures: 3 };
    ServiceSpec {
        name: name.to_owned(),
        argv: vec!["/bin/true".to_owned()],
        folder: "/".into(),
        port: 8000,
        admin: false,
        replicas: 1,
        env: [("KEY".to_owned(), "value".to_owned())].into(),
        startup: probe.clone(),
        readiness: probe.clone(),
        liveness: probe,
        drain_delay_ms: 0,
        stop_timeout_ms: 1000,
        version: "1".to_owned(),
    }
}

fn status() -> ServiceStatus {
    ServiceStatus {
        name: "service-a".to_owned(),
        state: ServiceState::Ready,
        ready: 0,
        wanted: 0,
        port: 8000,
        version: "1".to_owned(),
        argv: vec!["/bin/true".to_owned()],
        since: "2026-01-02T03:04:05Z".parse().unwrap(),
        reasons: Vec::new(),
        replicas: Vec::new(),
    }
}
