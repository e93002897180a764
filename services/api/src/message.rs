//! Messages: what A accepts and delivers, and what B has of them.
//!
//! Times are RFC 3339 in UTC with milliseconds, as in `2026-01-31T23:59:59.123Z`.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A message as A knows it.
///
/// Messages are delivered in no particular order.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Message {
    /// A UUID (RFC 9562) of version 7.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub id: String,
    pub state: State,
    /// Deliveries that were tried, the one that succeeded among them.
    pub attempts: u32,
    /// When A committed it.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub created_at: String,
    /// When B had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub delivered_at: Option<String>,
    /// When the next delivery is due, while it is pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub next_attempt_at: Option<String>,
    /// Why the last delivery failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub last_error: Option<String>,
    /// The JSON object that was posted, as it was written.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub body: Box<RawValue>,
}

/// How far a message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Accepted, and not delivered yet.
    Pending,
    /// B has it.
    Delivered,
    /// Given up: B refused it, or it could not be delivered in time.
    Dead,
}

/// A page of A's messages, the newest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Messages {
    pub messages: Vec<Message>,
    /// For `?cursor=`, where there are more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub next_cursor: Option<String>,
}

/// B's own copy of a message.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Received {
    /// The event's `id`.
    pub id: String,
    /// The event's `source`; it and the `id` together are unique.
    pub source: String,
    /// The event's `type`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When B applied it.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub received_at: String,
    /// The event's data, as it was written.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub body: Box<RawValue>,
}

/// A page of B's copies, the newest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Inbox {
    pub messages: Vec<Received>,
    /// For `?cursor=`, where there are more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub next_cursor: Option<String>,
}

/// What B did with an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Receipt {
    pub id: String,
    pub source: String,
    pub outcome: Outcome,
}

/// Whether an event was new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was new, and is applied.
    Applied,
    /// It had been applied before.
    Ignored,
}

/// B's counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Stats {
    /// Messages in B's database.
    pub messages: u64,
    /// Events that this replica applied since it started.
    pub applied: u64,
    /// Events that this replica ignored since it started, because they had been applied before.
    pub ignored: u64,
}

impl State {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
