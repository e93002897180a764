//! Every statement of the store, on both databases: the same tests for each.
#![expect(clippy::unwrap_used, reason = "tests; clippy.toml allows it in test functions, not in what they share")]

#[path = "../support/mod.rs"]
mod support;

mod concurrent;
mod locked;
mod migrated;
mod purged;
mod statements;

use std::sync::Arc;
use std::time::Duration;

use database::Url;
use service_b::store::{self, Arrival, Store, Sweep};

/// Each test with a fresh database of either kind.
#[macro_export]
macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(&$crate::support::sqlite()).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                if let Some(database) = $crate::support::postgres() {
                    super::$test(&database).await;
                }
            })*
        }
    };
}

/// The store behind `url`, migrated.
async fn opened(url: &Url) -> Arc<dyn Store> {
    let context = support::context();
    let store = store::open(url.clone(), context.clone());
    support::ready(&context.health).await;
    // Reads have a connection of their own, which opens a moment later.
    support::eventually("readable", async || store.count().await.ok()).await;
    store
}

fn arrival(source: &str, id: &str) -> Arrival {
    Arrival { source: source.to_owned(), id: id.to_owned(), kind: "t".to_owned(), body: format!("{{\"id\":{id:?}}}") }
}

/// Of the `span` oldest events, how many are forgotten that are older than `keep`.
async fn purged(store: &Arc<dyn Store>, keep: Duration, span: u32) -> u64 {
    store.purge(Sweep { after: i64::MIN, keep, span }).await.unwrap().forgotten
}

const HOUR: Duration = Duration::from_hours(1);
