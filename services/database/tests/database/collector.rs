//! Takes spans in place of a collector.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use telemetry::{HttpClient, HttpError, Identity, Settings, Telemetry};

#[derive(Clone, Debug, Default)]
pub(crate) struct Collector(Arc<Mutex<Vec<Span>>>);

#[async_trait::async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, HttpError> {
        let export = ExportTraceServiceRequest::decode(request.into_body())?;
        let spans = export.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
        self.0.lock().unwrap().extend(spans.flat_map(|scope| scope.spans));
        Ok(http::Response::new(Bytes::new()))
    }
}

impl Collector {
    /// Telemetry that sends here; only a flush makes spans go out.
    pub(crate) fn telemetry(&self) -> Telemetry {
        let mut settings = Settings { endpoint: Some("http://collector/v1/traces".to_owned()), ..Settings::default() };
        settings.batch.schedule_delay = Duration::from_mins(10);
        Telemetry::new(IDENTITY, &settings, Some(Arc::new(self.clone()))).unwrap()
    }

    pub(crate) async fn spans(&self, telemetry: &Telemetry) -> Vec<Span> {
        assert_eq!(telemetry.flush(Duration::from_secs(5)).await.error, None);
        self.0.lock().unwrap().clone()
    }
}

pub(crate) const IDENTITY: Identity = Identity { service_name: "under-test", service_version: "1.2.3" };

/// Telemetry that goes nowhere.
pub(crate) fn no_telemetry() -> Telemetry {
    Telemetry::new(IDENTITY, &Settings::default(), None).unwrap()
}
