//! A name that leads nowhere.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a host and port are nothing of the project's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "error", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum NameError {
    #[error("no service `{name}` runs in {namespace}{}", meant(.similar.as_deref(), .known))]
    Unknown {
        name: String,
        namespace: String,
        /// What was most likely meant.
        similar: Option<String>,
        /// All there is.
        known: Vec<String>,
    },
    #[error("`{name}.{asked}` is of namespace {asked}; what runs here is {namespace}")]
    OtherNamespace { name: String, asked: String, namespace: String },
    #[error("`{name}` has no port {port}, it listens on {}", List(.ports))]
    WrongPort { name: String, port: u16, ports: Vec<u16> },
}

fn meant(similar: Option<&str>, known: &[String]) -> String {
    match (similar, known) {
        (Some(similar), _) => format!("; did you mean `{similar}`?"),
        (None, []) => "; nothing runs there".to_owned(),
        (None, known) => format!("; there is {}", List(known)),
    }
}

struct List<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.0.len().saturating_sub(1);
        for (at, item) in self.0.iter().enumerate() {
            match at {
                0 => write!(f, "{item}")?,
                at if at == last => write!(f, " and {item}")?,
                _ => write!(f, ", {item}")?,
            }
        }
        Ok(())
    }
}
