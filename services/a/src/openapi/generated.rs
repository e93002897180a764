//! The document as the code has it, and that the checked-in one is the same.

use std::path::PathBuf;

use utoipa::OpenApi;

use super::{IdempotencyKey, MessageId};
use crate::routes;

const ABOUT: &str = "\
Service A takes messages, JSON objects, and delivers each to service B.

What it promises:

- **Never lost.** 201 and 202 come after the message is committed to A's database. From then on it is delivered until B \
has it, whatever is restarted in between; or it is `dead`, which is told: B refused it, or it could not be delivered for \
OUTBOX_MAX_AGE (24 hours unless set otherwise). A dead message can be delivered again.
- **Never doubled.** B applies each message once, however often it is sent there.
- **No order.** Messages are delivered in no particular order, also those of one client.
- **A repeated request may double, unless it has a key.** When no answer came, or a 503 that says that the answer was \
lost, the message may be stored or not. With an `Idempotency-Key` the request can be repeated: the key is kept for 24 hours \
with the message. The same key with another body is 422. Without a key every request is a message of its own.

Messages are kept for RETENTION (7 days unless set otherwise).

Errors are problem details (RFC 9457) with the media type `application/problem+json`; `trace_id` ties them to traces and \
log lines. 400, 413, 415 and 422 will be the same for every repetition; 408, 503 and no answer are worth one, after \
`Retry-After` where it is there. A path that is not below is 404, a method that is not below is 405 with `Allow`. Every GET \
is answered to HEAD as well.";

#[derive(OpenApi)]
#[openapi(
    info(title = "service-a", description = ABOUT, license(name = "Apache-2.0", identifier = "Apache-2.0")),
    servers((url = "/")),
    tags(
        (name = "greeting", description = "The seed's routes."),
        (name = "messages", description = "Messages and what became of them."),
        (name = "document", description = "What A says of itself."),
    ),
    paths(
        routes::hello::greet,
        routes::hello::greet_json,
        routes::service_b::call,
        routes::messages::accept::post,
        routes::messages::list::list,
        routes::messages::get::get,
        routes::messages::redeliver::post,
        crate::openapi::show,
    ),
    components(schemas(api::Problem, IdempotencyKey, MessageId)),
)]
struct Document;

#[test]
fn the_checked_in_document_is_the_one_that_the_code_has() {
    let document = test_openapi::complete(&Document::openapi());
    let path = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../../docs/openapi/service-a.json");
    test_openapi::agree(&document, &path);
}

#[tokio::test]
async fn what_is_described_is_routed_and_what_is_routed_is_described_and_published() {
    let document = test_openapi::complete(&Document::openapi());
    let folder = std::env::temp_dir().join(format!("service-a-openapi-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    // The routes are put together differently with a database and without.
    for database in [database::Url::None, database::Url::Sqlite(folder.join("a.sqlite3"))] {
        let config = crate::Config {
            service_b: http::Uri::from_static("http://127.0.0.1:1"),
            upstream_timeout: std::time::Duration::from_secs(1),
            database,
            messages: crate::MessagesConfig::default(),
        };
        let (router, stop) = crate::app(&config, context());
        assert_eq!(test_openapi::routes::described(&document), test_openapi::routes::served(&router).await);
        assert_eq!(document, test_openapi::routes::published(&router).await);
        stop.await;
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

fn context() -> runtime::Context {
    let identity = telemetry::Identity { service_name: api::a::NAME, service_version: "0.0.0" };
    let telemetry = telemetry::Telemetry::new(identity, &telemetry::Settings::default(), None).unwrap();
    runtime::Context { health: runtime::Health::new(), telemetry }
}
