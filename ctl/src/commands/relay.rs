//! `msctl relay`: what runs in the relay pod.

use reach::relay::{RelayConfig, serve};

use crate::cli::{Globals, relay::RelayArgs};
use crate::error::{Error, ExitCode};
use crate::output::Printer;

/// Serves until it is idle for long enough or told to stop; it listens for signals itself. Its configuration is
/// environment variables, which whoever made the pod has set.
pub(crate) async fn run(_args: RelayArgs, _globals: &Globals, printer: &Printer) -> Result<ExitCode, Error> {
    let config = RelayConfig::from_env(|name| std::env::var(name).ok())
        .map_err(|cause| Error::usage("cannot configure the relay").caused_by(&cause))?;
    let ended =
        serve(config).await.map_err(|cause| Error::new(ExitCode::Failed, "the relay ended").caused_by(&cause))?;
    printer.note(&format!("the relay ended: {ended:?}"));
    Ok(ExitCode::Done)
}
