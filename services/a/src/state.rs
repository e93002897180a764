//! What A's handlers share.

use std::sync::Arc;

use http::{HeaderValue, Uri};
use upstream::Client;

use crate::config::Config;

/// Cheap to clone: every request has its own.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) upstream: Client,
    pub(crate) service_b: Arc<Uri>,
}

impl State {
    pub(crate) fn new(config: &Config) -> Self {
        let upstream = Client::new(upstream::Config {
            timeout: config.upstream_timeout,
            user_agent: Some(HeaderValue::from_static(crate::USER_AGENT)),
            ..upstream::Config::default()
        });
        Self { upstream, service_b: Arc::new(config.service_b.clone()) }
    }
}
