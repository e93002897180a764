//! Where a command works: what the command line says, else what msctl.yaml says, else the kubeconfig's current context.
//!
//! A flag that names a cluster is the command line's word too: it beats the environment that is a project's default.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use ::local::state::{FOLDER, Running};
use project::{Choice, FILE_NAME, LOCAL, Project, Refused};

use super::Platform;
use crate::cli::Globals;
use crate::cluster::kubernetes::Kubernetes;
use crate::error::{Aim, Error};
use crate::local::Local;

/// What the command line means.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) platform: Platform,
    /// What of msctl.yaml does not count, and why.
    pub(super) note: Option<String>,
}

/// The platform that the command line means. Reads msctl.yaml, asks nobody.
pub(super) fn choose(globals: &Globals) -> Result<Chosen, Error> {
    let named = named(globals)?;
    let project = match project(globals, std::env::current_dir()) {
        Ok(Some(project)) => project,
        Ok(None) => {
            return match named {
                None => Ok(cluster(globals, None, None, None)),
                Some(name) => Err(nowhere(&format!("there is no environment {name}"))),
            };
        }
        Err(error) if named.is_some() => return Err(error),
        Err(error) if place_flag(globals).is_some() => return Ok(cluster(globals, None, Some(error), None)),
        Err(error) => {
            let error = error.next("--context NAME works on a cluster without it");
            return Err(if left_behind(globals).is_some() {
                error.next("msctl down ends what runs here")
            } else {
                error
            });
        }
    };
    if named.is_none()
        && let Some((flag, default)) = instead_of_default(globals, &project)
    {
        let file = project.file.display();
        let note =
            format!("{flag} is given, so the environment {default}, which {file} has as default, does not count");
        return Ok(cluster(globals, Some(project), None, Some(note)));
    }
    match chosen(&project, named)? {
        Choice::Local => local(globals, project),
        Choice::None => Ok(cluster(globals, Some(project), None, None)),
        Choice::Cluster(environment) => {
            let environment = environment.clone();
            let kubernetes = Box::new(Kubernetes::pinned(globals.clone(), environment, project)?);
            Ok(Chosen { platform: Platform::Cluster { kubernetes, unread: None }, note: None })
        }
    }
}

fn chosen<'a>(project: &'a Project, named: Option<&str>) -> Result<Choice<'a>, Error> {
    project.environment(named).map_err(|cause| match cause {
        Refused::Unknown(cause) => Error::usage(format!("there is no environment {}", cause.name))
            .why(cause.to_string())
            .place(project.file.display().to_string())
            .next("-e NAME with an environment of msctl.yaml; --context NAME, for one of the kubeconfig"),
        Refused::Broken(cause) => unusable(&cause),
    })
}

/// For the verbs that are about this machine alone.
pub(super) fn local_project(globals: &Globals) -> Result<Local, Error> {
    let project = project(globals, std::env::current_dir())?.ok_or_else(|| nowhere("there is no project"))?;
    if let Some(name) = named(globals)?.filter(|name| *name != LOCAL) {
        chosen(&project, Some(name))?;
        return Err(Error::usage(format!("environment {name} is not on this machine"))
            .why("it is a cluster, and this verb is about this machine")
            .next(format!("msctl deploy SERVICE -e {name}")));
    }
    refuse_cluster_flags(globals, &project)?;
    Ok(Local::new(project))
}

/// What has state on this machine while its msctl.yaml can't be read, or is gone: enough to end it.
pub(super) fn left_behind(globals: &Globals) -> Option<Local> {
    let local = matches!(named(globals), Ok(None | Some(LOCAL))) && place_flag(globals).is_none();
    let folder = match globals.project.as_deref().filter(|_| local) {
        Some(given) if given.is_dir() => std::path::absolute(given).ok()?,
        Some(given) => std::path::absolute(given).ok()?.parent()?.to_owned(),
        None if local => {
            let has = |folder: &&Path, name| folder.join(name).exists();
            let here = std::env::current_dir().ok()?;
            here.ancestors().find(|folder| has(folder, FILE_NAME) || has(folder, FOLDER))?.to_owned()
        }
        None => return None,
    };
    if !folder.join(FOLDER).is_dir() {
        return None;
    }
    let name = match Running::read(&folder.join(FOLDER)) {
        Some(running) => running.project,
        None => folder.file_name()?.to_string_lossy().into_owned(),
    };
    Some(Local::new(Project {
        name,
        file: folder.join(FILE_NAME),
        folder,
        services: BTreeMap::new(),
        environments: BTreeMap::new(),
        default_environment: None,
    }))
}

