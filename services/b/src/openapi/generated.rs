//! The document as the code has it, and that the checked-in one is the same.

use std::path::PathBuf;

use utoipa::OpenApi;

use super::event;
use crate::routes;

const ABOUT: &str = "\
Service B applies each event that it is sent once.

What it promises:

- **Once.** An event is identified by its `source` and `id`. The first time it is applied and answered 201; every time \
after that it is ignored and answered 200. Recording and applying are one transaction, so a sender may repeat whatever \
it is not sure of: after a 503, after no answer, after a restart of either side.
- **Nothing acknowledged is lost.** 201 and 200 come after the commit.
- **No order.** Events are applied as they come. Two that are sent one after the other may be applied the other way round.
- **For RETENTION** (7 days unless set otherwise). After that an event is forgotten, and applied again if it is sent again; \
senders give up before.

Errors are problem details (RFC 9457) with the media type `application/problem+json`; `trace_id` ties them to traces and \
log lines. 400, 413 and 415 will be the same for every repetition; 408, 503 and no answer are worth one, after `Retry-After` \
where it is there. A path that is not below is 404, a method that is not below is 405 with `Allow`. Every GET \
is answered to HEAD as well.";

#[derive(OpenApi)]
#[openapi(
    info(title = "service-b", description = ABOUT, license(name = "Apache-2.0", identifier = "Apache-2.0")),
    servers((url = "/")),
    tags(
        (name = "greeting", description = "The seed's route."),
        (name = "messages", description = "Events and what became of them."),
        (name = "document", description = "What B says of itself."),
    ),
    paths(
        routes::hello::greet,
        routes::events::receive,
        routes::messages::list,
        routes::message::show,
        routes::stats::show,
        crate::openapi::show,
    ),
    components(schemas(api::Problem, event::SpecVersion, event::HeaderText, event::HeaderSource, event::Time)),
)]
struct Document;

#[test]
fn the_checked_in_document_is_the_one_that_the_code_has() {
    let document = test_openapi::complete(&Document::openapi());
    let path = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../../docs/openapi/service-b.json");
    test_openapi::agree(&document, &path);
}

#[tokio::test]
async fn what_is_described_is_routed_and_what_is_routed_is_described_and_published() {
    let document = test_openapi::complete(&Document::openapi());
    let config = crate::Config { database: database::Url::None, retention: std::time::Duration::from_hours(1) };
    let (router, _stop) = crate::app(config, context());
    assert_eq!(test_openapi::routes::described(&document), test_openapi::routes::served(&router).await);
    assert_eq!(document, test_openapi::routes::published(&router).await);
}

fn context() -> runtime::Context {
    let identity = telemetry::Identity { service_name: api::b::NAME, service_version: "0.0.0" };
    let telemetry = telemetry::Telemetry::new(identity, &telemetry::Settings::default(), None).unwrap();
    runtime::Context { health: runtime::Health::new(), telemetry }
}
