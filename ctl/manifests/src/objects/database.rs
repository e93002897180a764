//! The service's own database: a claim and a volume for `SQLite`, the user's Secret for Postgres, and the variable that tells of it.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    KeyToPath, PersistentVolumeClaim, PersistentVolumeClaimSpec, PersistentVolumeClaimVolumeSource, SecretVolumeSource,
    Volume, VolumeMount, VolumeResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::labels::{self, Labels};
use super::volumes;
use crate::values::Values;
use crate::values::types::DatabaseKind;
use crate::{
    DATABASE_ANNOTATION, KEEP, POLICY_ANNOTATION, POSTGRES_FOLDER, Release, SQLITE, SQLITE_FOLDER, database_claim_name,
};

const VOLUME: &str = "database";
/// Of the volume, when nothing is said.
const SIZE: &str = "1Gi";
/// Of the Secret, when nothing is said; and the file's name always.
const KEY: &str = "url";

/// The claim of an `SQLite` database.
///
/// It stays when the service is deleted, by Helm and by msctl alike: a database can't be had back, a volume too many can be deleted.
pub(super) fn claim(release: &Release<'_>, values: &Values) -> Option<PersistentVolumeClaim> {
    if !values.database.is_sqlite() {
        return None;
    }
    let sqlite = values.database.sqlite.as_ref();
    let size = sqlite.and_then(|sqlite| sqlite.size.as_ref()).map_or_else(|| SIZE.to_owned(), |size| size.0.text());
    let mut metadata = labels::annotated(release, values, &pair(POLICY_ANNOTATION, KEEP));
    metadata.name = Some(database_claim_name(release.name));
    Some(PersistentVolumeClaim {
        metadata,
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            resources: Some(VolumeResourceRequirements {
                requests: Some(BTreeMap::from([("storage".to_owned(), Quantity(size))])),
                limits: None,
            }),
            storage_class_name: sqlite.and_then(|sqlite| sqlite.storage_class_name.clone()),
            ..PersistentVolumeClaimSpec::default()
        }),
        ..PersistentVolumeClaim::default()
    })
}

/// What tells the service which database it has.
pub(super) fn variable(release: &Release<'_>, values: &Values) -> Option<(String, String)> {
    let (name, value) = match values.database.kind? {
        DatabaseKind::None => ("DATABASE_URL", "none".to_owned()),
        DatabaseKind::Sqlite => ("DATABASE_URL", format!("sqlite://{SQLITE_FOLDER}/{}.sqlite3", release.name)),
        DatabaseKind::Postgres => ("DATABASE_URL_FILE", format!("{POSTGRES_FOLDER}/{KEY}")),
    };
    Some((name.to_owned(), value))
}

/// Annotations of the Deployment: whoever scales it has to know that it can't be.
pub(super) fn annotations(values: &Values) -> Option<Labels> {
    values.database.is_sqlite().then(|| pair(DATABASE_ANNOTATION, SQLITE))
}

pub(super) fn volume(release: &Release<'_>, values: &Values) -> Option<Volume> {
    let mut volume = Volume { name: VOLUME.to_owned(), ..Volume::default() };
    match values.database.kind? {
        DatabaseKind::None => return None,
        DatabaseKind::Sqlite => {
            let claim_name = database_claim_name(release.name);
            volume.persistent_volume_claim = Some(PersistentVolumeClaimVolumeSource { claim_name, read_only: None });
        }
        DatabaseKind::Postgres => {
            let postgres = values.database.postgres.as_ref()?;
            // The one key: the service has no business with what else the Secret holds.
            let key = postgres.key.clone().unwrap_or_else(|| KEY.to_owned());
            volume.secret = Some(SecretVolumeSource {
                secret_name: postgres.secret.clone(),
                default_mode: Some(volumes::secret_mode(values)),
                items: Some(vec![KeyToPath { key, path: KEY.to_owned(), mode: None }]),
                optional: None,
            });
        }
    }
    Some(volume)
}

pub(super) fn mount(values: &Values) -> Option<VolumeMount> {
    match values.database.kind? {
        DatabaseKind::None => None,
        DatabaseKind::Sqlite => Some(volumes::mount(VOLUME, SQLITE_FOLDER, None)),
        DatabaseKind::Postgres => Some(volumes::mount(VOLUME, POSTGRES_FOLDER, Some(true))),
    }
}

fn pair(key: &str, value: &str) -> Labels {
    Labels::from([(key.to_owned(), value.to_owned())])
}
