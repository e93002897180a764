//! `msctl trace`: a trace from Jaeger, by its id or the latest of a service, as a tree or for programs.

use reach::Connector;

use super::call::hops;
use crate::cli::{Format, Globals, trace::TraceArgs};
use crate::collector::{self, Jaeger, Source};
use crate::error::{Error, ExitCode, did_you_mean};
use crate::interrupt::Interrupt;
use crate::output::Printer;
use crate::platform::Platform;
use crate::target::ServiceName;
use crate::trace::{Known, QueryApi, QueryError, Report, Screen, Trace, TraceId, Tree, gaps, render};
use crate::way::{self, Patience, Way};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wanted {
    Id(TraceId),
    /// The service's name in traces, and the Service of that name in the cluster, if it can be one.
    Latest(String, Option<ServiceName>),
}

impl Wanted {
    fn from_args(args: &TraceArgs) -> Result<Self, Error> {
        let text = match (&args.service, &args.target) {
            (Some(service), _) => return Ok(Self::service(service)),
            (None, Some(target)) => target,
            (None, None) => {
                return Err(Error::usage("cannot tell which trace").why("neither a trace id nor a service was given"));
            }
        };
        match text.parse::<TraceId>() {
            // A name such as `cafe` is hexadecimal too.
            Ok(id) if text.len() >= 16 => Ok(Self::Id(id)),
            Err(cause) if text.len() >= 16 && text.bytes().all(|b| b.is_ascii_hexdigit()) => {
                Err(Error::usage(format!("`{text}` is no trace id"))
                    .why(cause.to_string())
                    .next(format!("msctl trace --service {text}, if that is a service's name")))
            }
            _ => Ok(Self::service(text)),
        }
    }

    fn service(text: &str) -> Self {
        match text.parse::<ServiceName>() {
            Ok(service) => Self::Latest(service.name.clone(), Some(service)),
            Err(_) => Self::Latest(text.to_owned(), None),
        }
    }

    fn place(&self) -> Option<&ServiceName> {
        match self {
            Self::Id(_) => None,
            Self::Latest(_, service) => service.as_ref(),
        }
    }
}

pub(crate) async fn run(args: TraceArgs, globals: &Globals, printer: &Printer) -> Result<ExitCode, Error> {
    let wanted = Wanted::from_args(&args)?;
    let platform = Platform::choose(globals, printer)?;
    let mut interrupt = Interrupt::listen()?;
    let patience = Patience::new("asking Jaeger", args.timeout);
    printer.deadline().is(patience.deadline());
    // Large, and once a process.
    let work = Box::pin(fetch(&wanted, &args, &platform, &patience, printer));
    let trace = way::bounded(&patience, &mut interrupt, work).await.map_err(|error| platform.within(error))?;
    let tree = Tree::build(trace);
    let gaps = gaps(&tree, Known::default());
    match args.output.format {
        Format::Json => printer.json(&Report::new(&tree, &gaps))?,
        Format::Yaml => printer.yaml(&Report::new(&tree, &gaps))?,
        Format::Name => printer.line(&tree.id.to_string())?,
        Format::Table | Format::Wide => {
            let mut screen = Screen::of_stdout(printer.colour().stdout);
            if args.output.format == Format::Wide {
                screen.width = None;
            }
            printer.text(&render(&tree, screen))?;
            for gap in &gaps {
                printer.warning(&format!("the trace is not whole: {gap}"));
            }
        }
    }
    Ok(ExitCode::Done)
}

async fn fetch(
    wanted: &Wanted,
    args: &TraceArgs,
    platform: &Platform,
    patience: &Patience,
    printer: &Printer,
) -> Result<Trace, Error> {
    let asked = args.way.jaeger.as_deref().map(collector::place).transpose()?;
    platform.connecting(&patience.stage);
    let way = platform.way(&args.way, wanted.place(), printer).await?;
    let jaeger = way.jaeger(asked.as_ref(), wanted.place().map(|service| service.name.as_str()));
    let (opened, jaeger) = futures::join!(way.open(&args.way, patience, printer), jaeger);
    let (connector, mut voice) = opened?;
    let api = QueryApi::new(connector, jaeger.query());
    voice.stage(format!("waiting for Jaeger at {} to answer", api.authority()));
    voice.over(ask(&api, wanted, &jaeger, &way)).await
}

async fn ask(api: &QueryApi<Connector>, wanted: &Wanted, jaeger: &Jaeger, way: &Way) -> Result<Trace, Error> {
    let found = match wanted {
        Wanted::Id(id) => api.trace(*id).await,
        Wanted::Latest(service, _) => api.latest(service).await,
    };
    match found {
        Ok(Some(trace)) => Ok(trace),
        Ok(None) => Err(not_found(api, wanted, jaeger, way).await),
        Err(cause) => Err(unavailable(&cause, wanted, jaeger, way.namespace())),
    }
}

