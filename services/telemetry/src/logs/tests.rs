use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::*;
use crate::double::{Collector, telemetry};
use crate::{Settings, SpanKind, span};

/// Where log lines go in a test.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    pub(crate) fn writer(&self) -> impl Fn() -> Self + Send + Sync + use<> {
        let lines = self.clone();
        move || lines.clone()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.text()).unwrap()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn logged(format: LogFormat, filter: &str, log: impl FnOnce()) -> Lines {
    let lines = Lines::default();
    let logs = Logs { format, filter: filter.to_owned() };
    let dispatch = build(&logs, None, lines.writer(), false).unwrap();
    tracing::dispatcher::with_default(&dispatch, log);
    lines
}

#[test]
fn a_json_line_holds_message_and_fields() {
    let line = logged(LogFormat::Json, "info", || {
        tracing::info!(attempt = 2, url = "http://b/\n", "calling \"B\"");
    })
    .json();

    assert_eq!(line["level"], "INFO");
    assert_eq!(line["message"], "calling \"B\"");
    assert_eq!(line["fields"]["attempt"], 2);
    assert_eq!(line["fields"]["url"], "http://b/\n");
    assert_eq!(line["target"], "telemetry::logs::tests");
    assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
    assert_eq!(line.get("trace_id"), None);
}

#[test]
fn a_line_says_which_trace_and_span_it_belongs_to() {
    let telemetry = telemetry(&Settings::default());
    let _entered = telemetry.enter();
    for format in [LogFormat::Json, LogFormat::Text] {
        let mut trace_id = None;
        let line = logged(format, "info", || {
            let span = span::start("work", SpanKind::Internal, Vec::new());
            trace_id = span.trace_id();
            let _current = span.context().clone().attach();
            tracing::info!("here");
        })
        .text();
        assert!(line.contains(&trace_id.unwrap()) && line.contains("span_id"), "{line}");
    }
}

#[test]
fn a_text_line_stays_one_line_whatever_it_quotes() {
    let text = logged(LogFormat::Text, "info", || {
        tracing::warn!(header = "a\nb", "forged\n2026-01-01 INFO all is well \x1b[31m");
    })
    .text();

    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(!text.contains('\x1b'), "{text}");
    assert!(text.contains(" WARN telemetry::logs::tests: forged\\n2026"), "{text}");
    assert!(text.contains(r#"header="a\nb""#), "{text}");
}

#[test]
fn the_filter_decides_by_target_and_level() {
    let text = logged(LogFormat::Text, "warn,telemetry::logs=debug", || {
        tracing::debug!("ours");
        tracing::info!(target: "hyper", "theirs");
        tracing::warn!(target: "hyper", "trouble");
    })
    .text();
    assert!(text.contains("ours") && text.contains("trouble") && !text.contains("theirs"), "{text}");
}

#[test]
fn no_format_means_no_lines() {
    assert_eq!(logged(LogFormat::Off, "trace", || tracing::error!("unheard")).text(), "");
}

#[tokio::test]
async fn spans_and_events_below_info_stay_out_of_the_trace() {
    let collector = Collector::start().await;
    let telemetry = telemetry(&collector.settings());
    let _entered = telemetry.enter();

    tracing::info_span!("work").in_scope(|| {
        tracing::debug_span!("detail").in_scope(|| tracing::info!("seen"));
        tracing::debug!("unseen");
    });
    collector.flush(&telemetry).await;

    let work = collector.span("work");
    assert_eq!(collector.spans().len(), 1);
    let events: Vec<_> = work.events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(events, ["seen"]);
}
