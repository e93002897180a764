//! The double's objects, and what requests do to them.

use std::collections::BTreeMap;

use futures::channel::mpsc::{UnboundedSender, unbounded};
use http::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::answer::{AnswerBody, problem, watch, whole};
use super::log::Logs;
use super::selector::{matches, parameter};

struct Watcher {
    collection: String,
    selector: String,
    events: UnboundedSender<Value>,
}

/// Objects by path: `/apis/apps/v1/namespaces/shop/deployments/service-a`.
#[derive(Default)]
pub(crate) struct Store {
    objects: BTreeMap<String, Value>,
    watchers: Vec<Watcher>,
    version: u64,
    pub(super) logs: Logs,
}

impl Store {
    pub(crate) fn get(&self, path: &str) -> Option<&Value> {
        self.objects.get(path)
    }

    pub(super) fn paths(&self) -> Vec<String> {
        self.objects.keys().cloned().collect()
    }

    /// Stores an object as it is, with a new resource version, and tells the watches.
    pub(crate) fn put(&mut self, path: &str, mut object: Value) {
        self.version += 1;
        let name = path.rsplit('/').next().unwrap_or_default();
        object["metadata"]["name"] = json!(name);
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        if let Some(namespace) = namespace(path) {
            object["metadata"]["namespace"] = json!(namespace);
        }
        if object["metadata"]["uid"].is_null() {
            object["metadata"]["uid"] = json!(format!("uid-{name}-{}", self.version));
        }
        let kind = if self.objects.contains_key(path) { "MODIFIED" } else { "ADDED" };
        self.tell(kind, path, &object);
        self.objects.insert(path.to_owned(), object);
    }

    pub(crate) fn remove(&mut self, path: &str) -> Option<Value> {
        let mut object = self.objects.remove(path)?;
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.tell("DELETED", path, &object);
        Some(object)
    }

    /// What the controllers do when all goes well: as many ready pods as wanted.
    pub(crate) fn roll_out(&mut self, path: &str) {
        let Some(mut object) = self.objects.get(path).cloned() else { return };
        let wanted = object["spec"]["replicas"].as_i64().unwrap_or(1);
        let status = json!({
            "observedGeneration": object["metadata"]["generation"], "replicas": wanted, "updatedReplicas": wanted,
            "readyReplicas": wanted, "availableReplicas": wanted,
        });
        if object["status"] != status {
            object["status"] = status;
            self.put(path, object);
        }
    }

    fn tell(&self, kind: &str, path: &str, object: &Value) {
        let collection = parent(path);
        for watcher in &self.watchers {
            if watcher.collection == collection && matches(&watcher.selector, object) {
                let _ = watcher.events.unbounded_send(json!({ "type": kind, "object": object }));
            }
        }
    }

    pub(super) fn answer(&mut self, method: &Method, path: &str, query: &str, body: &Value) -> Response<AnswerBody> {
        if *method != Method::GET && namespace(path).is_some_and(|name| !matches!(name, "shop" | "default")) {
            return missing_namespace(path);
        }
        match *method {
            Method::GET if is_collection(path) => self.list(path, query),
            Method::GET => match self.objects.get(path.trim_end_matches("/log")) {
                Some(_) if path.ends_with("/log") => self.logs.answer(path.trim_end_matches("/log"), query),
                Some(object) => whole(StatusCode::OK, object),
                None => not_found(path),
            },
            Method::POST => self.create(path, body),
            Method::PATCH => self.patch(path, query, body),
            Method::DELETE => self.delete(path, body),
            _ => whole(StatusCode::METHOD_NOT_ALLOWED, &problem(StatusCode::METHOD_NOT_ALLOWED, "no")),
        }
    }

    fn list(&mut self, path: &str, query: &str) -> Response<AnswerBody> {
        let selector = parameter(query, "labelSelector").unwrap_or_default();
        if parameter(query, "watch").is_some() {
            let (events, later) = unbounded();
            let since: u64 =
                parameter(query, "resourceVersion").and_then(|version| version.parse().ok()).unwrap_or_default();
            let missed = self.in_collection(path, &selector).into_iter().filter(|object| version(object) > since);
            let first = missed.map(|object| json!({ "type": "MODIFIED", "object": object })).collect();
            self.watchers.push(Watcher { collection: path.to_owned(), selector, events });
            return watch(first, later);
        }
        let items = self.in_collection(path, &selector);
        let list = json!({ "kind": "List", "apiVersion": "v1", "items": items,
                           "metadata": { "resourceVersion": self.version.max(1).to_string() } });
        whole(StatusCode::OK, &list)
    }

    fn in_collection(&self, path: &str, selector: &str) -> Vec<Value> {
        let everywhere = !path.contains("/namespaces");
        let plural = path.rsplit('/').next().unwrap_or_default();
        let inside =
            |object: &str| parent(object) == path || (everywhere && parent(object).ends_with(&format!("/{plural}")));
        let found = self.objects.iter().filter(|(object, value)| inside(object) && matches(selector, value));
        found.map(|(_, value)| value.clone()).collect()
    }

