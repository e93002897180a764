//! From the values of a service to the processes that it is here.

use ::local::{Probe, ServiceSpec};
use manifests::values::Values;
use manifests::values::types::{self, DrainBy};
use project::{Project, Service};

use crate::error::Error;
use crate::wanted::Wanted;

/// As the charts have it: after its own time to drain, before it is killed.
const KILL_MARGIN: u64 = 15;

/// What the supervisor is told of a service.
pub(super) fn spec(project: &Project, wanted: &Wanted) -> Result<ServiceSpec, Error> {
    let name = &wanted.service;
    let refused = |why: String| refused(project, name, why);
    let service = project.service(name).map_err(|cause| refused(cause.to_string()))?;
    let values = &wanted.values;
    if !service.folder.is_dir() {
        return Err(refused(format!("services.{name}.folder: {} is no folder", service.folder.display())));
    }
    let replicas = u32::try_from(values.replicas.unwrap_or(1)).unwrap_or_default();
    let (drain_delay_ms, stop_timeout_ms) = drain(&values.drain);
    Ok(ServiceSpec {
        name: name.clone(),
        argv: argv(project, service)?,
        folder: service.folder.clone(),
        port: values.service.port,
        admin: values.admin.port.is_some(),
        replicas,
        env: environment(values),
        startup: probe(values, &values.probes.startup),
        readiness: probe(values, &values.probes.readiness),
        liveness: probe(values, &values.probes.liveness),
        drain_delay_ms,
        stop_timeout_ms,
        version: values.image.version(),
    })
}

/// What msctl.yaml says of a service can't be done.
fn refused(project: &Project, name: &str, why: String) -> Error {
    Error::usage(format!("cannot run {name} on this machine")).why(why).place(project.file.display().to_string())
}

/// What its values say for clusters that a process of this machine goes without, though it may miss it.
pub(super) fn unused(values: &Values) -> Vec<&'static str> {
    [
        ("secrets", !values.secrets.is_empty()),
        ("volumes", !values.volumes.is_empty()),
        ("ingress", values.ingress.enabled),
        ("httpRoute", values.http_route.enabled),
        ("command", !values.command.is_empty()),
        ("args", !values.args.is_empty()),
    ]
    .into_iter()
    .filter_map(|(section, is_set)| is_set.then_some(section))
    .collect()
}

/// The command line, with the path of its program.
fn argv(project: &Project, service: &Service) -> Result<Vec<String>, Error> {
    let name = &service.name;
    let refused = |why: String| refused(project, name, why);
    let Some(run) = &service.run else {
        return Err(refused(format!("msctl.yaml has no services.{name}.run: it runs in clusters only"))
            .next(format!("services.{name}.run: COMMAND says how it is started here")));
    };
    let own = std::env::current_exe().ok();
    let beside = own.as_deref().and_then(std::path::Path::parent).unwrap_or(&service.folder);
    let program = run.resolve(beside, std::env::var_os("PATH").as_deref()).map_err(|cause| {
        let error = refused(cause.to_string());
        let bundled = manifests::values::bundled().any(|known| known == name);
        if bundled {
            error.next(format!("cargo build -p {name}, when this is a clone of msctl's sources"))
        } else {
            error
        }
    })?;
    let program = program
        .into_os_string()
        .into_string()
        .map_err(|path| refused(format!("the path of its program is no UTF-8: {}", path.to_string_lossy())))?;
    Ok(std::iter::once(program).chain(run.argv.iter().skip(1).cloned()).collect())
}

