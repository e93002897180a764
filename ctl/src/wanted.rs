//! From the command line to what a service should be: values merged and checked.

mod layers;
mod sources;

use std::io::Read as _;
use std::path::Path;

use manifests::names;
use manifests::values::set::Kind;
use manifests::values::{ImageReference, UserValues, Values, bundled, defaults, merge, resolve};
use serde_json::{Value, json};

use crate::cli::deploy::ValuesArgs;
use crate::cli::distinct;
use crate::error::{Error, ExitCode, did_you_mean};
pub(crate) use layers::Layers;
use sources::Sources;

/// A service as it should be, wherever it is to run.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) service: String,
    pub(crate) values: Values,
    /// What this command line itself sets of the replicas and of an autoscaler's bounds.
    pub(crate) asked: Asked,
}

/// Which of the fields that others may set a person asked for in this very command.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) replicas: bool,
    /// The autoscaler's bounds.
    pub(crate) min_replicas: bool,
    pub(crate) max_replicas: bool,
}

impl Wanted {
    /// All services of a command line, each with the same files and flags over what the project says of it.
    pub(crate) fn all(services: &[String], args: &ValuesArgs, layers: Layers<'_>) -> Result<Vec<Self>, Error> {
        let services = distinct(services);
        for (flag, given) in [("--image", args.image.is_some()), ("--port", args.port.is_some())] {
            if given && services.len() > 1 {
                return Err(Error::usage(format!("cannot use {flag} for {}", services.join(", ")))
                    .why(format!("{flag} is for one service, and {} are named", services.len()))
                    .place(flag)
                    .next(format!("msctl deploy {} {flag} …, and then the others", services[0])));
            }
        }
        let files = args.values.iter().map(|path| read_file(path)).collect::<Result<Vec<_>, _>>()?;
        services.iter().map(|service| Self::one(service, args, &files, layers)).collect()
    }

    fn one(service: &str, args: &ValuesArgs, files: &[(String, String)], layers: Layers<'_>) -> Result<Self, Error> {
        let user = UserInput::read(service, args, files, layers)?;
        let refused = |why: String| Error::usage(format!("cannot deploy {service}")).why(why);
        names::service(service).map_err(|cause| misnamed(service, refused(cause.to_string())))?;
        let known = bundled().any(|name| name == service);
        let has_image = user.all.get(&["image", "repository"]).is_some_and(Value::is_string);
        if !known && !has_image {
            return Err(unknown(service));
        }
        let broken = |cause: &dyn std::error::Error| {
            Error::new(ExitCode::Failed, format!("cannot read the bundled values of {service}")).why(cause.to_string())
        };
        let base = defaults(service).map_err(|cause| broken(&cause))?;
        let merged = layers.adapt(service, merge(base, user.all.clone().into_value()))?;
        let values = resolve(merged).map_err(|cause| {
            let error = Error::usage(format!("cannot deploy {service}: its values are not valid"));
            let error = cause.problems.iter().fold(error, |error, problem| error.why(problem.to_string()));
            let places = user.sources.of(cause.problems.iter().map(|problem| problem.path.as_str()));
            let error = if places.is_empty() { error } else { error.place(places.join(", ")) };
            error.next(layers.corrected(service))
        })?;
        if args.replicas.is_some() && values.autoscaling.enabled {
            return Err(refused("it has an autoscaler, which would undo --replicas".to_owned()).next(
                "--set autoscaling.minReplicas=N,autoscaling.maxReplicas=M, or --set autoscaling.enabled=false",
            ));
        }
        Ok(Self { service: service.to_owned(), values, asked: user.asked })
    }
}

/// The project, files and flags.
struct UserInput {
    all: UserValues,
    asked: Asked,
    sources: Sources,
}

