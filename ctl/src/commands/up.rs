//! `msctl up`: the services of msctl.yaml as processes of this machine, for as long as it runs.

mod detach;
mod net;
mod run;
mod tell;

use ::local::ServiceStatus;

use crate::cli::Globals;
use crate::cli::deploy::ValuesArgs;
use crate::cli::up::UpArgs;
use crate::error::{Error, ExitCode};
use crate::local::Local;
use crate::output::Printer;
use crate::output::table::Table;
use crate::platform;
use run::Where;

pub(crate) async fn run(args: UpArgs, globals: &Globals, printer: &Printer) -> Result<ExitCode, Error> {
    let local = platform::local_project(globals)?;
    let services = services(&local, &args.services).map_err(|error| explained(error, &local))?;
    // Before the terminal is left: what is wrong with msctl.yaml is told here.
    let found = local.wanted(&services, &ValuesArgs::default());
    let found = found.and_then(|wanted| local.specs(&wanted).map(|specs| (wanted, specs)));
    let (wanted, specs) = found.map_err(|error| explained(error, &local))?;
    if !args.background {
        Local::tell_unused(&wanted, printer);
    }
    let aim = platform::flag(globals);
    if args.detach {
        return detach::run(&local, &services, aim.as_ref()).await;
    }
    let place = if args.background { Where::Background } else { Where::Terminal };
    if place == Where::Background {
        detach::leave_terminal()?;
    }
    run::run(&local, specs, place, aim.as_ref()).await
}

/// Those that are named, else all that can run here.
fn services(local: &Local, named: &[String]) -> Result<Vec<String>, Error> {
    if !named.is_empty() {
        return Ok(named.to_vec());
    }
    let project = local.project();
    let all: Vec<String> =
        project.services.values().filter(|service| service.run.is_some()).map(|service| service.name.clone()).collect();
    if all.is_empty() {
        return Err(Error::usage(format!("{} has no service that runs on this machine", project.name))
            .why(format!("no service of {} has a `run`", project.file.display()))
            .next("services.NAME.run: COMMAND says how a service is started here"));
    }
    Ok(all)
}

/// What an error does not say by itself.
fn explained(error: Error, local: &Local) -> Error {
    let error = error.or_place(local.place());
    match error.code() {
        ExitCode::Usage => error.or_next("correct it in msctl.yaml, then msctl up"),
        _ => error.or_next("msctl up, which starts all anew"),
    }
}

/// Where the services are.
fn addresses(services: &[ServiceStatus]) -> String {
    let mut table = Table::new(["NAME", "READY", "ADDRESS"]);
    for service in services {
        table.row([
            service.name.clone(),
            format!("{}/{}", service.ready, service.wanted),
            format!("http://127.0.0.1:{}", service.port),
        ]);
    }
    table.render()
}
