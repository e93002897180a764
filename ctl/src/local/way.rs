//! The way to the services of this machine: by their names, through the control socket of `msctl up`.

use std::collections::{BTreeMap, BTreeSet};

use ::local::control::{Client, DialFailure};
use ::local::names;
use ::local::{ServiceState, ServiceStatus};
use reach::{Connector, DialError};

use super::Local;
use crate::cli::call::WayArgs;
use crate::error::{Error, ExitCode, did_you_mean};
use crate::target::ServiceName;
use crate::way::Known;

/// A way, and what was up when it was chosen.
#[derive(Debug, Clone)]
pub(crate) struct LocalWay {
    client: Client,
    namespace: String,
    /// Ports by name.
    services: BTreeMap<String, u16>,
    /// What msctl.yaml has, whether it is up or not.
    declared: BTreeSet<String>,
}

impl LocalWay {
    pub(crate) async fn choose(local: &Local, args: &WayArgs, target: Option<&ServiceName>) -> Result<Self, Error> {
        if args.via.is_some() {
            return Err(Error::usage("--via has no meaning on this machine")
                .why("services are reached through `msctl up`")
                .next("leave out --via"));
        }
        let client = local.client()?;
        let (services, info) = futures::try_join!(client.status(), client.info())?;
        // Of what is up: msctl.yaml may say another by now.
        let namespace = info.namespace;
        if let Some(other) = target.and_then(|target| target.namespace.as_ref()).filter(|other| **other != namespace) {
            return Err(Error::usage(format!("there is no namespace {other} on this machine"))
                .why(format!("what runs here is {namespace}"))
                .next("-e NAME, for an environment of msctl.yaml"));
        }
        let services = services.into_iter().map(|service| (service.name, service.port)).collect();
        let declared = local.project().services.keys().cloned().collect();
        Ok(Self { client, namespace, services, declared })
    }

    pub(crate) fn open(&self) -> Connector {
        let client = self.client.clone();
        Connector::local(move |host, port| {
            let client = client.clone();
            async move { client.dial(&host, port).await.map_err(|cause| failure(&host, port, cause)) }
        })
    }

    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    pub(crate) fn place(&self) -> String {
        format!("{}, on this machine", self.namespace)
    }

    pub(crate) fn known_port(&self, service: &str) -> Option<u16> {
        self.services.get(service).copied()
    }

    pub(crate) fn knows(&self, service: &str) -> Known {
        if self.services.contains_key(service) { Known::Yes } else { Known::No(self.unknown(service)) }
    }

    pub(crate) fn unknown(&self, service: &str) -> Error {
        let known: Vec<&str> = self.services.keys().map(String::as_str).collect();
        let error = Error::new(ExitCode::Failed, format!("cannot call {service}: there is no such service"))
            .why(format!(
                "{} has {}",
                self.namespace,
                if known.is_empty() { "none".to_owned() } else { known.join(", ") }
            ))
            .place(self.place());
        match did_you_mean(service, known) {
            _ if self.declared.contains(service) => error.next(format!("msctl deploy {service}")),
            Some(near) => error.next(format!("msctl call {near}")),
            None => error.next("msctl status"),
        }
    }

    /// Nobody answers: what is the matter with it now?
    pub(crate) async fn doubt(&self, service: &str, port: u16, assumed: bool) -> Result<Option<u16>, Error> {
        let services = self.client.status().await?;
        let Some(found) = services.iter().find(|found| found.name == service) else {
            return Err(self.unknown(service));
        };
        if found.port != port {
            let other = assumed.then_some(found.port);
            return other.map(Some).ok_or_else(|| self.wrong_port(found, port));
        }
        if found.wanted == 0 {
            return Err(Error::new(ExitCode::Failed, format!("cannot call {service}: it is scaled to no replicas"))
                .why("nobody is there to answer")
                .place(self.place())
                .next(format!("msctl scale {service} --replicas 1")));
        }
        match found.state {
            ServiceState::Failing if found.ready == 0 => Err(self.unready(found)),
            // One that starts is waited for.
            _ => Ok(None),
        }
    }

