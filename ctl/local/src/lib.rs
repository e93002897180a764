//! Services as supervised processes of one machine: what `msctl up` runs instead of a cluster.
//!
//! - [`Supervisor`] keeps each service's replicas alive, and replaces, scales and stops them;
//! - [`guard`] is the small process that spawns them all, so that nothing outlives the supervisor, whatever ends it;
//! - [`balance`] gives a service its one address, [`names`] and [`proxy`] its name;
//! - [`control`] is the socket through which other commands reach the supervisor.
//!
//! Linux only: subreapers and `/proc` are what keeps the promise that nothing is left behind.

pub mod balance;
pub mod control;
pub mod guard;
pub mod logs;
pub mod names;
pub mod proxy;
pub mod state;

mod error;
mod event;
mod process;
mod scarce;
mod service;
mod spec;
mod status;
mod supervisor;
#[cfg(test)]
mod testing;

pub use error::{Error, Kind, Quote};
pub use event::{Event, Events};
pub use spec::{Probe, ServiceSpec};
pub use state::{Keep, Running, StateFolder};
pub use status::{Action, Applied, Deleted, Reason, ReplicaState, ReplicaStatus, Scaled, ServiceState, ServiceStatus};
pub use supervisor::{Ended, Net, Supervisor, Telemetry, Up};
