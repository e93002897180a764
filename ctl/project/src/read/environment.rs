//! The clusters that a project is deployed to.

use std::collections::BTreeMap;

use manifests::names;
use serde_json::json;

use super::Reader;
use crate::document::Cursor;
use crate::model::{Environment, LOCAL};
use crate::values;

/// A name that no bundled chart has: an environment's values are every service's.
const ANY_SERVICE: &str = "";

impl Reader<'_> {
    pub(super) fn environments(&mut self, cursor: &Cursor<'_>) -> BTreeMap<String, Environment> {
        if !cursor.value.is_object() && !cursor.value.is_null() {
            self.wrong_type(cursor, "a map of environments by their names");
        }
        let read = cursor.entries().map(|(name, cursor)| (name.to_owned(), self.environment(name, &cursor)));
        read.collect()
    }

    fn environment(&mut self, name: &str, cursor: &Cursor<'_>) -> Environment {
        if name == LOCAL {
            self.wrong_key(cursor, "it is built in; what counts on this machine only is a service's `local`");
        } else if let Err(error) = names::label(name) {
            self.wrong_key(cursor, error);
        }
        let [context, namespace, values, otlp, jaeger] =
            self.fields(cursor, ["context", "namespace", "values", "otlp", "jaeger"], |_| None);
        if context.is_none() && name != LOCAL {
            self.wrong_key(cursor, "its `context` is missing: the kubeconfig's context that it is pinned to");
        }
        let namespace = namespace.and_then(|cursor| {
            let namespace = self.string(&cursor)?;
            if let Err(error) = names::label(&namespace) {
                self.wrong(&cursor, error);
            }
            Some(namespace)
        });
        let before = self.problems.len();
        let values = values.map(|cursor| self.values(&cursor, ANY_SERVICE)).unwrap_or_default();
        // A file that only this environment needs stops nobody who works elsewhere.
        let problems = self.problems.split_off(before);
        Environment {
            name: name.to_owned(),
            context: context.and_then(|cursor| self.string(&cursor)).unwrap_or_default(),
            namespace,
            values,
            otlp: otlp.and_then(|cursor| self.otlp(&cursor)),
            jaeger: jaeger.and_then(|cursor| self.string(&cursor)),
            problems,
        }
    }

    /// The value telemetry.endpoint by another name, so it is what that may be.
    fn otlp(&mut self, cursor: &Cursor<'_>) -> Option<String> {
        let endpoint = self.string(cursor)?;
        let value = json!({ "telemetry": { "endpoint": endpoint } });
        if let Some(message) = values::problem_of(&value) {
            self.wrong(cursor, message);
        }
        Some(endpoint)
    }
}
