//! Logs of services in a cluster: of the pods that are there, and with `--follow` of those that come.

use std::collections::HashMap;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use reach::Cluster;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

use crate::cli::logs::LogsArgs;
use crate::cluster::logs::{Container, First, LONGEST_LINE, Source, State, containers, follow, merge};
use crate::cluster::watch::Watch;
use crate::cluster::{NAME_LABEL, TRACK_LABEL, deployed, failure, namespace, session};
use crate::commands::logs::{Entries, Entry};
use crate::error::{Error, ExitCode};

/// Lines on their way to the printer, before a log waits. Few, because each may be long.
const QUEUE: usize = 16;
const _: () = assert!(QUEUE * LONGEST_LINE <= 32 << 20, "what waits for a slow reader fits into little memory");
/// Logs that are read at the same time; each is a request that stays open.
const MOST: usize = 256;

type Out = mpsc::Sender<Result<Entry, Error>>;

/// The lines that are asked for, as they come.
pub(crate) async fn logs(cluster: &Cluster, args: &LogsArgs) -> Result<Entries, Error> {
    let mut labels = TRACK_LABEL.to_owned();
    if !args.services.is_empty() {
        labels = format!("{labels},{NAME_LABEL} in ({})", args.services.join(","));
    }
    // Before the list, so that no pod falls between the two.
    let watch = args.follow.then(|| Watch::pods(cluster, &labels));
    let pods = list(cluster, &labels).await?;
    let mut found: Vec<Container> = pods.iter().flat_map(containers).map(|(container, _)| container).collect();
    missing(cluster, args, &found).await?;
    found.sort();
    if found.len() > MOST {
        return Err(Error::new(ExitCode::Failed, format!("cannot read {} logs at once", found.len()))
            .why(format!("{MOST} is the most that the API server is asked for"))
            .place(session::place(cluster))
            .next("msctl logs SERVICE, for those of one service"));
    }
    let first = First { tail: args.tail, since: args.since };
    let (out, entries) = mpsc::channel(QUEUE);
    let reading = Reading { cluster: cluster.clone(), first, out: out.clone() };
    let task = AbortOnDropHandle::new(tokio::spawn(async move {
        if let Err(error) = reading.run(found, watch).await {
            // Nobody may want it any more.
            let _ = out.send(Err(error)).await;
        }
    }));
    let entries = futures::stream::unfold((entries, task), |(mut entries, task)| async move {
        entries.recv().await.map(|entry| (entry, (entries, task)))
    });
    Ok(entries.fuse().boxed())
}

async fn list(cluster: &Cluster, labels: &str) -> Result<Vec<Pod>, Error> {
    let api: Api<Pod> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    match api.list(&ListParams::default().labels(labels)).await {
        Ok(list) => Ok(list.items),
        Err(cause) => Err(failure::explain(cluster, "list pods", cause)),
    }
}

/// A service without pods is one that is not there, unless it is scaled to none.
async fn missing(cluster: &Cluster, args: &LogsArgs, found: &[Container]) -> Result<(), Error> {
    let has_pods = |service: &String| found.iter().any(|container| container.service == *service);
    let without: Vec<String> = args.services.iter().filter(|service| !has_pods(service)).cloned().collect();
    if !without.is_empty() {
        let query = deployed::Query { scope: deployed::Scope::Namespace, selector: None, services: &without };
        let seen = deployed::look(cluster, &query).await?;
        let known = |service: &&String| seen.values().any(|seen| seen.deployments.get(service).is_some());
        if let Some(unknown) = without.iter().find(|service| !known(service)) {
            return Err(deployed::unknown(cluster, &format!("show the logs of {unknown}"), unknown).await);
        }
    }
    if args.services.is_empty() && found.is_empty() && !namespace::exists(cluster).await? {
        return Err(namespace::missing(cluster, "show logs", false).await);
    }
    Ok(())
}

/// A reading of logs, on a task of its own.
struct Reading {
    cluster: Cluster,
    first: First,
    out: Out,
}

impl Reading {
    async fn run(&self, found: Vec<Container>, watch: Option<Watch>) -> Result<(), Error> {
        if found.is_empty() {
            let note = format!("no pods in {} to read logs of", self.cluster.namespace);
            let _ = self.out.send(Ok(Entry::Note(note))).await;
        }
        let sources = found.into_iter().map(|container| Source::new(&self.cluster, container, self.first)).collect();
        let (read, wanted) = Box::pin(merge(&self.cluster, sources, watch.is_some(), &self.out)).await?;
        match watch {
            Some(watch) if wanted => self.follow(read, watch).await,
            _ => Ok(()),
        }
    }

    /// Goes on with what was read, and with every pod that comes.
    async fn follow(&self, read: Vec<Source>, mut watch: Watch) -> Result<(), Error> {
        let mut read: HashMap<Container, Source> =
            read.into_iter().map(|source| (source.container().clone(), source)).collect();
        let mut followed: HashMap<Container, watch::Sender<State>> = HashMap::new();
        let mut tasks = JoinSet::new();
        // One whose pod is gone before it was seen again was read to its end.
        let mut crowded = false;
        loop {
            if watch.seen.pods.is_complete() {
                let now: HashMap<Container, State> = watch.seen.pods.iter().flat_map(containers).collect();
                followed.retain(|container, state| {
                    let here = now.contains_key(container);
                    if !here {
                        state.send_modify(|state| state.gone = true);
                    }
                    here
                });
                for (container, state) in now {
                    if let Some(known) = followed.get(&container) {
                        known.send_if_modified(|now| *now != state && std::mem::replace(now, state.clone()) != state);
                    } else if tasks.len() < MOST {
                        let source = read.remove(&container);
                        let source =
                            source.unwrap_or_else(|| Source::new(&self.cluster, container.clone(), First::default()));
                        let (tell, hear) = watch::channel(state);
                        tasks.spawn(follow(self.cluster.clone(), source, hear, self.out.clone()));
                        followed.insert(container, tell);
                    } else if !std::mem::replace(&mut crowded, true) {
                        let note = format!("more than {MOST} pods: some are not followed");
                        let _ = self.out.send(Ok(Entry::Note(note))).await;
                    }
                }
            }
            if watch.seen.pods.is_hidden() {
                return Err(Error::new(ExitCode::Forbidden, "cannot follow logs")
                    .why("may not watch pods: new ones would not be seen")
                    .place(session::place(&self.cluster))
                    .next("msctl logs without --follow"));
            }
            tokio::select! {
                changed = watch.changed() => changed?,
                Some(ended) = tasks.join_next() => ended.unwrap_or(Ok(()))?,
                () = self.out.closed() => return Ok(()),
            }
        }
    }
}
