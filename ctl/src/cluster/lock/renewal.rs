//! Keeping a Lease while its holder works: renewals, and noticing when it is no longer ours.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::Api;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{ATTEMPTS, DURATION, holder_of, patch};

/// A holder that lives renews it twice before it expires, and has the time to try once more.
pub(super) const RENEWAL: Duration = Duration::from_secs(5);

/// How a Lease was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    /// Somebody else holds it, or it was deleted.
    TakenOver,
    /// It was not renewed for so long that somebody else may hold it.
    Expired,
}

/// What is renewed, and for whom.
pub(super) struct Renewal {
    pub(super) api: Api<Lease>,
    pub(super) name: String,
    pub(super) holder: String,
    /// The resource version of our last write.
    pub(super) version: Arc<Mutex<String>>,
}

/// What a try came to.
enum Tried {
    Renewed,
    TakenOver,
    /// The server may be back before the Lease expires.
    Unknown,
}

impl Renewal {
    /// Until the Lease is lost, and `lost` has been told.
    pub(super) async fn run(self, lost: watch::Sender<Option<Loss>>) {
        let (mut renewed, mut tried) = (Instant::now(), Instant::now());
        loop {
            let expires = renewed + DURATION;
            tokio::time::sleep_until(expires.min(tried + RENEWAL)).await;
            tried = Instant::now();
            if tried >= expires {
                let _ = lost.send(Some(Loss::Expired));
                return;
            }
            // A request that hangs must not take the time of the next one.
            match tokio::time::timeout_at(expires.min(tried + RENEWAL), self.renew()).await {
                Ok(Tried::Renewed) => renewed = tried,
                Ok(Tried::TakenOver) => {
                    let _ = lost.send(Some(Loss::TakenOver));
                    return;
                }
                Ok(Tried::Unknown) | Err(_) => {}
            }
        }
    }

    async fn renew(&self) -> Tried {
        for _ in 0..ATTEMPTS {
            let known = self.version.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let spec = json!({ "renewTime": MicroTime(Timestamp::now()) });
            match patch(&self.api, &self.name, &known, &spec, None).await {
                Ok(lease) => {
                    self.note(lease);
                    return Tried::Renewed;
                }
                Err(kube::Error::Api(status)) if status.is_not_found() => return Tried::TakenOver,
                // Somebody wrote it. That may have been us: a renewal whose answer was lost.
                Err(kube::Error::Api(status)) if status.is_conflict() => match self.api.get_opt(&self.name).await {
                    Ok(Some(lease)) if holder_of(&lease) == Some(&self.holder) => self.note(lease),
                    Ok(_) => return Tried::TakenOver,
                    Err(_) => return Tried::Unknown,
                },
                Err(_) => return Tried::Unknown,
            }
        }
        Tried::Unknown
    }

    fn note(&self, lease: Lease) {
        let version = lease.metadata.resource_version.unwrap_or_default();
        *self.version.lock().unwrap_or_else(PoisonError::into_inner) = version;
    }
}
