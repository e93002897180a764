//! What watches have shown so far: the objects of a rollout, as of now.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::ResourceExt;
use kube::runtime::watcher;

use super::NAME_LABEL;

/// A copy of the objects of one kind, by name.
#[derive(Debug, Clone)]
pub(crate) struct Mirror<K> {
    objects: BTreeMap<String, K>,
    /// What a list has brought so far; it replaces `objects` when it is complete.
    listing: Option<BTreeMap<String, K>>,
    /// A list was complete once: an object that is not here does not exist.
    complete: bool,
    /// We may not look: there may be objects, and none will be seen.
    hidden: bool,
}

impl<K> Default for Mirror<K> {
    fn default() -> Self {
        Self { objects: BTreeMap::new(), listing: None, complete: false, hidden: false }
    }
}

impl<K: ResourceExt> Mirror<K> {
    pub(crate) fn apply(&mut self, event: watcher::Event<K>) {
        match event {
            watcher::Event::Init => self.listing = Some(BTreeMap::new()),
            watcher::Event::InitApply(object) => {
                self.listing.get_or_insert_default().insert(object.name_any(), object);
            }
            watcher::Event::InitDone => {
                self.objects = self.listing.take().unwrap_or_default();
                self.complete = true;
            }
            watcher::Event::Apply(object) => drop(self.objects.insert(object.name_any(), object)),
            watcher::Event::Delete(object) => drop(self.objects.remove(&object.name_any())),
        }
    }

    /// Of a complete list.
    pub(crate) fn fill(&mut self, objects: impl IntoIterator<Item = K>) {
        self.objects = objects.into_iter().map(|object| (object.name_any(), object)).collect();
        self.complete = true;
    }

    /// We may not look, or not any more: what was seen tells nothing about now.
    pub(crate) fn hide(&mut self) {
        *self = Self { hidden: true, ..Self::default() };
    }

    pub(crate) fn is_hidden(&self) -> bool {
        self.hidden
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }

    pub(crate) fn get(&self, name: &str) -> Option<&K> {
        self.objects.get(name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &K> {
        self.objects.values()
    }

    /// Those that carry the service's name label.
    pub(crate) fn of<'a>(&'a self, service: &'a str) -> impl Iterator<Item = &'a K> {
        self.iter().filter(move |object| object.labels().get(NAME_LABEL).is_some_and(|name| name == service))
    }
}

/// Everything that is known about the services that are looked at, in one namespace.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) deployments: Mirror<Deployment>,
    pub(crate) replica_sets: Mirror<ReplicaSet>,
    pub(crate) pods: Mirror<Pod>,
    pub(crate) events: Mirror<Event>,
    pub(crate) autoscalers: Mirror<HorizontalPodAutoscaler>,
}

/// The label that ties pods to their `ReplicaSet`.
const HASH_LABEL: &str = "pod-template-hash";
const REVISION: &str = "deployment.kubernetes.io/revision";

impl Seen {
    /// The `ReplicaSet` of the Deployment's newest template, once its controller has made it.
    pub(crate) fn newest_replica_set(&self, deployment: &Deployment) -> Option<&ReplicaSet> {
        let name = deployment.name_any();
        let uid = deployment.metadata.uid.as_deref();
        let observed = deployment.status.as_ref().and_then(|status| status.observed_generation);
        if observed < deployment.metadata.generation {
            return None;
        }
        let revision = deployment.annotations().get(REVISION)?;
        self.replica_sets.iter().find(|set| {
            let owned = set.owner_references().iter().any(|owner| owner.name == name && Some(&*owner.uid) == uid);
            owned && set.annotations().get(REVISION) == Some(revision)
        })
    }

    /// The pods of the Deployment's newest template.
    pub(crate) fn newest_pods<'a>(&'a self, deployment: &Deployment) -> impl Iterator<Item = &'a Pod> {
        let hash = self.newest_replica_set(deployment).and_then(|set| set.labels().get(HASH_LABEL).cloned());
        let service = deployment.labels().get(NAME_LABEL).cloned();
        self.pods.iter().filter(move |pod| {
            let labels = pod.labels();
            hash.is_some() && labels.get(HASH_LABEL) == hash.as_ref() && labels.get(NAME_LABEL) == service.as_ref()
        })
    }

    /// Warnings about an object.
    pub(crate) fn warnings_of<'a>(&'a self, uid: Option<&'a str>) -> impl Iterator<Item = &'a Event> {
        self.events.iter().filter(move |event| {
            uid.is_some() && event.involved_object.uid.as_deref() == uid && event.type_.as_deref() == Some("Warning")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::fixtures;

    #[test]
    fn a_new_list_replaces_what_was_known_only_when_it_is_complete() {
        let mut mirror = Mirror::default();
        mirror.fill([fixtures::pod("old", "1", &serde_json::json!({}))]);
        mirror.apply(watcher::Event::Init);
        mirror.apply(watcher::Event::InitApply(fixtures::pod("new", "1", &serde_json::json!({}))));
        assert!(mirror.get("old").is_some());
        mirror.apply(watcher::Event::InitDone);
        assert!(mirror.get("old").is_none() && mirror.get("new").is_some());
    }

    #[test]
    fn pods_of_an_old_template_are_not_the_newest_ones() {
        let seen = fixtures::rollout()
            .replica_set("service-a-1", "1", "1")
            .replica_set("service-a-2", "2", "2")
            .pod("old", "1", &serde_json::json!({}))
            .pod("new", "2", &serde_json::json!({}))
            .deployment(2, 2, "2", serde_json::json!({}))
            .seen();
        let deployment = seen.deployments.get("service-a").unwrap();
        let names: Vec<String> = seen.newest_pods(deployment).map(ResourceExt::name_any).collect();
        assert_eq!(names, ["new"]);
    }
}
