//! The one seam between the verbs and where services run. A verb turns arguments into one of these operations and
//! prints what comes of it; everything that only Kubernetes has is behind it.

mod choice;

use std::time::Duration;

use reach::Cluster;
use tokio::time::Instant;

use crate::cli::Globals;
use crate::cli::call::WayArgs;
use crate::cli::delete::DeleteArgs;
use crate::cli::deploy::{DeployArgs, DryRun, ValuesArgs};
use crate::cli::logs::LogsArgs;
use crate::cli::scale::ScaleArgs;
use crate::cli::status::StatusArgs;
use crate::cluster::kubernetes::Kubernetes;
use crate::cluster::verbs;
use crate::cluster::way::ClusterWay;
use crate::collector::Jaeger;
use crate::commands::delete::Deleted;
use crate::commands::deploy::{Preview, ServiceReport};
use crate::commands::logs::Entries;
use crate::commands::outcome::Outcome;
use crate::commands::scale::Scaled;
use crate::commands::status::Summary;
use crate::error::{Aim, Error};
use crate::local::Local;
use crate::local::way::LocalWay;
use crate::output::Printer;
use crate::target::ServiceName;
use crate::wanted::Wanted;
use crate::way::{Stage, Way};

/// Where services run.
#[derive(Debug)]
pub(crate) enum Platform {
    Cluster {
        kubernetes: Box<Kubernetes>,
        /// Why there are no values of the project's msctl.yaml: it can't be read.
        unread: Option<Error>,
    },
    Local(Box<Local>),
}

/// The project of the command line, for the verbs that are about this machine alone.
pub(crate) fn local_project(globals: &Globals) -> Result<Local, Error> {
    choice::local_project(globals)
}

/// What `down` ends and removes when the project itself can't be had.
pub(crate) fn left_behind(globals: &Globals) -> Option<Local> {
    choice::left_behind(globals)
}

/// The flags that say where, as the command line had them: `--local`, `-e staging`, `--project FILE`.
pub(crate) fn flag(globals: &Globals) -> Option<Aim> {
    Some(choice::aim(globals)).filter(|aim| *aim != Aim::default())
}

/// Told of every service whose objects are applied, before its rollout is waited for.
pub(crate) type Told<'a> = &'a dyn Fn(&ServiceReport) -> Result<(), Error>;

/// A deploy, and where.
#[derive(Debug)]
pub(crate) struct Deployed {
    pub(crate) namespace: String,
    pub(crate) outcome: Outcome<ServiceReport>,
}

impl Platform {
    /// The one that the command line means. Asks nobody.
    pub(crate) fn choose(globals: &Globals, printer: &Printer) -> Result<Self, Error> {
        let choice::Chosen { platform, note } = choice::choose(globals)?;
        if let Some(note) = note {
            printer.note(&note);
        }
        Ok(platform)
    }

    /// Says of an error that names no place of its own where it happened, as far as that is known by now.
    pub(crate) fn within(&self, error: Error) -> Error {
        match self {
            // Without a client it never got further.
            Self::Cluster { kubernetes, .. } => {
                error.or_scene(kubernetes.place().unwrap_or_else(|| "the kubeconfig".to_owned()))
            }
            Self::Local(local) => error.or_scene(local.place()),
        }
    }

    /// What is waited for before anybody can be asked, and where.
    pub(crate) fn connecting(&self, stage: &Stage) {
        match self {
            Self::Cluster { .. } => {
                stage.is("getting credentials for the cluster");
                stage.place("the kubeconfig");
            }
            Self::Local(local) => {
                stage.is("asking `msctl up`");
                stage.place(local.place());
            }
        }
    }

