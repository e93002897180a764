//! The admin port: probes and metrics.
//!
//! It is apart from the traffic port, so that neither its cap nor its drain can make a probe fail, and it is the last
//! to close.

use api::admin;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use telemetry::Telemetry;

use crate::config::Limits;
use crate::health::{Health, Readiness};
use crate::problem::Failure;

/// The admin port's own bounds: enough for kubelets and scrapers, little for whoever else finds it.
pub(crate) fn limits(traffic: &Limits) -> Limits {
    Limits { max_connections: 128, max_body: 1024, ..traffic.clone() }
}

pub(crate) fn router(health: Health, telemetry: Telemetry) -> Router {
    Router::new()
        .route(admin::LIVEZ, get(livez))
        .route(admin::READYZ, get(readyz).with_state(health))
        .route(admin::METRICS, get(metrics).with_state(telemetry))
}

/// Alive means that this answers: nothing that a restart would not cure may fail it.
async fn livez() -> Response {
    plain("ok")
}

async fn readyz(State(health): State<Health>) -> Response {
    let waiting = match health.readiness() {
        Readiness::Ready => return plain("ok"),
        Readiness::Draining => "the service is shutting down".to_owned(),
        Readiness::WaitingFor(what) => format!("waiting for {}", what.join(", ")),
    };
    Failure::new(StatusCode::SERVICE_UNAVAILABLE, waiting).at(admin::READYZ).into_response()
}

async fn metrics(State(telemetry): State<Telemetry>) -> Response {
    ([(CONTENT_TYPE, telemetry::metrics::CONTENT_TYPE)], telemetry.metrics().render()).into_response()
}

fn plain(body: &'static str) -> Response {
    ([(CONTENT_TYPE, api::TEXT_PLAIN)], body).into_response()
}
