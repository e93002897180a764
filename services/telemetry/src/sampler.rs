//! Which requests become spans, decided before anything is built for them.

use opentelemetry::trace::{Link, SpanContext, SpanKind, TraceContextExt, TraceId, TraceState};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, ShouldSample};

/// The share of traces to keep, from 0 (none) to 1 (all).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio(u64);

impl Ratio {
    const ALL: u64 = 1 << 63;

    /// `None` unless `share` is between 0 and 1.
    pub fn new(share: f64) -> Option<Self> {
        if !(0.0..=1.0).contains(&share) {
            return None;
        }
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the product lies between 0 and 2^63, and a bound is all that is asked of it"
        )]
        let bound = (share * Self::ALL as f64) as u64;
        Some(Self(bound))
    }

    /// The rule of every OpenTelemetry SDK, so that services with equal ratios keep the same traces: the trace id's last
    /// 63 bits, as a number, are below the ratio.
    fn keeps(self, trace_id: TraceId) -> bool {
        let bytes = trace_id.to_bytes();
        let low =
            u64::from_be_bytes([bytes[8], bytes[9], bytes[10], bytes[11], bytes[12], bytes[13], bytes[14], bytes[15]]);
        low >> 1 < self.0
    }
}

/// The samplers of `OTEL_TRACES_SAMPLER`
/// ([specification](https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#general-sdk-configuration)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sampler {
    /// `always_on`
    AlwaysOn,
    /// `always_off`
    AlwaysOff,
    /// `traceidratio`
    TraceIdRatio(Ratio),
    /// `parentbased_always_on`: the caller decides; without a caller, yes.
    #[default]
    ParentBasedAlwaysOn,
    /// `parentbased_always_off`: the caller decides; without a caller, no.
    ParentBasedAlwaysOff,
    /// `parentbased_traceidratio`: the caller decides; without a caller, the ratio.
    ParentBasedTraceIdRatio(Ratio),
}

impl Sampler {
    /// Whether a span of `trace_id` under `parent` is to be recorded.
    pub(crate) fn samples(self, parent: &SpanContext, trace_id: TraceId) -> bool {
        match self {
            Self::ParentBasedAlwaysOn | Self::ParentBasedAlwaysOff | Self::ParentBasedTraceIdRatio(_)
                if parent.is_valid() =>
            {
                parent.is_sampled()
            }
            Self::AlwaysOn | Self::ParentBasedAlwaysOn => true,
            Self::AlwaysOff | Self::ParentBasedAlwaysOff => false,
            Self::TraceIdRatio(ratio) | Self::ParentBasedTraceIdRatio(ratio) => ratio.keeps(trace_id),
        }
    }
}

impl ShouldSample for Sampler {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        _name: &str,
        _kind: &SpanKind,
        _attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let span = parent.map(TraceContextExt::span);
        let parent = span.as_ref().map_or(&SpanContext::NONE, |span| span.span_context());
        // A root that links to recorded spans is a part of their story; without it their links lead nowhere.
        let linked = || !parent.is_valid() && links.iter().any(|link| link.span_context.is_sampled());
        SamplingResult {
            decision: if self.samples(parent, trace_id) || linked() {
                SamplingDecision::RecordAndSample
            } else {
                SamplingDecision::Drop
            },
            attributes: Vec::new(),
            trace_state: if parent.is_valid() { parent.trace_state().clone() } else { TraceState::NONE },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::trace::{SpanId, TraceFlags};

    fn caller(flags: TraceFlags) -> SpanContext {
        SpanContext::new(TraceId::from(7), SpanId::from(7), flags, true, TraceState::NONE)
    }

    #[test]
    fn a_parent_based_sampler_leaves_the_decision_to_the_caller() {
        let none = Ratio::new(0.0).unwrap();
        let trace = TraceId::from(7);

        for sampler in
            [Sampler::ParentBasedAlwaysOn, Sampler::ParentBasedAlwaysOff, Sampler::ParentBasedTraceIdRatio(none)]
        {
            assert!(sampler.samples(&caller(TraceFlags::SAMPLED), trace), "{sampler:?}");
            assert!(!sampler.samples(&caller(TraceFlags::NOT_SAMPLED), trace), "{sampler:?}");
        }
        assert!(Sampler::ParentBasedAlwaysOn.samples(&SpanContext::NONE, trace));
        assert!(!Sampler::ParentBasedAlwaysOff.samples(&SpanContext::NONE, trace));
    }

    #[test]
    fn a_sampler_without_a_parent_rule_does_not_ask_the_caller() {
        let trace = TraceId::from(7);
        assert!(Sampler::AlwaysOn.samples(&caller(TraceFlags::NOT_SAMPLED), trace));
        assert!(!Sampler::AlwaysOff.samples(&caller(TraceFlags::SAMPLED), trace));
    }

    #[test]
    fn a_ratio_keeps_the_traces_that_the_sdk_keeps() {
        let share = 0.25;
        let ours = Sampler::TraceIdRatio(Ratio::new(share).unwrap());
        let sdk = opentelemetry_sdk::trace::Sampler::TraceIdRatioBased(share);
        let mut kept = 0;
        for seed in 0..10_000_u128 {
            // A multiplier that spreads consecutive seeds over all 128 bits.
            let trace = TraceId::from(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
            let expected = sdk.should_sample(None, trace, "", &SpanKind::Server, &[], &[]).decision
                == SamplingDecision::RecordAndSample;
            assert_eq!(ours.samples(&SpanContext::NONE, trace), expected, "{trace}");
            kept += u32::from(expected);
        }
        assert!((2_000..3_000).contains(&kept), "{kept} of 10,000");
    }

    #[test]
    fn a_ratio_is_between_nothing_and_everything() {
        assert_eq!(Ratio::new(-0.1), None);
        assert_eq!(Ratio::new(1.1), None);
        assert_eq!(Ratio::new(f64::NAN), None);
        let all = Ratio::new(1.0).unwrap();
        assert!(all.keeps(TraceId::from(u128::MAX)));
        assert!(!Ratio::new(0.0).unwrap().keeps(TraceId::from(1 << 64)));
    }
}
