//! Watches of everything that tells how a rollout goes, started before anything is applied.
//!
//! Each runs as a task of its own and is resumed after a break: at once the first time, then less and less often. A
//! resource version that is too old (410) makes a new list.

use std::fmt::Debug;
use std::time::Duration;

use tokio::time::Instant;

use futures::StreamExt as _;
use k8s_openapi::NamespaceResourceScope;
use kube::runtime::watcher::{self, watcher};
use kube::{Api, Resource, ResourceExt};
use reach::{Cluster, Trouble};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::NAME_LABEL;
use super::failure;
use super::seen::{Mirror, Seen};
use crate::error::Error;

/// Changes that wait to be looked at, before a watch waits.
const QUEUE: usize = 256;
const FIRST_RETRY: Duration = Duration::from_millis(50);
const LAST_RETRY: Duration = Duration::from_secs(5);

/// A change to what is known.
type Change = Box<dyn FnOnce(&mut Seen) + Send>;

enum Message {
    Change(Change),
    Broken { kind: &'static str, cause: watcher::Error },
}

/// What a watch could not do, while it goes on trying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) kind: &'static str,
    pub(crate) cause: String,
}

/// The running watches of some services in one namespace, and what they have shown.
pub(crate) struct Watch {
    cluster: Cluster,
    labels: String,
    tasks: JoinSet<()>,
    sender: mpsc::Sender<Message>,
    messages: mpsc::Receiver<Message>,
    events: bool,
    pub(crate) seen: Seen,
    broken: Option<(Instant, Broken)>,
    /// Kinds that we may not watch: what would have been seen in them is not.
    pub(crate) unseen: Vec<&'static str>,
}

impl Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("labels", &self.labels).finish_non_exhaustive()
    }
}

impl Watch {
    /// Watches Deployments, their `ReplicaSet`s and their pods.
    pub(crate) fn start(cluster: &Cluster, services: &[String]) -> Self {
        let labels = format!("{NAME_LABEL} in ({})", services.join(","));
        let config = watcher::Config::default().labels(&labels);
        let mut watch = Self::of(cluster, labels);
        watch.spawn("deployments", config.clone(), |seen| &mut seen.deployments);
        watch.spawn("replicasets", config.clone(), |seen| &mut seen.replica_sets);
        watch.spawn("pods", config, |seen| &mut seen.pods);
        watch
    }

    /// Watches pods alone.
    pub(crate) fn pods(cluster: &Cluster, labels: &str) -> Self {
        let mut watch = Self::of(cluster, labels.to_owned());
        watch.spawn("pods", watcher::Config::default().labels(labels), |seen| &mut seen.pods);
        watch
    }

    fn of(cluster: &Cluster, labels: String) -> Self {
        let (sender, messages) = mpsc::channel(QUEUE);
        Self {
            cluster: cluster.clone(),
            labels,
            tasks: JoinSet::new(),
            sender,
            messages,
            events: false,
            seen: Seen::default(),
            broken: None,
            unseen: Vec::new(),
        }
    }

    /// Also watches warnings about pods: what no status tells (probes, volumes). Not from the start, because a busy
    /// namespace has thousands of them, and a rollout that goes well needs none.
    pub(crate) fn watch_events(&mut self) {
        if !std::mem::replace(&mut self.events, true) {
            let config = watcher::Config::default().fields("type=Warning,involvedObject.kind=Pod");
            self.spawn("events", config, |seen| &mut seen.events);
        }
    }

    /// Set while a watch is down: one that is tries again, and says so, before this is over.
    pub(crate) fn broken(&self) -> Option<&Broken> {
        let (since, broken) = self.broken.as_ref()?;
        (since.elapsed() < LAST_RETRY + Duration::from_secs(1)).then_some(broken)
    }

