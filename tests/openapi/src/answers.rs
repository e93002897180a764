//! What the routes of both services have in common, for their annotations.

use std::collections::BTreeMap;

use serde_json::json;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Ref, RefOr, Response, Schema};
use utoipa::{IntoResponses, PartialSchema, ToSchema};

/// `?limit=` of every list.
#[derive(Clone, Copy, Debug)]
pub struct Limit;

impl PartialSchema for Limit {
    fn schema() -> RefOr<Schema> {
        let limit = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(200));
        limit.default(Some(json!(50))).into()
    }
}

impl ToSchema for Limit {}

/// What whatever reads or writes the database can answer: 500 and 503.
#[derive(Clone, Copy, Debug)]
pub struct Database;

impl IntoResponses for Database {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        shared([("500", "Broken"), ("503", "DatabaseAway")])
    }
}

/// What whatever takes a JSON body can answer, besides the 400 that each route describes itself: 413 and 415.
#[derive(Clone, Copy, Debug)]
pub struct Body;

impl IntoResponses for Body {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        shared([("413", "BodyTooLarge"), ("415", "OtherMediaType")])
    }
}

/// References to what `common` describes.
fn shared<const N: usize>(answers: [(&str, &str); N]) -> BTreeMap<String, RefOr<Response>> {
    answers.map(|(status, name)| (status.to_owned(), Ref::from_response_name(name).into())).into()
}
