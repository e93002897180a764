//! What an error of `SQLite` means for a batch and for the connection.

use std::path::Path;

use rusqlite::{ErrorCode, ffi};

use crate::Error;

/// What to do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// A write's own: the others may succeed without it.
    Row,
    /// The next transaction may succeed on the same connection.
    Passing,
    /// The file has to be opened anew.
    Lasting,
}

pub(crate) fn trouble(error: &rusqlite::Error) -> Trouble {
    let Some((code, _)) = said(error) else {
        // rusqlite's own: a value that does not convert, a count that is not as expected.
        return Trouble::Row;
    };
    match code.code {
        ErrorCode::ConstraintViolation
        | ErrorCode::TypeMismatch
        | ErrorCode::TooBig
        | ErrorCode::ParameterOutOfRange => Trouble::Row,
        ErrorCode::DiskFull
        | ErrorCode::DatabaseBusy
        | ErrorCode::DatabaseLocked
        | ErrorCode::OutOfMemory
        | ErrorCode::OperationInterrupted => Trouble::Passing,
        _ => Trouble::Lasting,
    }
}

/// Whether a failed COMMIT may have reached the disk: it can only when the write itself went wrong half way.
pub(crate) fn commit_is_unknown(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure)
}

/// The error in words, without any row's data.
pub(crate) fn describe(error: &rusqlite::Error, path: &Path) -> String {
    let shown = path.display();
    let Some((code, said)) = said(error) else {
        return "a value can't be converted".to_owned();
    };
    match code.code {
        ErrorCode::DiskFull => format!("the disk of {shown} is full"),
        ErrorCode::ReadOnly => format!("{shown} is read-only"),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => format!("{shown} is locked by another program"),
        ErrorCode::DatabaseCorrupt => format!("{shown} is damaged ({said})"),
        ErrorCode::NotADatabase => format!("{shown} is no SQLite database"),
        ErrorCode::CannotOpen | ErrorCode::PermissionDenied => format!("can't open {shown} ({said})"),
        ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch => said,
        _ => format!("{said} (SQLite error {} at {shown})", code.extended_code),
    }
}

/// `SQLite`'s own code and message, which names tables and columns, never values.
fn said(error: &rusqlite::Error) -> Option<(ffi::Error, String)> {
    match error {
        rusqlite::Error::SqliteFailure(code, message) => {
            Some((*code, message.clone().unwrap_or_else(|| code.to_string())))
        }
        rusqlite::Error::SqlInputError { error, msg, .. } => Some((*error, msg.clone())),
        _ => None,
    }
}

/// An error that is no row's, or a read's.
pub(crate) fn unavailable(error: &rusqlite::Error, path: &Path) -> Error {
    Error::unavailable(describe(error, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(code: i32) -> rusqlite::Error {
        rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)
    }

    #[test]
    fn errors_are_of_a_row_or_of_the_moment_or_of_the_file() {
        assert_eq!(trouble(&failure(ffi::SQLITE_CONSTRAINT_UNIQUE)), Trouble::Row);
        assert_eq!(trouble(&rusqlite::Error::InvalidQuery), Trouble::Row);
        assert_eq!(trouble(&failure(ffi::SQLITE_FULL)), Trouble::Passing);
        assert_eq!(trouble(&failure(ffi::SQLITE_BUSY)), Trouble::Passing);
        assert_eq!(trouble(&failure(ffi::SQLITE_READONLY)), Trouble::Lasting);
        assert_eq!(trouble(&failure(ffi::SQLITE_IOERR_FSYNC)), Trouble::Lasting);
        assert!(commit_is_unknown(&failure(ffi::SQLITE_IOERR_FSYNC)));
        assert!(!commit_is_unknown(&failure(ffi::SQLITE_FULL)));
    }
}
