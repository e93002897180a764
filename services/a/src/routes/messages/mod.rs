//! The routes of messages.

pub(crate) mod accept;
pub(crate) mod get;
mod id;
mod key;
pub(crate) mod list;
mod prefer;
pub(crate) mod redeliver;

use api::a::{MESSAGE_PATH, MESSAGES_PATH, REDELIVER_PATH};
use api::message::Message;
use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode, Uri};
use runtime::Failure;
use serde::Serialize;

use crate::messages::Messages;
use crate::store::Backend;

/// The routes of `messages`.
pub(crate) fn routes_of<B: Backend>(messages: Messages<B>) -> Router {
    let [one, all, redeliver] =
        [get(get::get::<B>), post(accept::post::<B>).get(list::list::<B>), post(redeliver::post::<B>)];
    routes(all, one, redeliver).with_state(messages)
}

/// The same routes, which say that there is no database.
pub(crate) fn without_database() -> Router {
    routes(post(refuse).get(refuse), get(refuse), post(refuse))
}

fn routes<S: Clone + Send + Sync + 'static>(
    messages: MethodRouter<S>,
    message: MethodRouter<S>,
    redeliver: MethodRouter<S>,
) -> Router<S> {
    Router::new().route(MESSAGES_PATH, messages).route(MESSAGE_PATH, message).route(REDELIVER_PATH, redeliver)
}

async fn refuse(uri: Uri) -> Failure {
    Failure::from(database::Error::NotConfigured).at(uri.path())
}

/// Where a message is.
fn location(message: &Message) -> HeaderValue {
    // An identifier is hexadecimal digits and dashes.
    HeaderValue::try_from(MESSAGE_PATH.replace("{id}", &message.id)).unwrap_or(HeaderValue::from_static(MESSAGES_PATH))
}

fn json(status: StatusCode, body: &impl Serialize) -> Response {
    // Strings, numbers, and a text that was JSON before: nothing can fail.
    let mut response = Response::new(Body::from(serde_json::to_vec(body).unwrap_or_default()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
