//! The service's own database.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Quantity;

/// The service's own database, told by `DATABASE_URL` or `DATABASE_URL_FILE`.
///
/// Nothing is told, and nothing made, when it is empty: the service has none, or is told by its own environment.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Database {
    /// Which one; the service is told of no database when unset.
    #[serde(default)]
    pub kind: Option<DatabaseKind>,
    /// The volume of an `SQLite` database.
    #[serde(default)]
    pub sqlite: Option<SqliteDatabase>,
    /// The Secret with the URL of a Postgres database.
    #[serde(default)]
    pub postgres: Option<PostgresDatabase>,
}

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DatabaseKind {
    None,
    Sqlite,
    Postgres,
}

/// The volume of an `SQLite` database: a file for one pod, so one replica and no autoscaler.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SqliteDatabase {
    /// How much the volume holds; 1Gi when unset.
    #[serde(default)]
    pub size: Option<Quantity>,
    /// `StorageClass` of the volume; the cluster's default when unset.
    #[serde(default)]
    #[schemars(extend("format" = "subdomain"))]
    pub storage_class_name: Option<String>,
}

/// The Secret with the URL of a Postgres database, such as <postgres://user:password@host:5432/name>.
///
/// It is mounted as a file. The service reads it again when it connects again; its pods are not restarted when it changes, because a
/// checksum would need its content.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PostgresDatabase {
    /// Name of the Secret.
    #[serde(default)]
    #[schemars(extend("format" = "subdomain"))]
    pub secret: Option<String>,
    /// Its key; `url` when unset.
    #[serde(default)]
    #[schemars(extend("format" = "secret-key"))]
    pub key: Option<String>,
}

impl Database {
    /// Whether the service keeps an `SQLite` file.
    #[must_use]
    pub fn is_sqlite(&self) -> bool {
        self.kind == Some(DatabaseKind::Sqlite)
    }

    /// The Postgres settings, when that is the kind.
    pub(crate) fn as_postgres(&self) -> Option<&PostgresDatabase> {
        self.postgres.as_ref().filter(|_| self.kind == Some(DatabaseKind::Postgres))
    }
}
