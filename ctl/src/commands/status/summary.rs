//! One service, as `status` shows it in every form. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

/// A service and its pods.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Summary {
    /// As `-o name` has it: `deployment.apps/service-a`
    #[serde(skip)]
    pub(crate) object: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) state: State,
    pub(crate) ready: i32,
    pub(crate) wanted: i32,
    pub(crate) updated: i32,
    pub(crate) created: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) image: String,
    pub(crate) managed_by: Option<String>,
    pub(crate) autoscaler: Option<Bounds>,
    pub(crate) reasons: Vec<Reason>,
    pub(crate) pods: Vec<PodSummary>,
}

/// Where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    Ready,
    /// Zero replicas are wanted.
    Stopped,
    /// On its way.
    Progressing,
    /// Something is wrong that does not pass by itself.
    Failing,
    /// On its way out.
    Deleting,
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ready => "ready",
            Self::Stopped => "stopped",
            Self::Progressing => "progressing",
            Self::Failing => "failing",
            Self::Deleting => "deleting",
        })
    }
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Bounds {
    pub(crate) min: i32,
    pub(crate) max: i32,
}

/// What kind of thing is wrong; with the subject, it tells one cause from another while texts change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    Admission,
    Quota,
    Image,
    Crash,
    Config,
    Volume,
    Sandbox,
    Scheduling,
    Probe,
    Evicted,
    Deadline,
    Finalizer,
    Other,
}

/// Why something is not ready.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Reason {
    pub(crate) subject: String,
    /// None when it is only on its way.
    pub(crate) kind: Option<Kind>,
    pub(crate) text: String,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct PodSummary {
    pub(crate) name: String,
    pub(crate) node: Option<String>,
    pub(crate) ready: bool,
    pub(crate) restarts: i32,
}

impl Summary {
    /// "5m", as kubectl prints ages.
    pub(crate) fn age(&self) -> String {
        let created: Option<Timestamp> = self.created.as_ref().and_then(|text| text.parse().ok());
        created.map_or_else(|| "-".to_owned(), |created| age(Timestamp::now().duration_since(created).as_secs()))
    }

    pub(crate) fn restarts(&self) -> i32 {
        self.pods.iter().map(|pod| pod.restarts).sum()
    }

    /// "node-1:2,node-2:1"
    pub(crate) fn nodes(&self) -> String {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for node in self.pods.iter().filter_map(|pod| pod.node.as_deref()) {
            *counts.entry(node).or_default() += 1;
        }
        let parts: Vec<String> = counts.iter().map(|(node, count)| format!("{node}:{count}")).collect();
        if parts.is_empty() { "-".to_owned() } else { parts.join(",") }
    }

    pub(crate) fn scales(&self) -> String {
        self.autoscaler.map_or_else(|| "-".to_owned(), |bounds| format!("{}-{}", bounds.min, bounds.max))
    }
}

fn age(seconds: i64) -> String {
    match seconds {
        ..0 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_short() {
        for (seconds, text) in [(-3, "0s"), (59, "59s"), (120, "2m"), (7_200, "2h"), (200_000, "2d")] {
            assert_eq!(age(seconds), text);
        }
    }
}
