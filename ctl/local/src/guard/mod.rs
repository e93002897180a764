//! The guard: the small process that spawns every replica, so that none of them outlives the supervisor.
//!
//! A process can't clean up after its own SIGKILL. The guard can: it holds the other end of a pipe, and the end of file
//! is the supervisor's death, whatever caused it. Every replica leads a process group of its own, and the guard is the
//! subreaper of all that descends from it, so that also what left its group and lost its parent is found and killed.
//!
//! It reads [`Order`]s from stdin and writes [`Report`]s to stdout, one JSON object a line. One thread: it
//! has to be up in a few milliseconds, and to stay small.

mod children;
mod message;
mod run;
pub(crate) mod sweep;

pub(crate) use message::{Command, Order, Report};
pub use run::run;
