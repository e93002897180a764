//! Answers, for some seconds: a burst of calls asks once, and a pod that moved is found soon.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::{ResolveError, Resolved};

/// `CoreDNS` gives 5 to 30 s; an endpoint that moved should not be missed for longer than this.
const MOST: Duration = Duration::from_secs(5);
/// A name that does not exist yet may soon.
pub(super) const NEGATIVE: Duration = Duration::from_secs(1);
const CAPACITY: usize = 1024;

type Outcome = Result<Resolved, ResolveError>;

#[derive(Debug, Default)]
pub(super) struct Cache {
    entries: Mutex<HashMap<String, (Instant, Outcome)>>,
}

impl Cache {
    pub(super) fn get(&self, host: &str) -> Option<Outcome> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(host).filter(|(until, _)| *until > Instant::now()).map(|(_, outcome)| outcome.clone())
    }

    pub(super) fn keep(&self, host: String, outcome: Outcome, ttl: Duration) {
        let now = Instant::now();
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= CAPACITY {
            entries.retain(|_, (until, _)| *until > now);
            if entries.len() >= CAPACITY {
                entries.clear();
            }
        }
        entries.insert(host, (now + ttl.min(MOST), outcome));
    }

    pub(super) fn forget(&self, host: &str) -> bool {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.remove(host).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relay::policy::Origin;

    fn resolved() -> Resolved {
        Resolved { addresses: vec![[10, 0, 0, 1].into()], origin: Origin::ClusterZone, cached: true }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_kept_for_its_time_but_never_long() {
        let cache = Cache::default();
        cache.keep("short".into(), Ok(resolved()), Duration::from_secs(2));
        cache.keep("long".into(), Ok(resolved()), Duration::from_mins(5));
        assert_eq!(cache.get("short"), Some(Ok(resolved())));
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!((cache.get("short"), cache.get("long")), (None, Some(Ok(resolved()))));
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(cache.get("long"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn it_does_not_grow_without_bound() {
        let cache = Cache::default();
        for at in 0..CAPACITY * 3 {
            cache.keep(at.to_string(), Ok(resolved()), MOST);
        }
        assert!(cache.entries.lock().unwrap().len() <= CAPACITY);
    }
}
