//! Where a command works: what the command line says, else what msctl.yaml says, else the kubeconfig's current context.

use project::{Choice, LOCAL, Project};

use super::Platform;
use crate::cli::Globals;
use crate::cluster::kubernetes::Kubernetes;
use crate::error::Error;
use crate::local::Local;
use crate::wanted::Layers;

/// The platform that the command line means. Reads msctl.yaml, asks nobody.
pub(super) fn choose(globals: &Globals) -> Result<Platform, Error> {
    let named = named(globals)?;
    let Some(project) = project(globals)? else {
        return match named {
            None => Ok(Platform::Cluster(Box::new(Kubernetes::new(globals.clone(), Layers::None)))),
            Some(name) => Err(nowhere(&format!("there is no environment {name}"))),
        };
    };
    let choice = project.environment(named).map_err(|cause| Error::usage(cause.to_string()))?;
    match choice {
        Choice::Local => local(globals, project),
        Choice::None => {
            let layers = Layers::Cluster { project: Box::new(project), environment: None };
            Ok(Platform::Cluster(Box::new(Kubernetes::new(globals.clone(), layers))))
        }
        Choice::Cluster(environment) => {
            let environment = environment.clone();
            let layers = Layers::Cluster { project: Box::new(project), environment: Some(environment.clone()) };
            Kubernetes::pinned(globals.clone(), &environment, layers)
                .map(|kubernetes| Platform::Cluster(Box::new(kubernetes)))
        }
    }
}

/// For the verbs that are about this machine alone.
pub(super) fn local_project(globals: &Globals) -> Result<Local, Error> {
    if let Some(name) = named(globals)?.filter(|name| *name != LOCAL) {
        return Err(Error::usage(format!("environment {name} is a cluster, and this verb is about this machine"))
            .next(format!("msctl deploy SERVICE -e {name}")));
    }
    let project = project(globals)?.ok_or_else(|| nowhere("there is no project"))?;
    refuse_cluster_flags(globals, &project)?;
    Ok(Local::new(project))
}

/// The flag that named an environment, for commands that are to be run next.
pub(super) fn flag(globals: &Globals) -> Option<String> {
    match named(globals).ok()?? {
        LOCAL => Some("--local".to_owned()),
        name => Some(format!("-e {name}")),
    }
}

fn named(globals: &Globals) -> Result<Option<&str>, Error> {
    match (globals.local, globals.environment.as_deref()) {
        (true, Some(name)) if name != LOCAL => Err(Error::usage(format!("--local and -e {name} exclude each other"))),
        (true, _) => Ok(Some(LOCAL)),
        (false, name) => Ok(name),
    }
}

fn project(globals: &Globals) -> Result<Option<Project>, Error> {
    let here = std::env::current_dir()
        .map_err(|cause| Error::usage("cannot look for msctl.yaml").why(format!("the working directory: {cause}")))?;
    Project::discover(globals.project.as_deref(), &here).map_err(|cause| {
        let error = Error::usage(format!("cannot use {}", cause.file.display()));
        cause.problems.iter().fold(error, |error, problem| error.why(problem.to_string()))
    })
}

fn nowhere(what: &str) -> Error {
    Error::usage(what)
        .why("no msctl.yaml here or in a folder above")
        .next("go to the project's folder, or name its msctl.yaml with --project FILE")
}

fn local(globals: &Globals, project: Project) -> Result<Platform, Error> {
    refuse_cluster_flags(globals, &project)?;
    Ok(Platform::Local(Box::new(Local::new(project))))
}

/// Whoever names a cluster does not mean this machine.
fn refuse_cluster_flags(globals: &Globals, project: &Project) -> Result<(), Error> {
    if let Some(context) = &globals.context {
        return Err(Error::usage(format!("--context {context} is a cluster's, and the environment here is local"))
            .next("-e NAME, for an environment of msctl.yaml that has this context"));
    }
    if let Some(namespace) = globals.namespace.as_ref().filter(|namespace| **namespace != project.name) {
        return Err(Error::usage(format!("there is no namespace {namespace} on this machine")).why(format!(
            "what runs here is {}, as {} says",
            project.name,
            project.file.display()
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    /// A folder with an msctl.yaml, removed when dropped.
    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new(name: &str, yaml: &str) -> Self {
            let path = std::env::temp_dir().join(format!("msctl-choice-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            std::fs::write(path.join("msctl.yaml"), yaml).unwrap();
            Self(path)
        }

        fn choose(&self, args: &[&str]) -> Result<Platform, Error> {
            let project = self.0.to_str().unwrap();
            let line = ["msctl", "status", "--project", project];
            choose(&crate::cli::Cli::try_parse_from(line.iter().chain(args)).unwrap().globals)
        }

        fn refusal(&self, args: &[&str]) -> String {
            let error = self.choose(args).unwrap_err();
            assert_eq!(error.code(), crate::error::ExitCode::Usage, "{error}");
            error.to_string()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    const SHOP: &str = "name: shop\nservices: {orders: {run: ./orders, port: 8080}}\n\
                        environments: {staging: {context: kind-dev, namespace: shop}}\n";

    fn is_local(platform: &Platform) -> bool {
        matches!(platform, Platform::Local(_))
    }

    #[test]
    fn the_command_line_is_asked_before_msctl_yaml_and_msctl_yaml_before_the_kubeconfig() {
        let folder = Folder::new("order", SHOP);
        assert!(!is_local(&folder.choose(&[]).unwrap()));
        assert!(is_local(&folder.choose(&["--local"]).unwrap()) && is_local(&folder.choose(&["-e", "local"]).unwrap()));
        let folder = Folder::new("default", &format!("{SHOP}environment: local\n"));
        assert!(is_local(&folder.choose(&[]).unwrap()));
        assert!(!is_local(&folder.choose(&["-e", "staging"]).unwrap()));
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let folder = Folder::new("contradiction", SHOP);
        for (args, reason) in [
            (&["--local", "-e", "staging"][..], "exclude each other"),
            (&["--local", "--context", "kind-dev"], "is a cluster's"),
            (&["--local", "-n", "other"], "there is no namespace other on this machine"),
            (&["-e", "staging", "--context", "production"], "pinned to context kind-dev"),
            (&["-e", "stagin"], "did you mean `staging`?"),
        ] {
            let refusal = folder.refusal(args);
            assert!(refusal.contains(reason), "{args:?}: {refusal}");
        }
        assert!(folder.choose(&["--local", "-n", "shop"]).is_ok());
        assert!(folder.choose(&["-e", "staging", "--context", "kind-dev"]).is_ok());
    }

    #[test]
    fn an_msctl_yaml_that_is_wrong_is_told_with_line_and_column() {
        let folder = Folder::new("broken", "services:\n  orders: {rum: x}\n");
        assert!(folder.refusal(&[]).contains("msctl.yaml:2:"), "{}", folder.refusal(&[]));
    }
}
