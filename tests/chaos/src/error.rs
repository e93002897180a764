//! What keeps a run from coming to a verdict.

use std::fmt::Display;

/// An action that failed, and why.
#[derive(Debug, thiserror::Error)]
#[error("can't {action}: {reason}")]
pub(crate) struct Failure {
    action: String,
    reason: String,
}

pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    pub(crate) fn new(action: impl Into<String>, reason: impl Display) -> Self {
        Self { action: action.into(), reason: reason.to_string() }
    }

    /// For `map_err`; the causes of `reason` are told too.
    pub(crate) fn to<E: std::error::Error>(action: &str) -> impl FnOnce(E) -> Self {
        let action = action.to_owned();
        move |error| Self { action, reason: told(&error) }
    }
}

/// An error with its causes, in one line.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
