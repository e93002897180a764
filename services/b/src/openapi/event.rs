//! Schemas of a `CloudEvent`: its attributes in headers (binary mode), and the whole of it in JSON (structured mode).
//!
//! Patterns say what `outbox::event` takes, as closely as a regular expression can.

use serde_json::json;
use utoipa::openapi::schema::{
    AdditionalProperties, AllOfBuilder, Object, ObjectBuilder, OneOfBuilder, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{KnownFormat, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// Text in JSON: no control characters and no noncharacters.
const TEXT: &str = r"^[^\u0000-\u001f\u007f-\u009f\ufdd0-\ufdef\ufffe\uffff]*$";

/// The same in a header (HTTP binding, section 3.1.3.2): printable ASCII, or UTF-8 in percent-encoding; spaces
/// inside, and after it, where HTTP takes them off. `"` and `%` themselves are encoded.
const HEADER_TEXT: &str = concat!(
    r"^(?:(?:[!#$&-~]",
    r"|%(?:[2-6][0-9A-Fa-f]|7[0-9A-Ea-e])",
    r"|%[Cc]2%[ABab][0-9A-Fa-f]",
    r"|%(?:[Cc][3-9A-Fa-f]|[Dd][0-9A-Fa-f])%[89ABab][0-9A-Fa-f]",
    r"|%[Ee]0%[ABab][0-9A-Fa-f]%[89ABab][0-9A-Fa-f]",
    r"|%[Ee][1-9A-Ca-cEe]%[89ABab][0-9A-Fa-f]%[89ABab][0-9A-Fa-f]",
    r"|%[Ee][Dd]%[89][0-9A-Fa-f]%[89ABab][0-9A-Fa-f]",
    r"|%[Ee][Ff]%(?:[89Aa][0-9A-Fa-f]|[Bb][0-689A-Ea-e])%[89ABab][0-9A-Fa-f]",
    r"|%[Ff][1-3]%[89ABab][0-9A-Fa-f]%[89Aa][0-9A-Fa-f]%[89ABab][0-9A-Fa-f]",
    r") *)+$",
);

/// A URI reference (RFC 3986, section 4.1) in a header, where `%` is written `%25`.
const HEADER_SOURCE: &str = concat!(
    // A scheme, or a first segment that can't be mistaken for one.
    r"^(?=.)(?:[A-Za-z][0-9A-Za-z+.-]*:|(?![^/?#]*:))",
    // An authority: user, name or address, port.
    r"(?://(?:(?:[0-9A-Za-z._~!$&'()*+,;=:-]|%25[0-9A-Fa-f]{2})*@)?",
    r"(?:\[(?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){7}|::(?:[0-9A-Fa-f]{1,4})?)\]",
    r"|(?:[0-9A-Za-z._~!$&'()*+,;=-]|%25[0-9A-Fa-f]{2})*)",
    r"(?::[0-9]*)?(?=[/?#]|$)|(?!//))",
    // The path, a query, a fragment.
    r"(?:[0-9A-Za-z._~!$&'()*+,;=:@/-]|%25[0-9A-Fa-f]{2})*",
    r"(?:\?(?:[0-9A-Za-z._~!$&'()*+,;=:@/?-]|%25[0-9A-Fa-f]{2})*)?",
    r"(?:#(?:[0-9A-Za-z._~!$&'()*+,;=:@/?-]|%25[0-9A-Fa-f]{2})*)?$",
);

/// `*/json` or `*/*+json`, with parameters.
const JSON_MEDIA_TYPE: &str = concat!(
    r"^[!#-'*+.^-`|~0-9A-Za-z-]+/(?:[!#-'*+.^-`|~0-9A-Za-z-]+\+)?[Jj][Ss][Oo][Nn]",
    r"(?: *; *[!#-'*+.^-`|~0-9A-Za-z-]+=[!#-'*+.^-`|~0-9A-Za-z-]+)*$",
);

fn text(description: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).description(Some(description)).min_length(Some(1))
}

/// Defines a type that stands for a schema, by its name in the document.
macro_rules! schema {
    ($name:ident, $of:expr) => {
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                $of.into()
            }
        }

        impl ToSchema for $name {}
    };
}

schema!(SpecVersion, text("The version of CloudEvents.").enum_values(Some([outbox::event::SPEC_VERSION])));

schema!(
    HeaderText,
    text(
        "An attribute in a header: printable ASCII, everything else, `\"` and `%` as percent-encoded UTF-8. Double \
         quotes around it are taken off."
    )
    .pattern(Some(HEADER_TEXT))
);

schema!(HeaderSource, text("A URI reference in a header; its `%` is `%25`.").pattern(Some(HEADER_SOURCE)));

schema!(Time, text("A time of RFC 3339.").format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))));

/// The attributes that every event has.
const REQUIRED: [&str; 4] = ["specversion", "id", "source", "type"];

schema!(CloudEvent, {
    let nullable =
        |object: ObjectBuilder| object.schema_type(SchemaType::from_iter([Type::String, Type::Null])).build();
    let uri = |description, format: &str| text(description).format(Some(SchemaFormat::Custom(format.to_owned())));
    let extension = ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Boolean, Type::Integer, Type::Null]))
        .description(Some("Any other attribute, such as `traceparent`. `null` is one that is not there."))
        .minimum(Some(f64::from(i32::MIN)))
        .maximum(Some(f64::from(i32::MAX)))
        .pattern(Some(TEXT));
    let names = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^(?:[a-z0-9]+|data_base64)$"));
    let longest = Some(crate::store::LONGEST_KEY);
    let key = |object: ObjectBuilder| object.max_length(longest);
    let data = Object::new();
    let encoded = ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("The data, a JSON object, in Base64 (RFC 4648, section 4)."))
        .content_encoding("base64")
        .content_media_type(api::JSON);
    let attributes = REQUIRED.iter().fold(ObjectBuilder::new(), |object, name| object.required(*name));
    let attributes = attributes
        .property("specversion", SpecVersion::schema())
        .property("id", key(text("Unique together with `source`; 1,024 bytes at most.").pattern(Some(TEXT))))
        .property("source", key(uri("Who the event is from, a URI reference; 1,024 bytes at most.", "uri-reference")))
        .property("type", text("What has happened.").pattern(Some(TEXT)))
        .property("time", nullable(text("When.").format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))))
        .property("subject", nullable(text("What it has happened to.").pattern(Some(TEXT))))
        .property(
            "datacontenttype",
            nullable(text("JSON's media type, or none: nothing else is taken.").pattern(Some(JSON_MEDIA_TYPE))),
        )
        .property("dataschema", nullable(uri("An absolute URI without a fragment.", "uri").pattern(Some("^[^#]*$"))))
        .property("data", data)
        .property("data_base64", encoded)
        .additional_properties(Some(AdditionalProperties::RefOr(extension.into())))
        .property_names(Some(names))
        .examples([json!({
            "specversion": "1.0",
            "id": "0199c0de-0000-7000-8000-000000000002",
            "source": "/service-a",
            "type": "dev.msctl.message.created.v1",
            "time": "2026-01-31T23:59:59.123Z",
            "data": {"key": "value"},
        })]);
    let either = ["data", "data_base64"].iter().fold(OneOfBuilder::new(), |either, name| {
        either.item(ObjectBuilder::new().schema_type(SchemaType::AnyValue).required(*name))
    });
    AllOfBuilder::new()
        .description(Some("An event in the JSON format: its attributes and its data, which is a JSON object."))
        .item(attributes)
        .item(either)
});