impl UserInput {
    /// Files are texts, with their names.
    fn read(service: &str, args: &ValuesArgs, files: &[(String, String)], layers: Layers<'_>) -> Result<Self, Error> {
        let mut all = UserValues::default();
        let mut sources = Sources::default();
        for (name, values) in layers.of(service)? {
            all.overlay(values.clone());
            sources.file(name, values);
        }
        for (text, name) in files {
            let mut file = UserValues::default();
            file.file(text, name).map_err(|cause| {
                Error::usage(format!("cannot use {name}"))
                    .why(cause.to_string())
                    .place(name)
                    .next(format!("write it as a map of keys, `replicas: 2`; {}", layers.corrected(service)))
            })?;
            let values = file.into_value();
            all.overlay(values.clone());
            sources.file(name.clone(), values);
        }
        let flags = [
            (Kind::Json, &args.set_json),
            (Kind::Typed, &args.set),
            (Kind::Text, &args.set_string),
            (Kind::File, &args.set_file),
        ];
        // Only what this command line says, for the replicas: a file says what a service starts with.
        let mut said = UserValues::default();
        for (kind, texts) in flags {
            for text in texts {
                let flag = kind.flag();
                all.set(kind, text).map_err(|cause| {
                    Error::usage(format!("cannot deploy {service}")).why(cause.to_string()).place(flag).next(form(kind))
                })?;
                // A pipe in place of a file gives what is in it once.
                let unread = if kind == Kind::File { Kind::Text } else { kind };
                // An index into a list of a file is no assignment by itself; it is none of replicas either.
                let mut alone = UserValues::default();
                if alone.set(unread, text).is_ok() {
                    let values = alone.into_value();
                    said.overlay(values.clone());
                    sources.flag(flag, values);
                }
            }
        }
        let short = short_forms(args)?;
        all.overlay(short.clone());
        sources.short_forms(&short);
        said.overlay(short);
        layers.check_flags(&said)?;
        let is_said = |path: &[&str]| said.get(path).is_some_and(|value| !value.is_null());
        let asked = Asked {
            replicas: is_said(&["replicas"]),
            min_replicas: is_said(&["autoscaling", "minReplicas"]),
            max_replicas: is_said(&["autoscaling", "maxReplicas"]),
        };
        Ok(Self { all, asked, sources })
    }
}

/// `--image`, `--port` and `--replicas` as values.
fn short_forms(args: &ValuesArgs) -> Result<Value, Error> {
    let mut values = json!({});
    if let Some(image) = &args.image {
        let image: ImageReference = image.parse().map_err(|cause: manifests::values::ImageError| {
            Error::usage(format!("cannot use image {image}"))
                .why(cause.to_string())
                .place("--image")
                .next("--image REPO:TAG, as ghcr.io/example/orders:1.4.2")
        })?;
        values["image"] = json!({ "repository": image.repository, "tag": image.tag, "digest": image.digest });
    }
    if let Some(port) = args.port {
        values["service"] = json!({ "port": port });
    }
    if let Some(replicas) = args.replicas {
        values["replicas"] = json!(replicas);
    }
    Ok(values)
}

/// (text, name for messages) of a values file; `-` is stdin.
fn read_file(path: &Path) -> Result<(String, String), Error> {
    let stdin = path == Path::new("-");
    let name = if stdin { "stdin".to_owned() } else { path.display().to_string() };
    let read = if stdin {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    match read {
        Ok(text) => Ok((text, name)),
        Err(cause) => Err(Error::usage(format!("cannot read the values in {name}"))
            .why(cause.to_string())
            .place(name)
            .next("--values FILE, or --values - for stdin")),
    }
}

/// How a flag's text is written.
fn form(kind: Kind) -> &'static str {
    match kind {
        Kind::Typed => "--set KEY=VALUE, as replicas=2,service.port=8080",
        Kind::Text => "--set-string KEY=VALUE, as env.LEVEL=1",
        Kind::Json => "--set-json KEY=JSON, as 'env={\"LEVEL\":\"1\"}'",
        Kind::File => "--set-file KEY=FILE, as env.TEXT=./text.txt",
    }
}

/// The name that was probably meant, where it differs in letters that no name has.
fn misnamed(service: &str, error: Error) -> Error {
    let meant = service.to_lowercase().replace(['_', '.', ' '], "-");
    let next =
        if names::service(&meant).is_ok() { format!("msctl deploy {meant}") } else { "msctl deploy NAME".to_owned() };
    error.next(next)
}

