//! A service's own database: SQLite or Postgres behind group commits.
