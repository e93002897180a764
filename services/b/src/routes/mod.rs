//! B's routes.

pub(crate) mod events;
pub(crate) mod hello;
pub(crate) mod message;
pub(crate) mod messages;
pub(crate) mod stats;

use axum::Router;
use axum::routing::{get, post};
use runtime::Context;

use crate::config::Config;
use crate::counts::Counts;
use crate::state::State;
use crate::tally::Tally;
use crate::{openapi, purge, store};

/// B's router, its database opening in the background, and what stops that once the last request was answered. Called
/// in the runtime that serves it.
pub fn app(config: Config, context: Context) -> (Router, impl Future<Output = ()> + Send + 'static) {
    let counts = Counts::register(&context.telemetry);
    let store = store::open(config.database, context);
    let purge = tokio::spawn(purge::run(store.clone(), config.retention, counts.clone()));
    let router = Router::new()
        .route(api::b::ROOT_PATH, get(hello::greet))
        .route(api::b::EVENTS_PATH, post(events::receive))
        .route(api::b::MESSAGES_PATH, get(messages::list))
        .route(api::b::MESSAGE_PATH, get(message::show))
        .route(api::b::STATS_PATH, get(stats::show))
        .route(api::OPENAPI_PATH, get(openapi::show))
        .with_state(State { store: store.clone(), tally: Tally::new(store.clone()), counts });
    let stop = async move {
        purge.abort();
        store.close().await;
    };
    (router, stop)
}
