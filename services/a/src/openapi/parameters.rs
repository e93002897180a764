//! Schemas of A's own parameters.

use utoipa::openapi::schema::{ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// `{id}`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MessageId;

impl PartialSchema for MessageId {
    fn schema() -> RefOr<Schema> {
        let id = ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::Custom("uuid".to_owned())));
        id.pattern(Some("^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$")).into()
    }
}

impl ToSchema for MessageId {}

/// `Idempotency-Key`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IdempotencyKey;

impl PartialSchema for IdempotencyKey {
    fn schema() -> RefOr<Schema> {
        let key = ObjectBuilder::new().schema_type(Type::String).description(Some("Visible ASCII."));
        key.min_length(Some(1)).max_length(Some(255)).pattern(Some("^[!-~]+$")).into()
    }
}

impl ToSchema for IdempotencyKey {}
