//! The context of a trace in HTTP headers, or beside a stored row: W3C Trace Context (level 2) and Baggage.
//!
//! Trace context is read and written here rather than by the SDK's propagator, which allocates a dozen times for each;
//! the tests hold the two against each other. Baggage, which is rarer, is left to the SDK's.

use std::borrow::Cow;
use std::str::FromStr;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_sdk::propagation::BaggagePropagator;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// Bytes of a trace state that are handed on; every span in the queue holds a copy.
const LONGEST_STATE: usize = 1024;

/// `00-<32 hex digits>-<16 hex digits>-<2 hex digits>`
const TRACEPARENT_LENGTH: usize = 55;

/// Writes the current context into `headers`, replacing what they had.
pub fn inject_current(headers: &mut HeaderMap) {
    Context::map_current(|context| inject(context, headers));
}

/// Writes `context` into `headers`, replacing what they had. A context without a trace writes no trace.
pub fn inject(context: &Context, headers: &mut HeaderMap) {
    let span = context.span();
    let span_context = span.span_context();
    if span_context.is_valid() {
        headers.insert(TRACEPARENT, traceparent(span_context));
        let state = span_context.trace_state();
        if *state != TraceState::NONE
            && let Ok(state) = HeaderValue::try_from(state.header())
        {
            headers.insert(TRACESTATE, state);
        }
    }
    if !context.baggage().is_empty() {
        BaggagePropagator::new().inject_context(context, &mut HeaderInjector(headers));
    }
}

/// The caller's context, as `headers` tell it. Without a valid `traceparent` it has no trace.
pub fn extract(headers: &HeaderMap) -> Context {
    let context = match span_context(headers) {
        Some(span_context) => Context::new().with_remote_span_context(span_context),
        None => Context::new(),
    };
    if headers.contains_key(BAGGAGE) {
        return BaggagePropagator::new().extract_with_context(&context, &HeaderExtractor(headers));
    }
    context
}

/// A context as text, to be kept beside a row until the work that belongs to it is done. Without baggage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceText {
    /// As the header of this name: 55 bytes.
    pub traceparent: String,
    /// As the header of this name: at most 1,024 bytes.
    pub tracestate: Option<String>,
}

/// `context` as text. `None` for a context without a trace.
pub fn to_text(context: &Context) -> Option<TraceText> {
    let span = context.span();
    let span_context = span.span_context();
    let state = span_context.trace_state();
    span_context.is_valid().then(|| TraceText {
        traceparent: traceparent_text(span_context).iter().copied().map(char::from).collect(),
        tracestate: (*state != TraceState::NONE).then(|| state.header()),
    })
}

/// The context that [`to_text`] wrote, as a remote one. Without a valid `traceparent` it has no trace.
pub fn from_text(traceparent: &str, tracestate: Option<&str>) -> Context {
    match parse(traceparent.as_bytes()) {
        Some((trace_id, span_id, flags)) => {
            let state = tracestate.map_or(TraceState::NONE, readable_state);
            Context::new().with_remote_span_context(SpanContext::new(trace_id, span_id, flags, true, state))
        }
        None => Context::new(),
    }
}

fn traceparent(span_context: &SpanContext) -> HeaderValue {
    // Hex digits and dashes are always a header value.
    HeaderValue::from_bytes(&traceparent_text(span_context)).unwrap_or(HeaderValue::from_static(""))
}

fn traceparent_text(span_context: &SpanContext) -> [u8; TRACEPARENT_LENGTH] {
    let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
    hex(&span_context.trace_id().to_bytes(), &mut text[3..35]);
    hex(&span_context.span_id().to_bytes(), &mut text[36..52]);
    text[54] += u8::from(span_context.is_sampled());
    text
}

fn hex(bytes: &[u8], text: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (byte, pair) in bytes.iter().zip(text.chunks_exact_mut(2)) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 0xf)];
    }
}

fn span_context(headers: &HeaderMap) -> Option<SpanContext> {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let value = values.next()?;
    // More than one: the caller's context is ambiguous, and the specification has it restarted.
    if values.next().is_some() {
        return None;
    }
    let (trace_id, span_id, flags) = parse(value.as_bytes())?;
    Some(SpanContext::new(trace_id, span_id, flags, true, trace_state(headers)))
}

/// <https://www.w3.org/TR/trace-context-2/#traceparent-header>
fn parse(text: &[u8]) -> Option<(TraceId, SpanId, TraceFlags)> {
    let text = text.trim_ascii();
    let fixed = text.get(..TRACEPARENT_LENGTH)?;
    if fixed[2] != b'-' || fixed[35] != b'-' || fixed[52] != b'-' {
        return None;
    }
    let version = number(&fixed[..2])?;
    // Version 0 ends here; a later one may go on, after another dash. 255 is no version.
    let fits = match version {
        0 => text.len() == TRACEPARENT_LENGTH,
        255 => false,
        _ => text.get(TRACEPARENT_LENGTH).is_none_or(|next| *next == b'-'),
    };
    if !fits {
        return None;
    }
    let trace_id = TraceId::from(number(&fixed[3..35])?);
    let span_id = SpanId::from(u64::try_from(number(&fixed[36..52])?).ok()?);
    let flags = TraceFlags::new(u8::try_from(number(&fixed[53..55])?).ok()?) & TraceFlags::SAMPLED;
    (trace_id != TraceId::INVALID && span_id != SpanId::INVALID).then_some((trace_id, span_id, flags))
}

/// Lower-case hex digits only, as the specification has it.
fn number(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(value))
    })
}

