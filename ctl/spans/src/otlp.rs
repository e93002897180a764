//! What exporters send, read where it lies: `ExportTraceServiceRequest` of OTLP 1.x.
//!
//! The request is walked twice: first to see that all of it is well formed, so that a malformed one stores nothing, then
//! to store it. Neither builds objects of it; a JSON body becomes protobuf first, which is smaller than it.
//! <https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto>

mod answer;
mod json;
mod schema;
mod span;
mod value;
mod wire;

pub(crate) use answer::{Code, Encoding};
pub(crate) use json::transcode;
pub(crate) use span::{Event, Kind, Link, Outcome, Span};
pub(crate) use value::{AnyValue, Attributes};
pub(crate) use wire::Malformed;

use wire::{Fields, text};

/// What a request's spans are handed to, in the request's order.
pub(crate) trait Sink<'a> {
    /// The spans that follow come from this resource.
    fn resource(&mut self, attributes: Attributes<'a>);
    /// The spans that follow come from this scope of the resource.
    fn scope(&mut self, scope: Scope<'a>);
    /// A span; `None` is one whose trace or span id is none.
    fn span(&mut self, span: Option<Span<'a>>);
}

/// Who made a span within a process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scope<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
}

/// Walks a request in protobuf.
pub(crate) fn walk<'a>(request: &'a [u8], sink: &mut impl Sink<'a>) -> Result<(), Malformed> {
    for resource_spans in Fields::messages(request, 1) {
        let resource_spans = resource_spans?;
        // Fields come in any order, and the resource is needed before the spans.
        let attributes = match Fields::last_message(resource_spans, 1)? {
            Some(resource) => Attributes::check(resource, 1)?,
            None => Attributes::none(),
        };
        sink.resource(attributes);
        for scope_spans in Fields::messages(resource_spans, 2) {
            let scope_spans = scope_spans?;
            sink.scope(match Fields::last_message(scope_spans, 1)? {
                Some(scope) => Scope::read(scope)?,
                None => Scope::default(),
            });
            for span in Fields::messages(scope_spans, 2) {
                sink.span(Span::read(span?)?);
            }
        }
    }
    Ok(())
}

/// Sees whether a request is well formed.
pub(crate) fn check(request: &[u8]) -> Result<(), Malformed> {
    struct Nowhere;
    impl<'a> Sink<'a> for Nowhere {
        fn resource(&mut self, _: Attributes<'a>) {}
        fn scope(&mut self, _: Scope<'a>) {}
        fn span(&mut self, _: Option<Span<'a>>) {}
    }
    walk(request, &mut Nowhere)
}

impl<'a> Scope<'a> {
    fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut scope = Self::default();
        for field in Fields::new(message) {
            let field = field?;
            match field.number {
                1 => scope.name = text(field.bytes()?)?,
                2 => scope.version = text(field.bytes()?)?,
                _ => {}
            }
        }
        Ok(scope)
    }
}

#[cfg(test)]
mod tests;
