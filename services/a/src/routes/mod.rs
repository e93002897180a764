//! A's routes.

pub(crate) mod hello;
pub(crate) mod messages;
pub(crate) mod service_b;

use std::future::Future;
use std::pin::Pin;

use axum::Router;
use axum::routing::get;
use database::Url;
use runtime::Context;

use crate::config::Config;
use crate::messages::Messages;
use crate::openapi;
use crate::state::State;
use crate::store::{Backend, PostgresStore, SqliteStore};

/// What is to be awaited once the last request was answered.
pub type Stop = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A's router, and what stops what goes on beside its requests.
///
/// To be called inside a tokio runtime. The database is opened meanwhile, and deliveries begin once it is there.
#[expect(clippy::needless_pass_by_value, reason = "its parts go on to those that report to them")]
pub fn app(config: &Config, context: Context) -> (Router, Stop) {
    let router = Router::new()
        .route(api::a::ROOT_PATH, get(hello::greet).post(hello::greet_json))
        .route(api::a::SERVICE_B_PATH, get(service_b::call))
        .route(api::OPENAPI_PATH, get(openapi::show))
        .with_state(State::new(config));
    match &config.database {
        Url::None => (router.merge(messages::without_database()), Box::pin(std::future::ready(()))),
        Url::Sqlite(path) => {
            let store = SqliteStore::open(path.clone(), context.clone());
            with(router, Messages::start(store, config, &context))
        }
        Url::Postgres(url) => {
            let store = PostgresStore::open(url.clone(), context.clone());
            with(router, Messages::start(store, config, &context))
        }
    }
}

fn with<B: Backend>(router: Router, messages: Messages<B>) -> (Router, Stop) {
    (router.merge(messages::routes_of(messages.clone())), Box::pin(messages.stop()))
}
