//! The harness of the scenarios that run against a real cluster, and against `msctl up` on this machine.
//!
//! Every scenario has a [`Scenario`], which is a namespace of its own, or a [`Project`], which is a folder of its own, so that
//! all of them run side by side. What makes sense in both places is written once, on a [`World`], and is two tests: `cluster_…`
//! and `local_…`. All tests whose name starts with `local_` need no cluster, the others do.
//! When one fails, its pods, processes, events and logs are printed, and at their end why; `MSCTL_E2E_KEEP=1` keeps the
//! namespace or folder for a closer look. `tests/run test` finds a cluster, loads the images and runs these inside its network.

#![expect(clippy::print_stderr, reason = "a failed scenario tells what was going on")]

pub mod background;
pub mod exit;
pub mod explanation;
mod failure;
pub mod http;
pub mod jaeger;
pub mod load;
pub mod messages;
pub mod ports;
pub mod processes;
pub mod project;
pub mod run;
pub mod scenario;
pub mod wait;
pub mod world;

pub use background::Background;
pub use project::Project;
pub use run::Run;
pub use scenario::Scenario;
pub use wait::eventually;
pub use world::World;

/// A scenario as two tests, one in each place. `$name` is its namespace's, or project's.
#[macro_export]
macro_rules! in_both {
    ($scenario:path, $name:literal: $cluster:ident, $local:ident) => {
        #[test]
        fn $cluster() {
            $scenario(&$crate::World::cluster($name));
        }

        #[test]
        fn $local() {
            $scenario(&$crate::World::local($name));
        }
    };
}
