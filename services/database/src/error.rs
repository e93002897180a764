//! What can become of a read or a write.

use http::StatusCode;
use runtime::Failure;

/// Why a read or a write did not succeed. No text of it holds a row's data or a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The service has no database.
    #[error("this service has no database; set DATABASE_URL to sqlite://PATH or postgres://USER@HOST/DATABASE")]
    NotConfigured,
    /// The database can't be used now. Nothing was written.
    #[error("the database can't be used now: {detail}")]
    Unavailable { detail: String },
    /// The connection broke while the commit was under way: it was written or it was not.
    #[error("whether the write was committed is not known: {detail}")]
    Unknown { detail: String },
    /// More writes or reads are waiting than the database keeps up with. Nothing was written.
    #[error("too many requests are waiting for the database")]
    Overloaded,
    /// The database refused this write for what is in it, alone. Nothing was written.
    #[error("the database refused the write: {detail}")]
    Refused { detail: String },
    /// The service's own code broke a rule that this crate relies on. Nothing was written.
    #[error("a defect of this service: {detail}; nothing was written")]
    Defect { detail: String },
    /// A newer version of the service has changed the schema so that this one can't use it any more.
    #[error(
        "the database's schema is version {version}, which only programs from schema version {oldest_program} on may \
         use; this program knows version {program}: run a newer one"
    )]
    TooNew { version: u32, oldest_program: u32, program: u32 },
}

impl Error {
    /// A short name for metrics and spans (`error.type`).
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotConfigured => "not_configured",
            Self::Unavailable { .. } => "unavailable",
            Self::Unknown { .. } => "unknown_outcome",
            Self::Overloaded => "overloaded",
            Self::Refused { .. } => "refused",
            Self::Defect { .. } => "defect",
            Self::TooNew { .. } => "schema_too_new",
        }
    }

    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        Self::Unavailable { detail: detail.into() }
    }

    pub(crate) fn unknown(detail: impl Into<String>) -> Self {
        Self::Unknown { detail: detail.into() }
    }

    /// `Apply` gave `given` outcomes for `writes` writes: whose each is, nobody can say.
    pub(crate) fn miscounted(given: usize, writes: usize) -> Self {
        Self::Defect { detail: format!("its statements gave {given} outcomes for {writes} writes") }
    }

    pub(crate) fn refused(detail: impl Into<String>) -> Self {
        Self::Refused { detail: detail.into() }
    }
}

/// Seconds until a client should try again: longer than a reconnect usually takes.
pub const RETRY_AFTER: u32 = 2;

/// 503 with `Retry-After` for all but [`Error::Refused`] and [`Error::Defect`], which are 500. Details are the log's: they name hosts and
/// paths.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let detail = match error {
            // The latter says versions alone; another replica may be of the newer one.
            Error::NotConfigured | Error::TooNew { .. } => error.to_string(),
            Error::Unavailable { .. } => "the database can't be used now; nothing was stored, try again".to_owned(),
            Error::Unknown { .. } => {
                "the database's answer was lost: the request may or may not have been stored; try again with the same \
                 key or identifier"
                    .to_owned()
            }
            Error::Overloaded => {
                "too many requests are waiting for the database; nothing was stored, try again".to_owned()
            }
            Error::Refused { .. } => {
                return Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the database refused the row");
            }
            Error::Defect { .. } => {
                return Self::new(StatusCode::INTERNAL_SERVER_ERROR, "a defect of the service; nothing was stored");
            }
        };
        Self::unavailable(detail, RETRY_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_succeed_later_is_503_and_a_client_is_not_told_of_hosts() {
        let away = Error::unavailable("can't connect to secret-host:5432");
        let newer = Error::TooNew { version: 4, oldest_program: 3, program: 2 };
        assert!(format!("{:?}", Failure::from(newer.clone())).contains("run a newer one"));
        for error in [Error::NotConfigured, away, Error::unknown("secret-host"), Error::Overloaded, newer] {
            let failure = Failure::from(error);
            assert_eq!(failure.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert!(!format!("{failure:?}").contains("secret-host"), "{failure:?}");
            assert!(format!("{failure:?}").contains("retry-after"), "{failure:?}");
        }
        for error in [Error::refused(""), Error::miscounted(1, 2)] {
            assert_eq!(Failure::from(error).status(), StatusCode::INTERNAL_SERVER_ERROR);
        }
    }
}
