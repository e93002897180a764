//! A Postgres of a test's own.
