//! What a span says of a statement (<https://opentelemetry.io/docs/specs/semconv/database/database-spans/>).

use telemetry::span::{ActiveSpan, start_with};
use telemetry::{KeyValue, SpanKind};

/// Names a read's or write's span: `INSERT messages`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement {
    /// `db.operation.name`, as in `INSERT`.
    pub operation: &'static str,
    /// `db.collection.name`, as in `messages`.
    pub table: &'static str,
}

/// The database, as spans name it.
#[derive(Clone, Debug)]
pub(crate) struct System {
    /// `db.system.name`: `sqlite` or `postgresql`.
    pub(crate) name: &'static str,
    /// `db.namespace`: the file's name, or the database's.
    pub(crate) namespace: String,
    /// `server.address` and `server.port`.
    pub(crate) server: Option<(String, u16)>,
}

impl System {
    /// The span of one read or write, under the current one. An unsampled one is not built.
    pub(crate) fn span(&self, statement: Statement) -> ActiveSpan {
        start_with(SpanKind::Client, || {
            let Statement { operation, table } = statement;
            let mut attributes = self.attributes();
            attributes.push(KeyValue::new("db.operation.name", operation));
            attributes.push(KeyValue::new("db.collection.name", table));
            ([operation, " ", table].concat().into(), attributes)
        })
    }

    pub(crate) fn attributes(&self) -> Vec<KeyValue> {
        let mut attributes = Vec::with_capacity(7);
        attributes.push(KeyValue::new("db.system.name", self.name));
        attributes.push(KeyValue::new("db.namespace", self.namespace.clone()));
        if let Some((address, port)) = &self.server {
            attributes.push(KeyValue::new("server.address", address.clone()));
            attributes.push(KeyValue::new("server.port", i64::from(*port)));
        }
        attributes
    }
}
