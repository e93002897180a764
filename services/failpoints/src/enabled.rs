//! The points of a build for fault injection.

use std::sync::OnceLock;
use std::thread;

use nix::sys::signal::{Signal, raise};

use crate::plan::{Action, Plan};

/// Passes the point `name`: nothing, or death, or a sleep that blocks the thread.
///
/// # Panics
/// When `FAILPOINTS` can't be understood: a test that kills nothing would prove nothing.
#[expect(clippy::print_stderr, reason = "the last words of a process that is about to be killed can't wait for a log")]
pub fn hit(name: &'static str) {
    static PLAN: OnceLock<Plan> = OnceLock::new();
    let read = || Plan::parse(&std::env::var("FAILPOINTS").unwrap_or_default()).unwrap_or_else(|e| panic!("{e}"));
    for (action, pass) in PLAN.get_or_init(read).pass(name) {
        match action {
            Action::Kill => {
                eprintln!("failpoint {name}@{pass}: kill");
                // It can't fail: the process may always signal itself. Were it to, the test would see it survive.
                let _ = raise(Signal::SIGKILL);
            }
            Action::Sleep(time) => {
                eprintln!("failpoint {name}@{pass}: sleep {time:?}");
                thread::sleep(time);
            }
        }
    }
}

/// Whether the fault `name` is planted.
pub fn planted(name: &'static str) -> bool {
    static FAULTS: OnceLock<Vec<String>> = OnceLock::new();
    let read = || {
        let faults = std::env::var("PLANTED_FAULT").unwrap_or_default();
        faults.split(',').map(str::trim).filter(|fault| !fault.is_empty()).map(str::to_owned).collect()
    };
    FAULTS.get_or_init(read).iter().any(|fault| fault == name)
}
