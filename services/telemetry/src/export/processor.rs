//! The SDK's side of the queue.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};

use super::queue::Queue;

/// Puts finished spans into the queue; the last one dropped closes it.
#[derive(Debug)]
pub(crate) struct Processor {
    queue: Arc<Queue>,
}

impl Processor {
    pub(super) fn new(queue: Arc<Queue>) -> Self {
        Self { queue }
    }
}

impl SpanProcessor for Processor {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() {
            self.queue.push(span);
        }
    }

    /// Waiting is left to [`crate::Telemetry::flush`], which does not block a thread to do it.
    fn force_flush(&self) -> OTelSdkResult {
        self.queue.hurry();
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        self.queue.close();
        Ok(())
    }
}

impl Drop for Processor {
    fn drop(&mut self) {
        self.queue.close();
    }
}