    fn create(&mut self, path: &str, body: &Value) -> Response<AnswerBody> {
        let path = format!("{path}/{}", body["metadata"]["name"].as_str().unwrap_or_default());
        if self.objects.contains_key(&path) {
            let mut status = problem(StatusCode::CONFLICT, "already exists");
            status["reason"] = json!("AlreadyExists");
            return whole(StatusCode::CONFLICT, &status);
        }
        self.put(&path, body.clone());
        whole(StatusCode::CREATED, &self.objects[&path])
    }

    fn patch(&mut self, path: &str, query: &str, body: &Value) -> Response<AnswerBody> {
        let path = path.trim_end_matches("/scale");
        let apply = parameter(query, "force").is_some() || body["kind"].is_string();
        let before = self.objects.get(path).cloned();
        if before.is_none() && !apply {
            return not_found(path);
        }
        let asked = body["metadata"]["resourceVersion"].as_str();
        if asked.is_some() && asked != before.as_ref().and_then(|object| object["metadata"]["resourceVersion"].as_str())
        {
            return whole(StatusCode::CONFLICT, &problem(StatusCode::CONFLICT, "the object has been modified"));
        }
        let mut after = before.clone().unwrap_or_else(|| json!({}));
        merge(&mut after, body);
        own_replicas(&mut after, body, query);
        let changed = before.as_ref().is_none_or(|before| before["spec"] != after["spec"]);
        if changed {
            let generation = after["metadata"]["generation"].as_i64().unwrap_or_default();
            after["metadata"]["generation"] = json!(generation + 1);
        }
        if parameter(query, "dryRun").is_some() {
            return whole(StatusCode::OK, &after);
        }
        if before.as_ref() != Some(&after) {
            self.put(path, after);
        }
        whole(StatusCode::OK, &self.objects[path])
    }

    fn delete(&mut self, path: &str, body: &Value) -> Response<AnswerBody> {
        let asked = body["preconditions"]["resourceVersion"].as_str();
        let found = self.objects.get(path).map(|object| object["metadata"]["resourceVersion"].as_str());
        match found {
            None => not_found(path),
            Some(_)
                if body["preconditions"]["uid"]
                    .as_str()
                    .is_some_and(|uid| self.objects[path]["metadata"]["uid"] != uid) =>
            {
                whole(StatusCode::CONFLICT, &problem(StatusCode::CONFLICT, "the UID in the precondition is another"))
            }
            Some(version) if asked.is_some() && asked != version => {
                whole(StatusCode::CONFLICT, &problem(StatusCode::CONFLICT, "the object has been modified"))
            }
            Some(_) if self.objects[path]["metadata"]["finalizers"].as_array().is_some_and(|f| !f.is_empty()) => {
                let mut object = self.objects[path].clone();
                object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
                self.put(path, object);
                whole(StatusCode::OK, &self.objects[path])
            }
            Some(_) => {
                self.remove(path);
                whole(
                    StatusCode::OK,
                    &json!({ "kind": "Status", "apiVersion": "v1", "status": "Success", "code": 200 }),
                )
            }
        }
    }
}

/// Ownership of the one field that msctl reads it of.
fn own_replicas(after: &mut Value, body: &Value, query: &str) {
    if body["spec"]["replicas"].is_null() {
        return;
    }
    let manager = parameter(query, "fieldManager").unwrap_or_default();
    let entry = json!({ "manager": manager, "operation": "Apply", "fieldsType": "FieldsV1",
                        "fieldsV1": { "f:spec": { "f:replicas": {} } } });
    let entries = &mut after["metadata"]["managedFields"];
    match entries.as_array_mut() {
        Some(entries) if entries.contains(&entry) => {}
        Some(entries) => entries.push(entry),
        None => *entries = json!([entry]),
    }
}

/// RFC 7396, which is near enough to an apply.
fn merge(into: &mut Value, patch: &Value) {
    let (Some(target), Some(patch)) = (into.as_object_mut(), patch.as_object()) else {
        *into = patch.clone();
        return;
    };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(json!({})), value);
        }
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

fn version(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"].as_str().and_then(|version| version.parse().ok()).unwrap_or_default()
}

fn namespace(path: &str) -> Option<&str> {
    let (_, rest) = path.split_once("/namespaces/")?;
    rest.split_once('/').map(|(name, _)| name)
}

/// A path that ends in a plural: an even number of parts after the version, or `namespaces` itself.
fn is_collection(path: &str) -> bool {
    let after = path.split_once("/v1/").or_else(|| path.split_once("/v2/")).map_or(path, |(_, rest)| rest);
    let parts = after.split('/').count();
    let parts = if after.starts_with("namespaces/") { parts.saturating_sub(2) } else { parts };
    parts == 1
}

fn not_found(path: &str) -> Response<AnswerBody> {
    let name = path.rsplit('/').next().unwrap_or_default();
    whole(StatusCode::NOT_FOUND, &problem(StatusCode::NOT_FOUND, &format!("\"{name}\" not found")))
}

fn missing_namespace(path: &str) -> Response<AnswerBody> {
    let name = namespace(path).unwrap_or_default();
    let mut status = problem(StatusCode::NOT_FOUND, &format!("namespaces \"{name}\" not found"));
    status["details"] = json!({ "kind": "namespaces", "name": name });
    whole(StatusCode::NOT_FOUND, &status)
}