/// The flags that say where, for commands that are to be run next.
pub(super) fn aim(globals: &Globals) -> Aim {
    let (context, kubeconfig) = (globals.context.as_ref(), globals.kubeconfig.as_ref());
    let place = match named(globals) {
        Ok(Some(LOCAL)) => vec!["--local".to_owned()],
        Ok(Some(name)) => vec![format!("-e {name}")],
        _ => context
            .map(|context| format!("--context {}", word(context)))
            .into_iter()
            .chain(kubeconfig.map(|file| format!("--kubeconfig {}", word(&file.to_string_lossy()))))
            .collect(),
    };
    // What the variable says, it says to the next command as well.
    let said =
        globals.project.as_ref().filter(|file| std::env::var_os("MSCTL_PROJECT").as_deref() != Some(file.as_os_str()));
    Aim {
        project: said.map(|file| format!("--project {}", word(&file.to_string_lossy()))),
        place,
        namespace: globals.namespace.as_ref().map(|namespace| format!("-n {}", word(namespace))),
    }
}

/// As a shell takes it for one word.
fn word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:@%+=,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn named(globals: &Globals) -> Result<Option<&str>, Error> {
    match (globals.local, globals.environment.as_deref()) {
        (true, Some(name)) if name != LOCAL => Err(Error::usage(format!("--local and -e {name} exclude each other"))
            .why(format!("--local is this machine, and {name} is a cluster"))
            .next("leave out one of them")),
        (true, _) => Ok(Some(LOCAL)),
        (false, name) => Ok(name),
    }
}

/// The project, `here` being the working directory: one that was removed is in no project, and harms nobody who does not
/// name a file in it.
fn project(globals: &Globals, here: io::Result<PathBuf>) -> Result<Option<Project>, Error> {
    let found = match (globals.project.as_deref(), here) {
        (Some(given), _) if given.is_absolute() => Project::discover(Some(given), given),
        (given, Ok(here)) => Project::discover(given, &here),
        (Some(given), Err(cause)) => {
            return Err(Error::usage(format!("cannot look for {}", given.display()))
                .why(format!("the working directory: {cause}"))
                .next("--project FILE with an absolute path"));
        }
        (None, Err(_)) => Ok(None),
    };
    found.map_err(|cause| unusable(&cause))
}

fn unusable(cause: &project::Error) -> Error {
    let error = Error::usage(format!("cannot use {}", cause.file.display())).place(cause.file.display().to_string());
    let error = cause.problems.iter().fold(error, |error, problem| error.why(problem.to_string()));
    let in_text = cause.problems.iter().any(|problem| problem.line > 0);
    if in_text {
        error.next("correct it; msctl deploy SERVICE --dry-run=client reads it and changes nothing")
    } else {
        error.next("--project FILE, or a folder with an msctl.yaml that can be read")
    }
}

fn nowhere(what: &str) -> Error {
    Error::usage(what)
        .why("no msctl.yaml here or in a folder above")
        .place(std::env::current_dir().map_or_else(|cause| cause.to_string(), |here| here.display().to_string()))
        .next("go to the project's folder, or name its msctl.yaml with --project FILE")
}

/// Without an environment: the context of the command line, else the kubeconfig's current one.
fn cluster(globals: &Globals, project: Option<Project>, unread: Option<Error>, note: Option<String>) -> Chosen {
    let kubernetes = Box::new(Kubernetes::new(globals.clone(), project));
    Chosen { platform: Platform::Cluster { kubernetes, unread }, note }
}

fn local(globals: &Globals, project: Project) -> Result<Chosen, Error> {
    refuse_cluster_flags(globals, &project)?;
    Ok(Chosen { platform: Platform::Local(Box::new(Local::new(project))), note: None })
}

/// The flag that says which cluster.
fn place_flag(globals: &Globals) -> Option<String> {
    let context = globals.context.as_ref().map(|context| format!("--context {context}"));
    context.or_else(|| globals.kubeconfig.as_ref().map(|file| format!("--kubeconfig {}", file.display())))
}

/// The flag that says as whom, which means something in a cluster only.
fn person_flag(globals: &Globals) -> Option<String> {
    let user = globals.as_user.as_ref().map(|user| format!("--as {user}"));
    user.or_else(|| globals.as_groups.first().map(|group| format!("--as-group {group}")))
}

/// The flag that puts aside the project's default environment, and that environment.
fn instead_of_default<'a>(globals: &Globals, project: &'a Project) -> Option<(String, &'a str)> {
    let default = project.default_environment.as_deref()?;
    let flag = place_flag(globals).or_else(|| person_flag(globals).filter(|_| default == LOCAL))?;
    Some((flag, default))
}

/// Whoever names a cluster does not mean this machine.
fn refuse_cluster_flags(globals: &Globals, project: &Project) -> Result<(), Error> {
    if let Some(flag) = place_flag(globals).or_else(|| person_flag(globals)) {
        return Err(Error::usage(format!("{flag} has no meaning on this machine"))
            .why("it is a cluster's, and the environment here is local")
            .next(format!(
                "leave out {flag}; another verb takes -e NAME, for an environment of msctl.yaml that is a cluster"
            )));
    }
    if let Some(namespace) = globals.namespace.as_ref().filter(|namespace| **namespace != project.name) {
        return Err(Error::usage(format!("there is no namespace {namespace} on this machine"))
            .why(format!("what runs here is {}, as {} says", project.name, project.file.display()))
            .next("leave out --namespace"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
