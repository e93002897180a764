//! Names to addresses, as a pod of the relay's namespace sees them.
//!
//! A resolver of our own instead of the C library's: it tells a name that does not exist from a nameserver that does not
//! answer, needs no thread, and applies the search list also to `service-b.demo.svc`, which musl's does not once a name
//! has `ndots` dots.

mod cache;
mod conf;
mod message;
mod query;

use std::net::IpAddr;

use super::policy::Origin;
use cache::Cache;
pub(super) use conf::ResolvConf;
use query::{Answer, QueryError};

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resolved {
    pub(super) addresses: Vec<IpAddr>,
    pub(super) origin: Origin,
    /// Not asked for just now.
    pub(super) cached: bool,
}

/// Why a name has no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ResolveError {
    #[error("cluster DNS knows no {host}; asked for {}", tried.join(", "))]
    NotFound { host: String, tried: Vec<String> },
    #[error("\"{0}\" is not a host name")]
    NotAName(String),
    #[error("cluster DNS cannot resolve {host}: {cause}")]
    Failed { host: String, cause: String },
    #[error("cluster DNS did not answer for {host}")]
    TimedOut { host: String },
}

#[derive(Debug)]
pub(super) struct Resolver {
    conf: ResolvConf,
    cache: Cache,
}

impl Resolver {
    pub(super) fn new(conf: ResolvConf) -> Self {
        Self { conf, cache: Cache::default() }
    }

    pub(super) async fn resolve(&self, host: &str) -> Result<Resolved, ResolveError> {
        let host = host.to_ascii_lowercase();
        if let Some(known) = self.cache.get(&host) {
            return known;
        }
        let candidates = self.conf.candidates(&host).ok_or_else(|| ResolveError::NotAName(host.clone()))?;
        for candidate in &candidates {
            match query::addresses(&self.conf.nameservers, candidate).await {
                Ok(Answer::Addresses { addresses, owner, ttl }) => {
                    let origin = if self.conf.in_zone(&owner) { Origin::ClusterZone } else { Origin::Elsewhere };
                    let resolved = Resolved { addresses, origin, cached: true };
                    self.cache.keep(host, Ok(resolved.clone()), ttl);
                    return Ok(Resolved { cached: false, ..resolved });
                }
                Ok(Answer::Nothing) => {}
                Err(QueryError::TimedOut) => return Err(ResolveError::TimedOut { host }),
                Err(QueryError::Failed(cause)) => return Err(ResolveError::Failed { host, cause }),
            }
        }
        let error = ResolveError::NotFound { host: host.clone(), tried: candidates };
        self.cache.keep(host, Err(error.clone()), cache::NEGATIVE);
        Err(error)
    }

    /// Whether an answer was remembered; it is not any more.
    pub(super) fn forget(&self, host: &str) -> bool {
        self.cache.forget(&host.to_ascii_lowercase())
    }
}
