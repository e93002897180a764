//! One event as one line, with the trace and span it happened in.

use std::fmt;

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt};
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::LogFormat;

/// Formats events as [`LogFormat`] says. Never more than one line an event, whatever its fields hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line(LogFormat);

impl Line {
    pub(super) fn new(format: LogFormat) -> Self {
        Self(format)
    }
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(&self, _context: &FmtContext<'_, S, N>, writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        Context::map_current(|context| {
            let span = context.span();
            let place = Some(span.span_context()).filter(|span_context| span_context.is_valid());
            match self.0 {
                LogFormat::Json => json(writer, event, fields, place),
                LogFormat::Text | LogFormat::Off => text(writer, event, &fields, place),
            }
        })
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn record(&mut self, field: &Field, value: Value) {
        self.others.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.record(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.record(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.record(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.record(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.record(field, value.into());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else {
            self.record(field, format!("{value:?}").into());
        }
    }
}

fn json(mut writer: Writer<'_>, event: &Event<'_>, fields: Fields, place: Option<&SpanContext>) -> fmt::Result {
    let mut timestamp = String::new();
    SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
    let metadata = event.metadata();
    let mut line = Map::new();
    line.insert("timestamp".into(), timestamp.into());
    line.insert("level".into(), metadata.level().as_str().into());
    line.insert("target".into(), metadata.target().into());
    line.insert("message".into(), fields.message.into());
    if !fields.others.is_empty() {
        line.insert("fields".into(), fields.others.into());
    }
    if let Some(place) = place {
        line.insert("trace_id".into(), place.trace_id().to_string().into());
        line.insert("span_id".into(), place.span_id().to_string().into());
    }
    writeln!(writer, "{}", Value::Object(line))
}

fn text(mut writer: Writer<'_>, event: &Event<'_>, fields: &Fields, place: Option<&SpanContext>) -> fmt::Result {
    SystemTime.format_time(&mut writer)?;
    let metadata = event.metadata();
    let level = *metadata.level();
    match Some(colour(level)).filter(|_| writer.has_ansi_escapes()) {
        Some(colour) => write!(writer, " \x1b[{colour}m{level:>5}\x1b[0m")?,
        None => write!(writer, " {level:>5}")?,
    }
    write!(writer, " {}: ", metadata.target())?;
    plain(&mut writer, &fields.message)?;
    for (name, value) in &fields.others {
        // JSON's quotes and escapes keep a value on the line and apart from the next.
        write!(writer, " {name}={value}")?;
    }
    if let Some(place) = place {
        write!(writer, " trace_id={} span_id={}", place.trace_id(), place.span_id())?;
    }
    writeln!(writer)
}

/// Without control characters: a message may quote what a client sent.
fn plain(writer: &mut Writer<'_>, message: &str) -> fmt::Result {
    for character in message.chars() {
        if character.is_control() {
            write!(writer, "{}", character.escape_default())?;
        } else {
            writer.write_char(character)?;
        }
    }
    Ok(())
}

/// An SGR code.
fn colour(level: Level) -> u8 {
    match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG => 34,
        Level::TRACE => 35,
    }
}
