//! This machine as a platform: the processes that `msctl up` runs, reached by its control socket.

mod operation;
mod spec;
mod verbs;
pub(crate) mod way;

use std::path::PathBuf;

use ::local::control::Client;
use ::local::state::{self, Running};
use ::local::{Kind, ServiceSpec, ServiceStatus};
use project::Project;

use crate::cli::deploy::ValuesArgs;
use crate::error::{Error, ExitCode, did_you_mean};
use crate::output::Printer;
use crate::wanted::{Layers, Wanted};

/// The project that the command line means.
#[derive(Debug)]
pub(crate) struct Local {
    project: Project,
}

impl Local {
    pub(crate) fn new(project: Project) -> Self {
        Self { project }
    }

    pub(crate) fn project(&self) -> &Project {
        &self.project
    }

    /// The state folder: beside msctl.yaml.
    pub(crate) fn state(&self) -> PathBuf {
        self.project.folder.join(state::FOLDER)
    }

    /// For the `where` line of an error.
    pub(crate) fn place(&self) -> String {
        format!("project {}", self.project.file.display())
    }

    /// Services as they should be here.
    pub(crate) fn wanted(&self, services: &[String], args: &ValuesArgs) -> Result<Vec<Wanted>, Error> {
        if args.image.is_some() {
            return Err(Error::usage("--image has no meaning on this machine")
                .why("a service is a process here, started by its `run` in msctl.yaml")
                .next("leave out --image"));
        }
        Wanted::all(services, args, Layers::Local { project: &self.project })
    }

    pub(crate) fn specs(&self, wanted: &[Wanted]) -> Result<Vec<ServiceSpec>, Error> {
        let correct = |service: &str| format!("correct services.{service} in msctl.yaml");
        let spec = |wanted| spec::spec(&self.project, wanted).map_err(|error| error.or_next(correct(&wanted.service)));
        wanted.iter().map(spec).collect()
    }

    /// Says what of values that were meant for clusters is left out here.
    pub(crate) fn tell_unused(wanted: &[Wanted], printer: &Printer) {
        for wanted in wanted {
            let unused = spec::unused(&wanted.values);
            if !unused.is_empty() {
                let (service, sections) = (&wanted.service, unused.join(", "));
                printer.note(&format!("{service}: its {sections} are for clusters, and left out on this machine"));
            }
        }
    }

    /// Whoever runs the project.
    pub(crate) fn client(&self) -> Result<Client, Error> {
        match Running::read(&self.state()) {
            Some(running) => Ok(running.into()),
            None => Err(self.not_up()),
        }
    }

    fn not_up(&self) -> Error {
        Error::new(ExitCode::Failed, format!("{} is not up on this machine", self.project.name))
            .why("no `msctl up` runs for it")
            .place(self.place())
            .next("msctl up")
    }

    async fn services(&self) -> Result<(Client, Vec<ServiceStatus>), Error> {
        let client = self.client()?;
        let services = client.status().await?;
        Ok((client, services))
    }

    /// The error for a service that is not there.
    fn unknown(&self, action: &str, service: &str, known: &[ServiceStatus]) -> Error {
        let names: Vec<&str> = known.iter().map(|service| service.name.as_str()).collect();
        let error = Error::new(ExitCode::Failed, format!("cannot {action}"))
            .why(format!("there is no service {service} in {}", self.project.name));
        let error = if names.is_empty() { error } else { error.why(format!("there are {}", names.join(", "))) };
        let error = error.place(self.place());
        match did_you_mean(service, names) {
            // It is not another one that is meant.
            _ if self.project.services.contains_key(service) => error.next(format!("msctl deploy {service} --local")),
            Some(near) => error.next(format!("did you mean {near}? msctl status --local shows all")),
            None => error.next("msctl status --local"),
        }
    }
}

impl From<::local::Error> for Error {
    fn from(cause: ::local::Error) -> Self {
        let ::local::Error { kind, what, why, log, next } = cause;
        let code = match kind {
            Kind::Usage => ExitCode::Usage,
            Kind::RolloutFailed => ExitCode::RolloutFailed,
            Kind::TimedOut => ExitCode::TimedOut,
            Kind::Failed | Kind::NotUp | Kind::Stopped | Kind::NotFound | Kind::Conflict => ExitCode::Failed,
        };
        let error = why.into_iter().fold(Self::new(code, what), Self::why);
        let error = match log {
            Some(quote) => error.quote(quote.title, quote.lines),
            None => error,
        };
        next.into_iter().fold(error, Self::next)
    }
}
