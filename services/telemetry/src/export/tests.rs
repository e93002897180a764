use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use opentelemetry::trace::SpanBuilder;
use opentelemetry_http::HttpError;
use tracing::Instrument as _;

use super::*;
use crate::double::{Behaviour, Collector, settings, telemetry};
use crate::logs::Lines;
use crate::{Batch, Context, Identity, LogFormat, Logs, SpanKind, Telemetry, logs, span};

/// Nothing here may take longer; what does has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Ends `count` spans without giving another task a turn.
fn end_spans(telemetry: &Telemetry, count: usize) {
    let _entered = telemetry.enter();
    for _ in 0..count {
        drop(span::start("work", SpanKind::Internal, Vec::new()));
    }
}

fn batches(collector: &Collector, max_queue_size: usize, max_export_batch_size: usize) -> Settings {
    let settings = collector.settings();
    Settings { batch: Batch { max_queue_size, max_export_batch_size, ..settings.batch }, ..settings }
}

fn within(timeout: Duration, settings: Settings) -> Settings {
    Settings { batch: Batch { export_timeout: timeout, ..settings.batch }, ..settings }
}

fn dropped(telemetry: &Telemetry, reason: &str) -> u64 {
    let text = telemetry.metrics().render();
    let prefix = format!("otel_spans_dropped_total{{reason=\"{reason}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&prefix)).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_stalled_collector_does_not_delay_spans_ending() {
    let collector = Collector::start().await;
    collector.behave(Behaviour::Stall);
    let telemetry = telemetry(&within(PATIENCE * 6, batches(&collector, 100, 10)));
    end_spans(&telemetry, 10);
    collector.until("a batch is under way", |collector| collector.requests() == 1).await;

    let started = Instant::now();
    end_spans(&telemetry, 10_000);

    assert!(started.elapsed() < PATIENCE, "{:?} for 10,000 spans", started.elapsed());
}

#[tokio::test]
async fn spans_beyond_the_queue_are_dropped_and_counted() {
    let collector = Collector::start().await;
    let telemetry = telemetry(&batches(&collector, 100, 10));

    end_spans(&telemetry, 150);
    let report = telemetry.flush(PATIENCE).await;

    assert_eq!((report.exported, report.dropped), (100, 50));
    let error = report.error.unwrap();
    assert_eq!(error, "50 spans were not exported: they ended faster than they could be sent");
    assert_eq!(collector.spans().len(), 100);
    assert_eq!(dropped(&telemetry, "queue_full"), 50);
    assert!(telemetry.metrics().render().contains("otel_spans_exported_total 100\n"));
}

#[tokio::test]
async fn a_flush_returns_by_its_deadline_and_says_what_is_left() {
    let collector = Collector::start().await;
    collector.behave(Behaviour::Stall);
    let telemetry = telemetry(&within(PATIENCE * 6, collector.settings()));
    end_spans(&telemetry, 3);

    let started = Instant::now();
    let report = telemetry.flush(Duration::from_millis(50)).await;

    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
    assert_eq!((report.exported, report.dropped), (0, 3));
    let error = report.error.unwrap();
    assert!(error.contains("3 spans") && error.contains("/v1/traces"), "{error}");
}

#[tokio::test]
async fn a_flush_of_nothing_returns_at_once() {
    let collector = Collector::start().await;
    let telemetry = telemetry(&collector.settings());
    assert_eq!(telemetry.flush(Duration::from_mins(10)).await, FlushReport::default());
    assert_eq!(collector.requests(), 0);
}

#[tokio::test]
async fn a_collector_that_comes_back_receives_the_next_batch() {
    let address = Collector::nowhere().await;
    let telemetry = telemetry(&settings(address));
    end_spans(&telemetry, 2);
    let lost = telemetry.flush(PATIENCE).await;
    assert_eq!((lost.exported, lost.dropped), (0, 2));
    assert_eq!(dropped(&telemetry, "unreachable"), 2);
    assert!(lost.error.unwrap().contains("refused"), "the cause is named");

    let collector = Collector::start_at(address).await;
    end_spans(&telemetry, 3);
    let report = telemetry.flush(PATIENCE).await;

    assert_eq!((report.exported, report.dropped), (3, 2));
    assert_eq!(collector.spans().len(), 3);
}

#[tokio::test]
async fn a_collector_that_is_back_before_the_deadline_loses_nothing() {
    let address = Collector::nowhere().await;
    let telemetry = telemetry(&settings(address));
    end_spans(&telemetry, 2);

    let (report, collector) = tokio::join!(telemetry.flush(PATIENCE), async {
        tokio::task::yield_now().await;
        Collector::start_at(address).await
    });

    assert_eq!((report.exported, report.dropped), (2, 0));
    assert_eq!(collector.spans().len(), 2);
}

#[tokio::test]
async fn a_busy_collector_is_asked_again() {
    for status in [429, 502, 503, 504] {
        let collector = Collector::start().await;
        collector.script([Behaviour::Throttle(status, "0"), Behaviour::Status(status)]);
        let telemetry = telemetry(&collector.settings());

        end_spans(&telemetry, 1);
        collector.flush(&telemetry).await;

        assert_eq!(collector.requests(), 3, "{status}");
    }
}

#[tokio::test]
async fn a_batch_that_is_refused_is_not_sent_again() {
    for status in [400, 401, 404, 413, 500] {
        let collector = Collector::start().await;
        collector.behave(Behaviour::Status(status));
        let telemetry = telemetry(&collector.settings());

        end_spans(&telemetry, 2);
        let report = telemetry.flush(PATIENCE).await;

        assert_eq!(report.dropped, 2, "{status}");
        assert!(report.error.unwrap().contains(&status.to_string()));
        assert_eq!(collector.requests(), 1, "{status}");
        assert_eq!(dropped(&telemetry, "rejected"), 2);
    }
}

#[tokio::test]
async fn a_collector_that_stays_busy_loses_the_batch_after_a_few_attempts() {
    let collector = Collector::start().await;
    collector.behave(Behaviour::Throttle(503, "0"));
    let telemetry = telemetry(&collector.settings());

    end_spans(&telemetry, 2);
    let report = telemetry.flush(PATIENCE).await;

    assert_eq!(report.dropped, 2);
    assert_eq!(collector.requests(), 5);
    assert_eq!(dropped(&telemetry, "overloaded"), 2);
}

#[tokio::test]
async fn a_collector_that_asks_for_a_pause_is_left_alone() {
    let collector = Collector::start().await;
    collector.script([Behaviour::Throttle(429, "30")]);
    let telemetry = telemetry(&collector.settings());

    for _ in 0..2 {
        end_spans(&telemetry, 1);
        telemetry.flush(PATIENCE).await;
    }

    assert_eq!(collector.requests(), 1, "the second batch came within the pause");
    assert_eq!(dropped(&telemetry, "overloaded"), 2);
}

#[tokio::test]
async fn a_collector_that_never_answers_times_out() {
    let collector = Collector::start().await;
    collector.script([Behaviour::Stall]);
    // Long enough for the batch that is answered.
    let telemetry = telemetry(&within(Duration::from_secs(2), collector.settings()));

    for _ in 0..2 {
        end_spans(&telemetry, 1);
        telemetry.flush(PATIENCE).await;
    }

    assert_eq!(dropped(&telemetry, "timeout"), 1);
    assert_eq!(telemetry.flush(Duration::ZERO).await.exported, 1, "the next batch went through");
}

#[tokio::test]
async fn spans_that_a_collector_rejects_from_a_batch_are_counted() {
    let collector = Collector::start().await;
    collector.script([Behaviour::Reject(3)]);
    let telemetry = telemetry(&collector.settings());

    end_spans(&telemetry, 10);
    let report = telemetry.flush(PATIENCE).await;

    assert_eq!((report.exported, report.dropped), (7, 3));
    assert!(report.error.unwrap().contains("too old"));
}

#[tokio::test]
async fn a_full_batch_goes_out_without_waiting() {
    let collector = Collector::start().await;
    let telemetry = telemetry(&batches(&collector, 100, 5));
    end_spans(&telemetry, 12);
    collector.until("two full batches arrived", |collector| collector.spans().len() == 10).await;
    assert_eq!(collector.requests(), 2);
}

#[tokio::test]
async fn a_started_batch_goes_out_after_the_delay() {
    let collector = Collector::start().await;
    let settings = collector.settings();
    let batch = Batch { schedule_delay: Duration::from_millis(5), ..settings.batch };
    let telemetry = telemetry(&Settings { batch, ..settings });
    for round in 1..=3 {
        end_spans(&telemetry, 1);
        collector.until("the span arrived", |collector| collector.spans().len() == round).await;
    }
}

#[tokio::test]
async fn the_last_handle_dropped_sends_what_is_left() {
    let collector = Collector::start().await;
    let telemetry = telemetry(&collector.settings());
    end_spans(&telemetry, 4);
    drop(telemetry);
    collector.until("the spans arrived", |collector| collector.spans().len() == 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_of_many_threads_all_arrive() {
    let collector = Collector::start().await;
    let telemetry = telemetry(&batches(&collector, 10_000, 100));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let telemetry = telemetry.clone();
            std::thread::spawn(move || end_spans(&telemetry, 1_000))
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    collector.flush(&telemetry).await;
    assert_eq!(collector.spans().len(), 4_000);
}

#[tokio::test]
async fn configured_headers_are_sent() {
    let collector = Collector::start().await;
    let headers = vec![("authorization".to_owned(), "Bearer x".to_owned())];
    let telemetry = telemetry(&Settings { headers, ..collector.settings() });
    end_spans(&telemetry, 1);
    collector.flush(&telemetry).await;
    assert_eq!(collector.headers()["authorization"], "Bearer x");
    assert_eq!(collector.headers()["content-type"], "application/x-protobuf");
}

#[tokio::test]
async fn lost_spans_are_logged_once_and_not_by_the_request() {
    let collector = Collector::start().await;
    collector.behave(Behaviour::Status(400));
    let telemetry = telemetry(&collector.settings());
    let lines = Lines::default();
    let logs = Logs { format: LogFormat::Text, filter: "warn".to_owned() };
    let dispatch = logs::build(&logs, None, lines.writer(), false).unwrap();
    // The export task shares this thread.
    let _logging = tracing::dispatcher::set_default(&dispatch);

    for _ in 0..3 {
        for _ in 0..2 {
            drop(telemetry.spans().start(&Context::new(), SpanBuilder::default));
        }
        assert_eq!(lines.text().lines().count(), usize::from(collector.requests() > 0));
        telemetry.flush(PATIENCE).await;
    }

    let text = lines.text();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("spans were dropped: 2 rejected") && text.contains("400"), "{text}");
}

/// Traces itself, as a transport made of instrumented parts does.
#[derive(Debug)]
struct Traced(Transport);

#[async_trait]
impl HttpClient for Traced {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let span = span::start("export", SpanKind::Client, Vec::new());
        let events = tracing::info_span!("sending");
        span.run(self.0.send_bytes(request).instrument(events)).await
    }
}

#[tokio::test]
async fn sending_spans_makes_no_spans() {
    let collector = Collector::start().await;
    let identity = Identity { service_name: "under-test", service_version: "1" };
    let client = Arc::new(Traced(Transport::new()));
    let telemetry = Telemetry::new(identity, &collector.settings(), Some(client)).unwrap();
    let _entered = telemetry.enter();

    for _ in 0..2 {
        drop(span::start("work", SpanKind::Internal, Vec::new()));
        collector.flush(&telemetry).await;
    }

    assert_eq!(collector.spans().iter().map(|span| span.name.as_str()).collect::<Vec<_>>(), ["work", "work"]);
}

#[derive(Debug)]
struct Tunnel(Transport, std::net::SocketAddr);

#[async_trait]
impl HttpClient for Tunnel {
    async fn send_bytes(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        assert_eq!(request.uri(), "https://jaeger.demo:4318/v1/traces");
        *request.uri_mut() = format!("http://{}/v1/traces", self.1).parse()?;
        self.0.send_bytes(request).await
    }
}

#[tokio::test]
async fn a_transport_of_the_programs_own_is_used_for_any_url() {
    let address = Collector::nowhere().await;
    let collector = Collector::start_at(address).await;
    let settings =
        Settings { endpoint: Some(crate::traces_endpoint("https://jaeger.demo:4318")), ..collector.settings() };
    let identity = Identity { service_name: "msctl", service_version: "0.1.0" };
    let client = Arc::new(Tunnel(Transport::new(), address));
    let telemetry = Telemetry::new(identity, &settings, Some(client)).unwrap();

    end_spans(&telemetry, 1);
    collector.flush(&telemetry).await;

    assert_eq!(collector.resource("service.name").as_deref(), Some("msctl"));
}

#[tokio::test]
async fn the_default_transport_refuses_what_it_can_not_speak() {
    let settings = Settings { endpoint: Some("https://collector:4318/v1/traces".to_owned()), ..Settings::default() };
    let identity = Identity { service_name: "under-test", service_version: "1" };
    let error = Telemetry::new(identity, &settings, None).unwrap_err();
    assert!(error.to_string().contains("only http:// is supported"), "{error}");
}

#[test]
fn export_needs_a_runtime() {
    let settings = Settings { endpoint: Some("http://collector:4318/v1/traces".to_owned()), ..Settings::default() };
    let identity = Identity { service_name: "under-test", service_version: "1" };
    let error = Telemetry::new(identity, &settings, None).unwrap_err();
    assert!(matches!(error, InitError::NoRuntime { .. }), "{error}");
}