    /// Why a service that took a connection did not answer: the balancer takes them also while nobody is ready.
    pub(crate) async fn blame(&self, service: &str, port: u16) -> Option<Error> {
        if let Err(error) = self.doubt(service, port, false).await {
            return Some(error);
        }
        let services = self.client.status().await.ok()?;
        services.iter().find(|found| found.name == service && found.ready == 0).map(|found| self.unready(found))
    }

    fn unready(&self, found: &ServiceStatus) -> Error {
        let name = &found.name;
        let error = Error::new(ExitCode::Failed, format!("cannot call {name}: no replica of it is ready"))
            .why(format!("{} of {} are ready", found.ready, found.wanted));
        let error =
            found.reasons.iter().fold(error, |error, reason| error.why(format!("{}: {}", reason.subject, reason.text)));
        error.place(self.place()).next(format!("msctl logs {name} --tail 20")).next(format!("msctl status {name}"))
    }

    fn wrong_port(&self, found: &ServiceStatus, asked: u16) -> Error {
        let ServiceStatus { name, port, .. } = found;
        Error::new(ExitCode::Failed, format!("cannot call {name}: it has no port {asked}"))
            .why(format!("it listens on {port}"))
            .place(self.place())
            .next(format!("msctl call {name}:{port}"))
    }
}

/// As the other ways tell it.
fn failure(host: &str, port: u16, cause: DialFailure) -> DialError {
    let target = format!("{host}:{port}");
    match cause {
        DialFailure::Control(error) => DialError::Unreachable { target, detail: error.to_string() },
        DialFailure::Target(error) => {
            let detail = error.to_string();
            match error {
                names::DialError::Name { reason: names::NameError::Unknown { .. } }
                | names::DialError::NoHost { .. } => DialError::NotFound { target, detail },
                names::DialError::Name { .. } => DialError::BadTarget { target, detail },
                names::DialError::NotReady { .. } | names::DialError::Refused { .. } => {
                    DialError::Refused { target, detail }
                }
                names::DialError::TimedOut { .. } => DialError::TimedOut { target, detail },
                names::DialError::Unreachable { .. } => DialError::Unreachable { target, detail },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way() -> LocalWay {
        let services = BTreeMap::from([("service-a".to_owned(), 8000), ("service-b".to_owned(), 8001)]);
        LocalWay {
            client: Client::new("/nonexistent/control.sock"),
            namespace: "shop".to_owned(),
            services,
            declared: BTreeSet::new(),
        }
    }

    #[test]
    fn what_is_up_needs_no_question_and_what_is_not_gets_the_name_that_was_meant() {
        assert_eq!((way().known_port("service-b"), way().known_port("orders")), (Some(8001), None));
        assert!(matches!(way().knows("service-a"), Known::Yes));
        let Known::No(error) = way().knows("servce-a") else { panic!("known") };
        assert!(error.to_string().contains("next: msctl call service-a"), "{error}");
    }

    #[tokio::test]
    async fn an_up_that_has_ended_in_between_is_said() {
        let error = way().open().dial("service-a", 8000).await.unwrap_err();
        assert!(matches!(error, DialError::Unreachable { .. }) && error.to_string().contains("msctl up"), "{error}");
        assert!(way().doubt("service-a", 8000, true).await.unwrap_err().to_string().contains("next: msctl up"));
    }

    #[test]
    fn a_dial_that_failed_has_the_kind_that_decides_whether_to_wait() {
        let of = |cause| failure("a", 1, DialFailure::Target(cause));
        let name = |reason| names::DialError::Name { reason };
        let (name_, known) = ("a".to_owned(), Vec::new());
        let unknown =
            names::NameError::Unknown { name: name_.clone(), namespace: "shop".to_owned(), similar: None, known };
        assert!(matches!(of(name(unknown)), DialError::NotFound { .. }));
        let wrong = names::NameError::WrongPort { name: name_, port: 1, ports: vec![8000] };
        assert!(matches!(of(name(wrong)), DialError::BadTarget { .. }));
        assert!(matches!(of(names::DialError::NotReady { target: "a:1".to_owned() }), DialError::Refused { .. }));
    }
}
