//! What an error of Postgres means for a batch and for the connection.

use std::error::Error as StdError;

use crate::Error;

/// What to do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// A write's own: the others may succeed without it.
    Row,
    /// The same batch may succeed at once: a plan that a migration made stale, a deadlock.
    Again,
    /// A later batch may succeed on the same connection.
    Passing,
    /// The connection is of no use.
    Broken,
}

pub(crate) fn trouble(error: &tokio_postgres::Error) -> Trouble {
    if error.is_closed() {
        return Trouble::Broken;
    }
    let Some(state) = error.code() else {
        // Without a code it is ours: a parameter that does not convert, or the wire.
        return if is_wire(error) { Trouble::Broken } else { Trouble::Row };
    };
    match state.code() {
        // A plan made before a migration; a statement that a pooler took away; others at the same rows.
        "0A000" | "26000" | "40001" | "40P01" => Trouble::Again,
        // A standby, after a failover: another connection may find the primary. Then: shut down, killed, starting.
        "25006" | "57P01" | "57P02" | "57P03" => Trouble::Broken,
        code if code.starts_with("08") => Trouble::Broken,
        // Data exceptions and integrity constraints.
        code if code.starts_with("22") || code.starts_with("23") => Trouble::Row,
        _ => Trouble::Passing,
    }
}

/// Whether the error is of the connection rather than of a parameter.
fn is_wire(error: &tokio_postgres::Error) -> bool {
    error.source().is_none_or(<dyn StdError>::is::<std::io::Error>)
}

/// The error in words. The server's own are told only where they can't hold a row's data.
pub(crate) fn describe(error: &tokio_postgres::Error) -> String {
    let Some(said) = error.as_db_error() else {
        return match error.source() {
            Some(source) if is_wire(error) => source.to_string(),
            Some(_) => "a value can't be converted".to_owned(),
            None => error.to_string(),
        };
    };
    let code = said.code().code();
    match &code[..2] {
        "22" => format!("a value is not possible (SQLSTATE {code})"),
        "23" => match (said.constraint(), said.table(), said.column()) {
            (Some(constraint), _, _) => format!("it breaks the constraint {constraint} (SQLSTATE {code})"),
            (None, Some(table), Some(column)) => format!("{table}.{column} must have a value (SQLSTATE {code})"),
            _ => format!("it breaks a constraint (SQLSTATE {code})"),
        },
        _ => format!("{} (SQLSTATE {code})", said.message()),
    }
}

pub(crate) fn unavailable(error: &tokio_postgres::Error) -> Error {
    Error::unavailable(describe(error))
}
