//! From here to the services of one namespace, whichever platform they run on: how to dial them, what is known of them,
//! and where their traces are.

mod patience;
mod voice;

use std::time::Duration;

use reach::{Connector, DialError};

use crate::cli::call::WayArgs;
use crate::cluster::way::ClusterWay;
use crate::collector::{Asked, Jaeger};
use crate::error::Error;
use crate::local::way::LocalWay;
use crate::output::Printer;
use crate::target::{Host, ServiceName};
pub(crate) use patience::{Patience, Stage, bounded};
pub(crate) use voice::{Speaker, Voice};

/// For one connection of our own, from here.
const DIAL_AT_MOST: Duration = Duration::from_secs(10);

/// A way, chosen and not yet open. Clones are cheap: what is asked beside its opening has one.
#[derive(Debug, Clone)]
pub(crate) enum Way {
    Cluster(Box<ClusterWay>),
    Local(Box<LocalWay>),
}

/// What was dialled, and who is meant by it.
#[derive(Debug, Clone)]
pub(crate) struct Dialled {
    pub(crate) service: ServiceName,
    pub(crate) port: u16,
    /// Nobody said which port.
    pub(crate) assumed: bool,
    /// It is the host of a URL: another host may have the same name.
    pub(crate) url: bool,
}

/// What is known against a place where nobody answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// Nothing, or nobody can be asked.
    Nothing,
    /// Its right port, where one was only assumed.
    OtherPort(u16),
    /// No pod is ready, for this reason, which may pass.
    Unready(String),
}

/// Whether a name that can't be resolved is a service's.
#[derive(Debug)]
pub(crate) enum Known {
    /// It is; the name will resolve before long.
    Yes,
    /// It is not, which is this error.
    No(Error),
    /// Nobody can be asked.
    Unasked,
}

/// A connection of our own, from here.
pub(crate) fn direct() -> Connector {
    Connector::direct(DIAL_AT_MOST)
}

impl Way {
    /// Opens it. Cancelling the patience takes back what was being made, and is waited for.
    pub(crate) async fn open<'a>(
        &self,
        args: &WayArgs,
        patience: &Patience,
        printer: &'a Printer,
    ) -> Result<(Connector, Voice<'a>), Error> {
        patience.stage.place(self.place());
        patience.stage.is(format!("opening a way into namespace {}", self.namespace()));
        let (mut voice, speaker) = Voice::new(patience, printer, args.verbose);
        let connector = match self {
            Self::Cluster(way) => way.open(args, patience, &mut voice, speaker).await?,
            Self::Local(way) => way.open(),
        };
        Ok((connector, voice))
    }

    /// Where names without a namespace are.
    pub(crate) fn namespace(&self) -> &str {
        match self {
            Self::Cluster(way) => way.namespace(),
            Self::Local(way) => way.namespace(),
        }
    }

    /// For the `where` line of an error.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::Cluster(way) => way.place(),
            Self::Local(way) => way.place(),
        }
    }

    /// The flags that make another command look here: ` -n shop`.
    pub(crate) fn flags(&self) -> String {
        match self {
            Self::Cluster(way) => format!(" -n {}", way.namespace()),
            // There is one namespace, and the environment is told by itself.
            Self::Local(_) => String::new(),
        }
    }

    /// Those of them that the command line itself had.
    pub(crate) fn said(&self) -> String {
        match self {
            Self::Cluster(way) => way.said(),
            Self::Local(_) => String::new(),
        }
    }

    /// As the way's other end resolves it.
    pub(crate) fn host(&self, host: &Host) -> String {
        match (host, self) {
            (Host::Other(host), _) => host.clone(),
            (Host::Service(service), Self::Cluster(way)) => way.host(service),
            (Host::Service(service), Self::Local(_)) => service.to_string(),
        }
    }

    /// A service's port, where that needs no question.
    pub(crate) fn known_port(&self, service: &str) -> Option<u16> {
        match self {
            Self::Cluster(_) => ClusterWay::known_port(service),
            Self::Local(way) => way.known_port(service),
        }
    }

    /// A service's port.
    pub(crate) async fn port(&self, service: &str) -> Result<u16, Error> {
        match self {
            Self::Cluster(way) => way.port(service).await,
            Self::Local(way) => Err(way.unknown(service)),
        }
    }

    /// Nobody answers there; an error when nobody ever will.
    pub(crate) async fn doubt(&self, dialled: &Dialled) -> Result<Doubt, Error> {
        match self {
            Self::Cluster(way) => way.doubt(dialled).await,
            // A name that is not one of ours is refused at once.
            Self::Local(_) if dialled.url => Ok(Doubt::Nothing),
            Self::Local(way) => {
                let other = way.doubt(&dialled.service.name, dialled.port, dialled.assumed).await?;
                Ok(other.map_or(Doubt::Nothing, Doubt::OtherPort))
            }
        }
    }

    /// Why a name that can't be resolved never will be: this machine is not where the way begins.
    pub(crate) fn outside(&self, service: &ServiceName) -> Option<Error> {
        match self {
            Self::Cluster(way) => way.outside(service),
            Self::Local(_) => None,
        }
    }

    /// Why a service that took a connection did not answer, when that is known.
    pub(crate) async fn blame(&self, service: &str, port: u16) -> Option<Error> {
        match self {
            Self::Cluster(_) => None,
            Self::Local(way) => way.blame(service, port).await,
        }
    }

    /// Whether a name that can't be resolved is a service's.
    pub(crate) async fn knows(&self, service: &str) -> Known {
        match self {
            Self::Cluster(way) => way.knows(service).await,
            Self::Local(way) => way.knows(service),
        }
    }

    /// Who resolves names there.
    pub(crate) fn resolver(&self) -> &'static str {
        match self {
            Self::Cluster(_) => "cluster DNS",
            Self::Local(_) => "msctl up",
        }
    }

    /// Why a service that exists has a name that does not.
    pub(crate) fn unresolved(&self, service: &str) -> String {
        match self {
            Self::Cluster(_) => ClusterWay::unresolved(service),
            Self::Local(_) => format!("{service} was there a moment ago"),
        }
    }

    /// Why a connection to a service may be refused.
    pub(crate) fn unready(&self) -> &'static str {
        match self {
            Self::Cluster(_) => "no pod of it is ready, or it does not listen there",
            Self::Local(_) => "no replica of it is ready",
        }
    }

    /// What to do about a connection that can't be had.
    pub(crate) fn hint(&self, failure: &DialError) -> Option<String> {
        match self {
            Self::Cluster(_) => failure.hint(),
            Self::Local(_) => Some("msctl status".to_owned()),
        }
    }

    /// Where traces are: as `--jaeger` says; else where `service` sends them, when one is named; else where they
    /// usually are.
    pub(crate) async fn jaeger(&self, asked: Option<&Asked>, service: Option<&str>) -> Jaeger {
        match self {
            Self::Cluster(way) => way.jaeger(asked, service).await,
            Self::Local(_) => asked.map_or_else(Jaeger::of_up, Jaeger::asked),
        }
    }
}
