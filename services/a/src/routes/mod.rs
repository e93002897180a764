//! A's routes.

mod hello;
mod service_b;

use axum::Router;
use axum::routing::get;

use crate::config::Config;
use crate::state::State;

/// A's router.
pub fn app(config: &Config) -> Router {
    Router::new()
        .route(api::a::ROOT_PATH, get(hello::greet).post(hello::greet_json))
        .route(api::a::SERVICE_B_PATH, get(service_b::call))
        .with_state(State::new(config))
}
