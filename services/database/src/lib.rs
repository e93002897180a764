//! A service's own database: `SQLite` or Postgres behind group commits.
//!
//! Handlers hand writes to a [`Writer`]; one thread (`SQLite`) or task (Postgres) takes whatever is queued and commits it
//! as one batch. A handler that goes away loses nothing, and a write that the database refuses harms no other: the
//! batch is rolled back and its writes are tried singly. Reads have a connection of their own.
//!
//! What a database is asked is its service's: [`sqlite::Apply`] and [`postgres::Apply`] get a batch inside a
//! transaction, which this crate begins and commits. A database that is away makes writes fail at once
//! ([`Error::Unavailable`]); it is tried again with back-off until it is there.

mod backoff;
mod batch;
mod error;
mod metrics;
pub mod postgres;
mod queue;
mod schema;
mod settings;
pub mod sqlite;
mod ssl;
mod state;
mod statement;
mod url;
mod writer;

pub use error::{Error, RETRY_AFTER};
pub use runtime::Context;
pub use schema::{Migrations, Step};
pub use settings::Settings;
pub use statement::Statement;
pub use url::{PostgresUrl, Url};
pub use writer::Writer;