    fn spawn<K>(&mut self, kind: &'static str, config: watcher::Config, mirror: fn(&mut Seen) -> &mut Mirror<K>)
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
        K::DynamicType: Default,
    {
        let api: Api<K> = Api::namespaced(self.cluster.client.clone(), &self.cluster.namespace);
        self.tasks.spawn(follow(api, kind, config, mirror, self.sender.clone()));
    }

    /// Waits until something is new, and takes in all that has arrived.
    pub(crate) async fn changed(&mut self) -> Result<(), Error> {
        // A sender of our own keeps the channel open: this is never the end.
        if let Some(message) = self.messages.recv().await {
            self.take(message)?;
        }
        while let Ok(message) = self.messages.try_recv() {
            self.take(message)?;
        }
        Ok(())
    }

    fn take(&mut self, message: Message) -> Result<(), Error> {
        match message {
            Message::Change(change) => change(&mut self.seen),
            Message::Broken { kind, cause } => {
                let cause = api_error(cause);
                match cause.as_ref().map(Trouble::of) {
                    // The Deployment decides; without the rest the reasons are missing, and that is said.
                    Some(Trouble::Forbidden) if kind != "deployments" => self.miss(kind),
                    Some(Trouble::Forbidden | Trouble::Unauthorized | Trouble::Untrusted) => {
                        let cause = cause.unwrap_or(kube::Error::TlsRequired);
                        return Err(failure::explain(&self.cluster, &format!("watch {kind}"), cause));
                    }
                    _ => {
                        let cause = cause.map_or_else(
                            || "the watch ended".to_owned(),
                            |cause| self.cluster.explain(format!("watch {kind}"), cause).cause,
                        );
                        self.broken = Some((Instant::now(), Broken { kind, cause }));
                    }
                }
            }
        }
        Ok(())
    }
}

impl Watch {
    fn miss(&mut self, kind: &'static str) {
        if self.unseen.contains(&kind) {
            return;
        }
        self.unseen.push(kind);
        match kind {
            "pods" => self.seen.pods.hide(),
            "replicasets" => self.seen.replica_sets.hide(),
            _ => self.seen.events.hide(),
        }
    }
}

/// One watch, for ever, or until it is forbidden.
async fn follow<K>(
    api: Api<K>,
    kind: &'static str,
    config: watcher::Config,
    mirror: fn(&mut Seen) -> &mut Mirror<K>,
    sender: mpsc::Sender<Message>,
) where
    K: Resource + ResourceExt + Clone + DeserializeOwned + Debug + Send + 'static,
    K::DynamicType: Default,
{
    let mut events = watcher(api.clone(), config.clone()).boxed();
    let mut failures = 0;
    while let Some(event) = events.next().await {
        let message = match event {
            Ok(event) => {
                // `Init` only says that a list is tried.
                if !matches!(event, watcher::Event::Init) {
                    failures = 0;
                }
                Message::Change(Box::new(move |seen| mirror(seen).apply(event)))
            }
            Err(cause) => {
                let gone = is_gone(&cause);
                let forbidden = is_forbidden(&cause);
                // The first break is ordinary: a load balancer's time limit, a restarted API server.
                let retry = FIRST_RETRY.saturating_mul(1 << failures.min(10)).min(LAST_RETRY);
                failures += 1;
                if (failures > 1 || forbidden) && sender.send(Message::Broken { kind, cause }).await.is_err() {
                    return;
                }
                if forbidden {
                    return;
                }
                if gone {
                    events = watcher(api.clone(), config.clone()).boxed();
                }
                tokio::time::sleep(retry).await;
                continue;
            }
        };
        if sender.send(message).await.is_err() {
            return;
        }
    }
}

/// The resource version is too old for the server: only a new list helps.
fn is_gone(cause: &watcher::Error) -> bool {
    match cause {
        watcher::Error::WatchStartFailed(cause) | watcher::Error::WatchFailed(cause) => {
            Trouble::of(cause) == Trouble::Gone
        }
        watcher::Error::WatchError(status) => status.code == 410,
        _ => false,
    }
}

/// To list, or to watch what may be listed: trying again does not help.
fn is_forbidden(cause: &watcher::Error) -> bool {
    match cause {
        watcher::Error::InitialListFailed(cause)
        | watcher::Error::WatchStartFailed(cause)
        | watcher::Error::WatchFailed(cause) => Trouble::of(cause) == Trouble::Forbidden,
        watcher::Error::WatchError(status) => status.code == 403,
        watcher::Error::NoResourceVersion => false,
    }
}

fn api_error(cause: watcher::Error) -> Option<kube::Error> {
    match cause {
        watcher::Error::InitialListFailed(cause)
        | watcher::Error::WatchStartFailed(cause)
        | watcher::Error::WatchFailed(cause) => Some(cause),
        watcher::Error::WatchError(status) => Some(kube::Error::Api(status)),
        watcher::Error::NoResourceVersion => None,
    }
}