/// As in the `ConfigMap` of the charts, without what the supervisor says itself.
fn environment(values: &Values) -> std::collections::BTreeMap<String, String> {
    let mut env = std::collections::BTreeMap::new();
    if values.drain.by == DrainBy::Service {
        env.insert("DRAIN_DELAY".to_owned(), format!("{}s", values.drain.delay_seconds));
        env.insert("DRAIN_TIMEOUT".to_owned(), format!("{}s", values.drain.timeout_seconds));
    }
    if !values.telemetry.enabled {
        // The supervisor says where traces go, whatever the service.
        env.insert("OTEL_SDK_DISABLED".to_owned(), "true".to_owned());
    }
    let attributes = &values.telemetry.resource_attributes;
    if !attributes.is_empty() {
        let attributes: Vec<String> = attributes.iter().map(|(key, value)| format!("{key}={value}")).collect();
        env.insert("OTEL_RESOURCE_ATTRIBUTES".to_owned(), attributes.join(","));
    }
    env.extend(values.env.iter().map(|(name, value)| (name.clone(), value.0.clone())));
    env
}

fn probe(values: &Values, probe: &types::Probe) -> Probe {
    let millis = |seconds: i32| u64::try_from(seconds).unwrap_or_default() * 1000;
    Probe {
        path: probe.path.as_ref().map(|path| path.0.clone()),
        admin: values.admin.port.is_some(),
        period_ms: millis(probe.period_seconds),
        timeout_ms: millis(probe.timeout_seconds),
        failures: u32::try_from(probe.failure_threshold).unwrap_or_default(),
    }
}

