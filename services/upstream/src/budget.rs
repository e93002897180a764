//! The retry budget: what keeps retries from becoming the load that keeps a service down.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::config;

/// A token bucket. Each call pays in a part of a retry, each retry takes a whole one; in the long run retries add at
/// most `percent` to the load, whatever the number of attempts a single call may make.
#[derive(Debug)]
pub(crate) struct Budget {
    /// In hundredths of a retry.
    tokens: AtomicU32,
    deposit: u32,
    most: u32,
}

const RETRY: u32 = 100;

impl Budget {
    pub(crate) fn new(config: config::Budget) -> Self {
        let most = config.most.max(config.reserve).saturating_mul(RETRY);
        Self { tokens: AtomicU32::new(config.reserve.saturating_mul(RETRY).min(most)), deposit: config.percent, most }
    }

    /// A call begins.
    pub(crate) fn deposit(&self) {
        self.update(|tokens| (tokens < self.most).then(|| tokens.saturating_add(self.deposit).min(self.most)));
    }

    /// Whether a retry may be made; if so, it is paid for.
    pub(crate) fn withdraw(&self) -> bool {
        self.update(|tokens| tokens.checked_sub(RETRY))
    }

    fn update(&self, change: impl Fn(u32) -> Option<u32>) -> bool {
        self.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(percent: u32, reserve: u32, most: u32) -> Budget {
        Budget::new(config::Budget { percent, reserve, most })
    }

    #[test]
    fn a_dead_upstream_sees_a_tenth_more_and_the_reserve() {
        let budget = budget(10, 20, 100);
        let mut retries = 0;
        for _ in 0..10_000 {
            budget.deposit();
            // As a call with two retries would ask.
            retries += (0..2).take_while(|_| budget.withdraw()).count();
        }
        assert_eq!(retries, 1_000 + 20);
    }

    #[test]
    fn what_is_saved_up_is_bounded() {
        let budget = budget(10, 1, 3);
        for _ in 0..10_000 {
            budget.deposit();
        }
        assert_eq!((0..100).take_while(|_| budget.withdraw()).count(), 3);
    }

    #[test]
    fn without_a_budget_there_are_no_retries() {
        let budget = budget(0, 0, 0);
        budget.deposit();
        assert!(!budget.withdraw());
    }
}
