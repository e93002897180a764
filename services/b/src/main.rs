//! Service B's binary.

use std::convert::Infallible;
use std::process::ExitCode;

use runtime::App;
use service_b::{Config, PROGRAM, app};

// musl's own allocator is several times slower under load; the same one everywhere, so that what is measured is what
// runs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    runtime::launch(PROGRAM, Config::read, |config, context| {
        let (router, stop) = app(config, context);
        Ok::<_, Infallible>(App::new(router).on_stop(stop))
    })
}