/// How long connections are waited for before SIGTERM, and from there to SIGKILL. A service that drains by itself is
/// told at once, and waits itself.
fn drain(drain: &types::Drain) -> (u64, u64) {
    let seconds = |seconds: i64| u64::try_from(seconds).unwrap_or_default();
    let (delay, timeout) = (seconds(drain.delay_seconds), seconds(drain.timeout_seconds) + KILL_MARGIN);
    match drain.by {
        DrainBy::Service => (0, (delay + timeout) * 1000),
        DrainBy::Kubelet => (delay * 1000, timeout * 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::deploy::ValuesArgs;
    use crate::local::Local;

    /// Removed when dropped.
    struct Folder(std::path::PathBuf);

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    /// The spec of `orders`, whose part of msctl.yaml is this, for these `--set`s.
    fn orders(yaml: &str, set: &[&str]) -> Result<ServiceSpec, Error> {
        service("orders", &format!("{ORDERS}{yaml}"), set)
    }

    const ORDERS: &str = "services:\n  orders:\n    run: sh -c 'exec sleep 9'\n    port: 8080\n";

    fn service(name: &str, yaml: &str, set: &[&str]) -> Result<ServiceSpec, Error> {
        let (_folder, local, wanted) = wanted(name, yaml, set)?;
        local.specs(&wanted).map(|mut specs| specs.remove(0))
    }

    fn wanted(name: &str, yaml: &str, set: &[&str]) -> Result<(Folder, Local, Vec<Wanted>), Error> {
        use std::sync::atomic::{AtomicU32, Ordering};
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = Folder(std::env::temp_dir().join(format!("msctl-spec-{}-{count}", std::process::id())));
        std::fs::create_dir_all(&folder.0).unwrap();
        let file = folder.0.join("msctl.yaml");
        std::fs::write(&file, format!("name: shop\n{yaml}")).unwrap();
        let set = set.iter().map(|&text| text.to_owned()).collect();
        let args = ValuesArgs { set, ..ValuesArgs::default() };
        let local = Local::new(Project::load(&file).unwrap());
        let made = local.wanted(&[name.to_owned()], &args);
        made.map(|wanted| (folder, local, wanted))
    }

    #[test]
    fn a_service_of_ones_own_needs_a_command_and_a_port() {
        let spec = orders("", &[]).unwrap();
        assert!(spec.argv[0].ends_with("/sh") && spec.argv[1..] == ["-c", "exec sleep 9"], "{:?}", spec.argv);
        assert_eq!((spec.port, spec.admin, spec.version.as_str()), (8080, false, "local"));
        assert_eq!(spec.readiness.path, None);
    }

    #[test]
    fn values_of_the_project_are_below_those_of_this_machine_and_these_below_the_command_line() {
        let yaml = "    values: {replicas: 2, env: {A: project, B: project, C: project}}\n    \
                    local: {env: {B: machine, C: machine}}\n";
        let spec = orders(yaml, &["env.C=line", "probes.readiness.path=/healthz"]).unwrap();
        let env: Vec<&str> = ["A", "B", "C"].iter().map(|name| spec.env[*name].as_str()).collect();
        assert_eq!(env, ["project", "machine", "line"]);
        assert_eq!((spec.replicas, spec.readiness.path.as_deref()), (2, Some("/healthz")));
    }

    #[test]
    fn a_service_that_drains_by_itself_is_told_so_and_another_is_given_the_time() {
        let own = orders("    local: {drain: {by: service, delaySeconds: 2, timeoutSeconds: 3}}\n", &[]).unwrap();
        assert_eq!((own.env["DRAIN_DELAY"].as_str(), own.drain_delay_ms, own.stop_timeout_ms), ("2s", 0, 20_000));
        let other = orders("    local: {drain: {by: kubelet, delaySeconds: 2, timeoutSeconds: 3}}\n", &[]).unwrap();
        assert_eq!((other.env.get("DRAIN_DELAY"), other.drain_delay_ms, other.stop_timeout_ms), (None, 2_000, 18_000));
    }

    #[test]
    fn a_service_that_is_to_be_told_of_no_traces_sends_none() {
        let disabled = |set: &[&str]| orders("", set).unwrap().env.get("OTEL_SDK_DISABLED").cloned();
        assert_eq!(disabled(&[]), None);
        assert_eq!(disabled(&["telemetry.enabled=false"]).as_deref(), Some("true"));
    }

    #[test]
    fn a_database_in_a_file_is_in_the_state_folder_and_may_be_shared() {
        let spec = orders("    local: {database: {kind: sqlite}, replicas: 3}\n", &[]).unwrap();
        let file = spec.folder.join(".msctl/data/orders.sqlite3");
        assert_eq!((spec.env["DATABASE_URL"].clone(), spec.replicas), (format!("sqlite://{}", file.display()), 3));
        assert!(file.is_absolute(), "{}", file.display());
        let postgres = "    values: {database: {kind: postgres, postgres: {secret: s}}}\n";
        let error = orders(postgres, &[]).unwrap_err();
        assert!(error.to_string().contains("local.env.DATABASE_URL"), "{error}");
        let told = orders(&format!("{postgres}    local: {{env: {{DATABASE_URL: postgres://here}}}}\n"), &[]).unwrap();
        assert_eq!(told.env["DATABASE_URL"], "postgres://here");
    }

    #[test]
    fn what_has_no_meaning_here_is_refused_where_it_was_said_for_here() {
        for (yaml, set, key) in [
            ("", &["resources.limits.memory=1Gi"][..], "resources"),
            ("    local: {ingress: {enabled: true}}\n", &[], "local.ingress"),
        ] {
            let error = orders(yaml, set).unwrap_err();
            assert!(error.to_string().contains(key) && error.to_string().contains("no meaning"), "{error}");
        }
        // Said for clusters.
        orders("    values: {resources: {limits: {memory: 1Gi}}}\n", &[]).unwrap();
        let noted = wanted("orders", &format!("{ORDERS}    values: {{args: [--verbose], resources: {{}}}}\n"), &[]);
        assert_eq!(unused(&noted.unwrap().2[0].values), ["args"]);
    }

    #[test]
    fn a_program_that_is_missing_is_told_with_the_places_that_were_looked_at() {
        let yaml =
            "services:\n  orders: {run: no-such-program, port: 8080}\n  payments: {image: 'ghcr.io/x/y:1', port: 80}\n";
        let error = service("orders", yaml, &[]).unwrap_err().to_string();
        assert!(error.contains("there is no program `no-such-program`; looked in /"), "{error}");
        let error = service("payments", yaml, &[]).unwrap_err().to_string();
        assert!(error.contains("services.payments.run"), "{error}");
        let error = service("order", yaml, &[]).unwrap_err().to_string();
        assert!(error.contains("did you mean `orders`?"), "{error}");
    }
}
