//! The conformance suite of A's store: every statement, on `SQLite` and on Postgres.
#![expect(clippy::unwrap_used, reason = "tests; clippy.toml allows it in test functions, not in what they share")]

mod fixture;
mod keys;
mod life;
mod lists;
mod outbox_rows;
mod upkeep;

/// Runs each function on both databases.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test] async fn $name() { super::$name($crate::fixture::Fixture::sqlite().await).await })*
        }
        mod postgres {
            $(#[tokio::test] async fn $name() {
                if let Some(fixture) = $crate::fixture::Fixture::postgres().await { super::$name(fixture).await }
            })*
        }
    };
}

pub(crate) use on_both;
