//! Volumes of the pod and where they are mounted.

use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, EmptyDirVolumeSource, PersistentVolumeClaimVolumeSource, SecretVolumeSource, Volume,
    VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::database;
use crate::Release;
use crate::values::Values;
use crate::values::types;

const TMP: &str = "tmp";
/// Files of a Secret: for the pod's group where it has one, else for the only user there is.
const GROUP_READ: i32 = 0o440;
const ALL_READ: i32 = 0o444;

pub(super) fn volumes(release: &Release<'_>, values: &Values) -> Vec<Volume> {
    let tmp = values.tmp.size_limit.as_ref().map(|size| Volume {
        name: TMP.to_owned(),
        empty_dir: Some(empty_dir(Some(size))),
        ..Volume::default()
    });
    let mode = secret_mode(values);
    let secrets = values.secrets.iter().map(|(name, secret)| Volume {
        name: name.clone(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(secret.secret_name.clone()),
            default_mode: Some(mode),
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    });
    let others = values.volumes.iter().map(|(name, volume)| self::volume(name, volume));
    tmp.into_iter().chain(database::volume(release, values)).chain(others).chain(secrets).collect()
}

/// The mode of a Secret's files.
pub(super) fn secret_mode(values: &Values) -> i32 {
    if values.security_context.fs_group.is_some() { GROUP_READ } else { ALL_READ }
}

pub(super) fn mounts(values: &Values) -> Vec<VolumeMount> {
    let tmp = values.tmp.size_limit.as_ref().map(|_| mount(TMP, "/tmp", None));
    let volumes = values.volumes.iter().map(|(name, volume)| VolumeMount {
        sub_path: volume.sub_path.clone(),
        ..mount(name, &volume.mount_path.0, volume.read_only)
    });
    let secrets = values.secrets.iter().map(|(name, secret)| mount(name, &secret.mount_path.0, Some(true)));
    tmp.into_iter().chain(database::mount(values)).chain(volumes).chain(secrets).collect()
}

pub(super) fn mount(name: &str, path: &str, read_only: Option<bool>) -> VolumeMount {
    VolumeMount { name: name.to_owned(), mount_path: path.to_owned(), read_only, ..VolumeMount::default() }
}

fn empty_dir(size: Option<&types::Quantity>) -> EmptyDirVolumeSource {
    EmptyDirVolumeSource { size_limit: size.map(|size| Quantity(size.0.text())), medium: None }
}

fn volume(name: &str, volume: &types::Volume) -> Volume {
    let claim = volume
        .persistent_volume_claim
        .as_ref()
        .map(|claim| PersistentVolumeClaimVolumeSource { claim_name: claim.claim_name.clone(), read_only: None });
    let config_map = volume
        .config_map
        .as_ref()
        .map(|source| ConfigMapVolumeSource { name: source.name.clone(), ..ConfigMapVolumeSource::default() });
    Volume {
        name: name.to_owned(),
        empty_dir: volume.empty_dir.as_ref().map(|source| empty_dir(source.size_limit.as_ref())),
        config_map,
        persistent_volume_claim: claim,
        ..Volume::default()
    }
}
