//! A service's process: arguments, configuration, runtime, telemetry, exit code.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use telemetry::{Identity, Settings, Telemetry};
use tokio::time::timeout;

use crate::app::{App, Context};
use crate::config::ServeConfig;
use crate::env::Env;
use crate::health::Health;
use crate::serve::{ServeError, serve};

/// What a binary is.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    pub name: &'static str,
    pub version: &'static str,
    /// One sentence for `--help`.
    pub about: &'static str,
    /// The default port for traffic.
    pub port: u16,
    /// The default port for probes and metrics.
    pub admin_port: u16,
}

/// How a service ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Exit {
    /// Drained, or nothing was to be served.
    Done = 0,
    Failed = 1,
    /// A variable or an argument can't be used.
    Usage = 2,
}

/// How long background work has to stop, once the last request was answered.
const STOP: Duration = Duration::from_secs(5);

/// How long the last spans have to reach their collector.
const FLUSH: Duration = Duration::from_secs(5);

/// Runs a service from its arguments and environment to its exit code.
///
/// `read` reads the service's own variables; `app` makes what is served, a router or an [`App`], and is called in the
/// tokio runtime that serves it.
pub fn launch<C, A: Into<App>, E: std::error::Error>(
    program: Program,
    read: impl FnOnce(&mut Env<'_>) -> C,
    app: impl FnOnce(C, Context) -> Result<A, E>,
) -> ExitCode {
    let exit = match Request::from_args(arguments()) {
        Ok(Request::Version) => tell(&format!("{} {}", program.name, program.version)),
        Ok(Request::Help) => tell(&help(&program, read)),
        Ok(Request::Serve) => start(program, read, app),
        Err(argument) => complain(
            &program,
            &format!("unexpected argument {argument:?}; it is configured by environment variables, see --help"),
            Exit::Usage,
        ),
    };
    ExitCode::from(exit as u8)
}

/// What is not UTF-8 is no argument of ours: told with replacement characters, it is refused like any other.
fn arguments() -> impl Iterator<Item = String> {
    std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned())
}

enum Request {
    Serve,
    Version,
    Help,
}

impl Request {
    fn from_args(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        match (args.next().as_deref(), args.next()) {
            (None, _) => Ok(Self::Serve),
            (Some("--version" | "-V"), None) => Ok(Self::Version),
            (Some("--help" | "-h"), None) => Ok(Self::Help),
            (Some("--version" | "-V" | "--help" | "-h"), Some(second)) => Err(second),
            (Some(first), _) => Err(first.to_owned()),
        }
    }
}

fn start<C, A: Into<App>, E: std::error::Error>(
    program: Program,
    read: impl FnOnce(&mut Env<'_>) -> C,
    app: impl FnOnce(C, Context) -> Result<A, E>,
) -> Exit {
    let lookup = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    let mut env = Env::new(&lookup);
    let serve_config = ServeConfig::read(&mut env, &program);
    let own = read(&mut env);
    // Both are read before either is complained of, so that one start tells every mistake.
    let (config, settings) = match (env.finish((serve_config, own)), Settings::from_env_over_http(lookup)) {
        (Ok(config), Ok(settings)) => (config, settings),
        (config, settings) => {
            let mistakes = [config.err().map(|e| e.to_string()), settings.err().map(|e| e.to_string())];
            let told: Vec<_> = mistakes.into_iter().flatten().collect();
            return complain(&program, &told.join("\n"), Exit::Usage);
        }
    };
    let runtime = match tokio_runtime() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&program, &format!("can't start the async runtime: {error}"), Exit::Failed),
    };
    let exit = runtime.block_on(run(program, config, settings, app));
    // A lookup of a name that hangs on a thread of its own must not hold up the exit.
    runtime.shutdown_background();
    exit
}

/// One thread. Measured on two cores by `examples/cpu.rs`: 9.6 us of CPU a request against 10.3 with two workers, and
/// 0.7 MB less memory under load; and replicas, not threads, are how a service grows here.
fn tokio_runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

async fn run<C, A: Into<App>, E: std::error::Error>(
    program: Program,
    (serve_config, own): (ServeConfig, C),
    settings: Settings,
    app: impl FnOnce(C, Context) -> Result<A, E>,
) -> Exit {
    let identity = Identity { service_name: program.name, service_version: program.version };
    let telemetry = match telemetry::init(identity, settings) {
        Ok(telemetry) => telemetry,
        Err(error) => return complain(&program, &error.to_string(), Exit::Failed),
    };
    let context = Context { health: Health::new(), telemetry: telemetry.clone() };
    let health = context.health.clone();
    let exit = match app(own, context).map(Into::into) {
        Err(error) => complain(&program, &error.to_string(), Exit::Failed),
        Ok(App { router, stop }) => {
            let served = serve(router, serve_config, health, &telemetry).await;
            // Whatever became of the traffic: what runs beside it has its own work to finish.
            if timeout(STOP, stop).await.is_err() {
                tracing::warn!("background work did not stop within {STOP:?}");
            }
            match served {
                Ok(_) => Exit::Done,
                Err(error @ ServeError::Listen(_)) => complain(&program, &error.to_string(), Exit::Failed),
                Err(error) => {
                    tracing::error!("{error}");
                    complain(&program, &error.to_string(), Exit::Failed)
                }
            }
        }
    };
    flush(&telemetry).await;
    exit
}

/// The last spans are the ones of the shutdown: they are worth a short wait on every way out.
async fn flush(telemetry: &Telemetry) {
    let report = telemetry.flush(FLUSH).await;
    match report.error {
        Some(error) => tracing::warn!(exported = report.exported, dropped = report.dropped, %error, "spans were lost"),
        None if report.dropped > 0 => {
            tracing::warn!(exported = report.exported, dropped = report.dropped, "spans were dropped");
        }
        None => tracing::debug!(exported = report.exported, "telemetry flushed"),
    }
}

fn help<C>(program: &Program, read: impl FnOnce(&mut Env<'_>) -> C) -> String {
    let nothing = |_: &str| None;
    let mut env = Env::new(&nothing);
    let _ = ServeConfig::read(&mut env, program);
    let _ = read(&mut env);
    let Program { name, version, about, .. } = program;
    let mut text =
        format!("{name} {version}: {about}\n\nUsage: {name} [--version | --help]\n\nEnvironment, with defaults:\n");
    for variable in env.variables() {
        let setting = format!("{}={}", variable.name, variable.default);
        // Writing to a string can't fail.
        let _ = writeln!(text, "  {setting:<38} {}", variable.about);
    }
    text.push_str(
        "  LOG_FORMAT=text                        text or json\n\
         \x20 RUST_LOG=info                          which log lines\n\
         \x20 OTEL_*                                 the OpenTelemetry specification's; OTEL_EXPORTER_OTLP_ENDPOINT turns export on",
    );
    text
}

/// The process's only writers: results to stdout, failures to stderr. A closed pipe has nobody to be told.
fn tell(text: &str) -> Exit {
    let _ = writeln!(io::stdout(), "{text}");
    Exit::Done
}

fn complain(program: &Program, text: &str, exit: Exit) -> Exit {
    let mut stderr = io::stderr().lock();
    for line in text.lines() {
        let _ = writeln!(stderr, "{}: {line}", program.name);
    }
    exit
}