/// A state that can't be read is dropped, and the trace kept. One that is too long loses members from its end, as
/// <https://www.w3.org/TR/trace-context-2/#tracestate-limits> has it.
fn trace_state(headers: &HeaderMap) -> TraceState {
    let mut values = headers.get_all(TRACESTATE).iter().filter_map(|value| value.to_str().ok());
    let Some(first) = values.next() else {
        return TraceState::NONE;
    };
    let mut rest = values.peekable();
    let joined = if rest.peek().is_none() {
        Cow::Borrowed(first)
    } else {
        Cow::Owned(std::iter::once(first).chain(rest).collect::<Vec<_>>().join(","))
    };
    readable_state(&joined)
}

fn readable_state(state: &str) -> TraceState {
    TraceState::from_str(whole_members(state)).unwrap_or_default()
}

/// As many members from the start as fit into [`LONGEST_STATE`].
fn whole_members(state: &str) -> &str {
    if state.len() <= LONGEST_STATE {
        return state;
    }
    state.match_indices(',').take_while(|(end, _)| *end <= LONGEST_STATE).last().map_or("", |(end, _)| &state[..end])
}

#[cfg(test)]
mod tests {
    use opentelemetry::KeyValue;
    use opentelemetry_sdk::propagation::TraceContextPropagator;

    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    fn extracted(pairs: &[(HeaderName, &str)]) -> SpanContext {
        extract(&headers(pairs)).span().span_context().clone()
    }

    #[test]
    fn a_context_as_text_is_the_same_context_again() {
        let written = from_text(PARENT, Some("vendor=1,other=2"));
        let text = to_text(&written).unwrap();
        assert_eq!((text.traceparent.as_str(), text.tracestate.as_deref()), (PARENT, Some("vendor=1,other=2")));

        let read = from_text(&text.traceparent, text.tracestate.as_deref());
        assert_eq!(read.span().span_context(), written.span().span_context());
        assert!(read.span().span_context().is_remote());
    }

    #[test]
    fn text_that_is_no_context_has_no_trace() {
        assert_eq!(to_text(&Context::new()), None);
        for bad in ["", "00-0-0-01", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"] {
            assert!(!from_text(bad, None).span().span_context().is_valid(), "{bad:?}");
        }
        let without_state = to_text(&from_text(PARENT, Some("no state"))).unwrap();
        assert_eq!((without_state.traceparent.as_str(), without_state.tracestate), (PARENT, None));
    }

    #[test]
    fn a_context_that_was_injected_is_extracted_again() {
        let parent = SpanContext::new(
            TraceId::from(0x4bf9),
            SpanId::from(0x00f0),
            TraceFlags::SAMPLED,
            true,
            TraceState::from_str("vendor=1,other=2").unwrap(),
        );
        let context =
            Context::new().with_remote_span_context(parent.clone()).with_baggage([KeyValue::new("tenant", "a b")]);
        let mut headers = HeaderMap::new();

        inject(&context, &mut headers);
        let read = extract(&headers);

        assert_eq!(read.span().span_context(), &parent);
        assert_eq!(read.baggage().get("tenant").map(ToString::to_string).as_deref(), Some("a b"));
    }

    #[test]
    fn what_is_read_and_written_is_what_the_sdk_reads_and_writes() {
        let sdk = TraceContextPropagator::new();
        for text in [
            PARENT,
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff",
            "02-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-09-XYZxsf09",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-",
            "qw-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "nonsense",
            "",
        ] {
            let headers = headers(&[(TRACEPARENT, text), (TRACESTATE, "vendor=1")]);
            let theirs = sdk.extract(&HeaderExtractor(&headers));
            let ours = extract(&headers);
            assert_eq!(ours.span().span_context(), theirs.span().span_context(), "{text:?}");

            let (mut written, mut expected) = (HeaderMap::new(), HeaderMap::new());
            inject(&ours, &mut written);
            sdk.inject_context(&theirs, &mut HeaderInjector(&mut expected));
            assert_eq!(written.get(TRACEPARENT), expected.get(TRACEPARENT), "{text:?}");
        }
    }

    #[test]
    fn two_parents_are_none() {
        let other = "00-00000000000000000000000000000001-0000000000000001-01";
        assert!(!extracted(&[(TRACEPARENT, PARENT), (TRACEPARENT, other)]).is_valid());
    }

    #[test]
    fn the_state_of_several_headers_is_one_list_and_a_broken_state_keeps_the_trace() {
        let joined = extracted(&[(TRACEPARENT, PARENT), (TRACESTATE, "a=1"), (TRACESTATE, "b=2")]);
        assert_eq!(joined.trace_state().header(), "a=1,b=2");

        let broken = extracted(&[(TRACEPARENT, PARENT), (TRACESTATE, "no list member")]);
        assert!(broken.is_valid());
        assert_eq!(broken.trace_state(), &TraceState::NONE);
    }

    #[test]
    fn a_long_state_loses_members_from_its_end() {
        let member = |index: usize| format!("vendor{index}={}", "x".repeat(200));
        let long: Vec<_> = (0..10).map(member).collect();
        let read = extracted(&[(TRACEPARENT, PARENT), (TRACESTATE, &long.join(","))]);
        assert_eq!(read.trace_state().header(), long[..4].join(","));
        assert_eq!(whole_members(&"x".repeat(2000)), "");
    }

    #[test]
    fn a_context_without_a_trace_writes_nothing() {
        let mut headers = HeaderMap::new();
        inject(&Context::new(), &mut headers);
        assert!(headers.is_empty());
    }
}