fn unavailable(cause: &QueryError, wanted: &Wanted, jaeger: &Jaeger, namespace: &str) -> Error {
    let what = match wanted {
        Wanted::Id(id) => format!("cannot read trace {id}"),
        Wanted::Latest(service, _) => format!("cannot read the latest trace of {service}"),
    };
    hops::explain(Error::new(ExitCode::Failed, what), cause, jaeger, namespace)
}

/// Jaeger is there and does not have it.
async fn not_found(api: &QueryApi<Connector>, wanted: &Wanted, jaeger: &Jaeger, way: &Way) -> Error {
    let keeper = match jaeger.source {
        Source::Up => "`msctl up`".to_owned(),
        _ => format!("Jaeger at {}", api.authority()),
    };
    match wanted {
        Wanted::Id(id) => Error::new(ExitCode::Failed, format!("{keeper} has no trace {id}"))
            .why("it was never sampled, is still on its way, or is older than what Jaeger keeps")
            .next("msctl trace SERVICE shows the latest; msctl call TARGET --trace makes one"),
        Wanted::Latest(service, _) => {
            let error = Error::new(ExitCode::Failed, format!("{keeper} has no trace of {service}"));
            let known = match api.services().await {
                Ok(known) => known,
                // Which it has traces of is a help, and no more.
                Err(cause) => {
                    return error
                        .why(format!("of which services it has traces can't be told: {cause}"))
                        .next(format!("msctl call {service} --trace makes one"));
                }
            };
            let callable = match wanted.place() {
                Some(service) => !matches!(way.knows(&service.name).await, way::Known::No(_)),
                None => false,
            };
            unknown_service(error, service, &known, callable)
        }
    }
}

/// `callable`: there may be a service of that name, which has not been called yet.
fn unknown_service(error: Error, service: &str, known: &[String], callable: bool) -> Error {
    let meant = did_you_mean(service, known.iter().map(String::as_str).filter(|name| *name != service));
    match (known, meant) {
        ([], _) => error
            .why("it has no traces at all")
            .next("services send them where OTEL_EXPORTER_OTLP_ENDPOINT says; charts set it from telemetry.endpoint"),
        (_, Some(meant)) => {
            error.why(format!("it has traces of {}", known.join(", "))).next(format!("msctl trace {meant}"))
        }
        (_, None) => {
            let error = error.why(format!("it has traces of {}", known.join(", ")));
            if callable {
                error.next(format!("msctl call {service} --trace makes one"))
            } else {
                error.why(format!("there is no service {service}")).next("msctl trace NAME with one of these")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser as _;

    fn wanted(args: &[&str]) -> Result<Wanted, Error> {
        let cli = Cli::try_parse_from(["msctl", "trace"].iter().chain(args)).unwrap();
        let Command::Trace(args) = cli.command else { panic!("another verb") };
        Wanted::from_args(&args)
    }

    fn latest(text: &str) -> Wanted {
        Wanted::Latest(text.to_owned(), text.parse().ok())
    }

    #[test]
    fn an_id_is_told_from_a_service() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(wanted(&[id]).unwrap(), Wanted::Id(id.parse().unwrap()));
        assert_eq!(wanted(&["service-a"]).unwrap(), latest("service-a"));
        assert_eq!(wanted(&["cafe"]).unwrap(), latest("cafe"));
        assert_eq!(wanted(&["--service", id]).unwrap(), Wanted::Latest(id.to_owned(), id.parse().ok()));
        assert_eq!(wanted(&["Order Service"]).unwrap(), Wanted::Latest("Order Service".to_owned(), None));
    }

    #[test]
    fn an_id_with_a_digit_too_many_is_no_service() {
        let error = wanted(&["4bf92f3577b34da6a3ce929d0e0e47360"]).unwrap_err();
        assert_eq!(error.code(), ExitCode::Usage);
        assert!(error.to_string().contains("next: msctl trace --service 4bf92f35"), "{error}");
        assert!(wanted(&["00000000000000000000000000000000"]).is_err());
    }

    #[test]
    fn a_service_without_traces_gets_those_that_have_some() {
        for (known, callable, said) in [
            (&["service-a", "service-b"][..], true, "next: msctl trace service-a"),
            (&["orders"], true, "why: it has traces of orders"),
            (&["orders"], true, "next: msctl call servce-a --trace makes one"),
            (&["orders"], false, "why: there is no service servce-a"),
            (&["orders"], false, "next: msctl trace NAME with one of these"),
            (&[], true, "telemetry.endpoint"),
        ] {
            let known: Vec<String> = known.iter().map(|name| (*name).to_owned()).collect();
            let error = Error::new(ExitCode::Failed, "no trace");
            let text = unknown_service(error, "servce-a", &known, callable).to_string();
            assert!(text.contains(said), "{known:?}, {callable}: {text}");
            assert!(callable || !text.contains("msctl call"), "{text}");
        }
    }
}
