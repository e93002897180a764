//! Scalars with a format: what a string or number in the values may look like.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// A number as it was written: `1` and `0.5` mean the same to Kubernetes as "1" and "0.5".
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Number {
    Integer(u64),
    Decimal(f64),
    Text(String),
}

impl Number {
    /// The text that goes into an object.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Integer(number) => number.to_string(),
            Self::Decimal(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

/// A Kubernetes quantity, such as 100m, 64Mi or 2.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct Quantity(pub Number);

impl JsonSchema for Quantity {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Quantity".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "number"],
            "format": "quantity",
            "minimum": 0,
        })
    }
}

/// A count, or a share such as 25%.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Percent {
    Count(i32),
    Share(String),
}

impl JsonSchema for Percent {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Percent".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "format": "percent",
            "minimum": 0,
            "maximum": i32::MAX,
        })
    }
}

/// A string newtype with a named format.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $format:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "format": $format })
            }
        }
    };
}

text!(
    /// The value of a label.
    LabelText, "label-value"
);
text!(
    /// A path that starts with a slash.
    AbsolutePath, "absolute-path"
);

/// A string in an environment; a number or boolean must be quoted, because YAML 1.1 changes some (`yes`, `0400`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub struct EnvValue(pub String);

impl JsonSchema for EnvValue {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "EnvValue".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

/// The value of an annotation: any string.
pub type AnnotationValue = String;

/// Environment variables by name.
pub(super) fn env_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "propertyNames": { "format": "env-name" },
        "additionalProperties": { "type": "string" },
    })
}

/// Ports by name.
pub(super) fn extra_ports_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "propertyNames": { "format": "port-name" },
        "additionalProperties": { "type": "integer", "minimum": 1, "maximum": 65535 },
    })
}

/// Resource attributes by key.
pub(super) fn resource_attributes_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "propertyNames": { "format": "attribute-key" },
        "additionalProperties": { "type": "string", "format": "attribute-value" },
    })
}
