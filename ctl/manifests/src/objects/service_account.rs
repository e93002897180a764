//! `ServiceAccount`: an identity of its own for each service, without a token in its pods.

use k8s_openapi::api::core::v1::ServiceAccount;

use super::labels;
use crate::Release;
use crate::values::Values;

pub(super) fn build(release: &Release<'_>, values: &Values) -> ServiceAccount {
    ServiceAccount {
        metadata: labels::annotated(release, values, &values.service_account.annotations),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}
