//! Which paths and methods are served, and which are described.

use std::collections::BTreeSet;

use axum::Router;
use axum::body::Body;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{Method, Request, StatusCode};
use serde_json::Value;
use tower::ServiceExt as _;

/// `METHOD PATH`, the path with its parameters in braces. Without HEAD, which comes with every GET.
pub type Routes = BTreeSet<String>;

/// What `document` describes.
pub fn described(document: &Value) -> Routes {
    let paths = document["paths"].as_object().expect("paths");
    let of = |(path, operations): (&String, &Value)| {
        let methods: Vec<_> = operations.as_object().expect("operations").keys().cloned().collect();
        methods.into_iter().map(move |method| (method, path.clone())).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of).map(|(method, path)| format!("{} {path}", method.to_uppercase())).collect()
}

/// What `router` serves: its own paths, each with the methods that it names in `Allow`.
///
/// axum has no list of a router's paths but in its `Debug` text, which also knows those that were merged in from
/// elsewhere. Should that text change, there are no paths, and whatever is compared with them fails.
pub async fn served(router: &Router) -> Routes {
    let mut found = Routes::new();
    for path in paths(&format!("{router:?}")) {
        let method = Method::from_bytes(b"NOBODY-HAS-THIS-METHOD").expect("a token");
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method;
        *request.uri_mut() = path.replace(['{', '}'], "").parse().expect("a path");
        let answer = router.clone().oneshot(request).await.expect("a router never fails");
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        let allow = answer.headers().get(ALLOW).expect("Allow").to_str().expect("methods");
        let methods = allow.split(',').map(str::trim).filter(|method| *method != "HEAD");
        found.extend(methods.map(|method| format!("{method} {path}")));
    }
    found
}

/// The document that `router` serves.
pub async fn published(router: &Router) -> Value {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = api::OPENAPI_PATH.parse().expect("a path");
    let answer = router.clone().oneshot(request).await.expect("a router never fails");
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()[CONTENT_TYPE], api::JSON);
    let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await.expect("a body");
    serde_json::from_slice(&body).expect("JSON")
}

/// The texts in quotes that begin with a slash, but for axum's own name of the fallback.
fn paths(debug: &str) -> BTreeSet<&str> {
    let quoted = debug.split('"').skip(1).step_by(2);
    quoted.filter(|text| text.starts_with('/') && !text.contains("__private__axum")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::{get, post};
    use serde_json::json;

    #[tokio::test]
    async fn merged_routes_and_parameters_are_found_with_their_methods() {
        let inner = Router::new().route("/b/{id}", post(async || ()).put(async || ()));
        let router = Router::new().route("/", get(async || ())).merge(inner);

        let expected = ["GET /", "POST /b/{id}", "PUT /b/{id}"].map(ToOwned::to_owned).into();
        assert_eq!(served(&router).await, expected);

        let document = json!({"paths": {"/": {"get": {}}, "/b/{id}": {"post": {}, "put": {}}}});
        assert_eq!(described(&document), expected);
    }
}
