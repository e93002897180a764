//! What a user says about a service: files and flags, gathered in Helm's order.

use serde_json::{Map, Value};

use super::merge::overlay;
use super::set::{self, Kind, SetError};
use super::yaml::{YamlError, parse_yaml};

/// A user's values before the defaults: nulls are still there, to delete a default.
///
/// Helm applies value files first, then `--set-json`, `--set`, `--set-string` and `--set-file`, whatever their order on the command
/// line; call the methods in that order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UserValues(Map<String, Value>);

/// Why a user's values can't be taken.
#[derive(Debug, thiserror::Error)]
pub enum UserValuesError {
    #[error(transparent)]
    Yaml(#[from] YamlError),
    #[error("{flag} {text}: {error}")]
    Set { flag: &'static str, text: String, error: SetError },
}

impl UserValues {
    /// Lays a file's values over what is there.
    pub fn file(&mut self, text: &str, source_name: &str) -> Result<(), UserValuesError> {
        self.overlay(parse_yaml(text, source_name)?);
        Ok(())
    }

    /// Lays a map over what is there; anything else is ignored.
    pub fn overlay(&mut self, values: Value) {
        if let Value::Object(map) = values {
            overlay(&mut self.0, map);
        }
    }

    /// Applies the text of one flag. Files are read relative to the working directory; `-` is not supported.
    pub fn set(&mut self, kind: Kind, text: &str) -> Result<(), UserValuesError> {
        let read_file = |path: &str| std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
        set::apply(text, kind, &mut self.0, &read_file).map_err(|error| UserValuesError::Set {
            flag: kind.flag(),
            text: text.to_owned(),
            error,
        })
    }

    /// The value at a path of keys, if the user said anything there; `Some(Null)` when the user deleted it.
    #[must_use]
    pub fn get(&self, path: &[&str]) -> Option<&Value> {
        let (last, parents) = path.split_last()?;
        parents.iter().try_fold(&self.0, |map, key| map.get(*key)?.as_object())?.get(*last)
    }

    /// The values as JSON, to be merged over defaults.
    #[must_use]
    pub fn into_value(self) -> Value {
        Value::Object(self.0)
    }
}
