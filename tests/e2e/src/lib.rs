//! The harness of the scenarios that run against a real cluster.
//!
//! Every scenario is a test with a namespace of its own, labelled with the test's name, so that all of them run side by side.
//! When one fails, its pods, events and logs are printed; `MSCTL_E2E_KEEP=1` keeps the namespace for a closer look.
//! `tests/run test` finds a cluster, loads the images and runs these inside its network.

#![expect(clippy::print_stderr, reason = "a failed scenario tells what was going on")]

pub mod http;
pub mod jaeger;
pub mod load;
pub mod run;
pub mod scenario;
pub mod wait;

pub use run::Run;
pub use scenario::Scenario;
pub use wait::eventually;
