//! The half of the chain that needs helm: rendered templates = goldens, and our reading of values = Helm's.
//!
//! Helm is `$HELM`, or `helm` on the PATH. Without one every test here is ignored and says so; with `CLUSTER=required` or
//! `MSCTL_REQUIRE_HELM` set, that is a failure.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "../support/mod.rs"]
mod support;

mod binary;
mod charts;
mod postgres;
mod rendered;
mod values;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::binary::Helm;

type Outcome = Result<(), Failed>;

fn main() -> std::process::ExitCode {
    let arguments = Arguments::from_args();
    let helm = Helm::find();
    let mut trials = rendered::trials(helm.as_ref());
    trials.extend(charts::trials(helm.as_ref()));
    trials.extend(postgres::trials(helm.as_ref()));
    trials.extend(values::trials(helm.as_ref()));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A test that needs helm: ignored where there is none, failed where there has to be one.
fn trial(name: impl Into<String>, helm: Option<&Helm>, run: impl FnOnce(&Helm) -> Outcome + Send + 'static) -> Trial {
    let required = std::env::var_os("MSCTL_REQUIRE_HELM").is_some()
        || std::env::var_os("CLUSTER").is_some_and(|cluster| cluster == "required");
    let missing = helm.is_none();
    let helm = helm.cloned();
    let trial = Trial::test(name, move || match &helm {
        Some(helm) => run(helm),
        None => Err("needs helm: set HELM to the binary, or put it on the PATH".into()),
    });
    if missing && !required { trial.with_kind("not run: needs helm").with_ignored_flag(true) } else { trial }
}