fn unknown(service: &str) -> Error {
    let known: Vec<&str> = bundled().collect();
    let error = Error::usage(format!("unknown service {service}"))
        .why(format!("bundled are {}; another one needs its image", known.join(", ")));
    let error = match did_you_mean(service, known) {
        Some(near) => error.next(format!("msctl deploy {near}, if that is meant")),
        None => error,
    };
    error.next(format!("msctl deploy {service} --image REPO:TAG --port PORT"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::verbs::deploy::objects;

    fn wanted(services: &[&str], args: &ValuesArgs) -> Result<Vec<Wanted>, Error> {
        let services: Vec<String> = services.iter().map(|&service| service.to_owned()).collect();
        Wanted::all(&services, args, Layers::default())
    }

    fn set(texts: &[&str]) -> ValuesArgs {
        ValuesArgs { set: texts.iter().map(|&text| text.to_owned()).collect(), ..ValuesArgs::default() }
    }

    fn refusal(services: &[&str], args: &ValuesArgs) -> String {
        let error = wanted(services, args).unwrap_err();
        assert_eq!(error.code(), ExitCode::Usage, "{error}");
        error.to_string()
    }

    #[test]
    fn a_bundled_service_needs_nothing_but_its_name() {
        let wanted = wanted(&["service-b", "service-a", "service-a"], &ValuesArgs::default()).unwrap();
        let names: Vec<&str> = wanted.iter().map(|wanted| wanted.service.as_str()).collect();
        assert_eq!(names, ["service-a", "service-b"]);
        let objects = objects(&wanted[0], "shop").unwrap();
        assert!(objects.iter().any(|(reference, _)| reference.to_string() == "deployment.apps/service-a"));
    }

    #[test]
    fn a_service_of_ones_own_needs_an_image() {
        let text = refusal(&["servce-a"], &ValuesArgs::default());
        assert!(
            text.contains("next: msctl deploy service-a, if that is meant") && text.contains("--image REPO:TAG"),
            "{text}"
        );
        let args = ValuesArgs { image: Some("ghcr.io/acme/orders:1".into()), port: Some(80), ..ValuesArgs::default() };
        assert!(wanted(&["orders"], &args).is_ok());
    }

    #[test]
    fn an_image_without_a_tag_is_refused_with_what_to_write() {
        let args = ValuesArgs { image: Some("ghcr.io/acme/orders".into()), ..ValuesArgs::default() };
        assert!(refusal(&["orders"], &args).contains("ghcr.io/acme/orders:1.0.0"));
    }

    #[test]
    fn an_unknown_key_a_wrong_type_and_a_port_out_of_range_name_the_key() {
        for (text, key) in
            [("replcas=2", "replcas"), ("replicas=two", "replicas"), ("service.port=70000", "service.port")]
        {
            let refusal = refusal(&["service-a"], &set(&[text]));
            assert!(refusal.contains(key), "{text}: {refusal}");
        }
    }

    #[test]
    fn one_image_is_not_for_two_services() {
        let args = ValuesArgs { image: Some("x/y:1".into()), ..ValuesArgs::default() };
        assert!(refusal(&["service-a", "service-b"], &args).contains("--image is for one service"));
    }

    #[test]
    fn a_values_file_that_is_not_there_is_named() {
        let args = ValuesArgs { values: vec!["/nowhere/values.yaml".into()], ..ValuesArgs::default() };
        assert!(refusal(&["service-a"], &args).contains("/nowhere/values.yaml"));
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_how_to_write_it() {
        let file = std::env::temp_dir().join(format!("msctl-no-values-{}.yaml", std::process::id()));
        std::fs::write(&file, "- replicas\n").unwrap();
        let of = |change: &dyn Fn(&mut ValuesArgs)| {
            let mut args = ValuesArgs::default();
            change(&mut args);
            args
        };
        for (service, args, next) in [
            ("Service_A", ValuesArgs::default(), "msctl deploy service-a"),
            ("service-a", of(&|args| args.values = vec![file.clone()]), "write it as a map of keys"),
            ("service-a", of(&|args| args.values = vec!["/nowhere/values.yaml".into()]), "--values FILE"),
            ("service-a", of(&|args| args.set = vec!["replicas".into()]), "--set KEY=VALUE"),
            ("service-a", of(&|args| args.set_json = vec!["env={".into()]), "--set-json KEY=JSON"),
            ("service-a", of(&|args| args.image = Some("ghcr.io/acme/a".into())), "--image REPO:TAG"),
        ] {
            let refusal = refusal(&[service], &args);
            assert!(refusal.contains(&format!("next: {next}")), "{refusal}");
        }
        std::fs::remove_file(file).unwrap();
    }

    #[test]
    fn replicas_are_asked_for_by_flags_and_not_by_files() {
        let asked = |args: &ValuesArgs| wanted(&["service-a"], args).unwrap()[0].asked;
        let replicas = Asked { replicas: true, ..Asked::default() };
        assert_eq!(asked(&ValuesArgs::default()), Asked::default());
        let min_replicas = Asked { min_replicas: true, ..Asked::default() };
        assert_eq!(asked(&set(&["autoscaling.minReplicas=2"])), min_replicas);
        assert_eq!(asked(&set(&["replicas=3"])), replicas);
        assert_eq!(asked(&ValuesArgs { replicas: Some(3), ..ValuesArgs::default() }), replicas);
        let file = std::env::temp_dir().join(format!("msctl-values-{}.yaml", std::process::id()));
        std::fs::write(&file, "replicas: 4\n").unwrap();
        let from_file = asked(&ValuesArgs { values: vec![file.clone()], ..ValuesArgs::default() });
        std::fs::remove_file(file).unwrap();
        assert_eq!(from_file, Asked::default());
    }
}
