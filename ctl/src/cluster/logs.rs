//! Logs of containers: read once, or followed; and the last lines of one, for an error.

mod containers;
mod cursor;
mod follow;
mod merge;
mod source;

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::LogParams;
use reach::Cluster;

use super::diagnose::LogSource;
pub(super) use containers::{Container, State, containers};
pub(super) use follow::follow;
pub(super) use merge::merge;
pub(super) use source::{First, LONGEST_LINE, Source};

const LINES: i64 = 10;
/// A log line can be a whole stack trace in JSON.
const WIDTH: usize = 300;
/// An error must not wait long for its illustration.
const LIMIT: Duration = Duration::from_secs(2);

/// Of the run that crashed when there is one, else of the one now. Empty when there are none, or they can't be had.
pub(crate) async fn last_lines(cluster: &Cluster, source: &LogSource) -> Vec<String> {
    let api: Api<Pod> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let read = async {
        for previous in [true, false] {
            let params = LogParams {
                container: Some(source.container.clone()),
                previous,
                tail_lines: Some(LINES),
                ..LogParams::default()
            };
            match api.logs(&source.pod, &params).await {
                Ok(text) if !text.trim().is_empty() => return text,
                _ => {}
            }
        }
        String::new()
    };
    let text = tokio::time::timeout(LIMIT, read).await.unwrap_or_default();
    text.lines().map(|line| line.chars().take(WIDTH).collect()).collect()
}
