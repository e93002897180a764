//! `ConfigMap`: the environment of the service, and the checksum that restarts pods when it changes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use k8s_openapi::api::core::v1::ConfigMap;
use sha2::{Digest, Sha256};

use super::{database, labels};
use crate::values::Values;
use crate::values::types::DrainBy;
use crate::{Release, config_name};

type Data = BTreeMap<String, String>;

pub(super) fn build(release: &Release<'_>, values: &Values, data: Data) -> ConfigMap {
    let mut metadata = labels::metadata(release, values);
    metadata.name = Some(config_name(release.name));
    ConfigMap { metadata, data: Some(data), ..ConfigMap::default() }
}

/// What the service is told by environment variables; the user's own win.
pub(super) fn data(release: &Release<'_>, values: &Values) -> Data {
    let mut data = Data::new();
    let mut set = |name: &str, value: String| data.insert(name.to_owned(), value);
    set("LISTEN_ADDR", format!("0.0.0.0:{}", values.service.port));
    if let Some(port) = values.admin.port {
        set("ADMIN_ADDR", format!("0.0.0.0:{port}"));
    }
    if values.drain.by == DrainBy::Service {
        set("DRAIN_DELAY", format!("{}s", values.drain.delay_seconds));
        set("DRAIN_TIMEOUT", format!("{}s", values.drain.timeout_seconds));
    }
    if values.telemetry.enabled {
        set("OTEL_SERVICE_NAME", release.name.to_owned());
    }
    if let Some(endpoint) = values.telemetry.exports_to() {
        set("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.to_owned());
    }
    data.extend(database::variable(release, values));
    data.extend(values.env.iter().map(|(name, value)| (name.clone(), value.0.clone())));
    data
}

/// sha256 over the raw keys and values, each ended by a NUL, in the order of the keys.
///
/// Raw, because serialised forms differ: Helm's `toJson` escapes `<`.
pub(super) fn checksum(data: &Data) -> String {
    let mut hash = Sha256::new();
    for text in data.iter().flat_map(|(name, value)| [name, value]) {
        hash.update(text.as_bytes());
        hash.update([0]);
    }
    hash.finalize().iter().fold(String::new(), |mut hex, byte| {
        // Writing to a String can't fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_tells_keys_from_values() {
        let of =
            |pairs: &[(&str, &str)]| checksum(&pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect());
        assert_ne!(of(&[("A", "1\nB=2")]), of(&[("A", "1"), ("B", "2")]));
        assert_ne!(of(&[("A", "BC")]), of(&[("AB", "C")]));
        // printf 'A\0<&>\0' | sha256sum
        assert_eq!(of(&[("A", "<&>")]), "d551857a2f213885eac330bb26e5f11a0138fb00694307bce98b0c5b6a739c9d");
    }
}
