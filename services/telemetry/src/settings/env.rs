//! Settings from the environment.

use std::cell::RefCell;

use http::{HeaderName, HeaderValue, Uri};
use tracing_subscriber::filter::Targets;

use super::values::{boolean, invalid, milliseconds, pairs, whole};
use super::{Batch, LogFormat, Logs, SettingError, SettingErrors, Settings, traces_endpoint};
use crate::sampler::{Ratio, Sampler};

impl Settings {
    /// Reads the standard `OTEL_*` variables, `LOG_FORMAT` (`text`, the default, or `json`) and `RUST_LOG` (`info`).
    ///
    /// An empty variable counts as unset. Every value that can't be used is an error: unlike the specification, which
    /// would go on without it, a service that can't do what it was told does not start.
    pub fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingErrors> {
        Self::read(lookup, url)
    }

    /// As [`Settings::from_env`], for [`init`](crate::init), whose transport speaks plain HTTP: an `https://` endpoint
    /// is a value that can't be used, unless nothing would be sent there.
    pub fn from_env_over_http(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingErrors> {
        Self::read(lookup, plain_url)
    }

    fn read(
        lookup: impl Fn(&str) -> Option<String>,
        endpoint: fn(&'static str, &str) -> Result<String, SettingError>,
    ) -> Result<Self, SettingErrors> {
        let lookup = |name: &str| lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let env = Env { lookup, errors: RefCell::default() };
        let tracing = !env.read("OTEL_SDK_DISABLED", boolean).unwrap_or(false);
        let settings = Self {
            tracing,
            endpoint: env.endpoint(if tracing { endpoint } else { url }),
            headers: env.headers(),
            service_name: env.get("OTEL_SERVICE_NAME"),
            resource: env.read("OTEL_RESOURCE_ATTRIBUTES", pairs).unwrap_or_default(),
            sampler: env.sampler(),
            batch: env.batch(),
            logs: env.logs(),
        };
        let errors = env.errors.into_inner();
        if errors.is_empty() { Ok(settings) } else { Err(SettingErrors(errors)) }
    }
}

/// Reads variables; one that can't be used counts as unset and is remembered, so that one start tells every mistake.
struct Env<L> {
    lookup: L,
    errors: RefCell<Vec<SettingError>>,
}

impl<L: Fn(&str) -> Option<String>> Env<L> {
    fn get(&self, name: &str) -> Option<String> {
        (self.lookup)(name)
    }

    fn read<T>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&'static str, &str) -> Result<T, SettingError>,
    ) -> Option<T> {
        let parsed = parse(name, &self.get(name)?);
        parsed.map_err(|error| self.errors.borrow_mut().push(error)).ok()
    }

    /// The variable of traces, or the one of all signals.
    fn either<T>(
        &self,
        traces: &'static str,
        all: &'static str,
        parse: impl Fn(&'static str, &str) -> Result<T, SettingError>,
    ) -> Option<T> {
        self.read(traces, &parse).or_else(|| self.read(all, parse))
    }

    fn endpoint(&self, url: fn(&'static str, &str) -> Result<String, SettingError>) -> Option<String> {
        self.either("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL", |name, value| {
            one_of(name, value, &["http/protobuf"])
        });
        self.either("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION", |name, value| {
            one_of(name, value, &["none"])
        });
        let exporter = self.read("OTEL_TRACES_EXPORTER", |name, value| {
            one_of(name, value, &["otlp", "none"]).map(|()| value.to_owned())
        });
        if exporter.as_deref() == Some("none") {
            return None;
        }
        self.read("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", url)
            .or_else(|| self.read("OTEL_EXPORTER_OTLP_ENDPOINT", url).map(|base| traces_endpoint(&base)))
    }

    fn headers(&self) -> Vec<(String, String)> {
        let valid = |(key, text): &(String, String)| {
            HeaderName::from_bytes(key.as_bytes()).is_ok() && HeaderValue::from_str(text).is_ok()
        };
        self.either("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS", |name, value| {
            // The value itself stays out of the message, whatever is wrong with it: headers carry credentials.
            pairs(name, value).ok().filter(|headers| headers.iter().all(valid)).ok_or_else(|| {
                invalid(
                    name,
                    "(not shown)",
                    "HTTP headers as name=value pairs with commas between them, percent-encoded where needed",
                )
            })
        })
        .unwrap_or_default()
    }

    fn sampler(&self) -> Sampler {
        let ratio = || {
            let parsed = self.read("OTEL_TRACES_SAMPLER_ARG", |name, value| {
                value
                    .parse()
                    .ok()
                    .and_then(Ratio::new)
                    .ok_or_else(|| invalid(name, value, "a share of the traces from 0 to 1"))
            });
            // The specification: no argument, everything.
            parsed.or(Ratio::new(1.0))
        };
        let sampler = self.read("OTEL_TRACES_SAMPLER", |name, value| {
            let sampler = match value {
                "always_on" => Some(Sampler::AlwaysOn),
                "always_off" => Some(Sampler::AlwaysOff),
                "traceidratio" => ratio().map(Sampler::TraceIdRatio),
                "parentbased_always_on" => Some(Sampler::ParentBasedAlwaysOn),
                "parentbased_always_off" => Some(Sampler::ParentBasedAlwaysOff),
                "parentbased_traceidratio" => ratio().map(Sampler::ParentBasedTraceIdRatio),
                _ => None,
            };
            let allowed = "always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off, \
                           parentbased_traceidratio";
            sampler.ok_or_else(|| invalid(name, value, allowed))
        });
        sampler.unwrap_or_default()
    }

    fn batch(&self) -> Batch {
        let default = Batch::default();
        let spans = |name, value: &str| whole(name, value, 1..=1_000_000, "spans");
        let max_queue_size = self.read("OTEL_BSP_MAX_QUEUE_SIZE", spans).unwrap_or(default.max_queue_size);
        let max_export_batch_size = self
            .read("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", |name, value| whole(name, value, 1..=max_queue_size, "spans"))
            .unwrap_or(default.max_export_batch_size.min(max_queue_size));
        let schedule_delay = self.read("OTEL_BSP_SCHEDULE_DELAY", milliseconds).unwrap_or(default.schedule_delay);
        let of_batch = self.read("OTEL_BSP_EXPORT_TIMEOUT", milliseconds);
        let of_otlp = self.either("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT", milliseconds);
        let export_timeout = of_batch.into_iter().chain(of_otlp).min().unwrap_or(default.export_timeout);
        Batch { max_queue_size, max_export_batch_size, schedule_delay, export_timeout }
    }

    fn logs(&self) -> Logs {
        let format = self
            .read("LOG_FORMAT", |name, value| match value {
                "text" => Ok(LogFormat::Text),
                "json" => Ok(LogFormat::Json),
                _ => Err(invalid(name, value, "text, json")),
            })
            .unwrap_or(LogFormat::Text);
        let filter = self
            .read("RUST_LOG", |name, value| {
                value.parse::<Targets>().map(|_| value.to_owned()).map_err(|_| {
                    invalid(
                        name,
                        value,
                        "off, error, warn, info, debug, trace, alone or as target=level with commas between them",
                    )
                })
            })
            .unwrap_or_else(|| "info".to_owned());
        Logs { format, filter }
    }
}

fn one_of(name: &'static str, value: &str, allowed: &[&str]) -> Result<(), SettingError> {
    if allowed.contains(&value) { Ok(()) } else { Err(invalid(name, value, allowed.join(", "))) }
}

fn url(name: &'static str, value: &str) -> Result<String, SettingError> {
    value
        .parse::<Uri>()
        .ok()
        .filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some())
        .map(|_| value.to_owned())
        .ok_or_else(|| invalid(name, value, "a URL such as http://collector:4318"))
}

fn plain_url(name: &'static str, value: &str) -> Result<String, SettingError> {
    let plain = |url: &String| url.parse::<Uri>().is_ok_and(|uri| uri.scheme_str() == Some("http"));
    url(name, value).ok().filter(plain).ok_or_else(|| {
        let allowed = "an http:// URL such as http://collector:4318; a collector nearby can forward over TLS";
        invalid(name, value, allowed)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn lookup(vars: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        move |name| vars.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    }

    fn settings(vars: &[(&str, &str)]) -> Result<Settings, SettingErrors> {
        Settings::from_env(lookup(vars))
    }

    /// The only mistake in `vars`.
    fn refusal(vars: &[(&str, &str)]) -> SettingError {
        let SettingErrors(mut errors) = settings(vars).unwrap_err();
        assert_eq!(errors.len(), 1, "{errors:?}");
        errors.remove(0)
    }

    #[test]
    fn an_empty_environment_traces_nothing_out_and_logs_text() {
        let settings = settings(&[]).unwrap();
        assert!(settings.tracing);
        assert_eq!(settings.endpoint, None);
        assert_eq!(settings.sampler, Sampler::ParentBasedAlwaysOn);
        assert_eq!(settings.batch, Batch::default());
        assert_eq!(settings.logs.format, LogFormat::Text);
        assert_eq!(settings.logs.filter, "info");
    }

    #[test]
    fn the_endpoint_of_all_signals_is_extended_and_that_of_traces_is_taken_as_it_is() {
        let all = settings(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://jaeger:4318/")]).unwrap();
        assert_eq!(all.endpoint.as_deref(), Some("http://jaeger:4318/v1/traces"));

        let traces = settings(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://jaeger:4318"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://other/x"),
        ])
        .unwrap();
        assert_eq!(traces.endpoint.as_deref(), Some("http://other/x"));
    }

    #[test]
    fn an_empty_endpoint_and_the_exporter_none_export_nothing() {
        assert_eq!(settings(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")]).unwrap().endpoint, None);
        let none = settings(&[("OTEL_TRACES_EXPORTER", "none"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://jaeger:4318")]);
        assert_eq!(none.unwrap().endpoint, None);
    }

    #[test]
    fn every_sampler_of_the_specification_has_its_name() {
        let half = Ratio::new(0.5).unwrap();
        for (name, sampler) in [
            ("always_on", Sampler::AlwaysOn),
            ("always_off", Sampler::AlwaysOff),
            ("traceidratio", Sampler::TraceIdRatio(half)),
            ("parentbased_always_on", Sampler::ParentBasedAlwaysOn),
            ("parentbased_always_off", Sampler::ParentBasedAlwaysOff),
            ("parentbased_traceidratio", Sampler::ParentBasedTraceIdRatio(half)),
        ] {
            let read = settings(&[("OTEL_TRACES_SAMPLER", name), ("OTEL_TRACES_SAMPLER_ARG", "0.5")]);
            assert_eq!(read.unwrap().sampler, sampler, "{name}");
        }
    }

    #[test]
    fn the_batch_follows_its_variables_and_the_shorter_timeout_counts() {
        let read = settings(&[
            ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),
            ("OTEL_BSP_SCHEDULE_DELAY", "1500"),
            ("OTEL_BSP_EXPORT_TIMEOUT", "30000"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "2000"),
        ])
        .unwrap()
        .batch;
        assert_eq!(read.max_queue_size, 100);
        assert_eq!(read.max_export_batch_size, 100, "a batch can't be larger than the queue");
        assert_eq!(read.schedule_delay, Duration::from_millis(1500));
        assert_eq!(read.export_timeout, Duration::from_secs(2));
    }

    #[test]
    fn resource_attributes_are_pairs_with_percent_encoding() {
        let read = settings(&[("OTEL_RESOURCE_ATTRIBUTES", "k8s.pod.name=a-1, team=caf%C3%A9,empty=")]).unwrap();
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(read.resource, [pair("k8s.pod.name", "a-1"), pair("team", "café"), pair("empty", "")]);
    }

    #[test]
    fn a_bad_value_is_refused_with_its_name_and_what_is_allowed() {
        for (name, value) in [
            ("OTEL_SDK_DISABLED", "yes"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "jaeger:4318"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "ftp://jaeger/"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_TRACES_EXPORTER", "zipkin"),
            ("OTEL_TRACES_SAMPLER", "sometimes"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4096"),
            ("OTEL_BSP_SCHEDULE_DELAY", "5s"),
            ("OTEL_RESOURCE_ATTRIBUTES", "no-equals-sign"),
            ("LOG_FORMAT", "xml"),
            ("RUST_LOG", "info=loud"),
        ] {
            let error = refusal(&[(name, value)]);
            assert_eq!((error.name, error.value.as_str()), (name, value));
            assert!(error.to_string().contains("allowed: "), "{error}");
        }
    }

    #[test]
    fn a_bad_ratio_is_refused_under_the_argument_s_name() {
        let error = refusal(&[("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "2")]);
        assert_eq!(error.name, "OTEL_TRACES_SAMPLER_ARG");
    }

    #[test]
    fn a_bad_header_is_refused_without_being_shown() {
        for value in ["authorization=secret%0A", "Bearer secret", "authorization=secret%zz", "x=y,Bearer secret"] {
            for name in ["OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"] {
                let error = refusal(&[(name, value)]);
                assert_eq!((error.name, error.value.as_str()), (name, "(not shown)"));
                assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
            }
        }
    }

    #[test]
    fn every_mistake_is_told_on_a_line_of_its_own() {
        let errors =
            settings(&[("OTEL_SDK_DISABLED", "yes"), ("OTEL_BSP_SCHEDULE_DELAY", "5s"), ("LOG_FORMAT", "xml")])
                .unwrap_err();
        let told = errors.to_string();
        let lines: Vec<_> = told.lines().collect();
        assert_eq!(lines.len(), 3, "{told}");
        assert!(lines[1].starts_with("OTEL_BSP_SCHEDULE_DELAY is \"5s\"; allowed: "), "{told}");
    }

    #[test]
    fn an_endpoint_over_tls_is_refused_where_only_plain_http_is_spoken() {
        for name in ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] {
            let tls = (name, "https://collector:4318");
            assert!(settings(&[tls]).is_ok());
            let SettingErrors(errors) = Settings::from_env_over_http(lookup(&[tls])).unwrap_err();
            assert_eq!((errors[0].name, errors[0].value.as_str()), tls);
            assert!(errors[0].allowed.contains("http://"), "{}", errors[0]);
            for unused in [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")] {
                assert!(Settings::from_env_over_http(lookup(&[tls, unused])).is_ok(), "{unused:?}");
            }
        }
        let plain = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")];
        assert!(Settings::from_env_over_http(lookup(&plain)).is_ok());
    }
}