    /// The command that tells why an answer does not come that should at once.
    pub(crate) fn when_silent(&self) -> &'static str {
        match self {
            Self::Cluster { .. } => "msctl status --request-timeout 5s, which says who does not answer",
            Self::Local(_) => "tail .msctl/up.log, which `msctl up --detach` writes",
        }
    }

    /// Whether the environment of msctl.yaml says, so that it can be used from here, where spans go or are read.
    pub(crate) fn says_where_spans_go(&self) -> bool {
        let Self::Cluster { kubernetes, .. } = self else { return false };
        let Some(environment) = kubernetes.environment() else { return false };
        let otlp = environment.otlp.as_deref().and_then(Jaeger::behind);
        otlp.is_some() || environment.jaeger.is_some()
    }

    /// A verb that needs no values does without a project that can't be read.
    fn tell_unread(&self, printer: &Printer) {
        if let Self::Cluster { unread: Some(error), .. } = self {
            let why = error.rest().into_iter().filter(|(word, _)| *word == "why").map(|(_, why)| why);
            printer.warning(&format!("{}, so it does not count: {}", error.what(), why.collect::<Vec<_>>().join("; ")));
        }
    }

    /// Services as they should be: what the project says of them, and over it what the command line does.
    pub(crate) fn wanted(&self, services: &[String], args: &ValuesArgs) -> Result<Vec<Wanted>, Error> {
        match self {
            Self::Cluster { unread: Some(error), .. } => Err(error.clone()),
            Self::Cluster { kubernetes, .. } => Wanted::all(services, args, kubernetes.layers()),
            Self::Local(local) => local.wanted(services, args),
        }
    }

    /// What a deploy would do.
    pub(crate) async fn preview(
        &self,
        wanted: &[Wanted],
        dry_run: DryRun,
        args: &DeployArgs,
        printer: &Printer,
        since: Instant,
    ) -> Result<Preview, Error> {
        match self {
            Self::Cluster { kubernetes, .. } => {
                verbs::deploy::preview(kubernetes, wanted, dry_run, args, printer, since).await
            }
            Self::Local(local) => local.preview(wanted, dry_run),
        }
    }

    pub(crate) async fn deploy(
        &self,
        wanted: &[Wanted],
        args: &DeployArgs,
        printer: &Printer,
        told: Told<'_>,
        since: Instant,
    ) -> Result<Deployed, Error> {
        match self {
            Self::Cluster { kubernetes, .. } => {
                let cluster = begun(kubernetes, args.wait.timeout, since, printer).await?;
                let outcome = verbs::deploy::deploy(cluster, wanted, args, printer, told, since).await?;
                Ok(Deployed { namespace: cluster.namespace.clone(), outcome })
            }
            Self::Local(local) => {
                let outcome = local.deploy(wanted, args, printer, told).await?;
                Ok(Deployed { namespace: local.project().name.clone(), outcome })
            }
        }
    }

    pub(crate) async fn scale(&self, args: &ScaleArgs, printer: &Printer) -> Result<Outcome<Scaled>, Error> {
        self.tell_unread(printer);
        match self {
            Self::Cluster { kubernetes, .. } => {
                let since = Instant::now();
                let cluster = begun(kubernetes, args.wait.timeout, since, printer).await?;
                verbs::scale::scale(cluster, args, printer, since).await
            }
            Self::Local(local) => local.scale(args, printer).await,
        }
    }

    pub(crate) async fn status(&self, args: &StatusArgs, printer: &Printer) -> Result<Vec<Summary>, Error> {
        self.tell_unread(printer);
        match self {
            Self::Cluster { kubernetes, .. } => verbs::status::status(kubernetes.at_once().await?, args, printer).await,
            Self::Local(local) => local.status(args).await,
        }
    }

    pub(crate) async fn delete(&self, args: &DeleteArgs, printer: &Printer) -> Result<Outcome<Deleted>, Error> {
        self.tell_unread(printer);
        match self {
            Self::Cluster { kubernetes, .. } => {
                let since = Instant::now();
                let cluster = begun(kubernetes, args.wait.timeout, since, printer).await?;
                verbs::delete::delete(cluster, args, printer, since).await
            }
            Self::Local(local) => local.delete(args, printer).await,
        }
    }

    pub(crate) async fn logs(&self, args: &LogsArgs, printer: &Printer) -> Result<Entries, Error> {
        self.tell_unread(printer);
        match self {
            Self::Cluster { kubernetes, .. } => verbs::logs::logs(kubernetes.at_once().await?, args).await,
            Self::Local(local) => local.logs(args).await,
        }
    }

    /// The way to the services of `target`'s namespace, or of the command's own.
    pub(crate) async fn way(
        &self,
        args: &WayArgs,
        target: Option<&ServiceName>,
        printer: &Printer,
    ) -> Result<Way, Error> {
        self.tell_unread(printer);
        match self {
            Self::Cluster { kubernetes, .. } => {
                ClusterWay::choose(kubernetes, args, target).await.map(|way| Way::Cluster(Box::new(way)))
            }
            Self::Local(local) => LocalWay::choose(local, args, target).await.map(|way| Way::Local(Box::new(way))),
        }
    }
}

/// The cluster of a verb that began `since`, and whose results nobody may hold longer than it has time.
async fn begun<'a>(
    kubernetes: &'a Kubernetes,
    limit: Duration,
    since: Instant,
    printer: &Printer,
) -> Result<&'a Cluster, Error> {
    printer.deadline().is((since + limit).into_std());
    kubernetes.in_time(since, Some(limit)).await
}

#[cfg(test)]
impl From<reach::Cluster> for Platform {
    fn from(cluster: reach::Cluster) -> Self {
        Self::Cluster { kubernetes: Box::new(cluster.into()), unread: None }
    }
}
