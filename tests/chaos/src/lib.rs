//! Kills services and databases under load, and compares what was acknowledged with what arrived.
//!
//! Two processes of A and two of B, on one `SQLite` file or one Postgres server a service, take messages while they and
//! the Postgres servers are killed: at random moments, and at named points in their code (crate `failpoints`). What
//! dies is started again. When it is over, every attempt is compared with the rows in B's database.
//!
//! - `random`, `body`, `schedule`: what the seed decides.
//! - `service`, `slot`, `front`, `databases`: what runs, and what kills it.
//! - `client`, `load`, `ledger`: what is sent, and what was answered.
//! - `rows`, `compare`: what arrived, and the verdict.
//! - `run`: all of it together. `planted`: that faults are found. `watch`: what SIGKILL can't see, a missing sync.

mod body;
mod client;
mod compare;
mod databases;
mod error;
mod fleet;
mod front;
mod ledger;
mod load;
mod output;
mod planted;
mod random;
mod report;
mod rows;
mod run;
mod schedule;
mod service;
mod settle;
mod slot;
mod watch;

pub mod cli;
